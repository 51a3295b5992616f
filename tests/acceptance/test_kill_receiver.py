"""Invariant I1 under kill -9: what a sender was told is stored, is stored."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import Engine, text

from receiver.storage.engine import create_engine, reading
from tests.builders import bodies
from tests.fakes import groups
from tests.fakes.polling import wait_until
from tests.fakes.receiver import Receiver

SENDERS, KILLS = 4, 5


class Sender(threading.Thread):
    """Posts one alert after the other and notes each receipt; a cut connection is tried again, as Alertmanager does."""

    def __init__(self, receiver: Receiver, number: int, over: threading.Event) -> None:
        super().__init__()
        self._receiver, self._number, self._over = receiver, number, over
        self.receipts: list[dict[str, Any]] = []
        self.cut = 0
        self.refused: list[int] = []

    def run(self) -> None:
        count = 0
        while not self._over.is_set():
            body = bodies.alertmanager(
                [bodies.alert(service=f"svc-{count % 7}", instance=f"{self._number}-{count}")]
            )
            try:
                answer = self._receiver.post(body, timeout=15)
            except requests.RequestException:
                self.cut += 1
                continue
            count += 1
            if answer.status_code == 200:
                self.receipts.append(answer.json())
            else:
                self.refused.append(answer.status_code)


def stored(engine: Engine, query: str) -> set[Any]:
    with reading(engine) as connection:
        return set(connection.execute(text(query)).scalars())


def test_nothing_acknowledged_is_lost_when_web_processes_are_killed(
    tmp_path: Path, mysql_database_url: str
) -> None:
    over = threading.Event()
    with Receiver(tmp_path / "receiver", mysql_database_url) as receiver:
        senders = [Sender(receiver, number, over) for number in range(SENDERS)]
        for sender in senders:
            sender.start()
        for _ in range(KILLS):
            told = sum(len(sender.receipts) for sender in senders)
            wait_until(lambda told=told: sum(len(one.receipts) for one in senders) > told + 50, 30)  # type: ignore[misc]  # mypy does not infer defaults of lambdas
            # One of those that answer; gunicorn's master is their parent.
            os.kill(groups.children(receiver.pids("receiver", "serve"))[-1], signal.SIGKILL)
        told = sum(len(sender.receipts) for sender in senders)
        wait_until(lambda: sum(len(one.receipts) for one in senders) > told + 50, 30)
        over.set()
        for sender in senders:
            sender.join()

    receipts = [receipt for sender in senders for receipt in sender.receipts]
    assert sum(sender.cut for sender in senders) > 0  # the kills did hit requests
    assert [sender.refused for sender in senders] == [[]] * SENDERS
    engine = create_engine(mysql_database_url)
    assert {receipt["delivery_id"] for receipt in receipts} <= stored(
        engine, "SELECT delivery_id FROM deliveries"
    )
    wrong = """SELECT incident_id FROM incidents i WHERE alert_count !=
        (SELECT COUNT(*) FROM grafana_alerts a WHERE a.incident_id = i.incident_id)"""
    assert stored(engine, wrong) == set()
    doubled = "SELECT incident_key FROM incidents WHERE open_key IS NOT NULL GROUP BY incident_key HAVING COUNT(*) > 1"
    assert stored(engine, doubled) == set()
    unbalanced = """SELECT delivery_id FROM deliveries d WHERE alerts_received !=
        (SELECT COUNT(*) FROM grafana_alerts a WHERE a.delivery_id = d.delivery_id)"""
    assert stored(engine, unbalanced) == set()
    engine.dispose()
