"""The rules of the field as pure code: no I/O, no clock of its own, no SQL; a decision comes with its reason."""
