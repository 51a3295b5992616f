"""Actions that need a person's word: asked for with the plan, run once it is given, never after a no."""

from __future__ import annotations

import pytest

from receiver.domain.events import EventType
from receiver.domain.remediation import Mode
from receiver.errors import ActionConflict, UnknownAction
from receiver.services import incidents
from receiver.services.incidents import Deed
from receiver.services.remediation import approvals, switch
from tests.builders.jobs import pass_time, states
from tests.builders.remediation import (
    action,
    approval,
    incident,
    let_time_pass,
    of_type,
    open_incident,
    scale,
    wish,
    work,
)
from tests.fakes.kube_objects import deployment
from tests.fakes.kubernetes import Fault, KubernetesServer

TRACE = "0" * 32
ANN = Deed("ann", TRACE, "go ahead")


@pytest.fixture
def cluster():
    with KubernetesServer() as server:
        server.put("shop", deployment("svc-a", replicas=2))
        yield server


@pytest.fixture
def runtime(engine, make_runtime, cluster):
    return make_runtime(engine, REMEDIATION_APPROVAL="kubernetes.*", **cluster.settings)


@pytest.fixture
def incident_id(runtime):
    return open_incident(runtime)


@pytest.fixture
def waiting(engine, runtime, incident_id):
    """An action that waits for approval; its id."""
    action_id = wish(runtime, incident_id, scale(resolves=True))
    work(runtime)
    assert action(engine, action_id)["state"] == "awaiting_approval"
    return action_id


def test_people_are_asked_with_the_plan_and_nothing_is_done(engine, cluster, incident_id, waiting):
    (asked,) = of_type(engine, incident_id, EventType.ACTION_REQUESTED)
    assert asked.payload["needs_approval"] is True
    row = action(engine, waiting)
    assert row["output"] == "scale shop/svc-a from 2 to 3 replicas"
    assert (row["from_state"], row["to_state"]) == ({"replicas": 2}, {"replicas": 3})
    assert approval(engine, waiting)["state"] == "pending"
    assert cluster.changes() == []
    assert incident(engine, incident_id)["mitigation"] == "none"


def test_an_approved_action_runs_and_says_who_approved_it(engine, runtime, cluster, incident_id, waiting):
    answer = approvals.approve(runtime, waiting, ANN)
    assert (answer["state"], answer["approval"]["decided_by"]) == ("requested", "ann")
    work(runtime)
    assert action(engine, waiting)["state"] == "completed"
    assert cluster.replicas("shop", "svc-a") == 3
    (event,) = of_type(engine, incident_id, EventType.ACTION_APPROVED)
    assert (event.actor, event.payload["note"]) == ("ann", "go ahead")
    assert incident(engine, incident_id)["status"] == "resolved"


def test_a_rejected_action_never_runs(engine, runtime, cluster, incident_id, waiting):
    approvals.reject(runtime, waiting, Deed("bob", TRACE, "not during the sale"))
    pass_time(engine, 3600)
    work(runtime)
    assert action(engine, waiting)["state"] == "refused"
    assert cluster.changes() == []
    (event,) = of_type(engine, incident_id, EventType.ACTION_REJECTED)
    assert (event.actor, event.payload["refusal"]) == ("bob", "rejected")
    assert event.payload["reason"] == "bob said no: not during the sale"


@pytest.mark.parametrize("second", [approvals.approve, approvals.reject])
@pytest.mark.parametrize("first", [approvals.approve, approvals.reject])
def test_the_first_word_counts_and_the_second_hears_of_it(runtime, waiting, first, second):
    first(runtime, waiting, ANN)
    with pytest.raises(ActionConflict, match=r"ann has (approved|rejected) the action already"):
        second(runtime, waiting, Deed("bob", TRACE))


def test_only_what_waits_for_approval_can_be_approved(engine, runtime, incident_id):
    action_id = wish(runtime, incident_id, scale())
    with pytest.raises(ActionConflict, match="the action is requested and waits for nobody's approval"):
        approvals.approve(runtime, action_id, ANN)
    with pytest.raises(UnknownAction):
        approvals.approve(runtime, "ACT-unknown", ANN)
    with pytest.raises(UnknownAction):
        approvals.reject(runtime, "ACT-ünknown", ANN)


def test_what_nobody_approves_in_time_expires_by_itself(engine, runtime, cluster, incident_id, waiting):
    let_time_pass(engine, 601)
    pass_time(engine, 602)
    work(runtime)
    assert action(engine, waiting)["state"] == "expired"
    assert approval(engine, waiting)["state"] == "expired"
    (event,) = of_type(engine, incident_id, EventType.ACTION_REJECTED)
    assert (event.payload["refusal"], event.payload["reason"]) == ("expired", "nobody approved it in time")


def test_an_approval_that_comes_too_late_is_refused_and_the_action_has_expired(engine, runtime, waiting):
    let_time_pass(engine, 600)
    with pytest.raises(ActionConflict, match="expired"):
        approvals.approve(runtime, waiting, ANN)
    assert action(engine, waiting)["state"] == "expired"


def test_an_approved_action_has_its_whole_time_before_it(engine, runtime, cluster, waiting):
    let_time_pass(engine, 590)
    approvals.approve(runtime, waiting, ANN)
    cluster.fail(Fault(status=409))
    work(runtime)
    let_time_pass(engine, 300)
    pass_time(engine, 700)
    work(runtime)
    assert action(engine, waiting)["state"] == "completed"  # not asked for again at the second attempt


def test_an_approval_does_not_outvote_the_switch(engine, runtime, cluster, incident_id, waiting):
    switch.turn(engine, Mode.OFF, "ann", TRACE)
    approvals.approve(runtime, waiting, ANN)
    work(runtime)
    assert action(engine, waiting)["state"] == "refused"
    assert cluster.changes() == []


def test_what_is_over_needs_no_approval_any_more(engine, runtime, incident_id, waiting):
    incidents.resolve(runtime, incident_id, ANN)
    with pytest.raises(ActionConflict, match="the incident is resolved by now"):
        approvals.approve(runtime, waiting, ANN)


def test_the_job_that_watches_over_the_time_leaves_a_decided_action_alone(engine, runtime, waiting):
    approvals.approve(runtime, waiting, ANN)
    work(runtime)
    pass_time(engine, 3600)
    work(runtime)
    assert action(engine, waiting)["state"] == "completed"
    assert set(states(engine).values()) == {"done"}
