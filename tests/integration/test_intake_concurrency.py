"""Invariants I1 to I4 under many writers at once, on a real server."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, text

from receiver.ids import new_trace_id
from receiver.runtime import Runtime
from receiver.services.incidents import Deed, resolve
from receiver.storage.engine import reading
from tests.builders import bodies
from tests.fakes import storm
from tests.fixtures.runtimes import RuntimeFactory

WEBHOOKS, KEYS = 2000, 50
DOUBLE_OPEN = text(
    "SELECT COUNT(*) FROM (SELECT incident_key FROM incidents WHERE status IN ('active', 'acknowledged')"
    " GROUP BY incident_key HAVING COUNT(*) > 1) doubled"
)


def first_alerts() -> list[bytes]:
    """Each a member of its own, of one of the keys."""
    return [
        bodies.alertmanager([bodies.alert(service=f"svc-{n % KEYS}", instance=f"host-{n}")])
        for n in range(WEBHOOKS)
    ]


def number(engine: Engine, query: str) -> int:
    with reading(engine) as connection:
        return int(connection.execute(text(query)).scalar_one())


def check_books(engine: Engine) -> None:
    """What must be true whatever happened."""
    with reading(engine) as connection:
        assert connection.execute(DOUBLE_OPEN).scalar_one() == 0
    assert number(engine, "SELECT COUNT(*) FROM deliveries") == WEBHOOKS
    assert number(engine, "SELECT COUNT(*) FROM grafana_alerts") == WEBHOOKS
    wrong = """SELECT COUNT(*) FROM incidents i WHERE alert_count !=
        (SELECT COUNT(*) FROM grafana_alerts a WHERE a.incident_id = i.incident_id)"""
    assert number(engine, wrong) == 0
    wrong = """SELECT COUNT(*) FROM incidents i WHERE firing_count !=
        (SELECT COUNT(*) FROM alert_episodes e WHERE e.incident_id = i.incident_id AND e.status = 'firing')"""
    assert number(engine, wrong) == 0


@contextmanager
def watched(engine: Engine) -> Iterator[list[int]]:
    """Counts keys with two open incidents, all the time."""
    seen: list[int] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            with reading(engine) as connection:
                seen.append(int(connection.execute(DOUBLE_OPEN).scalar_one()))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


@pytest.mark.parametrize("grouped", [False, True], ids=["each-alone", "group-commit"])
def test_simultaneous_first_alerts_open_one_incident_per_key(mysql_engine: Engine, grouped: bool) -> None:
    url = mysql_engine.url.render_as_string(hide_password=False)
    with watched(mysql_engine) as seen:
        errors = storm.blow(url, first_alerts(), processes=4, threads=16, grouped=grouped)
    assert errors == []
    assert seen and max(seen) == 0
    check_books(mysql_engine)
    assert number(mysql_engine, "SELECT COUNT(*) FROM incidents") == KEYS
    assert number(mysql_engine, "SELECT COUNT(*) FROM events WHERE type = 'incident.opened'") == KEYS
    assert number(mysql_engine, "SELECT COUNT(*) FROM events WHERE type = 'alert.raised'") == WEBHOOKS
    assert number(mysql_engine, "SELECT SUM(firing_count) FROM incidents") == WEBHOOKS


@contextmanager
def people_who_resolve(runtime: Runtime) -> Iterator[list[str]]:
    """Somebody resolves an open incident every few milliseconds, whatever its alerts say."""
    resolved: list[str] = []
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.005):
            with reading(runtime.engine) as connection:
                found = connection.execute(
                    text("SELECT incident_id FROM incidents WHERE open_key IS NOT NULL LIMIT 20")
                )
                names = [name for (name,) in found]
            if names:
                resolve(runtime, random.choice(names), Deed("ann", new_trace_id()))
                resolved.append(names[0])

    person = threading.Thread(target=work)
    person.start()
    try:
        yield resolved
    finally:
        over.set()
        person.join()


def test_the_books_balance_while_people_resolve_in_between(
    mysql_engine: Engine, make_runtime: RuntimeFactory
) -> None:
    url = mysql_engine.url.render_as_string(hide_password=False)
    runtime = make_runtime(mysql_engine)
    with watched(mysql_engine) as seen, people_who_resolve(runtime) as resolved:
        errors = storm.blow(url, first_alerts(), processes=4, threads=16, grouped=False)
    assert errors == []
    assert len(resolved) > 5
    assert seen and max(seen) == 0
    check_books(mysql_engine)
    opened = number(mysql_engine, "SELECT COUNT(*) FROM incidents")
    assert opened > KEYS
    for event, count in (
        ("incident.opened", opened),
        ("incident.resolved", len(resolved)),
        ("alert.raised", WEBHOOKS),
    ):
        assert number(mysql_engine, f"SELECT COUNT(*) FROM events WHERE type = '{event}'") == count
