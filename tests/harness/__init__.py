"""The servers and processes that other tests rely on do what they promise."""
