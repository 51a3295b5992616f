"""What must hold after all rounds of a lane: each action ended and ran once at most, each message was taken."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC
from typing import Any

from sqlalchemy import select

from faults.rounds.lane import Lane
from receiver.storage.tables import notifications, remediation_actions

_ENDS = ("completed", "failed", "unknown")


def judge(lane: Lane) -> tuple[list[str], dict[str, float]]:
    """What is wrong, in words, and the figures."""
    found_of_actions, figures = _actions(lane)
    found_of_messages, more = _messages(lane)
    return found_of_actions + found_of_messages, figures | more


def _actions(lane: Lane) -> tuple[list[str], dict[str, float]]:
    found: list[str] = []
    ends: Counter[str] = Counter()
    twice = 0
    columns = remediation_actions.c
    with lane.engine.connect() as connection:
        rows = connection.execute(select(columns.action_id, columns.target, columns.state)).all()
    for row in rows:
        service, state = row.target.rpartition("/")[2], row.state.value
        asked, done = lane.cluster.asked.get(service, 0), lane.cluster.replicas("shop", service) - 1
        ends[state] += 1
        if asked > 1 or done > 1:
            twice += 1
            found.append(
                f"{row.action_id} ({state}) was called for {asked} times, and carried out {done} times"
            )
        if state not in _ENDS:
            found.append(f"{row.action_id} is still {state}")
        if (state, done) in (("completed", 0), ("failed", 1)):
            found.append(f"{row.action_id} is {state}, and was carried out {done} times")
    if len(rows) != len(lane.incidents):
        found.append(f"{len(rows)} actions of {len(lane.incidents)} incidents")
    figures = {"actions": len(rows), "actions_unknown": ends["unknown"], "double_executions": twice}
    return found, {name: float(value) for name, value in figures.items()}


def _messages(lane: Lane) -> tuple[list[str], dict[str, float]]:
    taken: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for entry in lane.told():
        if entry["taken"] and entry["what"] == "trigger":
            taken[entry["channel"], entry["incident"]].append(entry)
    column = notifications.c
    with lane.engine.connect() as connection:
        rows = connection.execute(
            select(column.channel, column.incident_id, column.state, column.finished_at).where(
                column.template == "opened"
            )
        ).all()
    recorded = {(row.channel, row.incident_id): row for row in rows}
    found, avoidable = [], 0
    for incident_id in lane.incidents.values():
        for channel in ("slack", "pagerduty"):
            row, came = recorded.get((channel, incident_id)), taken[channel, incident_id]
            if row is None or row.state.value != "sent":
                found.append(
                    f"{channel} of {incident_id}: {row.state.value if row else 'nothing is recorded'}"
                )
                continue
            if not came:
                found.append(f"{channel} of {incident_id} is recorded as sent, but was never taken")
            # What is recorded is known to have been sent: no crash is an excuse for sending it again.
            recorded_at = row.finished_at.replace(tzinfo=UTC).timestamp()
            late = sum(entry["came"] > recorded_at for entry in came)
            if late:
                avoidable += late
                found.append(f"{channel} of {incident_id} was sent again after it was recorded")
    return found, {
        "messages": float(len(recorded)),
        "avoidable_duplicates": float(avoidable),
        "duplicates": float(sum(max(0, len(came) - 1) for came in taken.values())),
    }
