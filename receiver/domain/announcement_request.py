"""The job that asks for a message: what its payload holds, and its key. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from receiver.domain.announcement import Announcement, job_key
from receiver.domain.events import Event, EventType
from receiver.domain.jobs import JobKind, JobRequest, notify_queue
from receiver.domain.notification import Template

NOTIFY_ATTEMPTS = 180  # with the worker's backoff: about an hour and a half


@dataclass(frozen=True, slots=True)
class Ask:
    """A message that somebody asks for.

    `rule`: which rule or policy, for people who ask why. `wording`: the name of a text of the user's own. `is_quiet`:
    the channel hears the beginning and the end, no updates and no reminders. `action_id`: what the message is about.
    `details`: lines that it shows besides what is known when it is sent. `cause`: what may ask for one such message.
    """

    announcement: Announcement
    rule: str = ""
    wording: str = ""
    is_quiet: bool = False
    action_id: str = ""
    details: tuple[str, ...] = ()
    cause: str = ""

    def to_payload(self) -> dict[str, Any]:
        """As jobs carry it. What is empty is left out."""
        more = {
            "rule": self.rule,
            "wording": self.wording,
            "quiet": self.is_quiet,
            "action_id": self.action_id,
            "details": list(self.details),
            "cause": self.cause,
        }
        return told(self.announcement) | {name: value for name, value in more.items() if value}

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Ask:
        """What a job carries; also one of an earlier release, which knew less."""
        return cls(
            Announcement(payload["channel"], Template(payload["template"]), int(payload["sequence"])),
            rule=payload.get("rule", ""),
            wording=payload.get("wording", ""),
            is_quiet=bool(payload.get("quiet", False)),
            action_id=payload.get("action_id", ""),
            details=tuple(payload.get("details", ())),
            cause=payload.get("cause", ""),
        )

    def request(
        self,
        incident_id: str,
        trace_id: str,
        *,
        delay_seconds: float = 0.0,
        max_attempts: int = NOTIFY_ATTEMPTS,
    ) -> JobRequest:
        """The job that sends it, due in `delay_seconds`."""
        return JobRequest(
            kind=JobKind.NOTIFY,
            queue=notify_queue(self.announcement.channel),
            idempotency_key=job_key(incident_id, self.announcement),
            payload=self.to_payload(),
            incident_id=incident_id,
            trace_id=trace_id,
            max_attempts=max_attempts,
            delay_seconds=delay_seconds,
        )


def told(announcement: Announcement) -> dict[str, str | int]:
    """How events name a message."""
    return {
        "channel": announcement.channel,
        "template": announcement.template.value,
        "sequence": announcement.sequence,
    }


def sequence_of(event: Event) -> int:
    """The sequence of the message that tells of `event`.

    An acknowledgement is counted by those before it, an action and a diagnosis by their ordinal, which the event's
    payload names; all other events come once in an incident's life.
    """
    if event.type is EventType.INCIDENT_ACKNOWLEDGED:
        return int(event.payload.get("acknowledgement", 0))
    return int(event.payload.get("ordinal", 0))
