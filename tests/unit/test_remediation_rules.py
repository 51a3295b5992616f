"""The safety rules, each by itself, and which of them comes first."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from receiver.domain.action_state import ActionState
from receiver.domain.incident import Mitigation
from receiver.domain.remediation import (
    ENDED,
    TRANSITIONS,
    Case,
    Mode,
    Refusal,
    Safety,
    Step,
    may_become,
    mitigation_after,
    rule,
    stricter,
)

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SAFETY = Safety(allow=["kubernetes.*", "command.run"], approval=["command.*"], per_hour=3)
CASE = Case(
    action="kubernetes.scale",
    target="kubernetes:shop/deployment/svc-a",
    mode=Mode.ON,
    incident_status="active",
    expires_at=NOW + timedelta(seconds=600),
    system="kubernetes",
)


def ruled(**changes):
    return rule(replace(CASE, **changes), SAFETY, NOW)


def test_an_action_that_nothing_stands_against_runs():
    assert ruled().step is Step.RUN


@pytest.mark.parametrize(
    ("changes", "refusal", "words"),
    [
        ({"mode": Mode.OFF}, Refusal.SWITCHED_OFF, "remediation is switched off"),
        ({"action": "http.call"}, Refusal.NOT_ALLOWED, "RECEIVER_REMEDIATION_ALLOW does not name http.call"),
        ({"problems": ["target.namespace: no"]}, Refusal.INVALID, "target.namespace: no"),
        ({"incident_status": "resolved"}, Refusal.INCIDENT_OVER, "the incident is resolved by now"),
        ({"runs_on_target": 3}, Refusal.BUDGET, "3 times on kubernetes:shop/deployment/svc-a within an hour"),
        ({"runs_of_incident": 4}, Refusal.BUDGET, "for this incident"),
        ({"breaker_delay_seconds": 600}, Refusal.BREAKER, "expires before it may be tried again"),
    ],
)
def test_each_refusal_has_its_reason(changes, refusal, words):
    ruling = ruled(**changes)
    assert (ruling.step, ruling.refusal) == (Step.REFUSE, refusal)
    assert words in ruling.reason


def test_it_expires_at_its_limit_and_not_before():
    assert ruled(expires_at=NOW + timedelta(microseconds=1)).step is Step.RUN
    late = ruled(expires_at=NOW)
    assert (late.step, late.refusal) == (Step.EXPIRE, Refusal.EXPIRED)


def test_one_below_the_budget_runs():
    assert ruled(runs_on_target=2, runs_of_incident=2).step is Step.RUN


def test_what_a_person_asks_for_runs_also_when_the_incident_is_over():
    assert ruled(incident_status="resolved", is_by_person=True).step is Step.RUN


def test_it_waits_for_a_system_that_is_left_alone_if_it_may_begin_in_time():
    ruling = ruled(breaker_delay_seconds=599)
    assert (ruling.step, ruling.delay_seconds) == (Step.WAIT, 599)


@pytest.mark.parametrize("changes", [{"action": "command.run"}, {"needs_approval": True}])
def test_a_person_has_to_approve_what_the_operator_or_the_rule_says(changes):
    assert ruled(**changes).step is Step.ASK
    assert ruled(**changes, is_approved=True).step is Step.RUN


def test_nobody_is_asked_for_what_would_be_refused_anyway():
    assert ruled(needs_approval=True, runs_on_target=3).step is Step.REFUSE


@pytest.mark.parametrize("changes", [{"mode": Mode.DRY_RUN}, {"is_dry_run": True}])
def test_a_dry_run_tells_what_would_stand_in_its_way(changes):
    assert ruled(**changes).step is Step.TELL
    told = ruled(**changes, needs_approval=True, runs_on_target=3)
    assert told.step is Step.TELL
    assert "it would need a person's approval; it would be refused: kubernetes.scale has run 3" in told.reason


def test_the_switch_is_stronger_than_a_dry_run():
    assert ruled(mode=Mode.OFF, is_dry_run=True).step is Step.REFUSE


@pytest.mark.parametrize(
    ("setting", "switch", "mode"),
    [
        ("on", "on", "on"),
        ("on", "off", "off"),
        ("off", "on", "off"),
        ("dry-run", "on", "dry-run"),
        ("dry-run", "off", "off"),
        ("on", "dry-run", "dry-run"),
    ],
)
def test_of_setting_and_switch_the_stricter_counts(setting, switch, mode):
    assert stricter(setting, switch) == mode


def test_an_end_is_an_end():
    assert set(TRANSITIONS) == set(ActionState)
    assert {
        ActionState.COMPLETED,
        ActionState.FAILED,
        ActionState.REFUSED,
        ActionState.EXPIRED,
        ActionState.UNKNOWN,
    } == ENDED
    assert not any(may_become(state, ActionState.RUNNING) for state in TRANSITIONS if state != "requested")


@pytest.mark.parametrize(
    ("mitigation", "state", "others", "after"),
    [
        ("none", ActionState.RUNNING, False, Mitigation.MITIGATING),
        ("investigating", ActionState.RUNNING, False, Mitigation.MITIGATING),
        ("failed", ActionState.RUNNING, False, Mitigation.MITIGATING),
        ("mitigating", ActionState.RUNNING, False, None),
        ("mitigating", ActionState.COMPLETED, False, Mitigation.SUCCEEDED),
        ("mitigating", ActionState.FAILED, False, Mitigation.FAILED),
        ("mitigating", ActionState.UNKNOWN, False, Mitigation.FAILED),
        ("mitigating", ActionState.FAILED, True, None),
        ("succeeded", ActionState.FAILED, False, None),
        ("mitigating", ActionState.REFUSED, False, Mitigation.FAILED),
        ("none", ActionState.REFUSED, False, None),
        ("investigating", ActionState.EXPIRED, False, Mitigation.FAILED),
        ("investigating", ActionState.REFUSED, False, Mitigation.FAILED),
        ("investigating", ActionState.REFUSED, True, None),
        ("failed", ActionState.REFUSED, False, None),
        ("mitigating", ActionState.VERIFYING, False, None),
    ],
)
def test_what_an_action_makes_of_its_incidents_mitigation(mitigation, state, others, after):
    assert mitigation_after(mitigation, state, others_under_way=others) == after
