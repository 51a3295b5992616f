"""Claiming: each job goes to one worker, in the order of due times, and nobody waits for anybody."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, Engine, event, text

from receiver.ids import new_ulid
from receiver.storage import leases
from receiver.storage.engine import is_mysql, reading
from receiver.worker.dispatcher import claim
from tests.builders.jobs import QUEUE, add, pass_time, request, row, rows


def keys_of(claimed):
    return [job.idempotency_key for job in claimed]


def test_a_claim_takes_the_longest_due_first_and_no_more_than_asked(engine):
    add(engine, request("first"))
    pass_time(engine, 10)
    add(engine, request("second"))
    pass_time(engine, 10)
    add(engine, request("third"))
    assert keys_of(claim(engine, QUEUE, 2, 60, "w")) == ["first", "second"]
    assert keys_of(claim(engine, QUEUE, 2, 60, "w")) == ["third"]
    assert claim(engine, QUEUE, 2, 60, "w") == []


def test_a_claimed_job_tells_who_has_it_and_in_which_attempt(engine):
    add(engine, request())
    (job,) = claim(engine, QUEUE, 1, 60, "worker-1")
    found = row(engine)
    assert job.attempt == found["attempt"] == 1
    assert (found["state"], found["worker"], found["lease_token"]) == ("running", "worker-1", job.lease_token)
    assert found["lease_until"] > found["created_at"]


def test_a_claim_keeps_to_its_queue_and_to_what_is_due(engine):
    add(engine, request("other", queue="other"), request("later", delay_seconds=60))
    assert claim(engine, QUEUE, 5, 60, "w") == []
    with reading(engine) as connection:
        assert leases.due_queues(connection, [QUEUE, "other", "none"]) == ["other"]
        assert leases.due_queues(connection, []) == []


def test_a_second_claimer_passes_over_what_the_first_is_taking(mysql_engine):
    add(mysql_engine, *[request(f"k{number}") for number in range(4)])
    with mysql_engine.begin() as first:
        taken = leases.claim(first, QUEUE, 2, 60, "one", new_ulid())
        with (
            mysql_engine.begin() as second
        ):  # would wait for the first's rows, or for ever, without SKIP LOCKED
            others = leases.claim(second, QUEUE, 4, 60, "two", new_ulid())
    assert keys_of(taken) == ["k0", "k1"]
    assert keys_of(others) == ["k2", "k3"]


def test_no_two_claimers_get_the_same_job(engine):
    total = 400
    add(engine, *[request(f"k{number}") for number in range(total)])
    together = threading.Barrier(8)

    def work(number: int) -> list[str]:
        together.wait()
        mine: list[str] = []
        while claimed := claim(engine, QUEUE, 7, 60, f"w{number}"):
            mine += keys_of(claimed)
        return mine

    with ThreadPoolExecutor(8) as pool:
        taken = Counter(key for mine in pool.map(work, range(8)) for key in mine)
    assert set(taken.values()) == {1}
    # A claimer that sees only locked rows goes home; what it left must still be there.
    left = [one for one in rows(engine) if one["state"] == "ready"]
    assert len(taken) + len(left) == total


class _Spy:
    """The queries that pass through an engine, with their parameters."""

    def __init__(self, engine: Engine) -> None:
        self.seen: list[tuple[str, object]] = []
        event.listen(engine, "before_cursor_execute", self._see)

    def _see(self, connection, cursor, statement, parameters, context, many):
        self.seen.append((statement, parameters))

    def plan(self, connection: Connection, part: str) -> str:
        statement, parameters = next(one for one in self.seen if part in one[0])
        explain = "EXPLAIN FORMAT=TRADITIONAL" if is_mysql(connection) else "EXPLAIN QUERY PLAN"
        found = connection.exec_driver_sql(f"{explain} {statement}", parameters)  # type: ignore[arg-type]  # as recorded
        return "\n".join(map(str, found.mappings()))


@pytest.mark.parametrize("size", [3, 3000])
def test_the_index_gives_the_order_so_that_nobody_locks_all_rows(engine, size):
    add(engine, *[request(f"k{number}", queue=f"q{number % 3}") for number in range(size)])
    spy = _Spy(engine)
    claim(engine, "q0", 1, 60, "w")
    with engine.begin() as connection:
        leases.lock_expired(connection, ["notify"], 5)
        leases.due_queues(connection, ["q0", "q1"])
    with engine.connect() as connection:
        if is_mysql(connection):
            connection.execute(text("ANALYZE TABLE jobs"))
        claiming = spy.plan(connection, "ORDER BY jobs.run_at, jobs.job_id")
        reaping = spy.plan(connection, "ORDER BY jobs.lease_until")
        polling = spy.plan(connection, "EXISTS")
    assert "idx_jobs_claim" in claiming
    assert "idx_jobs_claim" in polling
    assert "idx_jobs_lease" in reaping
    for found in (claiming, reaping, polling):
        assert "filesort" not in found
        assert "TEMP B-TREE" not in found
