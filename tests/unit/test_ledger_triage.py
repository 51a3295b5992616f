"""Alerts that rules ignore leave no trace in the books, and what rules say stands in the events."""

from __future__ import annotations

from datetime import timedelta

from receiver.domain.alert import Alert, Disposition
from receiver.domain.events import EventType
from receiver.domain.triage import Triage
from tests.unit.test_ledger import START, Story, alert

IGNORE = Triage(is_ignored=True, reason="rule quiet", rule="quiet")


def story(**verdicts: Triage) -> Story:
    """A story in which alerts with these fingerprints are judged so."""
    told = Story()
    told.ledger.judge = lambda one, source: verdicts.get(one.fingerprint, Triage())
    return told


def dispositions(told: Story, *alerts: Alert) -> list[str]:
    return [told.hears(one).disposition.value for one in alerts]


def test_an_ignored_alert_opens_nothing_and_says_why() -> None:
    told = story(f1=IGNORE)
    admission = told.hears(alert())
    assert (admission.disposition, admission.incident) == (Disposition.IGNORED, None)
    assert admission.reason == "rule quiet"
    assert not told.ledger.events and not told.ledger.episodes and not told.ledger.opened


def test_repeats_and_the_resolve_of_an_ignored_alert_are_ignored_too() -> None:
    told = story(f1=IGNORE)
    heard = dispositions(told, alert(), alert(), alert("resolved"), alert("resolved"), alert())
    assert heard == ["ignored"] * 5
    assert not told.ledger.episodes


def test_an_ignored_member_does_not_join_and_does_not_hold_the_incident_open() -> None:
    told = story(f2=IGNORE)
    opened = told.hears(alert())
    heard = dispositions(
        told, alert(fingerprint="f2"), alert("resolved", fingerprint="f2"), alert("resolved")
    )
    assert heard == ["ignored", "ignored", "resolved"]
    assert opened.incident is not None
    assert (opened.incident.alert_count, opened.incident.firing_count) == (2, 0)
    assert told.types()[-1] is EventType.INCIDENT_RESOLVED


def test_new_rules_hold_for_an_alert_that_goes_on_firing() -> None:
    told = story(f1=IGNORE)
    told.hears(alert())
    told.ledger.judge = lambda one, source: Triage()
    assert told.hears(alert()).disposition is Disposition.OPENED


def test_an_incident_that_is_open_already_is_carried_on_and_resolved_under_new_rules() -> None:
    told = story()
    told.hears(alert())
    told.ledger.judge = lambda one, source: IGNORE
    assert dispositions(told, alert(), alert("resolved"), alert("resolved")) == [
        "repeated",
        "resolved",
        "repeated",
    ]
    assert told.ledger.ended and not told.ledger.incidents


def test_a_new_episode_that_is_ignored_leaves_the_old_one_to_its_resolve() -> None:
    told = story()
    told.hears(alert())
    told.ledger.judge = lambda one, source: IGNORE
    later = START + timedelta(minutes=5)
    heard = dispositions(told, alert(starts_at=later), alert("resolved", starts_at=later))
    assert heard == ["ignored", "resolved"]
    (incident,) = told.ledger.ended
    assert incident.firing_count == 0


def test_what_is_late_or_known_to_be_over_is_not_judged_again() -> None:
    told = story()
    told.hears(alert())
    told.hears(alert("resolved"))
    told.ledger.judge = lambda one, source: IGNORE
    assert dispositions(told, alert(), alert("resolved")) == ["late", "repeated"]


def test_a_test_alert_is_not_judged() -> None:
    assert story(f1=IGNORE).hears(alert(is_test=True)).disposition is Disposition.TEST


def test_a_priority_that_a_rule_gives_counts_from_the_opening_on_and_its_rule_is_told() -> None:
    told = story(f1=Triage(priority="P1", reason="rule up", rule="up"))
    admission = told.hears(alert())
    assert admission.incident is not None and admission.incident.priority == "P1"
    raised, opened = told.ledger.events
    assert (raised.payload["rule"], opened.payload["rule"], opened.payload["priority"]) == ("up", "up", "P1")


def test_a_joining_alert_raises_the_priority_by_rule_and_never_lowers_it() -> None:
    told = story(f2=Triage(priority="P0", rule="up"), f3=Triage(priority="P4", rule="down"))
    for fingerprint in ("f1", "f2", "f3"):
        told.hears(alert(fingerprint=fingerprint))
    assert told.ledger.opened[0].priority == "P0"
    (update,) = (one for one in told.ledger.events if one.type is EventType.INCIDENT_UPDATED)
    assert update.payload == {"changes": {"priority": ["P2", "P0"]}, "rule": "up"}
