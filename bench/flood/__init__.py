"""What slow senders and a flood do to the receiver, and how soon it is itself again.

`python -m bench.flood` prints the tables of docs/security.md. Honest requests go on beside each; what they see counts.
"""
