"""Escalation policies and the jobs of their rounds."""

from __future__ import annotations

import json

import pytest

from receiver.domain.escalation import (
    EscalationPolicy,
    EscalationStep,
    Round,
    expiry_job,
    first_job,
    from_payload,
    round_keys,
    stands_for_seconds,
    step_job,
)
from receiver.domain.jobs import JobKind

POLICY = EscalationPolicy((EscalationStep(0, ("slack",)), EscalationStep(900, ("email", "pagerduty"))), 14400)
ACTION = "ACT-0123456789abcdef01234567"


def test_a_round_begins_at_once_and_carries_its_policy():
    job = first_job("INC-1", "default", POLICY, 1, "t" * 32, rule="call people")
    assert (job.kind, job.queue, job.delay_seconds) == (JobKind.ESCALATE, "escalate", 0.0)
    carried, step = from_payload(json.loads(json.dumps(job.payload)))
    assert (carried, step) == (Round("default", POLICY, rule="call people"), 0)


def test_an_incident_has_one_round_of_a_policy_and_one_more_for_each_failed_action():
    def key(**more):
        return first_job("INC-1", "default", POLICY, 1, "", **more).idempotency_key

    assert key() == "escalate:INC-1:default:opened:1:begin"
    failed = key(cause=ACTION)
    assert failed == f"escalate:INC-1:default:{ACTION}:1:begin"
    assert len({key(), failed, key(cause="ACT-other")}) == 3


def test_each_step_is_asked_for_once():
    under_way = Round("default", POLICY, acknowledgements=2)
    job = step_job("INC-1", under_way, 1, "t", 900)
    assert job.idempotency_key == "escalate:INC-1:default:opened:1:1"
    assert from_payload(job.payload) == (under_way, 1)
    assert job.delay_seconds == 900


def test_the_longest_key_fits_its_column():
    incident_id = "INC-20261121030000-0123456789abcdef"
    under_way = Round("n" * 32, POLICY, ACTION, 1000)
    key = step_job(incident_id, under_way, 19, "", 1).idempotency_key
    assert len(key) <= 190
    assert key.startswith(round_keys(incident_id))


def test_each_acknowledgement_is_looked_after_once():
    assert expiry_job("INC-1", 0, "", 60).idempotency_key != expiry_job("INC-1", 1, "", 60).idempotency_key


@pytest.mark.parametrize(
    ("times", "otherwise", "stands"),
    [
        ([], None, None),
        ([], 3600.0, 3600.0),
        ([None], 3600.0, 3600.0),
        ([14400.0], 3600.0, 14400.0),
        ([14400.0, 7200.0, None], 3600.0, 7200.0),
        ([14400.0], None, 14400.0),
    ],
)
def test_an_acknowledgement_stands_as_long_as_the_strictest_policy_says(times, otherwise, stands):
    rounds = {str(n): EscalationPolicy((), seconds) for n, seconds in enumerate(times)}
    assert stands_for_seconds(rounds, otherwise) == stands
