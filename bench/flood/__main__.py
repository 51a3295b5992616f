"""`python -m bench.flood`: see cli.py."""

from __future__ import annotations

from bench.flood.cli import main

if __name__ == "__main__":
    main()
