"""Commands run inside the test's process. Not for `up`, `serve` and `worker`, which take a process over."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from click.testing import CliRunner, Result

from receiver.cli import main


def run(arguments: Sequence[str], **settings: str) -> Result:
    """Run `receiver ARGUMENTS` with these settings (names without RECEIVER_)."""
    return feed(arguments, b"", **settings)


def feed(arguments: Sequence[str], stdin: bytes, /, **settings: str) -> Result:
    """The same, with something to read."""
    root = logging.getLogger()
    handlers, level, hook = root.handlers[:], root.level, sys.excepthook
    try:
        variables = {f"RECEIVER_{name}": value for name, value in settings.items()}
        return CliRunner().invoke(main, arguments, input=stdin, env=variables)
    finally:
        root.handlers[:] = handlers  # the command set logs up for a process of its own
        root.setLevel(level)
        sys.excepthook = hook
