"""Requests are refused only where many are under way and their turns come late; and it is said in the usual form."""

from __future__ import annotations

import json

import pytest

from receiver.cli.overload import ALWAYS_ANSWERED, is_too_much
from receiver.cli.unread_request import ALL, TOO_MANY
from receiver.web.docs import problem_entries
from receiver.web.webhooks import PATHS


@pytest.mark.parametrize(
    ("requests", "lag_seconds", "refused"),
    [(512, 2.0, True), (512, 0.1, False), (20, 2.0, False), (0, 0.0, False)],
    ids=["a flood", "many slow senders", "a machine busy with something else", "nothing"],
)
def test_neither_slow_senders_nor_a_busy_machine_are_a_flood(
    requests: int, lag_seconds: float, refused: bool
):
    assert is_too_much(requests, lag_seconds, PATHS[0]) is refused


def test_who_looks_after_the_receiver_is_answered_in_a_flood_too():
    assert not any(is_too_much(512, 2.0, path) for path in ALWAYS_ANSWERED)


@pytest.mark.parametrize("unread", ALL, ids=lambda one: one.slug)
def test_what_never_reaches_the_application_is_answered_with_a_problem_that_is_explained(unread):
    head, _, body = unread.answer().partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert json.loads(body)["type"] == f"/problems/{unread.slug}"
    assert (unread.slug, unread.status.value) in {(entry.slug, entry.status) for entry in problem_entries()}


def test_who_is_refused_in_a_flood_is_told_when_to_come_again():
    assert b"\r\nRetry-After: 5\r\n" in TOO_MANY.answer()
