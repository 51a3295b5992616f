"""What an incident may become: both transition tables, for people's status and automation's mitigation, stand here."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum


class Status(StrEnum):
    """Where people are with the incident."""

    ACTIVE = "active"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Mitigation(StrEnum):
    """Where automation is with the incident."""

    NONE = "none"
    INVESTIGATING = "investigating"
    MITIGATING = "mitigating"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


OPEN_STATUSES = (Status.ACTIVE, Status.ACKNOWLEDGED)

STATUS_TRANSITIONS: dict[Status, tuple[Status, ...]] = {
    Status.ACTIVE: (Status.ACKNOWLEDGED, Status.RESOLVED),
    Status.ACKNOWLEDGED: (
        Status.ACTIVE,
        Status.RESOLVED,
    ),  # back to active: an acknowledgement that timed out
    Status.RESOLVED: (Status.CLOSED,),
    Status.CLOSED: (),
}

MITIGATION_TRANSITIONS: dict[Mitigation, tuple[Mitigation, ...]] = {
    Mitigation.NONE: (Mitigation.INVESTIGATING, Mitigation.MITIGATING),
    Mitigation.INVESTIGATING: (Mitigation.MITIGATING, Mitigation.SUCCEEDED, Mitigation.FAILED),
    Mitigation.MITIGATING: (Mitigation.SUCCEEDED, Mitigation.FAILED),
    Mitigation.SUCCEEDED: (Mitigation.MITIGATING,),  # it helped, and then it did not
    Mitigation.FAILED: (Mitigation.INVESTIGATING, Mitigation.MITIGATING),  # another attempt
}

ID_PREFIX = "INC-"

# Who resolved an incident when no person did: its last firing alert.
RESOLVED_BY_ALERT = "alert"


def allowed_statuses(status: str) -> tuple[str, ...]:
    """The statuses that may follow `status`."""
    return tuple(after.value for after in STATUS_TRANSITIONS[Status(status)])


def may_become(status: str, wanted: str) -> bool:
    """Whether an incident in `status` may become `wanted`."""
    return wanted in allowed_statuses(status)


def may_mitigate(mitigation: str, wanted: str) -> bool:
    """Whether the mitigation may go from `mitigation` to `wanted`."""
    return Mitigation(wanted) in MITIGATION_TRANSITIONS[Mitigation(mitigation)]


def is_open(status: str) -> bool:
    """Whether alerts still join an incident in this status."""
    return status in OPEN_STATUSES


def incident_id(opened_at: datetime, incident_key: str) -> str:
    """`INC-{YYYYMMDDHHMMSS}-{incident_key}`, the second of opening in UTC."""
    return f"{ID_PREFIX}{opened_at.astimezone(UTC):%Y%m%d%H%M%S}-{incident_key}"


def free_incident_id(opened_at: datetime, incident_key: str, last_id: str | None) -> str:
    """The id for a new incident of this key; when `last_id` (the key's newest) takes that second, the next free one."""
    wanted = incident_id(opened_at, incident_key)
    if last_id is None or last_id < wanted:
        return wanted
    stamp = last_id.removeprefix(ID_PREFIX).partition("-")[0]
    taken = datetime.strptime(stamp, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return incident_id(taken + timedelta(seconds=1), incident_key)


def incident_number(reference: str) -> int | None:
    """The short number in `INC-123`, or None where `reference` is a full id or no number."""
    digits = reference.upper().removeprefix(ID_PREFIX)
    # 18 digits always fit a signed 64-bit column.
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else None
