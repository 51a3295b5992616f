"""Inbound formats: each makes the same Alerts out of what one kind of sender posts.

To add one: a file here with a class after base.Source, a line in registry.py, and samples with their expected results
in tests/payloads.
"""
