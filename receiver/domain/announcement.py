"""Whether a message about an incident is still worth sending, and what is new since the last one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from receiver.domain.incident import Status, is_open
from receiver.domain.notification import NotificationState, Template


@dataclass(frozen=True, slots=True)
class Announcement:
    """One message that is due: on which channel, on which occasion, and for updates the how many-th."""

    channel: str
    template: Template
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Situation:
    """The incident as it is now, as far as the decision needs it."""

    status: str
    severity: str
    alert_count: int
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """A message of the same incident and channel whose end is recorded, with what it said."""

    template: str
    sequence: int
    state: str
    alert_count: int
    severity: str
    finished_at: datetime


def job_key(incident_id: str, announcement: Announcement) -> str:
    """The idempotency key of the job that sends it. Updates are counted; the other occasions come once."""
    parts = ["notify", incident_id, announcement.channel, announcement.template.value]
    if announcement.template is Template.UPDATED:
        parts.append(str(announcement.sequence))
    return ":".join(parts)


def predecessors(announcement: Announcement, said: Sequence[Said]) -> list[Announcement]:
    """The messages that people must not see after this one, should they be under way right now.

    Only `resolved` has any: each update is asked for by the message before it, and `acknowledged` waits longer.
    """
    if announcement.template is not Template.RESOLVED:
        return []
    updates = [one.sequence for one in said if one.template == Template.UPDATED]
    return [
        Announcement(announcement.channel, Template.OPENED),
        Announcement(announcement.channel, Template.UPDATED, max(updates, default=0) + 1),
        Announcement(announcement.channel, Template.ACKNOWLEDGED),
    ]


def preconditions(announcement: Announcement) -> list[Announcement]:
    """The messages that must have ended, one way or the other, before this one: also if that takes many attempts.

    Whoever is told that an unknown incident was acknowledged forgets it (PagerDuty does), and then calls people.
    """
    if announcement.template is not Template.ACKNOWLEDGED:
        return []
    return [Announcement(announcement.channel, Template.OPENED)]


def follow_up(announcement: Announcement) -> Announcement | None:
    """The message that may follow once this one has been sent: the next update, until the incident is over."""
    if announcement.template not in (Template.OPENED, Template.UPDATED):
        return None
    return Announcement(announcement.channel, Template.UPDATED, announcement.sequence + 1)


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
    if announcement.template in (Template.OPENED, Template.UPDATED) and not is_open(situation.status):
        return Plan(Step.SUPERSEDE, f"the incident is {situation.status} by now")
    if announcement.template is Template.ACKNOWLEDGED and situation.status != Status.ACKNOWLEDGED:
        return Plan(Step.SUPERSEDE, f"the incident is {situation.status} by now")
    if announcement.template is not Template.UPDATED:
        return Plan(Step.SEND)
    sent = [one for one in said if one.state == NotificationState.SENT]
    return _plan_update(situation, sent[-1] if sent else None)


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
