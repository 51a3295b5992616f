"""What events and log lines say of an action, and what is counted of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from receiver import metrics
from receiver.domain.action_state import ActionState
from receiver.domain.remediation import Refusal


def told(row: Mapping[Any, Any]) -> dict[str, Any]:
    """What every event of the action says of it; rules match on these."""
    return {
        "action": row["type"],
        "target": row["target"],
        "rule": row["options"].get("rule", ""),
        "requested_by": row["requested_by"],
        "ordinal": row["ordinal"],
        "is_dry_run": bool(row["is_dry_run"]),
    }


def logged(row: Mapping[Any, Any]) -> dict[str, Any]:
    """What every log line of the action says of it; not its target and parameters, which may come from alerts."""
    return {
        "action_id": row["action_id"],
        "action": row["type"],
        "incident_id": row["incident_id"],
        "trace_id": row["trace_id"],
    }


def count_end(row: Mapping[Any, Any], state: ActionState) -> None:
    """Count how an action ended."""
    metrics.ACTIONS.labels(row["type"], state.value).inc()


def count_refusal(refusal: Refusal) -> None:
    """Count why an action was not carried out."""
    metrics.ACTION_REFUSALS.labels(refusal.value).inc()
