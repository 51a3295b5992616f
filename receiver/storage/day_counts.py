"""Counts one day for `report_days` from the rows themselves: incidents from their facts, alerts from alert_days."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, func, select

from receiver.domain.alert import Disposition
from receiver.domain.day_numbers import DayNumbers, Fact, Key, tally
from receiver.domain.incident import OPEN_STATUSES, RESOLVED_BY_ALERT
from receiver.domain.noise import BRIEF_SECONDS, REOPENED_SECONDS
from receiver.domain.notification import NotificationState
from receiver.domain.text_signature import signature_of
from receiver.storage.tables import alert_days, alert_facets, incident_facts, notifications
from receiver.storage.tables import incidents as incident_rows

Counted = Mapping[str, tuple[DayNumbers, bytes]]
_own, _place = incident_facts.c, alert_facets.c
_facts = select(
    _own.status, _own.ack_seconds, _own.resolve_seconds, _own.calm_seconds,
    _own.priority, _own.severity, _own.owner, _own.acknowledged_by, _own.resolved_by,
    _place.service, _place.rule_uid,
).join_from(incident_facts, alert_facets, _place.facet_id == _own.facet_id)  # fmt: skip
_OPEN = frozenset(one.value for one in OPEN_STATUSES)


def first_incident(connection: Connection) -> datetime | None:
    """When the first incident opened of which there are facts."""
    return _least(connection, _own.opened_at)


def first_alert(connection: Connection) -> datetime | None:
    """The first day in which alerts came."""
    return _least(connection, alert_days.c.day)


def first_message(connection: Connection) -> datetime | None:
    """When the first message ended."""
    return _least(connection, notifications.c.finished_at)


def first_text(connection: Connection) -> datetime | None:
    """When the first incident opened that is stored."""
    return _least(connection, incident_rows.c.opened_at)


def _least(connection: Connection, column: Column[datetime]) -> datetime | None:
    return connection.execute(select(func.min(column))).scalar()


def incidents(connection: Connection, since: datetime, until: datetime) -> Counted:
    """The incidents that opened then, by all the subjects of report_days.INCIDENTS."""
    rows = connection.execute(_facts.where(_own.opened_at >= since, _own.opened_at < until)).all()
    facts = [(row, _fact(row)) for row in rows]
    return {
        "all": tally((None, fact) for _, fact in facts),
        "priority": tally((row.priority, fact) for row, fact in facts),
        "severity": tally((row.severity, fact) for row, fact in facts),
        "service": tally((row.service, fact) for row, fact in facts),
        "rule": tally((row.rule_uid, fact) for row, fact in facts),
        "owner": (tally((row.owner, fact) for row, fact in facts)[0], b""),
        "people": (tally(((row.acknowledged_by, row.resolved_by), fact) for row, fact in facts)[0], b""),
    }


def _fact(row: Any) -> Fact:
    is_open = row.status in _OPEN
    return Fact(
        is_open,
        row.ack_seconds,
        row.resolve_seconds,
        row.calm_seconds is not None and row.calm_seconds < REOPENED_SECONDS,
        row.ack_seconds is None and not is_open,
        row.resolved_by == RESOLVED_BY_ALERT
        and row.resolve_seconds is not None
        and row.resolve_seconds < BRIEF_SECONDS,
    )


def alerts(connection: Connection, since: datetime, until: datetime) -> Counted:
    """The alerts that came then, by all the subjects of report_days.ALERTS."""
    own = alert_days.c
    here = (own.day >= since, own.day < until)
    sums = connection.execute(
        select(*(func.sum(own[one.value]).label(one.value) for one in Disposition)).where(*here)
    ).mappings()
    found = {name: int(number) for name, number in sums.one().items() if number}
    return {
        "alerts": (DayNumbers(list(found), {"alerts": list(found.values())}), b""),
        "alerts rule": (_alerts_by(connection, _place.rule_uid, here), b""),
        "alerts service": (_alerts_by(connection, _place.service, here), b""),
    }


def _alerts_by(connection: Connection, key: Column[str], here: tuple[ColumnElement[bool], ...]) -> DayNumbers:
    query = (
        select(key, func.sum(alert_days.c.alerts))
        .join_from(alert_days, alert_facets, _place.facet_id == alert_days.c.facet_id)
        .where(*here)
        .group_by(key)
    )
    rows = connection.execute(query).all()
    return DayNumbers([name for name, _ in rows], {"alerts": [int(number) for _, number in rows]})


def messages(connection: Connection, since: datetime, until: datetime) -> Counted:
    """The messages that ended then by channel and template, and how many of each state."""
    own = notifications.c
    query = select(own.channel, own.template, own.state, func.count())
    query = query.where(own.finished_at >= since, own.finished_at < until)
    groups: defaultdict[Key, dict[str, int]] = defaultdict(dict)
    for channel, template, state, number in connection.execute(
        query.group_by(own.channel, own.template, own.state)
    ):
        groups[channel, template][state] = number
    counts = {one.value: [group.get(one.value, 0) for group in groups.values()] for one in NotificationState}
    return {"messages": (DayNumbers(list(groups), counts), b"")}


def texts(connection: Connection, since: datetime, until: datetime) -> Counted:
    """What people search in the incidents that opened then; these texts never change."""
    own = incident_rows.c
    # Before the rows are read: what is committed later has a higher number, but for what is on its way just now.
    newest = connection.execute(select(func.max(own.number))).scalar() or 0
    query = select(own.title, own.summary, own.service, own.incident_id)
    rows = connection.execute(query.where(own.opened_at >= since, own.opened_at < until))
    signature = signature_of(text for row in rows for text in row)
    return {"texts": (DayNumbers([None], {"newest": [newest]}), signature)}
