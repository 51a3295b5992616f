"""What each report must say, worked out row by row from the raw tables."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, Table, select

from receiver.storage.tables import grafana_alerts, incidents, notifications, remediation_actions

Rows = Sequence[tuple[Any, ...]]
Sections = dict[str, Rows]
OPEN = ("active", "acknowledged")


class Raw:
    """The raw rows of a period: alerts of its whole hours, incidents that opened in it, ..."""

    def __init__(
        self, engine: Engine, since: datetime, until: datetime, services: Sequence[str] = ()
    ) -> None:
        self.since, self.until = since, until
        with engine.connect() as connection:

            def rows(table: Table) -> list[Any]:
                columns = [column for column in table.c if column.name not in ("raw_payload", "open_key")]
                found: list[Any] = list(connection.execute(select(*columns)))
                if services and "service" in table.c:
                    return [row for row in found if row.service in services]
                return found

            low, high = _hour(since), _hour(until - timedelta(microseconds=1)) + timedelta(hours=1)
            everything = rows(incidents)
            self.alerts = [row for row in rows(grafana_alerts) if low <= row.received_at < high]
            self.opened = [row for row in everything if since <= row.opened_at < until]
            self.opened_in_hours = [row for row in everything if low <= row.opened_at < high]
            self.incidents = everything
            self.messages = [row for row in rows(notifications) if since <= row.finished_at < until]
            self.actions = [row for row in rows(remediation_actions) if since <= row.requested_at < until]


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _seconds(begin: datetime, end: datetime) -> int:
    return max(0, int((end - begin).total_seconds()))


def _summary(values: Sequence[int]) -> tuple[Any, ...]:
    if not values:
        return None, None, None
    ninth = sorted(values)[math.ceil(len(values) * 9 / 10) - 1]
    return statistics.fmean(values), statistics.median(values), ninth


def _times(rows: Sequence[Any]) -> tuple[Any, ...]:
    acks = [_seconds(row.opened_at, row.acknowledged_at) for row in rows if row.acknowledged_at]
    ends = [_seconds(row.opened_at, row.resolved_at) for row in rows if row.resolved_at]
    still_open = sum(row.status in OPEN for row in rows)
    return (
        len(rows),
        len(acks),
        len(rows) - len(acks),
        *_summary(acks),
        len(ends),
        still_open,
        *_summary(ends),
    )


def _groups(rows: Sequence[Any], key: Callable[[Any], Any]) -> dict[Any, list[Any]]:
    found: defaultdict[Any, list[Any]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return dict(sorted(found.items()))


def mtta_mttr(raw: Raw) -> Sections:
    groups = _groups(raw.opened, lambda row: row.priority)
    return {"all": [_times(raw.opened)], "groups": [(key, *_times(rows)) for key, rows in groups.items()]}


def volume(raw: Raw) -> Sections:
    sums = Counter(row.disposition for row in raw.alerts)
    order = [
        "opened",
        "attached",
        "repeated",
        "resolved",
        "late",
        "orphan",
        "suppressed",
        "ignored",
        "test",
        "rejected",
    ]
    seen = [one for one in order if sums[one]]
    days = _groups(raw.alerts, lambda row: _hour(row.received_at).replace(hour=0))
    total = len(raw.alerts)
    return {
        "dispositions": [
            *((one, sums[one], sums[one] / total) for one in seen),
            ("all", total, 1.0 if total else None),
        ],
        "times": [
            (day, len(rows), *(sum(row.disposition == one for row in rows) for one in seen))
            for day, rows in days.items()
        ],
    }


def noise(raw: Raw) -> Sections:
    alerts = Counter(row.rule_uid for row in raw.alerts)
    names: dict[str, str] = {}
    for row in raw.alerts:
        names[row.rule_uid] = max(names.get(row.rule_uid, ""), row.alertname)
    by_key = _groups(raw.incidents, lambda row: row.incident_key)
    before = {}
    for rows in by_key.values():
        ordered = sorted(rows, key=lambda row: row.incident_id)
        before.update({now.incident_id: last for last, now in itertools.pairwise(ordered)})
    numbers: dict[str, tuple[int, ...]] = {}
    for rule, rows in _groups(raw.opened_in_hours, lambda row: row.rule_uid).items():
        reopened = [
            row
            for row in rows
            if (last := before.get(row.incident_id)) and _seconds(last.resolved_at, row.opened_at) < 3600
        ]
        unheeded = [row for row in rows if not row.acknowledged_at and row.status not in OPEN]
        brief = [
            row
            for row in rows
            if row.resolved_by == "alert" and _seconds(row.opened_at, row.resolved_at) < 300
        ]
        numbers[rule] = (len(rows), len(reopened), len(unheeded), len(brief))
    lines = []
    for rule in {*alerts, *numbers}:
        number, *rest = numbers.get(rule, (0, 0, 0, 0))
        lines.append(
            (
                rule,
                names.get(rule, ""),
                alerts[rule],
                number,
                alerts[rule] / number if number else None,
                *rest,
            )
        )
    return {
        "most_alerts": sorted((one for one in lines if one[2]), key=lambda one: (-one[2], one[0])),
        "most_incidents": sorted((one for one in lines if one[3]), key=lambda one: (-one[3], one[0])),
    }


def _states(rows: Sequence[Any]) -> tuple[int, ...]:
    acknowledged = sum(row.acknowledged_at is not None for row in rows)
    resolved = sum(row.resolved_at is not None for row in rows)
    return len(rows), acknowledged, resolved, sum(row.status in OPEN for row in rows)


def incidents_(raw: Raw) -> Sections:
    open_now = _groups(
        [row for row in raw.incidents if row.status in OPEN], lambda row: (row.priority, row.status)
    )
    days = _groups(raw.opened, lambda row: f"{row.opened_at:%Y-%m-%d}")
    return {
        "open_now": [(*key, len(rows), min(row.opened_at for row in rows)) for key, rows in open_now.items()],
        "all": [_states(raw.opened)],
        "groups": [(day, *_states(rows)) for day, rows in days.items()],
    }


def responders(raw: Raw) -> Sections:
    lines = []
    for who in {row.acknowledged_by for row in raw.opened} | {row.resolved_by for row in raw.opened}:
        if who is None:
            continue
        acks = [row for row in raw.opened if row.acknowledged_by == who]
        ends = [row for row in raw.opened if row.resolved_by == who]
        times = [_seconds(row.opened_at, row.acknowledged_at) for row in acks]
        own = sum(row.acknowledged_by == who for row in ends)
        lines.append((who, len(acks), statistics.fmean(times) if times else None, len(ends), own))
    return {"people": sorted(lines, key=lambda one: (-one[1], -one[3], one[0]))}


def automation(raw: Raw) -> Sections:
    order = [
        "requested",
        "awaiting_approval",
        "running",
        "verifying",
        "completed",
        "failed",
        "refused",
        "expired",
        "unknown",
    ]
    seen = [one for one in order if any(row.state == one for row in raw.actions)]
    groups = _groups(raw.actions, lambda row: (row.type, "dry run" if row.is_dry_run else "real"))
    helped = {row.incident_id for row in raw.actions if row.state == "completed" and not row.is_dry_run}
    found = [row for row in raw.incidents if row.incident_id in helped]
    alone = [row for row in found if not row.acknowledged_at and row.resolved_by == "alert"]
    return {
        "actions": [
            (*key, len(rows), *(sum(row.state == one for row in rows) for one in seen))
            for key, rows in groups.items()
        ],
        "incidents": [(len(found), len(alone), len(alone) / len(found) if found else None)],
    }


def notifications_(raw: Raw) -> Sections:
    states = ("sent", "dead", "superseded", "bundled")
    groups = _groups(raw.messages, lambda row: row.channel)
    lines = []
    for channel, rows in groups.items():
        counts = [sum(row.state == one for row in rows) for one in states]
        lines.append((channel, len(rows), *counts, counts[1] / len(rows)))
    return {"channels": lines}


PLAIN: Mapping[str, Callable[[Raw], Sections]] = {
    "mtta-mttr": mtta_mttr,
    "volume": volume,
    "noise": noise,
    "incidents": incidents_,
    "responders": responders,
    "automation": automation,
    "notifications": notifications_,
}
