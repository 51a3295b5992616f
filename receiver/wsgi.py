"""The application for any WSGI server: `gunicorn receiver.wsgi:application`. `receiver serve` does this and more."""

from __future__ import annotations

import sys

from receiver import logs
from receiver.app import create_app
from receiver.config import Settings, load
from receiver.domain.rules.model import RuleSet
from receiver.errors import SettingsError
from receiver.rules_file import rules_of

# gunicorn takes this status for "the application cannot be loaded" and ends; any other makes it start workers for ever.
_CANNOT_LOAD = 4


def _loaded() -> tuple[Settings, RuleSet]:
    try:
        settings = load()
        return settings, rules_of(settings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(_CANNOT_LOAD)


_settings, _rules = _loaded()
logs.configure(_settings.log_level, _settings.secrets())
application = create_app(_settings, rules=_rules)
