"""Sentences that say what became of a message, and why a rule asked for none. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from receiver.clock import isoformat
from receiver.domain.channel_pace import WINDOW_SECONDS, Pace
from receiver.domain.jobs import JobState
from receiver.domain.notification import NotificationState, Template
from receiver.domain.rules.evaluate import Fate, Trace
from receiver.domain.rules.matcher import Subject

Row = Mapping[Any, Any]

_DEPENDS = {
    Template.UPDATED: ", if more alerts have come by then",
    Template.REMINDER: ", unless somebody has acknowledged or the mitigation has changed",
}


@dataclass(frozen=True, slots=True)
class Fortune:
    """What became of a message, in one word and in a sentence."""

    outcome: str
    sentence: str


def fortune(
    job: Row | None, record: Row | None, bundle: Row | None, now: datetime, *, is_over: bool = False
) -> Fortune:
    """What became of the message of `job`, which ended as `record` says, in the bundle that the job `bundle` sends.

    `is_over`: nobody works at the incident any more, so what is only told while it is open will not be sent.
    """
    if record is not None:
        return _ended(record, job, bundle)
    if job is None:
        return Fortune("unknown", "Its job is not in the database any more.")
    if is_over and job["state"] == JobState.READY and job["payload"].get("template") in _DEPENDS:
        return Fortune("waiting", "Will not be sent: the incident is over.")
    return _unended(job, now)


def _ended(record: Row, job: Row | None, bundle: Row | None) -> Fortune:
    at = isoformat(record["finished_at"])
    detail = record["detail"] or ""
    match NotificationState(record["state"]):
        case NotificationState.SENT:
            answer = f"; the answer was: {detail.rstrip('.')}" if detail else ""
            return Fortune("sent", f"Sent at {at}, on attempt {record['attempt']}{answer}.")
        case NotificationState.DEAD:
            number = (bundle or job or {}).get("job_id")
            again = f" `receiver jobs retry {number}` tries it once more." if number else ""
            return Fortune("dead", f"Given up at {at}: {detail.rstrip('.')}.{again}")
        case NotificationState.SUPERSEDED:
            return Fortune("superseded", f"Not sent: {detail.rstrip('.')}.")
        case NotificationState.BUNDLED:
            return _bundled(record, bundle)


def _bundled(record: Row, bundle: Row | None) -> Fortune:
    key = record["provider_ref"]
    because = "because the channel had had its messages for that minute, or heard of the beginning so"
    if bundle is None or bundle["state"] == JobState.DONE:
        at = isoformat(bundle["finished_at"] if bundle else record["finished_at"])
        return Fortune("bundled", f"Told together with others at {at} (bundle {key}), {because}.")
    waits = f"Waits to be told together with others (bundle {key}), {because}."
    return Fortune("bundled", f"{waits} {_state_of(bundle)}")


def _unended(job: Row, now: datetime) -> Fortune:
    due = isoformat(job["run_at"])
    match JobState(job["state"]):
        case JobState.RUNNING:
            return Fortune("running", f"A worker is at it (attempt {job['attempt']}).")
        case JobState.READY if job["attempt"] or job["last_error"]:
            return Fortune("retrying", _state_of(job))
        case JobState.READY if job["run_at"] > now:
            return Fortune("waiting", f"Due at {due}{_DEPENDS.get(job['payload'].get('template'), '')}.")
        case JobState.READY:
            return Fortune("waiting", f"Due since {due}; it waits for a worker that serves its channel.")
        case JobState.DONE:
            return Fortune("done", "Its job ended without a message.")
    return Fortune(
        "dead",
        f"Given up: {job['last_error'] or 'for a reason that is not known'}."
        f" `receiver jobs retry {job['job_id']}` tries it once more.",
    )


def _state_of(job: Row) -> str:
    due = isoformat(job["run_at"])
    if job["state"] == JobState.READY and (job["attempt"] or job["last_error"]):
        failed = f"Attempt {job['attempt']} of {job['max_attempts']} failed: {job['last_error']}."
        return f"{failed} The next one is due at {due}."
    if job["state"] == JobState.RUNNING:
        return f"A worker is at it (attempt {job['attempt']})."
    return f"It is due at {due}."


def pace_sentence(pace: Pace | None, limit: int, now: datetime) -> str:
    """How much of its limit a channel has used."""
    sent = 0
    if pace is not None and pace.since is not None and (now - pace.since).total_seconds() < WINDOW_SECONDS:
        sent = pace.sent
    return f"{sent} of {limit} messages in the minute that is under way."


def rule_sentence(trace: Trace, subject: Subject, *, names_channel: str = "", tells: bool = True) -> str:
    """Why a rule did or did not apply to an event, as far as the channel `names_channel` is concerned."""
    match trace.fate:
        case Fate.UNREACHED:
            return f"It was not looked at: {trace.ended_by} comes before it and ends the search."
        case Fate.FAILS if trace.failed is not None:
            value = trace.failed.value_in(subject)
            said = f'it is "{value}"' if value else "it is not there"
            return f"It does not apply: {trace.failed.text} is not true, {said}."
        case _ if not tells:
            return "It applies, and asks for no message."
        case _ if names_channel:
            return f"It applies, and does not name {names_channel}."
    return "It applies."
