"""Remediation: actions asked for by rules and people, decided on in the database, carried out at most once.

`request` writes them down, `handler` has their turn, `authorise` decides under locks, `endings` writes what came of
them, `verify` looks whether it helped, `approvals` and `asking` are what people do, `switch` is the kill switch.
"""
