"""What people say to an action that waits for their word. Of two who answer at once, the first one has said it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from receiver.domain.action_state import ActionState, ApprovalState
from receiver.domain.events import EventType
from receiver.domain.incident import is_open
from receiver.domain.remediation import Refusal
from receiver.errors import ActionConflict, UnknownAction
from receiver.runtime import Runtime
from receiver.services.incidents import Deed
from receiver.services.remediation import endings
from receiver.services.remediation.held import Held, hold
from receiver.services.remediation.request import action_job
from receiver.services.transaction import transact
from receiver.storage import approvals, jobs

Row = Mapping[Any, Any]


def approve(runtime: Runtime, action_id: str, deed: Deed) -> Row:
    """It may run: it is its turn again at once, with its whole time before it. Returns the action as it is now.

    Raises UnknownAction, ActionConflict if it does not wait for approval (any more), StorageUnavailable.
    """

    def write(held: Held) -> None:
        if not is_open(held.incident["status"]) and held.row["options"].get("rule"):
            raise ActionConflict(f"the incident is {held.incident['status']} by now")
        seconds = held.row["options"]["expires_after_seconds"]
        by, note = deed.actor, deed.note
        approvals.decide(held.connection, held.action_id, ApprovalState.APPROVED, held.now, by, note)
        held.change(ActionState.REQUESTED, expires_at=held.now + timedelta(seconds=seconds))
        held.note(EventType.ACTION_APPROVED, deed.actor, **_note(deed))
        key = f"remediate:{held.action_id}:approved"
        jobs.insert_once(held.connection, [action_job(held.row, key)])

    return _decide(runtime, action_id, deed, ApprovalState.APPROVED, write)


def reject(runtime: Runtime, action_id: str, deed: Deed) -> Row:
    """It must not run. Returns the action as it is now. Raises as `approve` does."""

    def write(held: Held) -> None:
        by, note = deed.actor, deed.note
        approvals.decide(held.connection, held.action_id, ApprovalState.REJECTED, held.now, by, note)
        reason = f"{by} said no: {note}" if note else f"{by} said no"
        endings.refuse(held, Refusal.REJECTED, reason, by)

    return _decide(runtime, action_id, deed, ApprovalState.REJECTED, write)


def _decide(
    runtime: Runtime, action_id: str, deed: Deed, wanted: ApprovalState, write: Callable[[Held], None]
) -> Row:
    def work(connection: Connection, attempt: int) -> tuple[Row, str]:
        held = hold(connection, runtime, action_id)
        if held is None:
            raise UnknownAction("there is no action with this id")
        asked = approvals.find(connection, action_id)
        if attempt and asked is not None and (asked["state"], asked["decided_by"]) == (wanted, deed.actor):
            return _answer(held), ""  # an earlier COMMIT went through although its answer was lost
        late = _expire_if_late(held)
        if not late:
            _check(held, asked)
            write(held)
        held.close()
        return _answer(held), late

    row, late = transact(runtime.engine, work)
    if late:
        raise ActionConflict(late)
    return row


def _expire_if_late(held: Held) -> str:
    """Why it is too late, empty if it is not. That it is, is written down: its own job may not have come to it yet."""
    if held.state is not ActionState.AWAITING_APPROVAL or held.now < held.row["expires_at"]:
        return ""
    endings.refuse(held, Refusal.EXPIRED, "nobody approved it in time")
    return "the action has expired: nobody approved it in time"


def _check(held: Held, asked: Row | None) -> None:
    if held.state is ActionState.AWAITING_APPROVAL:
        return
    if asked is not None and asked["decided_by"]:
        raise ActionConflict(
            f"{asked['decided_by']} has {asked['state']} the action already; it is {held.state} now"
        )
    raise ActionConflict(f"the action is {held.state} and waits for nobody's approval")


def _answer(held: Held) -> Row:
    return held.row | {"approval": approvals.find(held.connection, held.action_id)}


def _note(deed: Deed) -> dict[str, str]:
    return {"note": deed.note} if deed.note else {}
