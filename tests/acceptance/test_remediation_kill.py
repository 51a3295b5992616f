"""Workers are killed around the call to Kubernetes, again and again: no action is carried out twice (invariant I5).

What the marks are: each round kills one worker process with SIGKILL while up to four of its actions stand at one point.
The played API server is the witness: it sees a request arrive and holds the answer back, before or after it has done
what was asked. What the server cannot see, the database shows.
"""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, select, text

from receiver.domain.action_state import ActionState
from receiver.domain.events import EventType
from receiver.runtime import Runtime
from receiver.storage.tables import jobs
from tests.builders.jobs import states
from tests.builders.remediation import action, actions, open_incident, scale, timeline, wish
from tests.fakes.kube_objects import deployment
from tests.fakes.kubernetes import Fault, KubernetesServer
from tests.fakes.nursery import Nursery
from tests.fakes.polling import wait_until
from tests.fixtures.runtimes import RuntimeFactory

ROUNDS = int(os.environ.get("RECEIVER_TEST_KILL_ROUNDS", "200"))
ACTIONS_PER_ROUND = 2
# The jobs that never end: they come again by themselves.
STANDING = ("housekeeping", "rollup")


class Cluster(KubernetesServer):
    """Calls `on_change` after it has done a change, before it answers."""

    on_change: Callable[[str], None] | None = None

    def _take(self, method: str, target: str, headers: Any, raw: bytes) -> Any:
        taken = super()._take(method, target, headers, raw)
        if self.on_change is not None and method == "PUT":
            self.on_change(target)
        return taken

    def sent(self, service: str) -> int:
        """How often a change of the service was asked for, done or not."""
        path = f"/deployments/{service}/scale"
        return sum(one.method == "PUT" and one.path.endswith(path) for one in self.journal())

    def done(self, service: str) -> int:
        """How often a change of the service was made."""
        return sum(f"/deployments/{service}/" in one.path for one in self.changes())


class Scene:
    """The cluster, the database, and the actions that have been asked for so far: each has a service of its own."""

    def __init__(self, engine: Engine, runtime: Runtime, cluster: Cluster) -> None:
        self.engine, self.runtime, self.cluster = engine, runtime, cluster
        self.services: dict[str, str] = {}  # by action
        self.incidents: dict[str, str] = {}  # by service
        self._numbers = itertools.count(1)

    def ask(self, count: int) -> list[str]:
        asked = []
        for number in itertools.islice(self._numbers, count):
            service = f"svc-{number}"
            self.cluster.put("shop", deployment(service))
            self.incidents[service] = open_incident(self.runtime, service=service)
            action_id = wish(
                self.runtime, self.incidents[service], scale(service, expires_after_seconds=86400)
            )
            self.services[action_id] = service
            asked.append(action_id)
        return asked

    def count(self, query: str) -> int:
        with self.engine.connect() as connection:
            return int(connection.execute(text(query)).scalar_one())

    def states(self, action_ids: list[str]) -> set[str]:
        return {action(self.engine, one)["state"].value for one in action_ids}

    def everything_is_due(self) -> None:
        """As if all leases were over and all pauses too."""
        past = "CURRENT_TIMESTAMP(6) - INTERVAL 1 SECOND"
        with self.engine.begin() as connection:
            connection.execute(text(f"UPDATE jobs SET lease_until = {past} WHERE state = 'running'"))
            connection.execute(text(f"UPDATE jobs SET run_at = {past} WHERE state = 'ready'"))

    def lock_waits(self) -> int:
        """How many wait for a row's lock now. The tables with more about that are not renewed while they are asked."""
        with self.engine.connect() as connection:
            return int(
                connection.execute(text("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'")).one()[1]
            )

    def jobs(self, action_ids: list[str]) -> set[str]:
        keys = [f"remediate:{one}" for one in action_ids]
        with self.engine.connect() as connection:
            found = connection.execute(select(jobs.c.state).where(jobs.c.idempotency_key.in_(keys)))
            return {state.value for state in found.scalars()}

    def changes_asked_for(self) -> int:
        return sum(one.method == "PUT" for one in self.cluster.journal())


# The points. Each lays its trap, waits until a worker is in it, and clears up when that has been killed.
Point = Generator[None, None, None]


def claimed(scene: Scene, asked: list[str]) -> Point:
    """A job is claimed, and its action is about to begin."""
    yield
    wait_until(lambda: bool(scene.jobs(asked) - {"ready"}), what="a claim")
    yield


def planning(scene: Scene, asked: list[str]) -> Point:
    """The API server has been asked how things stand, and has not answered."""
    before = len(scene.cluster.journal())
    scene.cluster.fail_always(Fault(hang=True, method="GET"))
    yield
    wait_until(lambda: len(scene.cluster.journal()) > before, what="a GET")
    yield
    scene.cluster.fail_always(None)


def marked(scene: Scene, asked: list[str]) -> Point:
    """An action is marked as running; the call is about to be made, or under way."""
    yield
    wait_until(lambda: bool(scene.states(asked) - {"requested"}), what="a mark")
    yield


def arrived(scene: Scene, asked: list[str]) -> Point:
    """The call has reached the API server, which does nothing about it."""
    before = scene.changes_asked_for()
    scene.cluster.fail_always(Fault(hang=True, method="PUT"))
    yield
    wait_until(lambda: scene.changes_asked_for() > before, what="a PUT")
    yield
    scene.cluster.fail_always(None)


def applied(scene: Scene, asked: list[str]) -> Point:
    """The API server has done it and not answered."""
    before = scene.changes_asked_for()
    scene.cluster.fail_always(Fault(hang=True, done=True, method="PUT"))
    yield
    wait_until(lambda: scene.changes_asked_for() > before, what="a PUT")
    yield
    scene.cluster.fail_always(None)


def answered(scene: Scene, asked: list[str]) -> Point:
    """The worker has its answer and is about to record it: the incident's lock, which that needs, is ours."""
    held: list[Connection] = []
    ours, is_over = threading.Lock(), threading.Event()

    def take_lock(path: str) -> None:
        lock = text("SELECT incident_id FROM incidents WHERE incident_id = :id FOR UPDATE")
        with ours:
            if not is_over.is_set():
                held.append(scene.engine.connect())
                held[-1].execute(lock, {"id": scene.incidents[path.split("/")[-2]]})

    scene.cluster.on_change = take_lock
    yield
    wait_until(lambda: bool(held) and scene.lock_waits() > 0, what="a record that waits for its lock")
    yield
    scene.cluster.on_change = None
    with ours:
        is_over.set()
        for connection in held:
            connection.rollback()  # the pool does not do it
            connection.close()


POINTS = (claimed, planning, marked, arrived, applied, answered)


@pytest.fixture
def scene(mysql_engine: Engine, make_runtime: RuntimeFactory) -> Iterator[Scene]:
    with Cluster() as cluster:
        yield Scene(mysql_engine, make_runtime(mysql_engine, **cluster.settings), cluster)


@pytest.fixture
def nursery(scene: Scene, tmp_path: Path) -> Iterator[Nursery]:
    url = scene.engine.url.render_as_string(hide_password=False)
    settings = {
        "DATABASE_URL": url,
        "WORKER_POLL_SECONDS": "0.05",
        "WORKER_LEASE_SECONDS": "20",
        **scene.cluster.settings,
    }
    with Nursery(settings, tmp_path / "workers.log") as nursery:
        yield nursery


def finish(scene: Scene, nursery: Nursery) -> None:
    """A worker that nobody kills sees to what is left."""

    def is_finished() -> bool:
        scene.everything_is_due()
        left = "('requested', 'awaiting_approval', 'running', 'verifying')"
        return scene.count(f"SELECT COUNT(*) FROM remediation_actions WHERE state IN {left}") == 0

    last = nursery.start()
    wait_until(is_finished, 60, "the end of all actions")
    nursery.end(last, signal.SIGTERM)


@pytest.mark.timeout(600)
def test_after_200_kills_around_the_call_no_action_was_carried_out_twice(
    scene: Scene, nursery: Nursery
) -> None:
    kills: Counter[str] = Counter()
    for number in range(ROUNDS):
        point = POINTS[number % len(POINTS)]
        asked = scene.ask(ACTIONS_PER_ROUND)
        steps = point(scene, asked)
        next(steps)
        worker = nursery.start()
        next(steps)
        nursery.end(worker)
        next(steps, None)
        kills[point.__name__] += 1
        scene.everything_is_due()
    finish(scene, nursery)

    ends: Counter[str] = Counter()
    for row in actions(scene.engine):
        service, state = scene.services[row["action_id"]], ActionState(row["state"])
        sent, done = scene.cluster.sent(service), scene.cluster.done(service)
        ends[state.value] += 1
        assert state in (ActionState.COMPLETED, ActionState.FAILED, ActionState.UNKNOWN)
        assert sent <= 1, f"{row['action_id']} was called for {sent} times"
        assert scene.cluster.replicas("shop", service) == 1 + done
        if state is ActionState.COMPLETED:
            assert done == 1
        if state is ActionState.FAILED:
            assert sent == 0
        told = [event for event in timeline(scene.engine, row["incident_id"]) if event.type in _ENDS]
        assert [event.payload["outcome"] for event in told] == [state.value]
    print(f"{sum(kills.values())} kills: {dict(kills)}; actions: {dict(ends)}")
    assert sum(kills.values()) == ROUNDS
    assert sum(ends.values()) == ROUNDS * ACTIONS_PER_ROUND
    ended = {state for key, state in states(scene.engine).items() if not key.startswith(STANDING)}
    assert ended <= {"done", "dead"}


_ENDS = (EventType.ACTION_COMPLETED, EventType.ACTION_FAILED, EventType.ACTION_REJECTED)
