"""`python -m faults`: see cli.py."""

from __future__ import annotations

from faults.cli import main

if __name__ == "__main__":
    main()
