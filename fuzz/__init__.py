"""Fuzzing: arbitrary bytes for everything that reads what strangers sent.

`make fuzz` runs it. A target (targets/) is a function of bytes that raises when a promise is broken. The engine is
atheris, which looks for bytes that reach new code (guided.py); where atheris cannot be had, hypothesis (random.py).
What breaks a target is kept in tests/fuzz/corpus, and `make test` tries all of it again (tests/fuzz).

To add a target: a function in targets/, an entry in `targets.TARGETS`, and some beginnings in tests/fuzz/corpus/NAME.
"""
