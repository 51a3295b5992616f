"""What every command begins with: the settings, and logs that fit the reader."""

from __future__ import annotations

import sys
from types import TracebackType

from receiver import logs
from receiver.config import Settings, load


def start(*, quiet: bool = False) -> Settings:
    """The settings, with logs set up. `quiet`: for commands that speak to people, who want warnings only.

    Raises SettingsError.
    """
    settings = load()
    logs.configure("WARNING" if quiet else settings.log_level, settings.secrets())
    sys.excepthook = _log_crash
    return settings


def _log_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A bug, told like everything else: as one line, and without the error's text, which may hold what is secret."""
    logs.event_logger("cli").critical("crash", exc_info=(kind, error, trace))
