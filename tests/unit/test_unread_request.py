"""What never reaches the application is answered in the usual form."""

from __future__ import annotations

import json

import pytest

from receiver.cli.unread_request import ALL
from receiver.web.docs import problem_entries


@pytest.mark.parametrize("unread", ALL, ids=lambda one: one.slug)
def test_what_never_reaches_the_application_is_answered_with_a_problem_that_is_explained(unread):
    head, _, body = unread.answer().partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert json.loads(body)["type"] == f"/problems/{unread.slug}"
    assert (unread.slug, unread.status.value) in {(entry.slug, entry.status) for entry in problem_entries()}
