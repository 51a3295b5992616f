"""`receiver doctor` on actions: whether what they are set up with can be used. Asks nobody and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from receiver.config import Settings
from receiver.domain.finding import Finding, bad, ok, warn
from receiver.domain.remediation import Safety, is_allowed
from receiver.errors import SettingsError, WrongRules
from receiver.remediation.registry import build_actions
from receiver.rules_file import rules_of

# The drivers that come with the extra `remediation`, by how the addresses of their databases begin.
_DRIVERS = {"postgres": "psycopg", "redis": "redis"}
_INSTALL = "pip install 'alert-receiver[remediation]'"


def check_actions(settings: Settings) -> Iterator[Finding]:
    """Files that cannot be read, folders that are not there, drivers that are missing; one good word otherwise."""
    found = list(_problems(settings))
    yield from found
    yield from _not_allowed(settings)
    if not found:
        allowed = ", ".join(settings.remediation_allow)
        yield ok("actions", f"{settings.remediation}; allowed: {allowed}")


def _not_allowed(settings: Settings) -> Iterator[Finding]:
    """What rules ask for in vain. Mistakes in the rules are told elsewhere."""
    try:
        rules = rules_of(settings).rules
    except WrongRules:
        return
    safety = Safety(settings.remediation_allow, settings.remediation_approval, settings.remediation_per_hour)
    asked = [(rule.name, rule.run.action) for rule in rules if rule.run]
    in_vain = [f'"{rule}" for {action}' for rule, action in asked if not is_allowed(action, safety)]
    if in_vain:
        text = f"rules ask for actions that RECEIVER_REMEDIATION_ALLOW does not name: {', '.join(in_vain)}"
        yield warn("actions", text, "each will be refused; add those that are to run")


def _problems(settings: Settings) -> Iterator[Finding]:
    try:
        build_actions(settings)
    except SettingsError as error:
        for problem in error.problems:
            yield bad("actions", problem, "docs/actions.md has an example")
    for path in settings.remediation_paths:
        if not path.is_dir():
            yield bad(
                "actions", f"{path} of RECEIVER_REMEDIATION_PATHS is no folder here", "correct the setting"
            )
    for name, url in settings.remediation_databases.items():
        missing = [one for start, one in _DRIVERS.items() if url.startswith(start) and not find_spec(one)]
        if missing:
            yield bad("actions", f"the database {name} needs {missing[0]}, which is not installed", _INSTALL)
