"""What the commands of `receiver db` work on: the settings, and an engine that is closed afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from receiver.cli.environment import start
from receiver.config import Settings
from receiver.storage.engine import create_engine
from receiver.storage.migrate import require_newest


@contextmanager
def database(*, newest: bool = True) -> Iterator[tuple[Settings, Engine]]:
    """The settings, and an engine for one thread. `newest`: only for this release's schema.

    Raises SettingsError, SchemaOutOfDate.
    """
    settings = start(quiet=True)
    engine = create_engine(settings.database_url, pool_size=1)
    try:
        if newest:
            require_newest(engine)
        yield settings, engine
    finally:
        engine.dispose()
