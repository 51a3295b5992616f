"""Calls that fail: tried again only where nothing can have happened, and left to people where something may have."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError

from receiver.domain.events import EventType
from receiver.domain.jobs import Outcome, Verdict
from receiver.services.job_handler import Completion
from receiver.services.remediation.authorise import LOST
from receiver.services.remediation.handler import RemediateHandler
from receiver.worker.dispatcher import claim
from receiver.worker.reaper import reap
from receiver.worker.recorder import record, settle
from tests.builders.jobs import pass_time, row, states
from tests.builders.remediation import (
    action,
    audits,
    breaker,
    incident,
    let_time_pass,
    of_type,
    open_incident,
    restart,
    scale,
    wish,
    work,
)
from tests.fakes.kube_objects import deployment
from tests.fakes.kubernetes import Fault, KubernetesServer

UNREADABLE = Fault(status=503, method="GET")
GONE = {"KUBERNETES_URL": "http://127.0.0.1:9", "KUBERNETES_TOKEN": "x"}  # nobody listens there


@pytest.fixture
def cluster():
    with KubernetesServer() as server:
        server.put("shop", deployment("svc-a", replicas=2))
        yield server


@pytest.fixture
def runtime(engine, make_runtime, cluster):
    return make_runtime(engine, **cluster.settings)


def work_it_off(engine, runtime, turns=8):
    for _ in range(turns):
        work(runtime)
        pass_time(engine, 700)


def failures(engine, incident_id):
    return [event.payload for event in of_type(engine, incident_id, EventType.ACTION_FAILED)]


def test_a_refusal_without_effect_is_tried_again_until_it_works(engine, runtime, cluster):
    cluster.fail(Fault(status=409), Fault(status=429))
    incident_id = open_incident(runtime)
    action_id = wish(runtime, incident_id, scale())
    work(runtime)
    waiting = action(engine, action_id)
    assert (waiting["state"], waiting["attempt"], waiting["lease_token"]) == ("requested", 1, None)
    assert "HTTP 409" in waiting["error"]
    assert incident(engine, incident_id)["mitigation"] == "mitigating"
    cluster.fail(UNREADABLE)
    work_it_off(engine, runtime)
    assert action(engine, action_id)["state"] == "completed"
    assert action(engine, action_id)["attempt"] == 3  # that could not be planned was not begun
    assert len(cluster.changes()) == 1
    assert failures(engine, incident_id) == []


def test_an_api_that_nobody_answers_at_runs_out_of_attempts_and_fails_the_mitigation(engine, make_runtime):
    runtime = make_runtime(engine, BREAKER_FAILURES="100", **GONE)
    incident_id = open_incident(runtime)
    action_id = wish(runtime, incident_id, scale())
    work_it_off(engine, runtime)
    assert action(engine, action_id)["state"] == "failed"
    assert states(engine)[f"remediate:{action_id}"] == "dead"
    (failed,) = failures(engine, incident_id)
    assert failed["outcome"] == "failed"
    assert failed["reason"].startswith("gave up after 6 attempts: ")
    assert failed["mitigation"] == ["mitigating", "failed"]
    assert incident(engine, incident_id)["mitigation"] == "failed"


def test_a_failed_attempt_at_another_remedy_takes_the_mitigation_up_again(engine, runtime, cluster):
    cluster.fail(Fault(status=403))
    incident_id = open_incident(runtime)
    failed = wish(runtime, incident_id, scale())
    work(runtime)
    assert incident(engine, incident_id)["mitigation"] == "failed"
    wish(runtime, incident_id, restart(resolves=True), rule="else", cause=f"action.failed:{failed}")
    work(runtime)
    assert incident(engine, incident_id)["mitigation"] == "succeeded"
    assert incident(engine, incident_id)["resolved_by"] == "rule else"
    changes = [
        event.payload["changes"]["mitigation"]
        for event in of_type(engine, incident_id, EventType.INCIDENT_UPDATED)
    ]
    assert changes == [["none", "mitigating"], ["failed", "mitigating"]]


@pytest.mark.parametrize("status", [403, 422])
def test_a_refusal_for_good_is_not_tried_again(engine, runtime, cluster, status):
    cluster.fail(Fault(status=status))
    incident_id = open_incident(runtime)
    action_id = wish(runtime, incident_id, scale())
    work_it_off(engine, runtime)
    assert action(engine, action_id)["state"] == "failed"
    assert len([one for one in cluster.journal() if one.method == "PUT"]) == 1
    assert f"HTTP {status}" in failures(engine, incident_id)[0]["reason"]
    assert breaker(engine)["failures"] == 0  # it has answered


@pytest.mark.parametrize("is_done", [True, False])
@pytest.mark.parametrize("fault", ["drop", "500"])
def test_an_answer_that_never_came_leaves_it_unknown_and_nothing_is_called_again(
    engine, runtime, cluster, fault, is_done
):
    cluster.fail(Fault(drop=True, done=is_done) if fault == "drop" else Fault(status=500, done=is_done))
    incident_id = open_incident(runtime)
    action_id = wish(runtime, incident_id, scale(resolves=True))
    work_it_off(engine, runtime)
    row_now = action(engine, action_id)
    assert row_now["state"] == "unknown"
    assert row_now["error"].startswith("it may have been carried out: ")
    assert len([one for one in cluster.journal() if one.method == "PUT"]) == 1
    (told,) = failures(engine, incident_id)
    assert told["outcome"] == "unknown"
    assert incident(engine, incident_id)["mitigation"] == "failed"
    assert incident(engine, incident_id)["status"] == "active"


def test_what_a_lost_worker_had_begun_is_unknown_to_the_next(engine, runtime, cluster):
    incident_id = open_incident(runtime)
    action_id = wish(runtime, incident_id, scale())
    (job,) = claim(engine, "remediate", 1, 60, "lost")
    completion = RemediateHandler(runtime).run(job)  # and its end is never recorded
    assert completion.write is not None
    assert action(engine, action_id)["state"] == "running"
    assert len(cluster.changes()) == 1
    pass_time(engine, 61)
    work(runtime)
    assert action(engine, action_id)["state"] == "unknown"
    assert failures(engine, incident_id)[0]["reason"] == LOST
    assert states(engine)[f"remediate:{action_id}"] == "done"
    assert len(cluster.changes()) == 1
    with engine.begin() as connection:
        completion.write(connection)  # it comes back, and what it says counts no more
    assert action(engine, action_id)["state"] == "unknown"


def test_a_worker_that_is_lost_before_it_begins_costs_an_attempt_and_nothing_else(engine, runtime, cluster):
    action_id = wish(runtime, open_incident(runtime), scale())
    claim(engine, "remediate", 1, 60, "lost")
    pass_time(engine, 61)
    work(runtime)
    assert action(engine, action_id)["state"] == "completed"
    assert row(engine, f"remediate:{action_id}")["attempt"] == 2
    assert len(cluster.changes()) == 1


def test_a_job_that_is_given_up_leaves_nothing_behind_as_if_it_still_ran(engine, runtime, cluster):
    incident_id = open_incident(runtime)
    begun, waiting = (
        wish(runtime, incident_id, scale(), rule="a"),
        wish(runtime, incident_id, restart(), rule="b"),
    )
    handlers = {"remediate": RemediateHandler(runtime)}
    (job,) = claim(engine, "remediate", 1, 60, "w")
    handlers["remediate"].run(job)
    (other,) = claim(engine, "remediate", 1, 60, "w")
    for one in (job, other):
        record(engine, handlers, one, Completion(Outcome(Verdict.DEAD, "gave up")))
    assert action(engine, begun)["state"] == "unknown"
    assert (action(engine, waiting)["state"], action(engine, waiting)["error"]) == ("failed", "gave up")
    assert [one["outcome"] for one in failures(engine, incident_id)] == ["unknown", "failed"]


def test_an_action_whose_end_cannot_be_recorded_is_unknown_and_goes_to_people(engine, runtime, cluster):
    def write(connection):
        raise DataError("UPDATE", {}, ValueError("a bug of ours"))

    incident_id = open_incident(runtime)
    action_id = wish(runtime, incident_id, scale())
    handlers = {"remediate": RemediateHandler(runtime)}
    (job,) = claim(engine, "remediate", 1, 60, "w")
    done = handlers["remediate"].run(job)
    settle(engine, handlers, [(job, Completion(done.outcome, write))], threading.Event())
    assert len(cluster.changes()) == 1
    assert states(engine)[f"remediate:{action_id}"] == "dead"
    assert action(engine, action_id)["state"] == "unknown"
    assert [one["outcome"] for one in failures(engine, incident_id)] == ["unknown"]


def test_a_job_that_kills_every_worker_before_it_begins_fails_in_the_end(engine, runtime, cluster):
    action_id = wish(runtime, open_incident(runtime), scale())
    handlers = {"remediate": RemediateHandler(runtime)}
    for _ in range(6):
        claim(engine, "remediate", 1, 60, "w")
        pass_time(engine, 61)
        reap(engine, handlers)
    assert action(engine, action_id)["state"] == "failed"
    assert "the worker did not come back" in action(engine, action_id)["error"]
    assert cluster.journal() == []


def test_a_worker_that_lost_its_lease_while_planning_does_not_begin(engine, runtime, cluster):
    action_id = wish(runtime, open_incident(runtime), scale())
    (job,) = claim(engine, "remediate", 1, 60, "slow")
    with engine.begin() as connection:  # another worker has it since
        connection.execute(text("UPDATE jobs SET lease_token = 'other' WHERE kind = 'remediate'"))
    assert RemediateHandler(runtime).run(job).outcome.verdict is Verdict.RETRY
    assert action(engine, action_id)["state"] == "requested"
    assert cluster.changes() == []


def test_a_system_that_fails_again_and_again_is_left_alone_and_probed_later(engine, make_runtime, cluster):
    runtime = make_runtime(engine, BREAKER_FAILURES="3", BREAKER_SECONDS="50", **cluster.settings)
    cluster.fail_always(UNREADABLE)
    ids = [wish(runtime, open_incident(runtime), scale(f"svc-{number}")) for number in range(4)]
    work(runtime)
    asked = len(cluster.journal())
    assert asked == 3
    assert breaker(engine)["state"] == "open"
    assert states(engine)[f"remediate:{ids[3]}"] == "ready"  # it waits, and nothing was asked for it
    pass_time(engine, 49)
    work(runtime)
    assert len(cluster.journal()) == asked
    cluster.fail_always(None)
    for number in range(4):
        cluster.put("shop", deployment(f"svc-{number}"))
    let_time_pass(engine, 50)
    pass_time(engine, 50)
    work(runtime)
    pass_time(engine, 50)
    work(runtime)
    assert breaker(engine)["state"] == "closed"
    assert [action(engine, one)["state"] for one in ids] == ["completed"] * 4
    changes = [one for one in audits(engine) if one["action"].startswith("breaker.")]
    assert [(one["action"], one["target"]) for one in changes] == [
        ("breaker.open", "kubernetes"),
        ("breaker.half_open", "kubernetes"),
        ("breaker.closed", "kubernetes"),
    ]


def test_an_action_that_would_wait_longer_than_it_may_is_refused_by_the_breaker(
    engine, make_runtime, cluster
):
    runtime = make_runtime(engine, BREAKER_FAILURES="1", BREAKER_SECONDS="3600", **cluster.settings)
    cluster.fail_always(UNREADABLE)
    wish(runtime, open_incident(runtime), scale())
    work(runtime)
    incident_id = open_incident(runtime)
    wish(runtime, incident_id, restart())
    work(runtime)
    (event,) = of_type(engine, incident_id, EventType.ACTION_REJECTED)
    assert event.payload["refusal"] == "breaker"
    assert event.payload["reason"].startswith("kubernetes is left alone after failures in a row")
    assert len(cluster.journal()) == 1


def test_a_probe_that_fails_leaves_the_system_alone_again(engine, make_runtime, cluster):
    runtime = make_runtime(engine, BREAKER_FAILURES="1", BREAKER_SECONDS="50", **cluster.settings)
    cluster.fail_always(UNREADABLE)
    wish(runtime, open_incident(runtime), scale())
    work(runtime)
    let_time_pass(engine, 51)
    pass_time(engine, 51)
    work(runtime)
    assert len(cluster.journal()) == 2
    assert (breaker(engine)["state"], breaker(engine)["failures"]) == ("open", 2)
    pass_time(engine, 40)
    work(runtime)
    assert len(cluster.journal()) == 2
