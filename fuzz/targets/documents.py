"""What the operator writes: mistakes in it are told, all of them, and never end the program in another way."""

from __future__ import annotations

from datetime import UTC, datetime

from fuzz.pieces import texts
from receiver.config import SETTINGS, load
from receiver.domain.alert import Alert, AlertStatus
from receiver.domain.events import EventType
from receiver.domain.rules.evaluate import effects, triage
from receiver.domain.rules.parse import parse_rules
from receiver.domain.rules.subject import subject_of_alert
from receiver.errors import SettingsError
from receiver.notifiers.registry import WANTED
from receiver.remediation.registry import CATALOGUE, mistakes_of

_ALERT = Alert(
    status=AlertStatus.FIRING,
    rule_uid="u",
    alertname="HighCPU",
    fingerprint="f",
    severity="critical",
    priority="P0",
    cluster="prod",
    namespace="shop",
    service="svc-a",
    phase="",
    incident_key="0123456789abcdef",
    raw="{}",
    starts_at=datetime(2026, 11, 21, tzinfo=UTC),
    title="CPU",
    labels={"alertname": "HighCPU", "pod": "svc-a-1"},
)
_PARSED = {setting.name: setting for setting in SETTINGS}
_NAMES = sorted(_PARSED)


def rules(data: bytes) -> None:
    """A rules file gives rules or mistakes, and rules that are good can be asked about any alert."""
    found, problems = parse_rules(
        data.decode("utf-8", "replace"), WANTED, actions=CATALOGUE, mistakes_of=mistakes_of
    )
    assert (found is None) == bool(problems)
    assert all(problem.line > 0 and problem.text for problem in problems)
    if found is not None:
        triage(found, _ALERT, "alertmanager")
        subject = subject_of_alert(_ALERT, "alertmanager")
        for event in EventType:
            effects(found, event, subject, WANTED)


def settings(data: bytes) -> None:
    """The first piece chooses a setting, the second is its value: it is taken, or named as wrong and not repeated."""
    chosen, value = texts(data, 2)
    name = chosen if chosen in _PARSED else _NAMES[sum(chosen.encode()) % len(_NAMES)]
    given = "k9" + value.replace("\0", "") + "k9"
    for text in (value, given):
        try:
            load({name: text})
        except SettingsError as error:
            told = str(error)
            assert name in told
            assert not _PARSED[name].secret or len(value) < 4 or given not in told, (
                "the error repeats a secret"
            )
