"""Actions on Kubernetes, against a played API server: what they change, once, and what their failures mean."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from receiver.domain.action import Order
from receiver.errors import DeliveryFailed
from receiver.httpclient import HttpClient
from receiver.remediation.base import Action
from tests.builders.actions import SHOP, actions, carry_out, failure_of, order
from tests.fakes.kube_objects import cronjob, deployment, hpa, job, node, pod
from tests.fakes.kubernetes import Fault, KubernetesServer

SCALE = "/apis/apps/v1/namespaces/shop/deployments/svc-a/scale"
POD = {"namespace": "shop", "pod": "svc-a-1"}
JOB = {"namespace": "shop", "job": "import"}
CRONJOB = {"namespace": "shop", "cronjob": "report"}
HPA = {"namespace": "shop", "hpa": "svc-a"}
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
# One order for each action that changes what `cluster` holds.
ALL = {
    one.action: one
    for one in (
        order("kubernetes.scale", SHOP, by=1),
        order("kubernetes.rollout_restart", SHOP),
        order("kubernetes.rollback", SHOP),
        order("kubernetes.delete_pod", POD),
        order("kubernetes.cordon", {"node": "node-1"}),
        order("kubernetes.uncordon", {"node": "node-2"}),
        order("kubernetes.restart_job", JOB),
        order("kubernetes.create_job", CRONJOB),
        order("kubernetes.patch_hpa", HPA, max=8),
    )
}


def populate(cluster: KubernetesServer) -> None:
    """Something for each action to change."""
    cluster.put(
        "shop", deployment(image="svc-a:1"), pod("svc-a-1"), job("import"), cronjob("report"), hpa("svc-a")
    )
    cluster.release("shop", "svc-a", "svc-a:2")
    cluster.put("", node("node-1"), {**node("node-2"), "spec": {"unschedulable": True}})


@pytest.fixture
def cluster() -> Iterator[KubernetesServer]:
    with KubernetesServer() as server:
        populate(server)
        yield server


@pytest.fixture
def known(cluster: KubernetesServer) -> dict[str, Action]:
    return actions(HttpClient(read_timeout_seconds=1, total_timeout_seconds=2), **cluster.settings)


def test_scale_by_one_adds_a_replica_through_the_scale_subresource(cluster, known):
    result = carry_out(known, order("kubernetes.scale", SHOP, by=1))
    assert cluster.replicas("shop", "svc-a") == 2
    assert (result.output, result.to_state) == ("scaled shop/svc-a from 1 to 2 replicas", {"replicas": 2})
    assert [(one.method, one.path) for one in cluster.changes()] == [("PUT", SCALE)]


@pytest.mark.parametrize(
    ("now", "parameters", "then"),
    [
        (1, {"replicas": 6}, 6),
        (2, {"by": 3, "max": 4}, 4),
        (4, {"by": 1, "max": 4}, 4),
        (9, {"by": 1, "max": 4}, 9),  # somebody went beyond the bound: more is asked for, so never less
        (3, {"by": -5, "min": 2}, 2),
        (1, {"by": -1}, 1),
        (1, {"by": -1, "min": 2}, 1),
        (3, {"replicas": 0}, 0),
        (10, {"by": 1}, 10),
    ],
)
def test_scale_stays_within_its_bounds(cluster, known, now, parameters, then):
    cluster.put("shop", deployment(replicas=now))
    carry_out(known, order("kubernetes.scale", SHOP, **parameters))
    assert cluster.replicas("shop", "svc-a") == then
    assert len(cluster.changes()) == (now != then)


def test_a_scale_that_is_there_already_is_told_and_not_asked_for(cluster, known):
    wanted = order("kubernetes.scale", SHOP, replicas=1)
    plan = known[wanted.action].plan(wanted)
    assert (plan.is_noop, plan.text) == (True, "shop/svc-a has 1 replicas already")
    known[wanted.action].run(wanted, plan)
    assert cluster.changes() == []


@pytest.mark.parametrize(
    ("name", "resource"),
    [
        ("kubernetes.scale", "deployments"),
        ("kubernetes.rollback", "deployments"),
        ("kubernetes.patch_hpa", "horizontalpodautoscalers"),
    ],
)
def test_a_change_by_somebody_else_gives_a_conflict_and_no_second_change(cluster, known, name, resource):
    action, wanted = known[name], ALL[name]
    plan = action.plan(wanted)
    cluster.touch(resource, "shop", "svc-a")
    before = cluster.read(resource, "shop", "svc-a")
    with pytest.raises(DeliveryFailed) as caught:
        action.run(wanted, plan)
    failure = caught.value
    assert (failure.http_status, failure.permanent, failure.outcome_unknown) == (409, False, False)
    assert cluster.read(resource, "shop", "svc-a") == before
    action.run(wanted, action.plan(wanted))
    assert cluster.read(resource, "shop", "svc-a") != before


def test_rollout_restart_marks_the_template_as_kubectl_does(cluster, known):
    carry_out(known, ALL["kubernetes.rollout_restart"])
    template = cluster.read("deployments", "shop", "svc-a")["spec"]["template"]
    assert RESTARTED_AT in template["metadata"]["annotations"]
    assert template["metadata"]["labels"] == {"app": "svc-a"}
    assert len(cluster.names("replicasets", "shop")) == 3


@pytest.mark.parametrize("name", ["kubernetes.rollout_restart", "kubernetes.rollback"])
def test_a_paused_deployment_is_left_alone(cluster, known, name):
    cluster.put("shop", deployment(paused=True))
    failure = failure_of(known, ALL[name])
    assert failure.permanent
    assert "paused" in failure.reason
    assert cluster.changes() == []


def test_rollback_goes_to_the_previous_revision_and_then_back_again(cluster, known):
    result = carry_out(known, ALL["kubernetes.rollback"])
    now = cluster.read("deployments", "shop", "svc-a")
    assert now["spec"]["template"]["spec"]["containers"][0]["image"] == "svc-a:1"
    assert now["spec"]["template"]["metadata"]["labels"] == {"app": "svc-a"}  # without the controller's hash
    assert result.to_state == {"revision": 1, "images": ["svc-a:1"]}
    carry_out(known, ALL["kubernetes.rollback"])
    now = cluster.read("deployments", "shop", "svc-a")
    assert now["spec"]["template"]["spec"]["containers"][0]["image"] == "svc-a:2"


def test_rollback_goes_to_the_revision_that_is_asked_for(cluster, known):
    cluster.release("shop", "svc-a", "svc-a:3")
    carry_out(known, order("kubernetes.rollback", SHOP, to_revision=1))
    containers = cluster.read("deployments", "shop", "svc-a")["spec"]["template"]["spec"]["containers"]
    assert containers[0]["image"] == "svc-a:1"


def test_rollback_without_an_earlier_revision_says_so(cluster, known):
    cluster.put("shop", deployment("fresh"))
    failure = failure_of(known, order("kubernetes.rollback", {"namespace": "shop", "deployment": "fresh"}))
    assert failure.permanent
    assert failure.reason == "there is no revision before 1 to go back to (known revisions: 1)"


def test_rollback_knows_only_the_replicasets_of_its_own_deployment(cluster, known):
    stranger = deployment("other")
    stranger["spec"]["template"]["metadata"]["labels"] = {"app": "svc-a"}
    cluster.put("shop", deployment("fresh", image="fresh:1"), stranger)
    own = {**deployment("mine"), "spec": {**deployment("mine")["spec"], "selector": {"matchLabels": {}}}}
    cluster.put("shop", own)
    failure = failure_of(known, order("kubernetes.rollback", {"namespace": "shop", "deployment": "mine"}))
    assert "no revision before 1" in failure.reason


def test_delete_pod_deletes_the_pod_that_was_seen_and_no_later_one_of_its_name(cluster, known):
    action, wanted = known["kubernetes.delete_pod"], ALL["kubernetes.delete_pod"]
    plan = action.plan(wanted)
    cluster.put("shop", pod("svc-a-1"))  # another one by the same name
    with pytest.raises(DeliveryFailed) as caught:
        action.run(wanted, plan)
    assert (caught.value.http_status, caught.value.outcome_unknown) == (409, False)
    assert cluster.names("pods", "shop") == ["svc-a-1"]
    carry_out(known, order("kubernetes.delete_pod", POD, grace_seconds=0))
    assert cluster.names("pods", "shop") == []
    assert cluster.changes()[-1].body["gracePeriodSeconds"] == 0


def test_a_pod_that_is_gone_already_is_no_failure(cluster, known):
    result = carry_out(known, order("kubernetes.delete_pod", {"namespace": "shop", "pod": "svc-a-9"}))
    assert result.output == "pod shop/svc-a-9 is gone already"


def test_a_pod_that_nothing_would_start_again_is_not_deleted(cluster, known):
    cluster.put("shop", pod("alone", owned=False))
    failure = failure_of(known, order("kubernetes.delete_pod", {"namespace": "shop", "pod": "alone"}))
    assert failure.permanent
    assert "no controller" in failure.reason
    assert "alone" in cluster.names("pods", "shop")


def test_cordon_and_uncordon_are_opposites_and_change_nothing_twice(cluster, known):
    for name, wanted in (("cordon", True), ("cordon", True), ("uncordon", False), ("uncordon", False)):
        carry_out(known, order(f"kubernetes.{name}", {"node": "node-1"}))
        assert cluster.read("nodes", "", "node-1")["spec"]["unschedulable"] is wanted
    assert len(cluster.changes()) == 2


def test_restart_job_makes_a_new_job_without_what_belongs_to_the_old_one(cluster, known):
    result = carry_out(known, ALL["kubernetes.restart_job"])
    old, new = cluster.names("jobs", "shop")
    made = cluster.read("jobs", "shop", new)
    assert (old, result.to_state) == ("import", {"job": new})
    assert made["spec"]["template"]["spec"] == cluster.read("jobs", "shop", old)["spec"]["template"]["spec"]
    assert made["spec"]["template"]["metadata"]["labels"] == made["metadata"]["labels"] == {"app": "import"}
    assert "selector" not in made["spec"]
    assert "status" not in made


@pytest.mark.parametrize("name", ["kubernetes.restart_job", "kubernetes.create_job"])
def test_the_same_action_makes_its_job_once_however_often_it_is_run(cluster, known, name):
    action, wanted = known[name], ALL[name]
    plan = action.plan(wanted)
    first = action.run(wanted, plan)
    assert action.run(wanted, plan).to_state == first.to_state  # the answer to the first was lost
    assert action.plan(wanted).is_noop
    assert len(cluster.changes()) == 1
    carry_out(known, Order(wanted.action, wanted.target, {}, "ACT-another"))
    assert len(cluster.changes()) == 2


def test_a_job_that_has_not_ended_is_not_started_beside_itself(cluster, known):
    cluster.put("shop", job("import", status={"active": 1}))
    failure = failure_of(known, ALL["kubernetes.restart_job"])
    assert failure.permanent
    assert "has not ended" in failure.reason


def test_the_name_of_a_new_job_fits_however_long_the_old_one_is(cluster, known):
    long = "i" * 63
    cluster.put("shop", job(long))
    carry_out(known, order("kubernetes.restart_job", {"namespace": "shop", "job": long}))
    assert [len(name) for name in cluster.names("jobs", "shop")] == [6, 63, 63]


def test_create_job_takes_the_template_of_the_cron_job_and_belongs_to_it(cluster, known):
    carry_out(known, ALL["kubernetes.create_job"])
    made = cluster.read("jobs", "shop", cluster.names("jobs", "shop")[-1])
    assert made["metadata"]["name"].startswith("report-")
    assert made["metadata"]["ownerReferences"][0]["kind"] == "CronJob"
    assert made["metadata"]["labels"] == {"app": "report"}
    assert made["spec"]["template"]["spec"]["containers"][0]["image"] == "report:1"


def test_a_cron_job_that_forbids_a_second_job_gets_none(cluster, known):
    busy = cronjob("report")
    busy["spec"]["concurrencyPolicy"] = "Forbid"
    busy["status"] = {"active": [{"name": "report-1"}]}
    cluster.put("shop", busy)
    assert "forbids a second job" in failure_of(known, ALL["kubernetes.create_job"]).reason


def test_patch_hpa_changes_the_bound_that_is_named_and_keeps_the_other(cluster, known):
    result = carry_out(known, ALL["kubernetes.patch_hpa"])
    spec = cluster.read("horizontalpodautoscalers", "shop", "svc-a")["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 8)
    assert spec["scaleTargetRef"]["name"] == "svc-a"
    assert result.to_state == {"min": 1, "max": 8}


def test_a_bound_that_contradicts_the_other_one_is_refused_before_it_is_sent(cluster, known):
    failure = failure_of(known, order("kubernetes.patch_hpa", HPA, min=7))
    assert failure.permanent
    assert failure.reason == "shop/svc-a would have min 7 above max 5"
    assert cluster.changes() == []


@pytest.mark.parametrize("name", ALL)
def test_planning_changes_nothing_and_running_changes_one_thing(cluster, known, name):
    action, wanted = known[name], ALL[name]
    assert action.check(wanted) == []
    plan = action.plan(wanted)
    assert not plan.is_noop
    assert plan.text
    assert cluster.changes() == []
    action.run(wanted, plan)
    assert len(cluster.changes()) == 1


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("fault", "permanent", "unknown"),
    [
        pytest.param(Fault(403), True, False, id="403"),
        pytest.param(Fault(404), True, False, id="404"),
        pytest.param(Fault(422), True, False, id="422"),
        pytest.param(Fault(429, retry_after=7), False, False, id="429"),
        pytest.param(Fault(503, retry_after=7), False, False, id="503"),
        pytest.param(Fault(503, plain=True), False, True, id="503-of-a-proxy"),
        pytest.param(Fault(500, done=True), False, True, id="500-after"),
        pytest.param(Fault(504, done=True), False, True, id="504-after"),
        pytest.param(Fault(drop=True), False, True, id="cut-before"),
        pytest.param(Fault(drop=True, done=True), False, True, id="cut-after"),
    ],
)
def test_a_failure_says_whether_it_may_have_happened(cluster, known, name, fault, permanent, unknown):
    cluster.fail(fault)
    failure = failure_of(known, ALL[name])
    assert (failure.permanent, failure.outcome_unknown) == (permanent, unknown)
    assert failure.retry_after_seconds == (7 if fault.retry_after else None)
    if not unknown:
        assert cluster.changes() == []


@pytest.mark.parametrize("done", [False, True])
def test_silence_after_sending_leaves_the_outcome_unknown(cluster, known, done):
    cluster.fail(Fault(hang=True, done=done))
    failure = failure_of(known, ALL["kubernetes.scale"])
    assert (failure.permanent, failure.outcome_unknown) == (False, True)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    "fault", [Fault(504, method="GET"), Fault(drop=True, method="GET")], ids=["504", "cut"]
)
def test_a_failure_while_planning_never_leaves_the_outcome_unknown(cluster, known, name, fault):
    cluster.fail(fault)
    with pytest.raises(DeliveryFailed) as caught:
        known[name].plan(ALL[name])
    assert (caught.value.permanent, caught.value.outcome_unknown) == (False, False)


@pytest.mark.parametrize("name", ALL)
def test_what_is_not_there_is_told_by_its_name_and_not_tried_again(known, name):
    wanted = ALL[name]
    missing = {key: value if key == "namespace" else "missing" for key, value in wanted.target.items()}
    if name == "kubernetes.delete_pod":
        return  # gone is what was wanted
    failure = failure_of(known, Order(name, missing, wanted.parameters, wanted.action_id))
    assert (failure.permanent, failure.http_status) == (True, 404)
    assert '"missing" not found' in failure.reason


def test_a_cluster_that_is_not_there_may_be_asked_again(cluster, known):
    cluster.stop()
    failure = failure_of(known, ALL["kubernetes.scale"])
    assert (failure.reason, failure.permanent, failure.outcome_unknown) == (
        "connection refused",
        False,
        False,
    )
