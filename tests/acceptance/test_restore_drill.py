"""The drill of docs/backup.md with real processes: dump under load, go on, lose it all, restore, go on.

Slack's stand-in is the witness: it keeps a journal outside the database.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from sqlalchemy import Engine, select

from receiver.storage.engine import create_engine
from receiver.storage.tables import events, grafana_alerts, jobs
from tests.builders import bodies
from tests.builders.cli import run as run_command
from tests.fakes.dump import dump, restore
from tests.fakes.mariadb import MariaDB
from tests.fakes.polling import wait_until
from tests.fakes.receiver import Receiver
from tests.fakes.slack import OK, SlackServer, hang

INCIDENT_ID = re.compile(r"INC-\d{14}-[0-9a-f]{16}")
# Each incident on its own: none is told together with others.
SETTINGS = {"NOTIFY_PER_MINUTE": "10000", "WORKER_POLL_SECONDS": "0.1", "WORKER_THREADS": "2"}

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def server() -> Iterator[MariaDB]:
    running = MariaDB(binlog=True)
    yield running
    running.stop()


@pytest.fixture
def another_server() -> Iterator[MariaDB]:
    running = MariaDB(binlog=True)
    yield running
    running.stop()


@pytest.fixture
def engine_of() -> Iterator[Callable[[str], Engine]]:
    made: list[Engine] = []

    def engine_of(url: str) -> Engine:
        made.append(create_engine(url))
        return made[-1]

    yield engine_of
    for engine in made:
        engine.dispose()


class Senders:
    """One alert after the other, each of a service of its own, until told to stop."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self.acknowledged: list[str] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> Senders:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _send(self) -> None:
        while not self._stopping.is_set():
            service = f"svc-{len(self.acknowledged)}"
            answer = self._receiver.post(bodies.alertmanager([bodies.alert(service=service)]))
            assert answer.status_code == requests.codes.ok
            self.acknowledged.append(service)


def told(slack: SlackServer) -> Counter[str]:
    """How often Slack has stored a message about each incident."""
    named = (set(INCIDENT_ID.findall(json.dumps(message.json))) for message in slack.delivered())
    return Counter(incident_id for ids in named for incident_id in ids)


def states(engine: Engine, key: str = "%") -> Counter[str]:
    """How many jobs of messages (with keys like `key`) are in each state."""
    query = select(jobs.c.state).where(jobs.c.kind == "notify", jobs.c.idempotency_key.like(key))
    with engine.connect() as connection:
        return Counter(state.value for state in connection.execute(query).scalars())


def are_all_told(engine: Engine) -> bool:
    """Whether no incident waits for its first message."""
    found = states(engine, "%:opened")
    return not found["ready"] and not found["running"]


def test_after_a_restore_nothing_is_sent_twice_and_intake_goes_on(
    server: MariaDB,
    another_server: MariaDB,
    engine_of: Callable[[str], Engine],
    slack: SlackServer,
    tmp_path: Path,
) -> None:
    url = server.create_database("receiver")
    first = engine_of(url)
    slack.answer_always(hang(0.15))  # so that there is always something still to be sent
    file = tmp_path / "backup.sql"
    with Receiver(tmp_path / "first", url, SLACK_WEBHOOK_URL=slack.url, **SETTINGS) as receiver:
        with Senders(receiver) as senders:
            wait_until(lambda: len(senders.acknowledged) > 20, 40)
            slack.wait_for(5, timeout=30)
            dump(url, file)
            at_dump = len(senders.acknowledged)
            wait_until(lambda: len(senders.acknowledged) > at_dump + 10, 40)
        slack.answer_always(OK)
        # What was waiting when the dump was made has been sent by now: it must not be sent again.
        wait_until(lambda: are_all_told(first), 60, "all is sent")
    sent = told(slack)
    assert sent and max(sent.values()) == 1
    server.kill()

    new_url = another_server.create_database("receiver")
    restore(file, new_url)
    restored = engine_of(new_url)
    settings = {"DATABASE_URL": new_url}
    waiting = states(restored)
    assert waiting["ready"] + waiting["running"] > 0, "the dump was made when nothing was under way"
    for command in (["db", "upgrade"], ["db", "restored"], ["db", "check"]):
        done = run_command(command, **settings)
        assert done.exit_code == 0, done.output
    assert states(restored)["dead"] == waiting["ready"] + waiting["running"]
    with restored.connect() as connection:
        stored = set(connection.execute(select(grafana_alerts.c.service)).scalars())
        told_by = set(connection.execute(select(events.c.actor)).scalars())
    # What was acknowledged before the dump began is in it, and nothing that never was sent.
    assert len(stored) > 20 and stored <= {*senders.acknowledged, f"svc-{len(senders.acknowledged)}"}
    assert "receiver db restored" in told_by

    with Receiver(tmp_path / "second", new_url, SLACK_WEBHOOK_URL=slack.url, **SETTINGS) as receiver:
        answer = receiver.post(bodies.alertmanager([bodies.alert(service="after-the-restore")]))
        (incident,) = answer.json()["incidents"]
        wait_until(lambda: told(slack)[incident["incident_id"]] == 1, 40, "the new incident is told")
        wait_until(lambda: are_all_told(restored), 20)
    again = told(slack)
    del again[incident["incident_id"]]
    assert again == sent
    assert run_command(["db", "check"], **settings).exit_code == 0
