"""The faults: one function for each, and registry.py, which lists them. A new one is a function and a line there."""
