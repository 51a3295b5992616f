"""deploy/mysql: what the receiver needs of its server is set."""

from __future__ import annotations

import configparser

import pytest

from tests.deploy.compose import ROOT

FILE = ROOT / "deploy" / "mysql" / "receiver.cnf"
MEBIBYTE = 1024 * 1024


@pytest.fixture
def settings() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.read(FILE, encoding="utf-8")
    assert parser.sections() == ["mysqld"]
    return parser["mysqld"]


def test_triggers_can_be_made_with_the_binary_log_on(settings: configparser.SectionProxy) -> None:
    assert settings["log_bin_trust_function_creators"] == "1"


def test_the_biggest_body_fits_into_a_statement(settings: configparser.SectionProxy) -> None:
    # 8 MiB of bytes, each of them doubled at worst by escaping, and more than one body in a transaction's statement.
    assert int(settings["max_allowed_packet"].removesuffix("M")) * MEBIBYTE >= 4 * 8 * MEBIBYTE


def test_every_character_can_be_stored(settings: configparser.SectionProxy) -> None:
    assert settings["character_set_server"] == "utf8mb4"
    assert settings["collation_server"].startswith("utf8mb4_")


def test_the_server_lives_in_utc(settings: configparser.SectionProxy) -> None:
    assert settings["default_time_zone"] == "'+00:00'"


def test_a_commit_outlives_a_power_cut(settings: configparser.SectionProxy) -> None:
    assert settings["innodb_flush_log_at_trx_commit"] == "1"
    assert settings["sync_binlog"] == "1"


def test_every_setting_has_its_reason() -> None:
    previous = ""
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            assert previous, f"no reason is given for {line}"
        previous = line
