"""A search by text finds what the plain query finds, and does not look where nothing can be."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, insert, select

from receiver.domain.incident import OPEN_STATUSES
from receiver.services import incident_list
from receiver.services.report_days import count_due
from receiver.services.rollup import catch_up
from receiver.storage import incident_search
from receiver.storage.incident_queries import After, IncidentFilter
from receiver.storage.tables import incidents

MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)
WORDS = ("disk", "Full", "slow", "Störung", "100%", "queue_length", "💥", "checkout", "日本", "Zürich")


def store(engine: Engine, number: int, opened_at: datetime, **columns: Any) -> str:
    key = f"{number:016x}"
    row: dict[str, Any] = {
        "incident_id": f"INC-{opened_at:%Y%m%d%H%M%S}-{key}",
        "incident_key": key,
        "status": ("active", "resolved")[number % 2],
        "priority": "P2",
        "severity": "warning",
        "title": "",
        "summary": "",
        "labels": {},
        "links": {},
        "opened_at": opened_at,
        "last_seen_at": opened_at,
        "trace_id": "0" * 32,
    }
    row |= dict.fromkeys(("rule_uid", "cluster", "namespace", "service", "phase"), "") | columns
    with engine.begin() as connection:
        connection.execute(insert(incidents).values(row))
    return str(row["incident_id"])


@pytest.fixture
def past(engine: Engine) -> Engine:
    """Some days of incidents whose texts are of a few words, each day of its own ones."""
    chance = random.Random(5)
    for number in range(120):
        day = number // 20
        some = chance.sample(WORDS[day : day + 4], 2)
        opened_at = MIDNIGHT - timedelta(days=5 - day) + timedelta(minutes=11 * (number % 20))
        where = chance.choice(("title", "summary", "service"))
        store(engine, number, opened_at, **{where: " ".join(some)})
    catch_up(engine)
    assert count_due(engine, MIDNIGHT + timedelta(hours=12), lambda: False)
    return engine


def walk(engine: Engine, wanted: IncidentFilter, limit: int) -> list[str]:
    """All pages."""
    found: list[str] = []
    after = None
    while True:
        page = incident_list.find(engine, wanted, after, limit)
        found += [row["incident_id"] for row in page.rows]
        if not page.has_more:
            return found
        after = After(page.rows[-1]["opened_at"], page.rows[-1]["incident_id"])


def plainly(engine: Engine, wanted: IncidentFilter, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    with monkeypatch.context() as patch:
        patch.setattr(incident_search, "narrowed", lambda *_: None)
        return walk(engine, wanted, 500)


def looked_at(engine: Engine, work: Callable[[], object]) -> list[str]:
    found: list[str] = []

    def note(_c: Any, _k: Any, statement: str, *_: Any) -> None:
        if "FROM incidents" in statement:
            found.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    work()
    event.remove(engine, "before_cursor_execute", note)
    return found


def test_a_search_finds_what_the_plain_query_finds_in_the_same_order(
    past: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incident_search, "_ON_THEIR_WAY", 0)
    with past.connect() as connection:
        ids = connection.execute(select(incidents.c.incident_id)).scalars().all()
        numbers = connection.execute(select(incidents.c.number)).scalars().all()
    texts = [
        *WORDS,
        "DISK",
        "storung",
        "zurich",
        "queuexlength",
        "full slow",
        "nothing like it",
        "00%",
        "ull",
    ]
    texts += [ids[7], ids[50][-17:], ids[50][4:12], f"INC-{numbers[33]}", str(numbers[99])]
    helped = 0
    with past.connect() as connection:
        helped = sum(incident_search.narrowed(connection, text) is not None for text in texts)
    assert helped > len(texts) / 2
    for text in texts:
        for more in ({}, {"statuses": OPEN_STATUSES}, {"since": MIDNIGHT - timedelta(days=3, hours=23)}):
            wanted = IncidentFilter(text=text, **more)
            expected = plainly(past, wanted, monkeypatch)
            for limit in (3, 200):
                assert walk(past, wanted, limit) == expected, (text, more, limit)


def test_an_incident_that_is_stored_into_a_day_that_was_counted_is_found(
    past: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incident_search, "_ON_THEIR_WAY", 0)
    new = store(past, 500, MIDNIGHT - timedelta(days=3), title="out of the spool")
    wanted = IncidentFilter(text="the spool")
    assert walk(past, wanted, 10) == [new]


def test_days_that_can_have_no_match_are_not_read(past: Engine) -> None:
    wanted = IncidentFilter(text="nothing like it")
    asked = looked_at(past, lambda: walk(past, wanted, 10))
    assert len(asked) == 2
    assert "opened_at <" in asked[0] and "opened_at >=" in asked[0]
    assert "number >" in asked[1]
