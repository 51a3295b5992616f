"""`receiver db check`: proves by SQL that the invariants I2, I3 and I4 hold, and names what is off."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine

from receiver.clock import Clock, utc_now
from receiver.domain import database
from receiver.domain.finding import Finding, Level
from receiver.storage import check as queries
from receiver.storage.inspect import facts_of
from receiver.storage.tables import deliveries, incidents

MOST_NAMED = 20


@dataclass(slots=True)
class Check:
    """One promise: over how many rows it was asked, and what breaks it (`named`: the first MOST_NAMED of `wrong`)."""

    name: str
    promise: str
    counted: str = ""
    wrong: int = 0
    named: list[str] = field(default_factory=list)

    def found(self, what: str) -> None:
        """Note one thing that breaks the promise."""
        self.wrong += 1
        if len(self.named) < MOST_NAMED:
            self.named.append(what)


@dataclass(slots=True)
class Report:
    """All checks in order, and the ledger: received alerts by disposition (and `pruned`)."""

    checks: list[Check]
    ledger: Counter[str]

    @property
    def is_clean(self) -> bool:
        """Whether nothing is off."""
        return not any(check.wrong for check in self.checks)


def check_database(engine: Engine, clock: Clock = utc_now) -> Report:
    """Check everything in one snapshot; writers go on meanwhile. Without this release's schema only that is told."""
    with queries.snapshot(engine) as connection:
        facts = facts_of(connection, clock())
        checks = [_from_finding(database.schema(facts)), _from_finding(database.triggers(facts))]
        if not facts.is_current:
            return Report(checks, Counter())
        ledger: Counter[str] = Counter()
        checks.append(_one_open_incident(connection))
        checks.extend(_counts(connection))
        checks.extend(_ledger(connection, ledger))
        return Report(checks, ledger)


def _from_finding(finding: Finding) -> Check:
    check = Check(finding.subject, finding.text)
    if finding.level is Level.BAD:
        check.found(finding.advice)
    return check


def _one_open_incident(connection: Connection) -> Check:
    check = Check("I2", "one open incident per key", f"{queries.open_incidents(connection):,} open")
    if not queries.has_open_key_guard(connection):
        check.found("the unique key on incidents.open_key, which enforces it, is missing")
    for key, number in queries.doubly_open_keys(connection):
        check.found(f"key {key} has {number} open incidents")
    return check


def _counts(connection: Connection) -> tuple[Check, Check]:
    alerts = Check("I3", "alert_count = rows + pruned")
    firing = Check("I3", "firing_count = firing episodes")
    rows = 0
    for stretch in queries.stretches(connection, incidents.c.incident_id):
        rows += stretch.rows
        for row in queries.miscounted_incidents(connection, stretch):
            if row.alert_count != row.kept + row.alerts_pruned:
                there = f"{row.kept} rows" + (f" + {row.alerts_pruned} pruned" if row.alerts_pruned else "")
                alerts.found(f"{row.incident_id}: alert_count {row.alert_count}, there are {there}")
            if row.firing_count != row.firing:
                firing.found(
                    f"{row.incident_id}: firing_count {row.firing_count}, {row.firing} episodes are firing"
                )
    alerts.counted = firing.counted = f"{rows:,} incidents"
    return alerts, firing


def _ledger(connection: Connection, ledger: Counter[str]) -> tuple[Check, Check, Check]:
    each = Check("I4", "each delivery has a row per alert")
    whole = Check("I4", "received = sum of dispositions")
    placed = Check("I4", "dispositions and incidents agree")
    rows = received = 0
    for stretch in queries.stretches(connection, deliveries.c.delivery_id):
        rows += stretch.rows
        alerts, pruned = queries.received(connection, stretch)
        received += alerts
        ledger["pruned"] += pruned
        ledger.update(queries.dispositions(connection, stretch))
        for row in queries.unbalanced_deliveries(connection, stretch):
            there = f"{row.kept} rows" + (f" + {row.alerts_pruned} pruned" if row.alerts_pruned else "")
            each.found(f"{row.delivery_id}: received {row.alerts_received} alerts, there are {there}")
        for alert in queries.misplaced_alerts(connection, stretch):
            placed.found(
                f"alert {alert.alert_id} is {alert.disposition}, its incident: {alert.incident_id or 'none'}"
            )
    if received != ledger.total():
        whole.found(f"{received:,} received, {ledger.total():,} accounted for")
    each.counted, whole.counted, placed.counted = (
        f"{rows:,} deliveries",
        f"{received:,} alerts",
        f"{received:,} alerts",
    )
    return each, whole, placed
