"""What is said about an incident, before any channel gives it a form."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Template(StrEnum):
    """The occasions on which a channel hears of an incident, in the order of the database's ENUM: add at the end."""

    OPENED = "opened"
    UPDATED = "updated"
    RESOLVED = "resolved"
    TEST = "test"
    ACKNOWLEDGED = "acknowledged"
    ESCALATED = "escalated"
    ACTION_FAILED = "action_failed"
    ACTION_COMPLETED = "action_completed"
    APPROVAL_NEEDED = "approval_needed"
    DIAGNOSED = "diagnosed"
    REMINDER = "reminder"  # a mitigation failed, and nobody has acted since
    BUNDLE = "bundle"  # several incidents in one message


class ActionOutcome(StrEnum):
    """How the action ended that a message is about, as far as people have to tell the ends apart."""

    DONE = "done"
    DRY_RUN = "dry_run"
    FAILED = "failed"
    REFUSED = "refused"
    EXPIRED = "expired"
    UNKNOWN = "unknown"  # it may have been carried out


class NotificationState(StrEnum):
    """How a requested notification ended."""

    SENT = "sent"
    DEAD = "dead"
    SUPERSEDED = "superseded"  # overtaken by a later state before it could be sent
    BUNDLED = "bundled"  # told together with others, by a message of its own


@dataclass(frozen=True, slots=True)
class BundledIncident:
    """One incident among several that a single message tells of."""

    incident_id: str
    number: int
    title: str
    severity: str
    priority: str
    service: str = ""
    opened_at: datetime | None = None
    incident_url: str = ""


@dataclass(frozen=True, slots=True)
class Notification:
    """Everything a channel may show. Texts are as the sender wrote them: each channel escapes and cuts for itself.

    `links` maps runbook, dashboard, panel, silence and source to http(s) addresses, as far as they are known.
    `changes` says in short phrases what is new since the last message. Updates are counted by `sequence`; together with
    the incident and the template it names the message, also when it has to be sent again.

    `details` are short lines about the occasion itself (which action, its plan, its error; which step of an
    escalation), `diagnostics` what was measured. `action_id` is the action that the message is about, if any;
    `action_outcome` how that ended, None while it has not. `wording` names texts of the user's own that are shown
    instead of the usual ones. `thread_ref` is what this channel answered (Receipt.provider_ref) to the first message
    of this incident. `may_have_been_sent`: an earlier attempt at this very message has an unknown end, so a channel
    that can look for it should. A `bundle` tells of `incidents`; its `incident_id` is the bundle's own name, its
    number 0.
    """

    template: Template
    incident_id: str
    number: int
    title: str
    summary: str
    status: str
    severity: str
    priority: str
    service: str
    cluster: str
    namespace: str
    alert_count: int
    firing_count: int
    opened_at: datetime
    last_seen_at: datetime
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    resolved_at: datetime | None = None
    resolved_by: str = ""
    links: dict[str, str] = field(default_factory=dict)
    changes: tuple[str, ...] = ()
    incident_url: str = ""
    sequence: int = 0
    details: tuple[str, ...] = ()
    diagnostics: tuple[str, ...] = ()
    action_id: str = ""
    action_outcome: ActionOutcome | None = None
    wording: str = ""
    thread_ref: str = ""
    may_have_been_sent: bool = False
    incidents: tuple[BundledIncident, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a channel's service answered to a message that it took. `detail` also says if a template was left out."""

    detail: str = ""
    provider_ref: str = ""
