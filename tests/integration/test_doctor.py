"""`receiver doctor` against real servers: it finds what is really wrong, in words, and tells no secret."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from receiver.config import load
from receiver.domain.finding import Finding, Level
from receiver.errors import SchemaOutOfDate
from receiver.httpclient import HttpClient
from receiver.services.doctor import examine
from receiver.services.upgrade import upgrade_database
from receiver.storage import engine as engines
from receiver.storage.migrate import upgrade
from tests.builders.jobs import add, pass_time, request
from tests.fakes.mariadb import MariaDB
from tests.fakes.ports import free_port
from tests.fakes.slack import SlackServer

HTTP = HttpClient(connect_timeout_seconds=1, read_timeout_seconds=1, total_timeout_seconds=2)
PASSWORD = "a-password-nobody-may-see"


def findings(database_url: str, **settings: str) -> dict[str, Finding]:
    """What the doctor finds, by subject."""
    environ = {"DATABASE_URL": database_url, "SPOOL_DIR": "nowhere/spool", **settings}
    loaded = load({f"RECEIVER_{name}": value for name, value in environ.items()})
    found = list(examine(loaded, HTTP))
    assert PASSWORD not in repr(found)
    return {finding.subject: finding for finding in found}


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def not_ok(found: dict[str, Finding]) -> dict[str, Level]:
    return {subject: one.level for subject, one in found.items() if one.level is not Level.OK}


@pytest.fixture(scope="module")
def server_with_binlog() -> Iterator[MariaDB]:
    server = MariaDB(binlog=True)
    yield server
    server.stop()


Account = Callable[[str], str]


@pytest.fixture
def account(server_with_binlog: MariaDB, request: pytest.FixtureRequest) -> Iterator[Account]:
    """From the statement that grants rights (with {database} and {account}) to the URL of such an account."""
    name = f"doctor_{abs(hash(request.node.name)) % 10**8}"
    admin = create_engine(server_with_binlog.create_database(name), isolation_level="AUTOCOMMIT")
    account = f"'{name}'@'127.0.0.1'"

    def make(grant: str) -> str:
        with admin.connect() as connection:
            connection.execute(text(f"CREATE USER {account} IDENTIFIED BY '{PASSWORD}'"))
            connection.execute(text(grant.format(database=name, account=account)))
        return admin.url.set(username=name, password=PASSWORD).render_as_string(hide_password=False)

    yield make
    with admin.connect() as connection:
        connection.execute(text(f"DROP USER {account}"))
        connection.execute(text(f"DROP DATABASE {name}"))
    admin.dispose()


ALL = "GRANT ALL ON {database}.* TO {account}"
DATA_ONLY = "GRANT SELECT, INSERT, UPDATE, DELETE ON {database}.* TO {account}"


def test_a_database_in_order_has_nothing_bad(engine: Engine) -> None:
    found = findings(url_of(engine), SLACK_WEBHOOK_URL="")
    # MariaDB's default packet size, and no channel, are worth a word but not bad.
    assert set(not_ok(found).items()) <= {
        ("Slack", Level.WARN),
        ("packet size", Level.WARN),
        ("binary log", Level.WARN),
    }
    assert {"database", "version", "schema", "triggers", "clocks", "worker"} <= set(found)


def test_an_empty_database_is_told_to_upgrade(mysql_database_url: str) -> None:
    found = findings(mysql_database_url)
    assert found["schema"].level is Level.BAD
    assert "receiver db upgrade" in found["schema"].advice


def test_a_distrustful_binary_log_is_found_before_it_stops_the_upgrade_half_way(account: Account) -> None:
    url = account(ALL)
    found = findings(url)["binary log"]
    assert found.level is Level.BAD
    assert "log_bin_trust_function_creators = 1" in found.advice
    engine = engines.create_engine(url)
    with pytest.raises(SchemaOutOfDate, match="log_bin_trust_function_creators = 1"):
        upgrade_database(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SHOW TABLES")).all() == []
    engine.dispose()


def test_an_account_with_super_may_upgrade_in_spite_of_the_binary_log(account: Account) -> None:
    url = account("GRANT ALL ON *.* TO {account}")
    assert findings(url)["binary log"].level is Level.OK
    engine = engines.create_engine(url)
    assert upgrade_database(engine).before is None
    engine.dispose()
    assert Level.BAD not in not_ok(findings(url)).values()


def test_missing_privileges_are_named(account: Account) -> None:
    found = findings(account(DATA_ONLY))["privileges"]
    assert found.level is Level.BAD
    assert "CREATE, ALTER, INDEX, REFERENCES, TRIGGER" in found.text


def test_an_account_without_trigger_can_work_once_the_schema_is_there(
    account: Account, server_with_binlog: MariaDB
) -> None:
    url = account(DATA_ONLY)
    admin = make_url(server_with_binlog.url).set(database=make_url(url).database)
    engine = engines.create_engine(admin.render_as_string(hide_password=False))
    upgrade(engine)
    engine.dispose()
    found = findings(url)
    assert Level.BAD not in not_ok(found).values()
    assert "TRIGGER" in found["privileges"].text


def test_a_wrong_password_is_told_without_it(account: Account) -> None:
    url = make_url(account(ALL)).set(password=PASSWORD + "!").render_as_string(hide_password=False)
    found = findings(url)["database"]
    assert found.level is Level.BAD
    assert "the user name or the password is wrong" in found.text


def test_a_database_that_does_not_exist_is_told(server_with_binlog: MariaDB) -> None:
    found = findings(server_with_binlog.url + "nowhere")["database"]
    assert (found.level, "no database of this name" in found.text) == (Level.BAD, True)


def test_a_server_that_is_away_is_told_with_its_place() -> None:
    port = free_port()
    found = findings(f"mysql+pymysql://receiver:{PASSWORD}@127.0.0.1:{port}/receiver")["database"]
    assert found.level is Level.BAD
    assert f"the database receiver on 127.0.0.1:{port}: nothing answers there" in found.text


def test_a_place_where_sqlite_cannot_write_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    found = findings(f"sqlite:///{tmp_path}/file/receiver.db")["database"]
    assert (found.level, "cannot be written to" in found.text) == (Level.BAD, True)


def test_looking_at_a_database_that_is_not_there_does_not_make_it(tmp_path: Path) -> None:
    found = findings(f"sqlite:///{tmp_path}/var/receiver.db")["database"]
    assert (found.level, "does not exist" in found.text) == (Level.BAD, True)
    assert list(tmp_path.iterdir()) == []


def test_work_that_nobody_does_is_found(engine: Engine) -> None:
    add(engine, request())
    assert findings(url_of(engine))["worker"].level is Level.OK
    pass_time(engine, 600)
    found = findings(url_of(engine))["worker"]
    assert found.level is Level.BAD
    assert "receiver worker" in found.advice


def test_dead_letters_are_found(engine: Engine) -> None:
    add(engine, request("one"), request("two"))
    with engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET state = 'dead'"))
    found = findings(url_of(engine))["jobs"]
    assert (found.level, found.text) == (Level.WARN, "2 are dead")
    assert "receiver jobs list --state dead" in found.advice


def test_slack_is_reached_without_a_message(sqlite_engine: Engine, slack: SlackServer) -> None:
    found = findings(url_of(sqlite_engine), SLACK_WEBHOOK_URL=slack.url)["Slack"]
    assert found.level is Level.OK
    assert slack.messages() == []


def test_an_unreachable_slack_is_bad_and_its_address_stays_secret(sqlite_engine: Engine) -> None:
    found = findings(
        url_of(sqlite_engine), SLACK_WEBHOOK_URL=f"http://127.0.0.1:{free_port()}/services/{PASSWORD}"
    )["Slack"]
    assert (found.level, found.text) == (Level.BAD, "cannot be reached: connection refused")


def test_a_slack_that_hangs_is_bad(sqlite_engine: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/services"
        found = findings(url_of(sqlite_engine), SLACK_WEBHOOK_URL=url)["Slack"]
    assert (found.level, "no answer" in found.text) == (Level.BAD, True)


OPEN = "0.0.0.0:8080"


@pytest.mark.parametrize(
    ("settings", "subject", "level"),
    [
        ({}, "credentials", Level.OK),
        ({"BIND": OPEN, "AUTH": "off"}, "credentials", Level.WARN),
        ({"BIND": OPEN, "API_TOKENS": "me:admin:secret-token"}, "credentials", Level.BAD),
        ({"BIND": OPEN, "WEBHOOK_TOKEN": "secret-token"}, "credentials", Level.OK),
        ({"BIND": OPEN, "WEBHOOK_TOKEN": "secret-token"}, "API", Level.WARN),
        ({"BIND": OPEN, "AUTH": "off"}, "API", Level.WARN),
    ],
)
def test_who_may_come_in_is_told(
    sqlite_engine: Engine, settings: dict[str, str], subject: str, level: Level
) -> None:
    assert findings(url_of(sqlite_engine), **settings)[subject].level is level
