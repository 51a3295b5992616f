"""How commands end: the statuses, and the line that each expected error becomes instead of a traceback."""

from __future__ import annotations

from enum import IntEnum

from sqlalchemy.exc import SQLAlchemyError

from receiver.errors import ReceiverError, SchemaOutOfDate, SettingsError
from receiver.storage.refusals import cannot_be_used, explain


class Exit(IntEnum):
    """Statuses of the command line, beside 0."""

    FAILED = 1  # it did not work, or a check found something
    SETTINGS = 2  # wrong settings, or wrong usage (click's own status for that)
    SCHEMA = 3
    DATABASE = 4
    ADDRESS = 5


class Failure(ReceiverError):
    """Ends the command with `status`, and with its message on stderr."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


def failure_of(error: Exception) -> tuple[int, str] | None:
    """Status and line for an error that can be expected; None for one that is a bug."""
    if isinstance(error, Failure):
        return error.status, str(error)
    if isinstance(error, SettingsError):
        return Exit.SETTINGS, str(error)
    if isinstance(error, SchemaOutOfDate):
        return Exit.SCHEMA, f"The database is not ready: {error}"
    if isinstance(error, SQLAlchemyError):
        if cannot_be_used(error):
            return (
                Exit.DATABASE,
                f"The database cannot be used: {explain(error)}. `receiver doctor` tells more.",
            )
        return Exit.FAILED, f"The database refused: {explain(error)}. `receiver doctor` tells more."
    if isinstance(error, ReceiverError):
        return Exit.FAILED, str(error)
    if isinstance(error, OSError) and error.filename:
        return Exit.FAILED, f"{error.filename}: {error.strerror}"
    return None
