"""The proof behind each figure: the database holds exactly what was acknowledged.

A fast wrong answer is worth nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, func, select

from bench.bodies import Shape
from receiver.services.check import check_database
from receiver.storage.engine import create_engine, reading
from receiver.storage.tables import deliveries, events, grafana_alerts, incidents, jobs


class ProofFailed(Exception):
    """The database does not hold what the receiver has acknowledged."""


def expected(shape: Shape, serials: Sequence[int]) -> dict[str, int]:
    """What must be in a database, empty before, when bodies with these serial numbers were acknowledged."""
    different = len(set(serials))
    alerts, members, keys = len(serials) * shape.alerts, different * shape.alerts, shape.keys(different)
    return {
        "deliveries": len(serials),
        "deliveries processed": len(serials),
        "alerts announced": alerts,
        "alerts": alerts,
        "different alerts": members,
        "opened": keys,
        "attached": members - keys,
        "repeated": alerts - members,
        "incidents": keys,
        "alerts counted by incidents": alerts,
        "firing counted by incidents": members,
        "alert.raised": members,
        "incident.opened": keys,
        "jobs": 0,
    }


def prove(database_url: str, shape: Shape, serials: Sequence[int]) -> None:
    """Raises ProofFailed, with every number that is off, unless the database holds exactly that."""
    engine = create_engine(database_url, pool_size=1)
    try:
        with reading(engine) as connection:
            wrong = differences(expected(shape, serials), _found(connection))
        wrong += [
            f"{check.name} ({check.promise}): {check.wrong} wrong, {'; '.join(check.named[:3])}"
            for check in check_database(engine).checks
            if check.wrong
        ]
    finally:
        engine.dispose()
    if wrong:
        raise ProofFailed("the database does not hold what was acknowledged: " + "; ".join(wrong))


def differences(wanted: Mapping[str, int], found: Mapping[str, int]) -> list[str]:
    """One text for each number that is not what it must be; what is found and not expected counts as well."""
    names = [*wanted, *(name for name in found if name not in wanted)]
    return [
        f"{name}: {found.get(name, 0):,} instead of {wanted.get(name, 0):,}"
        for name in names
        if found.get(name, 0) != wanted.get(name, 0)
    ]


def _found(connection: Connection) -> dict[str, int]:
    one = connection.execute(
        select(func.count(), func.coalesce(func.sum(deliveries.c.alerts_received), 0)).select_from(deliveries)
    ).one()
    rows = connection.execute(
        select(func.count(), func.count(func.distinct(grafana_alerts.c.fingerprint))).select_from(
            grafana_alerts
        )
    ).one()
    counted = connection.execute(
        select(
            func.count(),
            func.coalesce(func.sum(incidents.c.alert_count), 0),
            func.coalesce(func.sum(incidents.c.firing_count), 0),
        ).select_from(incidents)
    ).one()
    outcomes = Counter(
        {
            f"deliveries {outcome}": count
            for outcome, count in connection.execute(
                select(deliveries.c.outcome, func.count()).group_by(deliveries.c.outcome)
            )
        }
    )
    kinds = (
        select(grafana_alerts.c.disposition, func.count()).group_by(grafana_alerts.c.disposition),
        select(events.c.type, func.count()).group_by(events.c.type),
    )
    found: dict[str, int] = {
        "deliveries": one[0],
        "alerts announced": int(one[1]),
        "alerts": rows[0],
        "different alerts": rows[1],
        "incidents": counted[0],
        "alerts counted by incidents": int(counted[1]),
        "firing counted by incidents": int(counted[2]),
        # Of incidents: the workers' own standing job belongs to none.
        "jobs": connection.execute(select(func.count()).where(jobs.c.incident_id.is_not(None))).scalar_one(),
        **outcomes,
    }
    for kind in kinds:
        found.update({name: count for name, count in connection.execute(kind)})
    return found
