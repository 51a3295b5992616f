"""The application for any WSGI server: `gunicorn receiver.wsgi:application`. `receiver serve` does this and more."""

from __future__ import annotations

import sys

from receiver import logs
from receiver.app import create_app
from receiver.config import Settings, load
from receiver.errors import SettingsError

# gunicorn takes this status for "the application cannot be loaded" and ends; any other makes it start workers for ever.
_CANNOT_LOAD = 4


def _settings() -> Settings:
    try:
        return load()
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(_CANNOT_LOAD)


_loaded = _settings()
logs.configure(_loaded.log_level, _loaded.secrets())
application = create_app(_loaded)
