"""C5 and C6: what reached the outside world, by the witnesses' own journals."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from sqlalchemy import select

from faults.checks.evidence import Evidence
from receiver.storage.tables import incidents, notifications, remediation_actions

_WHAT = {"opened": "trigger", "resolved": "resolve"}


def actions_run_at_most_once(evidence: Evidence) -> list[str]:
    """C5: the cluster was changed once for each completed action, and at most once for each unknown one."""
    columns = remediation_actions.c
    with evidence.stack.engine.connect() as connection:
        rows = list(connection.execute(select(columns.target, columns.state, columns.to_state)))
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    reached: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        counts[row.target][row.state.value] += 1
        if row.state.value == "completed":
            reached[row.target].append(str(row.to_state))
    applied = Counter(_target_of(entry["target"]) for entry in evidence.changed if entry["applied"])
    found = []
    for target in sorted(counts.keys() | applied.keys()):
        completed, unknown = counts[target]["completed"], counts[target]["unknown"]
        if not completed <= applied[target] <= completed + unknown:
            states = dict(counts[target])
            found.append(f"{target}: changed {applied[target]} times, actions: {states}")
        if len(set(reached[target])) != completed:
            found.append(f"{target}: two completed actions led to the same state")
    evidence.figures["actions"] = len(rows)
    evidence.figures["actions_unknown"] = sum(count["unknown"] for count in counts.values())
    evidence.figures["double_executions"] = len(found)
    evidence.figures["crashes"] = len(evidence.times("kill"))
    return found


def _target_of(path: str) -> str:
    # /apis/apps/v1/namespaces/shop/deployments/svc-1/scale
    parts = path.partition("?")[0].strip("/").split("/")
    return f"kubernetes:{parts[4]}/deployment/{parts[6]}"


def messages_are_sent_once(evidence: Evidence) -> list[str]:
    """C6: what is recorded as sent was taken; twice only where nobody could know; and no incident is forgotten."""
    column = notifications.c
    with evidence.stack.engine.connect() as connection:
        recorded = connection.execute(
            select(column.incident_id, column.channel, column.template, column.state)
        ).all()
        known = list(connection.execute(select(incidents.c.incident_id)).scalars())
    told: dict[tuple[str, str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for entry in evidence.told:
        told[entry["channel"], entry["incident"], entry["what"]].append(entry)
    found, spoken = [], set()
    for row in recorded:
        spoken.add((row.channel, row.incident_id))
        name = row.channel, row.incident_id, _WHAT.get(row.template.value, "")
        if row.state.value == "sent" and not any(entry["taken"] for entry in told.get(name, ())):
            found.append(f"recorded as sent, but never taken: {name}")
    found += [
        f"nothing is recorded: {channel} of {incident_id}"
        for incident_id in known
        for channel in ("slack", "pagerduty")
        if (channel, incident_id) not in spoken
    ]
    avoidable = [text for name, all_of_it in told.items() for text in _avoidable(evidence, name, all_of_it)]
    states = Counter(row.state.value for row in recorded)
    evidence.figures["messages"] = states["sent"]
    evidence.figures["messages_dead"] = states["dead"]
    evidence.figures["avoidable_duplicates"] = len(avoidable)
    evidence.figures["duplicates"] = sum(
        max(0, sum(entry["taken"] for entry in all_of_it) - 1) for all_of_it in told.values()
    )
    return found + avoidable


def _avoidable(evidence: Evidence, name: tuple[str, str, str], entries: list[Mapping[str, Any]]) -> list[str]:
    taken = [entry for entry in entries if entry["taken"]]
    found = []
    for first, second in pairwise(taken):
        if first["known"] and not evidence.is_in_trouble(first["came"] - 0.2, second["came"]):
            found.append(f"taken twice without need: {name}")
    return found
