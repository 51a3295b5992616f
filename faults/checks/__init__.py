"""The checkers, C1 to C9. Each says what is wrong in the evidence of one fault; registry.py lists them."""
