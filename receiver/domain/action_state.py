"""The states of a remediation action, of an approval and of a circuit breaker, in the order of the database's ENUMs."""

from __future__ import annotations

from enum import StrEnum


class ActionState(StrEnum):
    """The life of a remediation action."""

    REQUESTED = "requested"  # waits for its job, for the first time or after a failure without effect
    AWAITING_APPROVAL = "awaiting_approval"
    RUNNING = "running"  # the call may have been made from here on
    VERIFYING = "verifying"  # it was carried out; whether it helped is yet to be seen
    COMPLETED = "completed"
    FAILED = "failed"
    REFUSED = "refused"  # not allowed, over budget, a bad name, a person's no, ...: the reason says which
    EXPIRED = "expired"  # older than its limit before it could run
    UNKNOWN = "unknown"  # it may have had its effect; only people may decide


class ApprovalState(StrEnum):
    """What people said to an action that needs their word."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"


class BreakerState(StrEnum):
    """Whether a target system is asked at all."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"  # one action probes it
