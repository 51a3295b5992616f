"""Each shortcoming of a database server is judged, and says what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from receiver.domain import database
from receiver.domain.database import DatabaseFacts
from receiver.domain.finding import Level
from receiver.domain.grants import parse_grants

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TRIGGERS = frozenset({"trg_a", "trg_b"})
GOOD = DatabaseFacts(
    product="MariaDB",
    version="10.11.19-MariaDB-0+deb12u1",
    clock=NOW,
    own_clock=NOW,
    revision="0002",
    newest_revision="0002",
    triggers=TRIGGERS,
    expected_triggers=TRIGGERS,
    database="receiver",
    tables=("jobs", "incidents"),
    variables={
        "log_bin": "OFF",
        "log_bin_trust_function_creators": "OFF",
        "read_only": "OFF",
        "time_zone": "+00:00",
        "sql_mode": "STRICT_TRANS_TABLES",
        "global.sql_mode": "STRICT_TRANS_TABLES",
        "character_set_connection": "utf8mb4",
        "max_allowed_packet": str(64 * database.MIB),
        "innodb_flush_log_at_trx_commit": "1",
    },
    grants=parse_grants(["GRANT ALL PRIVILEGES ON `receiver`.* TO `a`@`%`"]),
)
MYSQL_BUT_LOCKS = parse_grants(
    [
        "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, REFERENCES, TRIGGER ON `receiver`.* TO `a`@`%`"
    ]
)
DATA_ONLY = parse_grants(["GRANT SELECT, INSERT, UPDATE, DELETE ON `receiver`.* TO `a`@`%`"])


def with_variables(**changes: str) -> DatabaseFacts:
    return replace(GOOD, variables={**GOOD.variables, **changes})


def test_a_good_server_has_nothing_but_good_findings():
    assert {finding.level for finding in database.findings(GOOD)} == {Level.OK}
    assert {
        finding.level
        for finding in database.findings(replace(GOOD, product="SQLite", version="3.40.1", grants=None))
    } == {Level.OK}


CASES = {
    "too old": (replace(GOOD, version="10.5.2-MariaDB"), "version", Level.BAD, "10.11"),
    "rather old": (replace(GOOD, product="MySQL", version="8.0.40"), "version", Level.WARN, "8.4"),
    "old SQLite": (replace(GOOD, product="SQLite", version="3.30.0"), "version", Level.BAD, "3.35"),
    "empty": (replace(GOOD, revision=None), "schema", Level.BAD, "db upgrade"),
    "behind": (replace(GOOD, revision="0001"), "schema", Level.BAD, "run `receiver db upgrade`"),
    "ahead": (replace(GOOD, revision="0003"), "schema", Level.BAD, "a newer release"),
    "no trigger": (replace(GOOD, triggers=frozenset({"trg_a"})), "triggers", Level.BAD, "trg_b"),
    "unseen triggers": (replace(GOOD, triggers=frozenset(), grants=DATA_ONLY), "triggers", Level.WARN, "TRIGGER"),
    "clock ahead": (replace(GOOD, clock=NOW + timedelta(seconds=90)), "clocks", Level.WARN, "90 s ahead"),
    "clock behind": (replace(GOOD, clock=NOW - timedelta(seconds=6)), "clocks", Level.WARN, "6 s behind"),
    "no rights": (replace(GOOD, grants=parse_grants([])), "privileges", Level.BAD, "GRANT SELECT, INSERT"),
    "upgrade impossible": (
        replace(GOOD, grants=DATA_ONLY, revision=None), "privileges", Level.BAD, "CREATE, ALTER, INDEX, REFERENCES",
    ),
    "upgrade of MySQL impossible": (
        replace(GOOD, product="MySQL", version="8.4.3", grants=MYSQL_BUT_LOCKS, revision=None), "privileges",
        Level.BAD, "missing for `db upgrade`: LOCK TABLES",
    ),
    "upgrade by another": (replace(GOOD, grants=DATA_ONLY), "privileges", Level.OK, "TRIGGER as well"),
    "role": (replace(GOOD, grants=parse_grants(["GRANT `r` TO `a`@`%`"])), "privileges", Level.WARN, "default role"),
    "distrust": (
        replace(with_variables(log_bin="ON"), revision=None), "binary log", Level.BAD, "function_creators = 1",
    ),
    "distrust later": (with_variables(log_bin="ON"), "binary log", Level.WARN, "1419"),
    "moot distrust": (replace(with_variables(log_bin="ON"), grants=DATA_ONLY), "binary log", Level.OK, "anyway"),
    "trust": (with_variables(log_bin="ON", log_bin_trust_function_creators="ON"), "binary log", Level.OK, "may create"),
    "replica": (with_variables(read_only="ON"), "writing", Level.BAD, "primary"),
    "MySQL replica": (with_variables(super_read_only="ON"), "writing", Level.BAD, "primary"),
    "local time": (with_variables(time_zone="SYSTEM"), "time zone", Level.BAD, "SYSTEM instead of +00:00"),
    "sloppy": (with_variables(sql_mode="NO_ENGINE_SUBSTITUTION"), "sql_mode", Level.BAD, "would be cut"),
    "sloppy for others": (with_variables(**{"global.sql_mode": ""}), "sql_mode", Level.OK, "other clients"),
    "latin1": (with_variables(character_set_connection="latin1"), "characters", Level.BAD, "latin1"),
    "small packets": (with_variables(max_allowed_packet=str(4 * database.MIB)), "packet size", Level.BAD, "4 MiB"),
    "usual packets": (with_variables(max_allowed_packet=str(16 * database.MIB)), "packet size", Level.WARN, "33554432"),
    "lazy flush": (with_variables(innodb_flush_log_at_trx_commit="2"), "durability", Level.WARN, "= 1"),
}  # fmt: skip


@pytest.mark.parametrize(("facts", "subject", "level", "words"), CASES.values(), ids=CASES)
def test_a_shortcoming_is_named_with_what_to_do(facts, subject, level, words):
    (finding,) = (one for one in database.findings(facts) if one.subject == subject)
    assert finding.level is level
    assert words in f"{finding.text} {finding.advice}"
    assert bool(finding.advice) is (level is not Level.OK)


def test_an_upgrade_that_must_fail_half_way_is_known_before():
    distrusted = replace(with_variables(log_bin="ON"), revision=None)
    assert [one.subject for one in database.upgrade_obstacles(distrusted)] == ["binary log"]
    assert [
        one.subject for one in database.upgrade_obstacles(replace(GOOD, grants=DATA_ONLY, revision="0001"))
    ] == ["privileges"]
    assert database.upgrade_obstacles(replace(GOOD, revision=None)) == []


def test_a_database_of_a_newer_release_is_left_alone():
    for facts in (replace(GOOD, revision="0003"), replace(GOOD, revision="0003", grants=None)):
        assert [one.subject for one in database.upgrade_obstacles(facts)] == ["schema"]


def test_nothing_stands_in_the_way_of_an_upgrade_that_is_not_needed():
    assert database.upgrade_obstacles(replace(with_variables(log_bin="ON"), grants=DATA_ONLY)) == []


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("10.11.19-MariaDB-0+deb12u1", (10, 11, 19)),
        ("9.7.4-2", (9, 7, 4)),
        ("8.4.11", (8, 4, 11)),
        ("3.45", (3, 45)),
    ],
)
def test_versions_are_read_as_numbers(text, numbers):
    assert database.parse_version(text) == numbers
