"""Whether a message about an incident is still worth sending, and what is new since the last one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from receiver.domain.action_state import ActionState
from receiver.domain.incident import Mitigation, Status, is_open
from receiver.domain.notification import NotificationState, Template

# Occasions that an incident may have several times; `sequence` tells them apart. Those of an action carry its ordinal.
COUNTED = frozenset(
    {
        Template.UPDATED,
        Template.ACKNOWLEDGED,
        Template.ESCALATED,
        Template.ACTION_FAILED,
        Template.ACTION_COMPLETED,
        Template.APPROVAL_NEEDED,
        Template.DIAGNOSED,
        Template.REMINDER,
    }
)
# What people are told of an incident while it is open; afterwards it only confuses.
_WHILE_OPEN = frozenset({Template.OPENED, Template.UPDATED, Template.DIAGNOSED})
# What calls for somebody, and has found somebody as soon as the incident is acknowledged.
_WHILE_ACTIVE = frozenset({Template.ESCALATED, Template.REMINDER})
_UNDECIDED = (ActionState.REQUESTED, ActionState.AWAITING_APPROVAL)
TOLD = (NotificationState.SENT, NotificationState.BUNDLED)


@dataclass(frozen=True, slots=True)
class Announcement:
    """One message that is due: on which channel, on which occasion, and on a counted one the how many-th."""

    channel: str
    template: Template
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Situation:
    """The incident as it is now, as far as the decision needs it. `action_state`: of the action it is about, if any."""

    status: str
    severity: str
    alert_count: int
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    mitigation: str = Mitigation.NONE.value
    action_state: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """A message of the same incident and channel whose end is recorded, with what it said.

    `provider_ref`: what the channel's service calls it; of a bundled one, the key of its bundle.
    """

    template: str
    sequence: int
    state: str
    alert_count: int
    severity: str
    finished_at: datetime
    provider_ref: str = ""


def job_key(incident_id: str, announcement: Announcement) -> str:
    """The idempotency key of the job that sends it. What may come several times is counted."""
    parts = [message_keys(incident_id, announcement.channel) + announcement.template.value]
    is_first_of_few = announcement.template is Template.ACKNOWLEDGED and announcement.sequence == 0
    if announcement.template in COUNTED and not is_first_of_few:
        parts.append(str(announcement.sequence))
    return ":".join(parts)


def message_keys(incident_id: str, channel: str = "") -> str:
    """What the keys of all messages of an incident begin with; with `channel`, those of this channel."""
    return ":".join(("notify", incident_id, *filter(None, [channel]))) + ":"


def counted_keys(incident_id: str, channel: str, template: Template) -> str:
    """What the keys of all messages on one counted occasion begin with."""
    return f"{message_keys(incident_id, channel)}{template.value}:"


def waits_for_those_under_way(announcement: Announcement) -> bool:
    """Whether people must not see any other message of the incident after this one: so it is with the end."""
    return announcement.template is Template.RESOLVED


def waits_for_the_beginning(announcement: Announcement) -> bool:
    """Whether the beginning must have been told or given up before this one, also if that takes many attempts.

    Whoever is told that an unknown incident was acknowledged forgets it (PagerDuty does), and then calls people; and
    what belongs into the thread of the first message needs one. The end does not wait: it makes the beginning moot.
    """
    return announcement.template not in (Template.OPENED, Template.RESOLVED)


def follow_up(announcement: Announcement, last_reminder: int = 0) -> Announcement | None:
    """The message that may follow once this one has been sent: the next update, until the incident is over.

    After a failed action it is a reminder. `last_reminder` is the sequence of the last one that has ended.
    """
    channel = announcement.channel
    match announcement.template:
        case Template.OPENED | Template.UPDATED:
            return Announcement(channel, Template.UPDATED, announcement.sequence + 1)
        case Template.ACTION_FAILED:
            return Announcement(channel, Template.REMINDER, last_reminder + 1)
        case Template.REMINDER:
            return Announcement(channel, Template.REMINDER, announcement.sequence + 1)
    return None


class Step(StrEnum):
    """What to do with a message that is due."""

    SEND = "send"
    SKIP = "skip"  # it has been settled before
    SUPERSEDE = "supersede"  # overtaken: record that, send nothing
    WAIT = "wait"  # nothing to say yet: ask again after the interval


@dataclass(frozen=True, slots=True)
class Plan:
    """The step, its reason, and for an update what has changed, in short phrases."""

    step: Step
    reason: str = ""
    changes: tuple[str, ...] = ()


def plan(announcement: Announcement, situation: Situation, said: Sequence[Said]) -> Plan:
    """What to do with `announcement`, given everything `said` before, oldest first."""
    for one in said:
        same = (one.template, one.sequence) == (announcement.template, announcement.sequence)
        if same and one.state != NotificationState.DEAD:  # people may have a dead one tried again
            return Plan(Step.SKIP, f"recorded as {one.state} already")
    template = announcement.template
    overtaken = _overtaken(template, situation)
    if overtaken:
        return Plan(Step.SUPERSEDE, overtaken)
    if template is Template.RESOLVED and is_unheard_of(said):
        return Plan(Step.SUPERSEDE, "it was over before anybody was told of it")
    if template is Template.REMINDER and situation.mitigation != Mitigation.FAILED:
        return Plan(Step.WAIT, f"its mitigation is {situation.mitigation} again")
    if template is Template.APPROVAL_NEEDED and situation.action_state == ActionState.REQUESTED:
        return Plan(Step.WAIT, "the action is not planned yet, and people are asked with its plan")
    if template is Template.UPDATED:
        told = [one for one in said if one.state in TOLD]
        return _plan_update(situation, told[-1] if told else None)
    return Plan(Step.SEND)


def _overtaken(template: Template, situation: Situation) -> str:
    """Why the message does not suit the incident any more; empty if it does."""
    by_now = f"the incident is {situation.status} by now"
    if template in _WHILE_OPEN and not is_open(situation.status):
        return by_now
    if template in _WHILE_ACTIVE and situation.status != Status.ACTIVE:
        return by_now
    if template is Template.ACKNOWLEDGED and situation.status != Status.ACKNOWLEDGED:
        return by_now
    if template is Template.REMINDER and situation.mitigation in (Mitigation.NONE, Mitigation.SUCCEEDED):
        return f"its mitigation is {situation.mitigation} by now"
    if template is Template.APPROVAL_NEEDED and situation.action_state not in _UNDECIDED:
        return f"the action is {situation.action_state or 'gone'} by now"
    return ""


def _plan_update(situation: Situation, last: Said | None) -> Plan:
    changes = []
    more = situation.alert_count - (last.alert_count if last else 0)
    if more > 0:
        changes.append(f"{more} more alert{'s' if more > 1 else ''} ({situation.alert_count} in all)")
    if last and last.severity != situation.severity:
        changes.append(f"severity {last.severity} → {situation.severity}")
    if not changes:
        return Plan(Step.WAIT, "no new alerts since the last message")
    # Worth telling along with the alerts, but no reason for a message: whoever acknowledged knows it.
    if situation.acknowledged_at and (last is None or situation.acknowledged_at > last.finished_at):
        changes.append(f"acknowledged by {situation.acknowledged_by}")
    return Plan(Step.SEND, changes=tuple(changes))


def thread_ref(said: Sequence[Said]) -> str:
    """What the channel calls the first message that it took of the incident; empty if it took none."""
    first = (Template.OPENED, Template.ESCALATED)
    sent = [one for one in said if one.state == NotificationState.SENT and one.template in first]
    return next((one.provider_ref for one in sent), "")


def bundle_of_beginning(said: Sequence[Said]) -> str:
    """The key of the bundle that tells, or has told, that the incident began; empty if none does."""
    opened = (one for one in said if one.template == Template.OPENED)
    return next((one.provider_ref for one in opened if one.state == NotificationState.BUNDLED), "")


def is_unheard_of(said: Sequence[Said]) -> bool:
    """Whether the channel heard nothing of an incident because its bundle left it out: then its end is no news."""
    others = [one for one in said if one.template != Template.RESOLVED]
    left_out = any(one.state == NotificationState.SUPERSEDED and one.provider_ref for one in others)
    return left_out and not any(one.state in TOLD for one in others)
