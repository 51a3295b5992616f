"""What SHOW GRANTS says, as MariaDB and MySQL print it, is understood."""

from __future__ import annotations

import pytest

from receiver.domain.grants import UPGRADING, WORKING, parse_grants

MARIADB_LIMITED = (
    "GRANT USAGE ON *.* TO `app`@`%` IDENTIFIED BY PASSWORD '*A30031E15BF5A0E1A9DA3155ADC5B64D59853232'",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON `receiver`.* TO `app`@`%`",
)
MYSQL_ALL = (
    "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER, SUPER, TRIGGER ON *.* TO `a`@`%`",
    "GRANT APPLICATION_PASSWORD_ADMIN,BINLOG_ADMIN ON *.* TO `a`@`%`",
)


@pytest.mark.parametrize(
    ("lines", "missing"),
    [
        (MARIADB_LIMITED, UPGRADING),
        (MYSQL_ALL, ()),
        (("GRANT ALL PRIVILEGES ON `receiver`.* TO `a`@`%` WITH GRANT OPTION",), ()),
        (("GRANT ALL PRIVILEGES ON `other`.* TO `a`@`%`",), WORKING + UPGRADING),
        (("GRANT ALL PRIVILEGES ON `rec%`.* TO `a`@`%`",), ()),
        (("GRANT ALL PRIVILEGES ON `receive_`.* TO `a`@`%`",), ()),
        ((r"GRANT ALL PRIVILEGES ON `receive\_`.* TO `a`@`%`",), WORKING + UPGRADING),
        (
            ("GRANT SELECT (`title`, `status`), INSERT ON `receiver`.* TO `a`@`%`",),
            WORKING[:1] + WORKING[2:] + UPGRADING,
        ),
        ((), WORKING + UPGRADING),
    ],
)
def test_missing_privileges_are_found(lines, missing):
    assert parse_grants(lines).missing(WORKING + UPGRADING, "receiver") == missing


def test_grants_on_single_tables_count_for_those_tables():
    lines = [
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON `receiver`.`{table}` TO `a`@`%`"
        for table in ("jobs", "events")
    ]
    grants = parse_grants(lines)
    assert grants.missing(WORKING, "receiver", ("jobs", "events")) == ()
    assert grants.missing(WORKING, "receiver", ("jobs", "incidents")) == WORKING
    assert grants.missing(WORKING, "receiver") == WORKING


@pytest.mark.parametrize(
    ("line", "has_super"),
    [
        ("GRANT SUPER ON *.* TO `a`@`%`", True),
        ("GRANT ALL PRIVILEGES ON *.* TO `a`@`%`", True),
        ("GRANT ALL PRIVILEGES ON `receiver`.* TO `a`@`%`", False),
        ("GRANT BINLOG ADMIN ON *.* TO `a`@`%`", False),
    ],
)
def test_only_super_stands_above_the_binary_log(line, has_super):
    assert parse_grants([line]).has_super is has_super


def test_a_role_is_noticed():
    assert parse_grants(["GRANT `app_role`@`%` TO `a`@`%`"]).has_roles
    assert not parse_grants(MYSQL_ALL).has_roles
