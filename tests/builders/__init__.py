"""Builds what senders send."""
