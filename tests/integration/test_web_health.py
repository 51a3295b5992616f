"""/livez, /readyz and /health: what load balancers and people are told."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import URL, Engine, make_url

import receiver
from receiver.runtime import Runtime
from receiver.storage.engine import create_engine
from receiver.storage.migrate import newest_revision
from tests.builders.web import client_of
from tests.fakes.polling import wait_until
from tests.fakes.ports import free_port
from tests.fakes.valve import Valve
from tests.fixtures.runtimes import RuntimeFactory


@pytest.fixture
def client(engine: Engine, make_runtime: RuntimeFactory) -> FlaskClient:
    return client_of(make_runtime(engine))


def test_a_good_database_is_healthy_and_ready(client: FlaskClient) -> None:
    answer = client.get("/health")
    assert answer.status_code == 200
    found = dict(answer.json or {})
    spool = found.pop("spool")
    assert found == {
        "status": "healthy",
        "database": "connected",
        "schema": {"revision": newest_revision(), "needed": newest_revision()},
        "version": receiver.__version__,
    }
    assert spool.pop("used_bytes") > 0
    assert spool == {"status": "ok", "deliveries": 0, "refused": 0, "oldest_seconds": 0.0}
    assert (client.get("/readyz").status_code, client.get("/readyz").json["status"]) == (200, "ready")
    assert client.get("/livez").json == {"status": "alive"}


def test_a_database_without_our_tables_is_healthy_but_not_ready(
    empty_engine: Engine, make_runtime: RuntimeFactory
) -> None:
    client = client_of(make_runtime(empty_engine))
    assert client.get("/health").status_code == 200
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (503, "unready")
    assert answer.json["schema"] == {"revision": None, "needed": newest_revision()}


def test_a_database_of_another_release_is_not_ready(client: FlaskClient, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'older'")
    try:
        assert client.get("/readyz").status_code == 503
        assert client.get("/health").status_code == 200
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{newest_revision()}'")


def test_without_database_and_spool_nothing_is_ready(
    sqlite_engine: Engine, make_runtime: RuntimeFactory, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    url = make_url(f"mysql+pymysql://u:p@127.0.0.1:{free_port()}/none")
    client = client_of(over(make_runtime(sqlite_engine, SPOOL_DIR=str(tmp_path / "file")), url))
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (503, "unready")
    assert answer.json["spool"] == {"status": "broken"}


def test_a_database_that_is_away_is_unhealthy_while_the_process_lives(
    sqlite_engine: Engine, make_runtime: RuntimeFactory
) -> None:
    url = make_url(f"mysql+pymysql://u:p4ssword@127.0.0.1:{free_port()}/none")
    client = client_of(over(make_runtime(sqlite_engine), url))
    # Ready all the same: a load balancer must go on sending alerts here, and the spool takes them.
    for path, code, status in (("/health", 503, "unhealthy"), ("/readyz", 200, "ready")):
        answer = client.get(path)
        assert answer.status_code == code
        assert (answer.json["status"], answer.json["database"]) == (status, "disconnected")
        assert "p4ssword" not in answer.text
    assert client.get("/livez").status_code == 200


def test_a_database_that_hangs_is_unhealthy_until_it_goes_on(
    mysql_engine: Engine, make_runtime: RuntimeFactory
) -> None:
    with Valve(mysql_engine.url.port or 0) as valve:
        runtime = over(make_runtime(mysql_engine), mysql_engine.url.set(port=valve.port))
        client = client_of(runtime)
        assert client.get("/health").status_code == 200
        valve.shut()
        wait_until(lambda: client.get("/health").status_code == 503)
        assert client.get("/readyz").json["database"] == "disconnected"
        assert client.get("/metrics").status_code == 200
        assert "receiver_database_up 0.0" in client.get("/metrics").text
        assert client.get("/livez").status_code == 200
        valve.open()
        wait_until(lambda: client.get("/readyz").status_code == 200, timeout=30)
        runtime.close()


def over(runtime: Runtime, url: URL) -> Runtime:
    """The same runtime over another address of a database."""
    return dataclasses.replace(runtime, engine=create_engine(url.render_as_string(hide_password=False)))
