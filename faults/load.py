"""The load: eight senders that behave as Alertmanager does, in a process of their own, with a history of every request.

`python -m faults.load HOST:PORT HISTORY --rate R` sends until its standard input closes.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import sys
import threading
import time
from pathlib import Path

from faults.bodies import Senders, Sent
from faults.history import End, Journal, Request
from faults.secrets import WEBHOOK_TOKEN

CLIENTS = 8
PATH = "/api/v1/webhooks/alertmanager"
# Far over what is promised: whoever is cut off by it has found a fault.
PATIENCE_SECONDS = 10.0
ATTEMPTS, PAUSE_SECONDS = 5, 0.5
# By how much more the pause is, with --easy, after an answer from the spool: so that it can become empty again.
EASED = 2.0


class Sender:
    """One connection, kept alive, made again when it breaks."""

    def __init__(self, host: str, port: int, journal: Journal) -> None:
        self._address = host, port
        self._journal = journal
        self._connection: http.client.HTTPConnection | None = None

    def deliver(self, sent: Sent, stopping: threading.Event) -> str:
        """Send until it is taken, as a sender with retries does; the outcome that it was told, if any."""
        for _ in range(ATTEMPTS):
            request = self.send(sent)
            self._journal.request(request)
            if request.end is End.OK or (request.status or 500) < 500:
                return request.outcome
            if stopping.wait(PAUSE_SECONDS):
                break
        return ""

    def send(self, sent: Sent) -> Request:
        """Send once."""
        digest = hashlib.sha256(sent.body).hexdigest()
        at, started = time.time(), time.monotonic()
        status, delivery_id, outcome, note = None, "", "", ""
        is_sent = False
        try:
            connection = self._connect()
            is_sent = True
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {WEBHOOK_TOKEN}"}
            connection.request("POST", PATH, sent.body, headers)
            answer = connection.getresponse()
            status, text = answer.status, answer.read()
            if status == 200:
                receipt = json.loads(text)
                delivery_id, outcome = receipt["delivery_id"], receipt["outcome"]
            else:
                note = text[:500].decode(errors="replace")
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            note = type(error).__name__
            self.close()
        return Request(
            at=at,
            seconds=round(time.monotonic() - started, 4),
            end=_end_of(status, is_sent),
            status=status,
            digest=digest,
            alerts=sent.alerts,
            what=sent.what,
            delivery_id=delivery_id,
            outcome=outcome,
            note=note,
        )

    def close(self) -> None:
        """Give the connection up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> http.client.HTTPConnection:
        if self._connection is None:
            made = http.client.HTTPConnection(*self._address, timeout=PATIENCE_SECONDS)
            made.connect()
            self._connection = made
        return self._connection


def _end_of(status: int | None, is_sent: bool) -> End:
    if status is not None and 200 <= status < 300:
        return End.OK
    if status is None:
        return End.UNKNOWN if is_sent else End.FAIL
    return End.FAIL if status < 500 else End.UNKNOWN


def _run(
    sender: Sender, senders: Senders, pause: float, stopping: threading.Event, is_easy: bool = False
) -> None:
    due = time.monotonic()
    while not stopping.is_set():
        outcome = sender.deliver(senders.next(), stopping)
        # Late is late: what could not be sent in time is not sent in a burst afterwards.
        eased = EASED if is_easy and outcome == "spooled" else 1.0
        due = max(due + pause * eased, time.monotonic())
        stopping.wait(due - time.monotonic())
    sender.close()


def main() -> None:
    """Send until standard input closes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("history")
    parser.add_argument("--rate", type=float, default=60.0, help="requests a second, of all clients together")
    parser.add_argument("--largest-group", type=int, default=4)
    parser.add_argument("--easy", action="store_true", help="send less while answers come from the spool")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    host, _, port = given.address.partition(":")
    journal = Journal(Path(given.history))
    senders, stopping = Senders(seed=given.seed, largest_group=given.largest_group), threading.Event()
    threads = [
        threading.Thread(
            target=_run,
            args=(Sender(host, int(port), journal), senders, CLIENTS / given.rate, stopping, given.easy),
        )
        for _ in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stopping.set()
    for thread in threads:
        thread.join()
    journal.close()


if __name__ == "__main__":
    main()
