"""Tests: unit (pure), schema, integration (a real database), acceptance (our processes), packaging, and
harness (the servers and processes that the others use).
"""
