"""The ready rules: each common trouble gets its remedy, on what its alert names, and no other."""

from __future__ import annotations

from typing import Any

import pytest

from receiver.clock import utc_now
from receiver.domain.events import EventType
from receiver.domain.rules.effects import DiagnoseEffect, EscalateEffect, RunEffect
from receiver.domain.rules.model import RuleSet
from receiver.domain.rules.parse import parse_rules
from receiver.notifiers.registry import WANTED
from receiver.remediation.registry import CATALOGUE
from receiver.rules_file import default_rules, remediation_rules
from receiver.services.rehearsal import Rehearsal, Scene, rehearse
from receiver.sources.base import FieldMapping
from receiver.sources.registry import parse_body
from tests.builders import bodies

SHOP = {"namespace": "shop", "service": "svc-a"}
OF_SHOP = {"namespace": "shop", "deployment": "svc-a"}


def shipped(text: str) -> RuleSet:
    """A file that comes with the package, held against all actions there are, and no channel configured."""
    rules, problems = parse_rules(text, WANTED, configured=(), kinds=(), actions=CATALOGUE)
    assert rules is not None, [problem.at("rules") for problem in problems]
    return rules


def rehearsed(alertname: str, **labels: Any) -> Rehearsal:
    """What the ready rules make of one alert."""
    body = bodies.alertmanager([bodies.alert(alertname, **labels)])
    (found,) = rehearse(shipped(remediation_rules()), parse_body(body, FieldMapping(), utc_now()), WANTED)
    return found


def actions(scene: Scene) -> list[tuple[str, str, dict[str, str], dict[str, Any]]]:
    """Rule, action, target and parameters of all that is asked for, the texts filled in."""
    assert [one.flaw for one in scene.ordered.values()] == [""] * len(scene.ordered)
    specs = [(rule, one.spec) for rule, one in scene.ordered.items()]
    return [(rule, spec.action, dict(spec.target), dict(spec.parameters)) for rule, spec in specs]


def opened(found: Rehearsal) -> Scene:
    (scene,) = (one for one in found.scenes if one.event is EventType.INCIDENT_OPENED)
    return scene


@pytest.mark.parametrize(
    ("alertname", "labels", "expected"),
    [
        ("CpuHigh", SHOP, ("cpu-high", "kubernetes.scale", OF_SHOP, {"by": 1, "max": 10})),
        ("HighCpuUsage", SHOP, ("cpu-high", "kubernetes.scale", OF_SHOP, {"by": 1, "max": 10})),
        ("MemoryHigh", SHOP, ("memory-high", "kubernetes.rollout_restart", OF_SHOP, {})),
        ("ContainerOOMKilled", SHOP, ("memory-high", "kubernetes.rollout_restart", OF_SHOP, {})),
        (
            "KubePodCrashLooping",
            SHOP | {"deployment": "svc-a"},
            ("crash-loop", "kubernetes.rollback", OF_SHOP, {}),
        ),
        ("KafkaConsumerLag", SHOP, ("consumer-lag", "kubernetes.scale", OF_SHOP, {"by": 5, "max": 6})),
        (
            "MySQLTooManyConnections",
            {"database": "orders"},
            (
                "mysql-connections-high",
                "mysql.kill_connections",
                {"database": "orders"},
                {"idle_seconds": 600},
            ),
        ),
        (
            "PostgresqlTooManyConnections",
            {"database": "orders"},
            (
                "postgresql-connections-high",
                "postgresql.kill_connections",
                {"database": "orders"},
                {"idle_seconds": 600},
            ),
        ),
        (
            "DiskSpaceLow",
            {"path": "/var/log/app"},
            (
                "disk-low",
                "disk.cleanup",
                {"path": "/var/log/app"},
                {"pattern": "*.log*", "older_than_hours": 168},
            ),
        ),
        ("HighErrorRate", SHOP, ("error-rate-high", "kubernetes.rollback", OF_SHOP, {})),
        ("LatencyHigh", SHOP, ("latency-high", "kubernetes.scale", OF_SHOP, {"by": 2, "max": 10})),
        (
            "KubeDeploymentReplicasMismatch",
            SHOP | {"deployment": "svc-b"},
            ("deployment-stuck", "kubernetes.rollback", {"namespace": "shop", "deployment": "svc-b"}, {}),
        ),
        (
            "CertificateExpiringSoon",
            {"namespace": "edge"},
            (
                "certificate-expiring",
                "kubernetes.create_job",
                {"namespace": "edge", "cronjob": "renew-certificates"},
                {},
            ),
        ),
        ("QueueBacklogHigh", SHOP, ("queue-backlog", "kubernetes.scale", OF_SHOP, {"by": 2, "max": 10})),
        (
            "CacheStale",
            {"cache": "sessions", "service": "svc-a"},
            ("cache-stale", "redis.clear_prefix", {"database": "sessions"}, {"prefix": "svc-a:"}),
        ),
    ],
)
def test_each_trouble_has_its_remedy(alertname: str, labels: dict[str, str], expected: Any) -> None:
    assert actions(opened(rehearsed(alertname, **labels))) == [expected]


@pytest.mark.parametrize("alertname", ["Watchdog", "TargetDown", "NodeClockSkew", "BackupMissing"])
def test_what_is_none_of_these_is_left_to_people(alertname: str) -> None:
    assert actions(opened(rehearsed(alertname, **SHOP))) == []


@pytest.mark.parametrize("alertname", ["CpuHigh", "DiskSpaceLow", "KubePodCrashLooping", "CacheStale"])
def test_an_alert_that_names_nothing_to_act_on_is_left_to_people(alertname: str) -> None:
    assert actions(opened(rehearsed(alertname))) == []


def test_a_remedy_that_fails_has_an_alternative_and_calls_people() -> None:
    failed = [one for one in rehearsed("CpuHigh", **SHOP).scenes if one.event is EventType.ACTION_FAILED]
    first, second = failed
    assert actions(first) == [("cpu-still-high", "kubernetes.rollout_restart", OF_SHOP, {})]
    assert actions(second) == []
    for scene in failed:
        assert EscalateEffect("escalate-failed-action", "default") in scene.effects


def test_a_person_must_agree_to_what_goes_back_or_ends_connections() -> None:
    rules = shipped(remediation_rules())
    careful = {rule.run.action for rule in rules.rules if rule.run and rule.run.needs_approval}
    assert careful == {"kubernetes.rollback", "mysql.kill_connections", "postgresql.kill_connections"}


def test_every_remedy_must_show_its_effect() -> None:
    runs = [rule.run for rule in shipped(remediation_rules()).rules if rule.run]
    assert len(runs) == 14
    assert all(run.verify is not None for run in runs)


def test_what_the_default_rules_do_they_do_as_well() -> None:
    default, more = shipped(default_rules()), shipped(remediation_rules())
    assert [rule for rule in default.rules if rule not in more.rules] == []
    assert (default.priorities, default.escalations) == (more.priorities, more.escalations)
    assert not any(rule.run for rule in default.rules)


def test_a_workload_is_looked_at_whatever_its_trouble_is() -> None:
    assert DiagnoseEffect("look-at-workload", "workload") in opened(rehearsed("TargetDown", **SHOP)).effects
    assert not any(isinstance(one, RunEffect) for one in opened(rehearsed("TargetDown")).effects)
