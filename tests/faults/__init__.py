"""The fault suite's own logic, and a short turn of it: a checker that sees nothing is worse than none."""
