"""How long rules take for an alert that opens an incident: 200 rules, without any I/O. `python -m bench.rules`."""

from __future__ import annotations

import gc
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from receiver.clock import utc_now
from receiver.domain.alert import Alert
from receiver.domain.events import EventType
from receiver.domain.rules.evaluate import effects, triage
from receiver.domain.rules.model import RuleSet
from receiver.domain.rules.parse import parse_rules
from receiver.domain.rules.subject import subject_of_alert, subject_of_incident
from receiver.notifiers.registry import WANTED
from receiver.sources.base import FieldMapping
from receiver.sources.registry import parse_body

RULES = 200
# As many as a larger place has: what is remembered of values must not be all there is.
SERVICES, CLUSTERS, INSTANCES = 120, 6, 40
TARGET_MICROSECONDS = 100.0
_SOURCE = "alertmanager"
_HEAD = "version: 1\nescalations: {urgent: {steps: [{after: 15m, channels: all}]}}\nrules:\n"


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds for each alert: one figure a repetition. `effects`: how many the rules asked for, for each alert."""

    rules: int
    alerts: int
    microseconds: Sequence[float]
    effects: float

    @property
    def median(self) -> float:
        """The middle one of the repetitions."""
        return statistics.median(self.microseconds)

    def text(self) -> str:
        """A line for people."""
        low, high = min(self.microseconds), max(self.microseconds)
        return (
            f"{self.rules} rules: {self.median:.1f} µs per alert ({low:.1f} .. {high:.1f}; aim: under"
            f" {TARGET_MICROSECONDS:.0f}), over {self.alerts} alerts, {self.effects:.1f} effects each"
        )


def rules_text(number: int = RULES) -> str:
    """A file as a larger place would have it: most rules are for one service or team, some for patterns."""
    return _HEAD + "".join(f"  - {json.dumps(one)}\n" for one in _rules(number))


def _rules(number: int) -> Iterator[dict[str, object]]:
    opened = ["incident.opened", "incident.resolved"]
    for n in range(number - 1):
        rule: dict[str, object] = {"name": f"rule-{n}", "continue": True}
        match n % 5:
            case 0:
                matchers = [f'service="svc-{n}"', 'severity=~"critical|error"']
                rule |= {"on": "alert.raised", "match": matchers, "priority": "P0"}
            case 1:
                matchers = [f'team=~"team-{n % 20}|squad-{n}"', 'cluster!="staging"']
                rule |= {"on": opened, "match": matchers, "notify": {"channels": ["slack"]}}
            case 2:
                matchers = [f'instance=~"web-{n}[0-9]+.*"', 'priority=~"P0|P1"']
                rule |= {"on": opened, "match": matchers, "notify": {"channels": ["pagerduty"]}}
            case 3:
                matchers = [f'alertname=~".*(Lag|Backlog){n}"', f'namespace="ns-{n % 9}"']
                rule |= {"on": "incident.opened", "match": matchers, "escalate": "urgent"}
            case _:
                matchers = [f'service=~"svc-{n}|svc-{n + 1}"', 'cluster!~"dev-.*"']
                rule |= {"on": "incident.opened", "match": matchers, "notify": {"channels": ["webhook"]}}
        yield rule
    yield {"name": "rest", "on": opened, "notify": {"channels": "all"}}


def alerts(number: int) -> list[Alert]:
    """Firing alerts as Alertmanager sends them, each with other labels."""
    body = {"version": "4", "status": "firing", "alerts": [_alert(n) for n in range(number)]}
    parsed = parse_body(json.dumps(body).encode(), FieldMapping(), utc_now())
    return [alert for alert in parsed.alerts if isinstance(alert, Alert)]


def _alert(n: int) -> dict[str, object]:
    labels = {
        "alertname": ("CpuHigh", "ConsumerLag3", "ErrorRate", "DiskLow")[n % 4],
        "service": f"svc-{n * 7 % SERVICES}",
        "cluster": ("prod-eu", "prod-us", "staging", "dev-a", "dev-b", "prod-ap")[n % CLUSTERS],
        "namespace": f"ns-{n % 9}",
        "instance": f"web-{n % INSTANCES}:{9000 + n}",
        "team": f"team-{n % 30}",
        "severity": ("critical", "error", "warning", "info")[n % 4],
    }
    starts_at = "2026-01-01T00:00:00Z"
    return {"status": "firing", "labels": labels, "annotations": {}, "startsAt": starts_at}


def judge(rules: RuleSet, alert: Alert) -> int:
    """All that rules are asked about an alert that opens an incident; how many effects that has."""
    verdict = triage(rules, alert, _SOURCE)
    if verdict.is_ignored:
        return 0
    subject = subject_of_incident(
        EventType.INCIDENT_OPENED,
        status="active",
        severity=alert.severity,
        priority=verdict.priority or alert.priority,
        details=subject_of_alert(alert, "").fields,
        labels=alert.labels,
    )
    return len(effects(rules, EventType.INCIDENT_OPENED, subject, WANTED))


def measure(number: int = RULES, of_alerts: int = 2000, repetitions: int = 7) -> Cost:
    """Judge each of the alerts once a repetition; the first repetition, which fills what is remembered, is left out."""
    rules, problems = parse_rules(rules_text(number), WANTED)
    assert rules is not None, problems
    judged = alerts(of_alerts)
    costs, asked = [], 0
    gc.disable()  # its pauses would be counted against whatever runs just then
    try:
        for _ in range(repetitions + 1):
            started = time.perf_counter()
            asked = sum(judge(rules, alert) for alert in judged)
            costs.append((time.perf_counter() - started) / len(judged) * 1e6)
    finally:
        gc.enable()
    return Cost(number, len(judged), costs[1:], asked / len(judged))


@click.command("rules")
@click.option("--rules", "number", default=RULES, show_default=True, help="How many rules there are.")
def main(number: int) -> None:
    """Measure what the rules cost for each alert that opens an incident, in microseconds."""
    click.echo(measure(number).text())


if __name__ == "__main__":
    main()
