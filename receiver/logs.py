"""Logs: JSON lines on stderr, one event a line, with the trace id; known secrets are cut out of every line."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Sequence
from typing import TextIO

import msgspec
from pythonjsonlogger.msgspec import MsgspecFormatter

_HIDDEN = "[hidden]"
_SHORTEST_SECRET = 6  # shorter texts would be cut out of innocent words


class _SafeFormatter(MsgspecFormatter):
    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__(
            "%(message)s%(levelname)s%(name)s",
            rename_fields={"levelname": "level", "name": "logger", "message": "event"},
            timestamp="time",
        )
        known = [text for text in secrets if len(text) >= _SHORTEST_SECRET]
        known += [
            msgspec.json.encode(text).decode()[1:-1] for text in known
        ]  # as it stands in a line of JSON
        # Longest first: a secret may contain another one.
        self._secrets = sorted(set(known), key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        for secret in self._secrets:
            line = line.replace(secret, _HIDDEN)
        return line

    def formatException(self, ei: object) -> str:  # noqa: N802 - the name is logging's
        """Where it happened, without the error's text: drivers put statements and parameters into it."""
        kind, _, trace = ei if isinstance(ei, tuple) else (None, None, None)
        frames = traceback.extract_tb(trace)
        places = " > ".join(
            f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames[-8:]
        )
        return f"{kind.__name__ if kind else 'unknown'} at {places}"


def configure(level: str = "INFO", secrets: Sequence[str] = (), stream: TextIO | None = None) -> None:
    """Send every logger's lines to `stream` (default: stderr) as JSON; call once per process."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_SafeFormatter(secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # The pool logs two long tracebacks for each connection that a failover cuts; the retry tells it in one line.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # its warnings carry addresses
    _leave_out_what_nobody_reads()


def _leave_out_what_nobody_reads() -> None:
    """Keep logging from asking for each line where it was written, in which thread, process and task.

    The way that is documented: https://docs.python.org/3/howto/logging.html#optimization
    """
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    if sys.version_info >= (3, 12):
        logging.logAsyncioTasks = False


def event_logger(name: str) -> logging.Logger:
    """The logger of one part. Log a short event name, and the facts as `extra`."""
    return logging.getLogger(f"receiver.{name}")
