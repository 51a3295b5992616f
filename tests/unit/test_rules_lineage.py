"""Which rules stand behind an action: none may follow from itself."""

from __future__ import annotations

from receiver.clock import utc_now
from receiver.domain.events import Event, EventType
from receiver.domain.rules.lineage import Origin, cause_of, rules_behind

ORIGINS = {
    "ACT-1": Origin("scale", "incident.opened"),
    "ACT-2": Origin("restart", "action.failed:ACT-1"),
    "ACT-3": Origin("rollback", "action.rejected:ACT-2"),
    "ACT-4": Origin("", "ann"),
}


def event(type_: EventType, action_id: str | None = None) -> Event:
    return Event(type_, utc_now(), "worker", "", incident_id="INC-1", action_id=action_id)


def test_the_cause_of_an_action_names_the_action_before_it() -> None:
    assert cause_of(event(EventType.INCIDENT_OPENED)) == "incident.opened"
    assert cause_of(event(EventType.ACTION_FAILED, "ACT-1")) == "action.failed:ACT-1"


def test_behind_an_action_stand_all_rules_that_led_to_it() -> None:
    assert rules_behind(ORIGINS, "ACT-3") == {"rollback", "restart", "scale"}
    assert rules_behind(ORIGINS, "ACT-1") == {"scale"}


def test_behind_what_a_person_asked_for_stands_no_rule() -> None:
    assert rules_behind(ORIGINS, "ACT-4") == frozenset()
    assert rules_behind(ORIGINS, "ACT-9") == frozenset()


def test_a_circle_of_causes_ends() -> None:
    circle = {"A": Origin("a", "action.failed:B"), "B": Origin("b", "action.failed:A")}
    assert rules_behind(circle, "A") == {"a", "b"}
