"""The fault suite: a whole receiver under load, one fault after another, and checkers that must find nothing.

`make faults` runs it. A fault is a class in kinds/ with a line in kinds/registry.py; what it must not break is checked
by checks/. What is promised and how it is kept: docs/reliability.md.
"""
