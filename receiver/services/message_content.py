"""What a message says: the incident as it is now, and lines about the occasion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping

from receiver.clock import isoformat
from receiver.config import Settings
from receiver.domain.action_state import ActionState
from receiver.domain.announcement import Said, thread_ref
from receiver.domain.announcement_request import Ask
from receiver.domain.diagnosis_summary import summary
from receiver.domain.notification import ActionOutcome, BundledIncident, Notification, Template
from receiver.domain.severity import more_urgent, worse_severity

_SHOWN = (
    "incident_id",
    "number",
    "title",
    "summary",
    "status",
    "severity",
    "priority",
    "service",
    "cluster",
    "namespace",
    "alert_count",
    "firing_count",
    "opened_at",
    "last_seen_at",
    "acknowledged_at",
    "resolved_at",
    "links",
)
_EXCERPT = 300
_LARGEST_STATE = 6


def notification(
    settings: Settings,
    ask: Ask,
    incident: RowMapping,
    *,
    action: Mapping[Any, Any] | None,
    said: Sequence[Said],
    changes: tuple[str, ...],
    may_have_been_sent: bool,
) -> Notification:
    """The message that `ask` asks for, about `incident`, with its `action` if it is about one."""
    reminds = ask.announcement.template is Template.REMINDER
    return Notification(
        template=ask.announcement.template,
        sequence=ask.announcement.sequence,
        changes=changes,
        incident_url=incident_url(settings, incident["incident_id"]),
        acknowledged_by=incident["acknowledged_by"] or "",
        resolved_by=incident["resolved_by"] or "",
        details=(
            *ask.details,
            *_of_action(action),
            *_time_to_decide(action),
            *(_REMINDS if reminds else ()),
        ),
        diagnostics=summary(incident["diagnostics"]),
        action_id=ask.action_id,
        action_outcome=_outcome(action),
        wording=ask.wording,
        thread_ref=thread_ref(said),
        may_have_been_sent=may_have_been_sent,
        **{name: incident[name] for name in _SHOWN},
    )


def bundle(
    settings: Settings,
    key: str,
    template: Template,
    members: Sequence[RowMapping],
    *,
    may_have_been_sent: bool,
) -> Notification:
    """One message about several incidents that began, or ended. There must be at least one."""
    what = "resolved" if template is Template.RESOLVED else "opened"
    count = len(members)
    title = f"{count} incident{'s' if count > 1 else ''} {what}"
    severity, priority = members[0]["severity"], members[0]["priority"]
    for one in members:
        severity = worse_severity(severity, one["severity"])
        priority = more_urgent(priority, one["priority"])
    return Notification(
        template=Template.BUNDLE,
        incident_id=key,
        number=0,
        title=title,
        summary="More came in a minute than this channel is to have one by one, so these are told together.",
        status="resolved" if template is Template.RESOLVED else "active",
        severity=severity,
        priority=priority,
        service="",
        cluster="",
        namespace="",
        alert_count=sum(one["alert_count"] for one in members),
        firing_count=sum(one["firing_count"] for one in members),
        opened_at=min(one["opened_at"] for one in members),
        last_seen_at=max(one["last_seen_at"] for one in members),
        resolved_at=max((one["resolved_at"] for one in members if one["resolved_at"]), default=None),
        changes=(title,),
        may_have_been_sent=may_have_been_sent,
        incidents=tuple(
            BundledIncident(
                incident_id=one["incident_id"],
                number=one["number"],
                title=one["title"],
                severity=one["severity"],
                priority=one["priority"],
                service=one["service"],
                opened_at=one["opened_at"],
                incident_url=incident_url(settings, one["incident_id"]),
            )
            for one in members
        ),
    )


def incident_url(settings: Settings, incident_id: str) -> str:
    """Where people read about the incident; empty while the receiver's own address is not known."""
    public = settings.public_url
    return f"{public}/api/v1/incidents/{incident_id}" if public else ""


_REMINDS = ("Its mitigation failed, and nobody has acknowledged it since.",)

_PLANNED = (ActionState.REQUESTED, ActionState.AWAITING_APPROVAL)
_OUTCOMES: Mapping[str, ActionOutcome] = {
    ActionState.COMPLETED: ActionOutcome.DONE,
    ActionState.FAILED: ActionOutcome.FAILED,
    ActionState.REFUSED: ActionOutcome.REFUSED,
    ActionState.EXPIRED: ActionOutcome.EXPIRED,
    ActionState.UNKNOWN: ActionOutcome.UNKNOWN,
}


def _of_action(action: Mapping[Any, Any] | None) -> Iterator[str]:
    if action is None:
        return
    yield f"{action['type']} on {action['target']}{', as a dry run' if action['is_dry_run'] else ''}"
    # A plan in words, which is the output until the call is made, says the same.
    is_dry_run = _outcome(action) is ActionOutcome.DRY_RUN
    is_in_words = is_dry_run or (action["output"] and action["state"] in _PLANNED)
    if (action["from_state"] or action["to_state"]) and not is_in_words:
        yield f"from {_state(action['from_state'])} to {_state(action['to_state'])}"
    by, reason = action["requested_by"], action["reason"] or ""
    yield (
        f"asked for by {by} {reason.removeprefix(by).strip()}".rstrip()
        if reason.startswith(by)
        else (f"asked for by {by}: {reason}".removesuffix(": "))
    )
    if action["error"]:
        yield f"{action['state']}: {action['error']}"
    elif action["output"]:
        yield _cut(action["output"])


def _outcome(action: Mapping[Any, Any] | None) -> ActionOutcome | None:
    if action is None:
        return None
    if action["state"] == ActionState.COMPLETED and action["is_dry_run"]:
        return ActionOutcome.DRY_RUN
    return _OUTCOMES.get(action["state"])


def _time_to_decide(action: Mapping[Any, Any] | None) -> Iterator[str]:
    """Until when; how, the templates say."""
    if action is not None and action["state"] == ActionState.AWAITING_APPROVAL and action["expires_at"]:
        yield f"to be decided before {isoformat(action['expires_at'])}"


def _state(document: Mapping[str, Any] | None) -> str:
    if not document:
        return "nothing known"
    return ", ".join(
        f"{name} {_cut(_plain(value))}" for name, value in list(document.items())[:_LARGEST_STATE]
    )


def _plain(value: object) -> str:
    match value:
        case None:
            return "not set"
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(map(_plain, value)) or "none"
        case dict():
            return ", ".join(f"{name} {_plain(one)}" for name, one in value.items()) or "none"
    return str(value)


def _cut(text: str) -> str:
    return text if len(text) <= _EXCERPT else text[: _EXCERPT - 1] + "…"
