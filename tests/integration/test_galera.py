"""A Galera cluster: what holds when all of its nodes are written to at once, and where nobody may be sent to."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import DBAPIError

from receiver.services.health import Health
from receiver.storage import leases
from receiver.storage.engine import create_engine, error_code, is_unreachable
from receiver.storage.migrate import upgrade
from receiver.worker.dispatcher import claim
from tests.builders import bodies
from tests.builders.jobs import QUEUE, add, request
from tests.fakes import storm
from tests.fakes.galera import Galera, Node
from tests.fakes.polling import wait_until

WEBHOOKS, KEYS, JOBS = 150, 12, 100
DOUBLE_OPEN = (
    "SELECT COUNT(*) FROM (SELECT incident_key FROM incidents WHERE status IN ('active', 'acknowledged')"
    " GROUP BY incident_key HAVING COUNT(*) > 1) doubled"
)
WRONG_COUNT = (
    "SELECT COUNT(*) FROM incidents i WHERE alert_count !="
    " (SELECT COUNT(*) FROM grafana_alerts a WHERE a.incident_id = i.incident_id)"
)
# Starting three servers takes long where everything else runs, too.
pytestmark = pytest.mark.timeout(240)
TABLES = ("deliveries", "grafana_alerts", "incidents", "alert_episodes", "events", "jobs")


@pytest.fixture(scope="module")
def galera() -> Iterator[Galera]:
    with Galera() as cluster:
        engine = create_engine(cluster.create_database("receiver"))
        upgrade(engine)  # through haproxy; a table that Galera cannot replicate would be refused
        engine.dispose()
        yield cluster


@pytest.fixture(scope="module")
def engines(galera: Galera) -> Iterator[list[Engine]]:
    """One for each node, past haproxy."""
    made = [create_engine(url_of(node)) for node in galera.nodes]
    yield made
    for engine in made:
        engine.dispose()


def url_of(node: Node) -> str:
    return make_url(node.url).set(database="receiver").render_as_string(hide_password=False)


def number(engine: Engine, query: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(query)).scalar_one())


def test_one_incident_per_key_while_all_nodes_are_written_to(galera: Galera, engines: list[Engine]) -> None:
    every = [
        bodies.alertmanager([bodies.alert(service=f"svc-{n % KEYS}", instance=f"host-{n}")])
        for n in range(WEBHOOKS)
    ]
    urls = [url_of(node) for node in galera.nodes]
    assert storm.blow(urls, every, processes=len(urls), threads=8, grouped=True) == []
    galera.wait_until_equal()
    for engine in engines:
        assert number(engine, DOUBLE_OPEN) == number(engine, WRONG_COUNT) == 0
        assert number(engine, "SELECT COUNT(*) FROM deliveries") == WEBHOOKS
        assert number(engine, "SELECT COUNT(*) FROM grafana_alerts") == WEBHOOKS
        assert number(engine, "SELECT COUNT(*) FROM incidents") == KEYS
        assert number(engine, "SELECT COUNT(*) FROM events WHERE type = 'incident.opened'") == KEYS
    for table in TABLES:
        sums = {node.name: checksum(node, table) for node in galera.nodes}
        assert len(set(sums.values())) == 1, (table, sums)


def checksum(node: Node, table: str) -> int:
    with node.connect(database="receiver") as connection, connection.cursor() as cursor:
        cursor.execute(f"CHECKSUM TABLE {table}")
        return int((cursor.fetchone() or ("", 0))[1])


def test_a_job_claimed_on_two_nodes_is_done_once(galera: Galera, engines: list[Engine]) -> None:
    add(engines[0], *[request(f"k{n}") for n in range(JOBS)])
    galera.wait_until_equal()
    together, done = threading.Barrier(4), Counter[str]()

    def work(engine: Engine, name: str) -> None:
        together.wait(timeout=30)
        while batch := claim(engine, QUEUE, 5, 60, name):
            done.update(job.idempotency_key for job in batch)  # the deed, after the claim's COMMIT
            with engine.begin() as connection:
                leases.finish_many(connection, batch)

    with ThreadPoolExecutor() as pool:
        workers = [pool.submit(work, engine, f"w{n}") for n, engine in enumerate(engines[:2] * 2)]
        for worker in workers:
            worker.result()
    assert done == Counter({f"k{n}": 1 for n in range(JOBS)})


def test_a_node_without_a_majority_gets_nobody_and_stores_no_half_of_a_transaction(
    galera: Galera, engines: list[Engine]
) -> None:
    left, *others = galera.nodes
    health = Health(engines[0])  # with connections of its own
    assert galera.writer() is left
    engine = create_engine(url_of(left), pool_size=1)
    try:
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE halves (number INT PRIMARY KEY)"))
        with asleep(others):
            with pytest.raises(DBAPIError) as refused:
                write_halves(engine, left)
            assert error_code(refused.value) == 1047
            assert is_unreachable(refused.value)
            wait_until(lambda: galera.writer() is None, 30, "a haproxy that leads nowhere")
            with left.connect() as session, session.cursor() as cursor:
                assert cursor.execute("SELECT 1") == 1  # this is why that is not what haproxy and /health ask
            assert not health.report().is_connected
        galera.mend()
        wait_until(lambda: health.report().is_ready, 5, "a healthy node")
        with engine.begin() as connection:  # on whatever connection lies in the pool
            connection.execute(text("INSERT INTO halves VALUES (3)"))
        assert number(engine, "SELECT SUM(number) FROM halves") == 3
    finally:
        engine.dispose()


def write_halves(engine: Engine, left: Node) -> None:
    """Writes 1; then, when the majority is gone, tries to write 2. ROLLBACK is refused as well."""
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO halves VALUES (1)"))
        wait_until(lambda: not left.is_ready(), 30, "a node that says that it has no majority")
        connection.execute(text("INSERT INTO halves VALUES (2)"))


@contextmanager
def asleep(nodes: Sequence[Node]) -> Iterator[None]:
    for node in nodes:
        node.send(signal.SIGSTOP)
    try:
        yield
    finally:
        for node in nodes:
            node.send(signal.SIGCONT)
