"""Use cases: one function each, one transaction each. They join the pure rules (domain) to the rows (storage)."""
