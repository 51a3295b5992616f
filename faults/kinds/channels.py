"""Slack and PagerDuty misbehave."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from faults.bodies import Sent, alert_of, body_of
from faults.history import Journal
from faults.load import Sender
from faults.stack import Stack
from faults.witness import TAKEN_BY_PAGERDUTY
from tests.fakes.slack import DROP, LOST, OK, SERVER_ERROR, Answer, hang, rate_limited

MANY = 500


def slack_misbehaves(stack: Stack, seconds: float) -> None:
    """One after the other: it hangs up, does not answer in time, says 500, says 429, and takes but never says so."""
    answers = (DROP, hang(20), SERVER_ERROR, rate_limited(1), LOST)
    for answer in answers:
        stack.note("slack", answer=str(answer))
        stack.slack.answer_always(answer)
        time.sleep(seconds / len(answers))
    stack.slack.answer_always(OK)


def pagerduty_is_down(stack: Stack, seconds: float) -> None:
    """Not there while 500 incidents begin; Slack must hear of them all the same."""
    stack.pagerduty.answer_always(Answer(503, "unavailable"))
    host, _, port = stack.address.partition(":")
    journal = Journal(stack.folder / "history.jsonl")
    sender = Sender(host, int(port), journal)
    started = datetime.now(UTC) - timedelta(minutes=1)
    for first in range(0, MANY, 25):
        alerts = [alert_of(f"many-{number}", 0, started) for number in range(first, first + 25)]
        journal.request(sender.send(Sent(body_of(alerts), "many", len(alerts))))
    sender.close()
    journal.close()
    time.sleep(seconds)
    stack.pagerduty.answer_always(TAKEN_BY_PAGERDUTY)
