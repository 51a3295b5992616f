"""Settings that name actions and databases: what names none of them is refused, before it could let anything run."""

from __future__ import annotations

import pytest

from receiver.config import load
from receiver.domain.action_names import ACTION_NAMES, DATABASE_SCHEMES
from receiver.errors import SettingsError
from receiver.remediation.mysql_connections import KillMysqlConnections
from receiver.remediation.postgresql_connections import KillPostgresqlConnections
from receiver.remediation.redis_prefix import ClearRedisPrefix
from receiver.remediation.registry import CATALOGUE


def test_settings_know_the_names_of_all_actions_and_of_all_databases():
    assert set(CATALOGUE) == ACTION_NAMES
    kinds = (KillMysqlConnections, KillPostgresqlConnections, ClearRedisPrefix)
    assert {scheme for kind in kinds for scheme in kind.schemes} == set(DATABASE_SCHEMES)


@pytest.mark.parametrize("name", ["RECEIVER_REMEDIATION_APPROVAL", "RECEIVER_REMEDIATION_ALLOW"])
@pytest.mark.parametrize(
    ("entry", "near"), [("kubernetes.rollbak", '"kubernetes.rollback"'), ("Kubernetes.*", ""), ("none", "")]
)
def test_an_entry_that_names_no_action_is_refused_with_the_nearest_one(name: str, entry: str, near: str):
    with pytest.raises(SettingsError) as refused:
        load({name: f"kubernetes.scale,{entry}"})
    (problem,) = refused.value.problems
    assert problem.startswith(f'{name}: unknown action "{entry}"')
    assert near in problem


@pytest.mark.parametrize("entry", ["kubernetes.*", "*", "*.run", "mysql.kill_connections"])
def test_names_and_globs_of_actions_are_taken(entry: str):
    settings = load({"RECEIVER_REMEDIATION_APPROVAL": entry, "RECEIVER_REMEDIATION_ALLOW": entry})
    assert settings.remediation_approval == settings.remediation_allow == (entry,)


def test_a_database_of_no_known_kind_is_refused_without_its_address():
    with pytest.raises(SettingsError) as refused:
        load({"RECEIVER_REMEDIATION_DATABASES": "a=mysql+pymysql://h/x,orders=mysqll://root:geheim@h/x"})
    (problem,) = refused.value.problems
    assert problem.startswith("RECEIVER_REMEDIATION_DATABASES: the address of orders must begin with one of")
    assert "geheim" not in problem


def test_none_means_no_action_at_all() -> None:
    found = load({"RECEIVER_REMEDIATION_ALLOW": "none", "RECEIVER_REMEDIATION_APPROVAL": "none"})
    assert (found.remediation_allow, found.remediation_approval) == ((), ())
