"""Channels that tell people. To add one: a file here with a class after base.Notifier, and a line in registry.py."""
