"""SIGHUP: new rules come into force while alerts keep coming, wrong ones never do."""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from sqlalchemy import Engine

from tests.builders import bodies
from tests.builders.rules import rules_text
from tests.fakes.ports import free_port
from tests.fakes.processes import BIN, Process, environment
from tests.fakes.receiver import Receiver

IGNORE = "- {name: quiet, on: alert.raised, match: cluster=staging, incident: ignore}"
OPEN = "- {name: other, on: alert.raised, match: cluster=nowhere, incident: ignore}"


class Served:
    """`receiver serve` with a rules file."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.file = folder / "rules.yml"
        self.file.write_text(rules_text(IGNORE))
        address = f"127.0.0.1:{free_port()}"
        settings = {"DATABASE_URL": database_url, "BIND": address, "RULES": str(self.file)}
        self.url = f"http://{address}"
        self.process = Process(
            [BIN / "receiver", "serve"],
            folder=folder,
            env=environment({f"RECEIVER_{name}": value for name, value in settings.items()}),
        )

    def post(self, service: str) -> dict[str, int]:
        """What became of an alert from staging."""
        body = bodies.alertmanager([bodies.alert(cluster="staging", service=service)])
        answer = requests.post(f"{self.url}/api/v1/webhooks/alertmanager", data=body, timeout=20)
        answer.raise_for_status()
        counts: dict[str, int] = answer.json()["alerts"]
        return counts

    def workers(self) -> set[str]:
        """The processes besides the master."""
        return {line.split()[0] for line in self.process.members()} - {str(self.process.pid)}


@pytest.fixture
def served(sqlite_engine: Engine, tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path, sqlite_engine.url.render_as_string())
    try:
        made.process.wait_for_http(f"{made.url}/readyz")
        made.process.wait_until(lambda: len(made.workers()) == 2, 20, "start both workers")
        yield made
    finally:
        made.process.stop()


def test_new_rules_come_into_force_without_an_alert_being_refused(served: Served) -> None:
    assert served.post("before") == {"received": 1, "ignored": 1}
    done = threading.Event()
    failures: list[requests.RequestException] = []
    answers: list[dict[str, int]] = []

    def keep_posting(sender: int) -> None:
        for number in itertools.count():
            if done.is_set():
                return
            try:
                answers.append(served.post(f"svc-{sender}-{number}"))
            except requests.RequestException as failure:
                failures.append(failure)

    senders = [threading.Thread(target=keep_posting, args=(number,)) for number in range(4)]
    for sender in senders:
        sender.start()
    try:
        old = served.workers()
        served.file.write_text(rules_text(OPEN))
        served.process.send(signal.SIGHUP)
        served.process.wait_for_output("rules.reloaded")
        served.process.wait_until(lambda: not old & served.workers(), 30, "end its old workers")
    finally:
        done.set()
        for sender in senders:
            sender.join(30)
    assert failures == []
    assert served.post("after") == {"received": 1, "opened": 1}
    assert answers[0].keys() == {"received", "ignored"} and answers[-1].keys() == {"received", "opened"}
    assert "Traceback" not in served.process.output()


def test_wrong_rules_change_nothing_and_are_told_with_their_mistakes(served: Served) -> None:
    old = served.workers()
    served.file.write_text("version: 1\nrules: [{name: a}]\n")
    served.process.send(signal.SIGHUP)
    served.process.wait_for_output("rules.refused")
    assert "2:9: on is missing" in served.process.output()
    assert served.post("a") == {"received": 1, "ignored": 1}
    assert served.workers() == old
    # A worker that dies comes back with the rules that are in force, not with the wrong file.
    for pid in old:
        os.kill(int(pid), signal.SIGTERM)
    served.process.wait_until(
        lambda: len(served.workers()) == 2 and not old & served.workers(), 30, "replace its workers"
    )
    served.process.wait_for_http(f"{served.url}/readyz")
    assert served.post("b") == {"received": 1, "ignored": 1}


def reloaded(process: Process, event: str) -> list[str]:
    """Which parts have said so, by name."""
    lines = [json.loads(line) for line in process.output().splitlines() if line.startswith("{")]
    return sorted(line["logger"].rpartition(".")[2] for line in lines if line["event"] == event)


def test_without_a_terminal_up_hands_the_signal_on_to_receiver_and_worker(tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    file.write_text(rules_text(IGNORE))
    with Receiver(tmp_path, "sqlite:///var/receiver.db", RULES=str(file)) as receiver:
        staging = bodies.alertmanager([bodies.alert(cluster="staging", service="a")])
        assert receiver.post(staging).json()["alerts"] == {"received": 1, "ignored": 1}
        file.write_text("version: 2\nrules: []\n")
        receiver.process.send(signal.SIGHUP)
        receiver.process.wait_until(
            lambda: reloaded(receiver.process, "rules.refused") == ["serve", "worker"], 20, "refuse the file"
        )
        assert receiver.post(staging).json()["alerts"] == {"received": 1, "ignored": 1}
        file.write_text(rules_text(OPEN))
        receiver.process.send(signal.SIGHUP)
        receiver.process.wait_until(
            lambda: reloaded(receiver.process, "rules.reloaded") == ["serve", "worker"], 20, "reload"
        )
        receiver.process.wait_until(
            lambda: "opened" in receiver.post(staging).json()["alerts"], 30, "open an incident"
        )
        receiver.process.send(signal.SIGTERM)
        assert receiver.process.wait(timeout=40) == 0
        receiver.process.assert_nothing_left()
