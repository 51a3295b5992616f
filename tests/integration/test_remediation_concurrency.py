"""Any number of workers, threads and processes, agree on what may run: they race here over a real database."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from receiver.domain.action_state import ActionState
from receiver.domain.events import EventType
from receiver.domain.remediation import Mode
from receiver.errors import ActionConflict, DeliveryFailed
from receiver.services.incidents import Deed
from receiver.services.remediation import approvals, switch
from receiver.services.remediation.handler import RemediateHandler
from receiver.worker.dispatcher import claim
from tests.builders.jobs import pass_time
from tests.builders.remediation import (
    action,
    actions,
    breaker,
    let_time_pass,
    of_type,
    open_incident,
    scale,
    wish,
    work,
)
from tests.fakes.kube_objects import deployment
from tests.fakes.kubernetes import Fault, KubernetesServer
from tests.fakes.processes import environment

TRACE = "0" * 32
# A worker that does what is due, once, when it is told to begin.
WORKER = """
import sys
from receiver.config import load
from receiver.runtime import build_runtime
from receiver.worker.loop import run_due

runtime = build_runtime(load())
print("ready", flush=True)
sys.stdin.readline()
run_due(runtime, queues=["remediate"])
runtime.close()
"""


@pytest.fixture
def cluster():
    with KubernetesServer() as server:
        server.put("shop", deployment("svc-a", replicas=1))
        yield server


@pytest.fixture
def runtime(mysql_engine, make_runtime, cluster):
    return make_runtime(mysql_engine, **cluster.settings)


def all_at_once(count, deed):
    """Run `deed(number)` in so many threads that begin together; what each returned or raised."""
    together = threading.Barrier(count)

    def one(number):
        together.wait()
        try:
            return deed(number)
        except ActionConflict as error:
            return error

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(one, range(count)))


def test_twenty_workers_racing_for_a_budget_of_three_carry_out_three(mysql_engine, runtime, cluster):
    incidents = [open_incident(runtime) for _ in range(20)]
    for incident_id in incidents:
        wish(runtime, incident_id, scale())
    jobs = claim(mysql_engine, "remediate", 20, 60, "w")
    assert len(jobs) == 20
    handler = RemediateHandler(runtime)

    def turn(number):
        for _ in range(10):  # somebody else's change of the deployment lets an attempt fail without effect
            if action(mysql_engine, jobs[number].payload["action_id"])["state"] == "requested":
                with suppress(DeliveryFailed):  # as the worker does, which tries again
                    handler.run(jobs[number])

    all_at_once(20, turn)
    assert len(cluster.changes()) == 3
    assert cluster.replicas("shop", "svc-a") == 4
    states = Counter(row["state"] for row in actions(mysql_engine))
    assert states == {ActionState.RUNNING: 3, ActionState.REFUSED: 17}
    refusals = [of_type(mysql_engine, one, EventType.ACTION_REJECTED) for one in incidents]
    assert [len(told) for told in refusals].count(1) == 17
    assert {told[0].payload["refusal"] for told in refusals if told} == {"budget"}


def test_processes_racing_for_a_budget_of_three_carry_out_three(mysql_engine, runtime, cluster, tmp_path):
    for _ in range(12):
        wish(runtime, open_incident(runtime), scale())
    script = Path(tmp_path / "worker.py")
    script.write_text(WORKER)
    url = mysql_engine.url.render_as_string(hide_password=False)
    settings = {"DATABASE_URL": url, **cluster.settings}
    env = environment({f"RECEIVER_{name}": value for name, value in settings.items()})
    root = str(Path(__file__).parents[2])
    workers = [
        subprocess.Popen(
            [sys.executable, script],
            env=env | {"PYTHONPATH": root},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for _ in range(3)
    ]
    for worker in workers:
        assert worker.stdout
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        worker.communicate(timeout=60)
        assert worker.returncode == 0
    for _ in range(6):  # those whose deployment was changed under their hands come again
        pass_time(mysql_engine, 700)
        work(runtime)
    assert len(cluster.changes()) == 3
    states = Counter(row["state"] for row in actions(mysql_engine))
    assert states == {ActionState.COMPLETED: 3, ActionState.REFUSED: 9}


def test_one_action_run_by_many_at_once_is_called_for_once(mysql_engine, runtime, cluster):
    action_id = wish(runtime, open_incident(runtime), scale())
    (job,) = claim(mysql_engine, "remediate", 1, 60, "w")
    handler = RemediateHandler(runtime)
    all_at_once(10, lambda number: handler.run(job))
    assert [one.method for one in cluster.journal() if one.method != "GET"] == ["PUT"]
    assert action(mysql_engine, action_id)["attempt"] == 1
    assert action(mysql_engine, action_id)["state"] == "unknown"  # to those who find it running


def test_the_same_wish_made_by_many_at_once_is_one_action(mysql_engine, runtime):
    incident_id = open_incident(runtime)
    made = all_at_once(10, lambda number: wish(runtime, incident_id, scale()))
    assert len(set(made)) == 1
    assert len(actions(mysql_engine)) == 1
    assert len(of_type(mysql_engine, incident_id, EventType.ACTION_REQUESTED)) == 1


def test_a_half_open_breaker_lets_exactly_one_probe_through(mysql_engine, make_runtime, cluster):
    runtime = make_runtime(
        mysql_engine,
        BREAKER_FAILURES="1",
        BREAKER_SECONDS="50",
        REMEDIATION_PER_HOUR="99",
        **cluster.settings,
    )
    cluster.fail(Fault(status=503, method="GET"))
    wish(runtime, open_incident(runtime), scale())
    work(runtime)
    assert breaker(mysql_engine)["state"] == "open"
    for number in range(12):
        cluster.put("shop", deployment(f"probe-{number}"))
        wish(runtime, open_incident(runtime), scale(f"probe-{number}"))
    let_time_pass(mysql_engine, 51)
    before = len(cluster.journal())
    jobs = claim(mysql_engine, "remediate", 12, 60, "w")
    handler = RemediateHandler(runtime)
    ended = all_at_once(12, lambda number: handler.run(jobs[number]))
    verdicts = Counter(one.outcome.verdict.value for one in ended)
    assert verdicts == {"done": 1, "wait": 11}
    assert len(cluster.journal()) - before == 2  # the probe read, and wrote
    assert len(cluster.changes()) == 1


@pytest.mark.parametrize("round_", range(3))
def test_of_two_people_who_answer_at_once_one_has_said_it(mysql_engine, make_runtime, cluster, round_):
    runtime = make_runtime(mysql_engine, REMEDIATION_APPROVAL="*", **cluster.settings)
    incident_id = open_incident(runtime)
    action_id = wish(runtime, incident_id, scale())
    work(runtime)
    deeds = [approvals.approve, approvals.reject] * 3
    answers = all_at_once(6, lambda number: deeds[number](runtime, action_id, Deed(f"p{number}", TRACE)))
    said = [number for number, answer in enumerate(answers) if not isinstance(answer, ActionConflict)]
    assert len(said) == 1
    approved = said[0] % 2 == 0
    assert len(of_type(mysql_engine, incident_id, EventType.ACTION_APPROVED)) == approved
    assert len(of_type(mysql_engine, incident_id, EventType.ACTION_REJECTED)) == (not approved)
    work(runtime)
    assert len(cluster.changes()) == approved


def test_once_the_switch_is_off_no_action_begins_any_more(mysql_engine, runtime, cluster):
    for number in range(10):
        cluster.put("shop", deployment(f"off-{number}"))
        wish(runtime, open_incident(runtime), scale(f"off-{number}"))
    jobs = claim(mysql_engine, "remediate", 10, 60, "w")
    handler = RemediateHandler(runtime)
    begun_when_off = []

    def turn(number):
        if number < 10:
            handler.run(jobs[number])
            return
        switch.turn(mysql_engine, Mode.OFF, "ann", TRACE)
        begun_when_off.extend(row["action_id"] for row in actions(mysql_engine) if row["started_at"])

    all_at_once(11, turn)
    begun = [row["action_id"] for row in actions(mysql_engine) if row["started_at"]]
    assert sorted(begun) == sorted(begun_when_off)
    assert len(cluster.changes()) == len(begun)
