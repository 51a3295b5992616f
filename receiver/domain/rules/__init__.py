"""The rules: what a file of them may say, and what follows for an alert or an incident. Pure: text in, effects out.

A new effect gets a key in `effects.py` with its events, a field in `model.Rule`, and its place in `evaluate.py`.
"""
