"""Actions over HTTP: what was done for an incident, people who ask for more, and their word on what waits for it."""

from __future__ import annotations

import pytest

from receiver.domain.events import EventType
from receiver.domain.rules.run_spec import RunSpec
from receiver.services import incidents
from receiver.services.incidents import Deed
from tests.builders.remediation import action, of_type, open_incident, scale, wish, work
from tests.builders.web import client_of
from tests.fakes.kube_objects import deployment
from tests.fakes.kubernetes import KubernetesServer

TRACE = "0" * 32
SCALE = {
    "action": "kubernetes.scale",
    "target": {"namespace": "shop", "deployment": "svc-a"},
    "parameters": {"by": 1},
}


@pytest.fixture
def cluster():
    with KubernetesServer() as server:
        server.put("shop", deployment("svc-a", replicas=2))
        yield server


@pytest.fixture
def runtime(engine, make_runtime, cluster):
    return make_runtime(engine, REMEDIATION_APPROVAL="kubernetes.rollout_restart", **cluster.settings)


@pytest.fixture
def client(runtime):
    return client_of(runtime)


@pytest.fixture
def incident_id(runtime):
    return open_incident(runtime)


def ask(client, incident_id, **changes):
    return client.post(f"/api/v1/incidents/{incident_id}/actions", json={**SCALE, "by": "ann", **changes})


def test_a_person_asks_and_it_is_done_and_shown_with_the_incident(
    engine, runtime, client, cluster, incident_id
):
    asked = ask(client, incident_id, note="it is slow")
    assert asked.status_code == 200, asked.text
    assert (asked.json["state"], asked.json["requested_by"]) == ("requested", "ann")
    work(runtime)
    assert cluster.replicas("shop", "svc-a") == 3
    (listed,) = client.get(f"/api/v1/incidents/{incident_id}/actions").json["actions"]
    (shown,) = client.get(f"/api/v1/incidents/{incident_id}").json["remediation_actions"]
    assert listed == shown
    assert shown["action_id"] == asked.json["action_id"]
    assert (shown["type"], shown["target"]) == ("kubernetes.scale", "kubernetes:shop/deployment/svc-a")
    assert (shown["from_state"], shown["to_state"]) == ({"replicas": 2}, {"replicas": 3})
    assert (shown["state"], shown["attempt"], shown["reason"]) == ("completed", 1, "it is slow")
    assert shown["output"] == "scaled shop/svc-a from 2 to 3 replicas"
    assert shown["finished_at"].endswith("Z")
    assert shown["approval"] is None
    (event,) = of_type(engine, incident_id, EventType.ACTION_REQUESTED)
    assert (event.actor, event.payload["cause"]) == ("ann", "person")


def test_a_person_may_also_act_when_the_incident_is_over(runtime, client, cluster, incident_id):
    incidents.resolve(runtime, incident_id, Deed("ann", TRACE))
    ask(client, incident_id)
    work(runtime)
    assert cluster.replicas("shop", "svc-a") == 3


def test_a_person_is_held_to_the_budget_as_rules_are(runtime, client, cluster, incident_id):
    for _ in range(4):
        ask(client, incident_id)
    work(runtime)
    found = client.get(f"/api/v1/incidents/{incident_id}/actions").json["actions"]
    assert [one["state"] for one in found] == ["completed"] * 3 + ["refused"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"action": "kubernetes.explode"}, "there is no action of this name"),
        ({"target": {"namespace": "../x", "deployment": "svc-a"}}, "namespace"),
        ({"parameters": {"by": "one"}}, "by: must be a whole number"),
        ({"parameters": {"by": 1, "replicas": 2}}, "needs either replicas or by"),
        ({"expires_after_seconds": 0}, "expires_after_seconds"),
        ({"target": None}, "target"),
    ],
)
def test_what_the_action_cannot_take_is_said_at_once_and_nothing_is_kept(client, incident_id, changes, words):
    answer = ask(client, incident_id, **changes)
    assert answer.status_code == 422
    assert words in answer.text
    assert client.get(f"/api/v1/incidents/{incident_id}/actions").json["actions"] == []


def test_unknown_incidents_and_actions_are_404(client):
    for answer in (
        ask(client, "INC-999"),
        client.get("/api/v1/incidents/INC-999/actions"),
    ):
        assert (answer.status_code, answer.json["type"]) == (404, "/problems/unknown-incident")
    for word in ("approve", "reject"):
        answer = client.post(f"/api/v1/actions/ACT-none/{word}")
        assert (answer.status_code, answer.json["type"]) == (404, "/problems/unknown-action")


@pytest.fixture
def waiting(runtime, client, incident_id):
    """An action that waits for approval; its id."""
    action_id = ask(client, incident_id, action="kubernetes.rollout_restart", parameters={}).json["action_id"]
    work(runtime)
    return action_id


def test_what_waits_for_approval_is_listed_approved_and_run(
    engine, runtime, client, cluster, waiting, incident_id
):
    ask(client, incident_id)
    (found,) = client.get("/api/v1/actions?state=awaiting_approval").json["actions"]
    assert (found["action_id"], found["approval"]["state"]) == (waiting, "pending")
    assert found["output"].startswith("restart ")
    answer = client.post(f"/api/v1/actions/{waiting}/approve", json={"by": "bob", "note": "yes"})
    assert answer.status_code == 200, answer.text
    assert answer.json["approval"] | {"requested_at": "", "expires_at": "", "decided_at": ""} == {
        "state": "approved",
        "decided_by": "bob",
        "note": "yes",
        "requested_at": "",
        "expires_at": "",
        "decided_at": "",
    }
    work(runtime)
    assert action(engine, waiting)["state"] == "completed"
    again = client.post(f"/api/v1/actions/{waiting}/reject", json={"by": "eve"})
    assert (again.status_code, again.json["type"]) == (409, "/problems/action-conflict")
    assert again.json["detail"] == "bob has approved the action already; it is completed now"


def test_a_rejected_action_says_by_whom_and_why(engine, runtime, client, cluster, waiting):
    answer = client.post(f"/api/v1/actions/{waiting}/reject", json={"by": "bob", "note": "not now"})
    assert (answer.json["state"], answer.json["error"]) == ("refused", "bob said no: not now")
    work(runtime)
    assert cluster.changes() == []


def test_actions_come_in_pages_newest_first(engine, runtime, client):
    made = [wish(runtime, open_incident(runtime), scale(f"svc-{number}")) for number in range(5)]
    found: list[str] = []
    cursor = ""
    while True:
        page = client.get(f"/api/v1/actions?limit=2&state=requested,failed{cursor}").json
        found += [one["action_id"] for one in page["actions"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == made[::-1]
    assert client.get("/api/v1/actions?state=nonsense").status_code == 422


@pytest.mark.parametrize(
    ("token", "reads", "writes"), [("none", 401, 401), ("view", 200, 403), ("respond", 200, 200)]
)
def test_looking_needs_a_viewer_and_acting_a_responder(engine, make_runtime, cluster, token, reads, writes):
    tokens = "v:viewer:view-0123456789abcdef,r:responder:respond-0123456789abcdef"
    runtime = make_runtime(engine, API_TOKENS=tokens, **cluster.settings)
    client, incident_id = client_of(runtime), open_incident(runtime)
    headers = {"Authorization": f"Bearer {token}-0123456789abcdef"}
    path = f"/api/v1/incidents/{incident_id}/actions"
    assert client.get(path, headers=headers).status_code == reads
    assert client.get("/api/v1/actions", headers=headers).status_code == reads
    answer = client.post(path, json=SCALE, headers=headers)
    assert answer.status_code == writes
    if writes == 200:
        assert answer.json["requested_by"] == "r"  # the token's name, whatever the body says
    for word in ("approve", "reject"):
        status = client.post(f"/api/v1/actions/ACT-none/{word}", headers=headers).status_code
        assert status == (404 if writes == 200 else writes)


def test_metrics_tell_of_actions_and_breakers(engine, make_runtime, cluster):
    runtime = make_runtime(engine, BREAKER_FAILURES="1", KUBERNETES_URL="http://127.0.0.1:9")
    for number in range(2):
        wish(runtime, open_incident(runtime), scale(f"svc-{number}"))
    wish(runtime, open_incident(runtime), RunSpec("kubernetes.cordon", {"node": "n1"}))
    work(runtime)
    text = client_of(runtime).get("/metrics").text
    assert 'receiver_actions_total{action="kubernetes.cordon",outcome="refused"}' in text
    assert 'receiver_action_refusals_total{reason="not_allowed"}' in text
    assert 'receiver_actions_under_way{state="requested"} 2.0' in text
    assert 'receiver_actions_under_way{state="awaiting_approval"} 0.0' in text
    assert 'receiver_breaker_open{system="kubernetes"} 1.0' in text
