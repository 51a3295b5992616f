"""The bench's own logic: a wrong figure is worse than none."""
