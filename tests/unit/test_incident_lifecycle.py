"""The transition tables, and the names of incidents."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from receiver.domain.incident import (
    MITIGATION_TRANSITIONS,
    STATUS_TRANSITIONS,
    Mitigation,
    Status,
    allowed_statuses,
    free_incident_id,
    incident_id,
    incident_number,
    may_become,
    may_mitigate,
)

OPENED = datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC)
KEY = "0123456789abcdef"


def test_both_tables_speak_of_every_state() -> None:
    assert set(STATUS_TRANSITIONS) == set(Status)
    assert set(MITIGATION_TRANSITIONS) == set(Mitigation)


@pytest.mark.parametrize(
    ("before", "after", "allowed"),
    [
        ("active", "acknowledged", True),
        ("active", "resolved", True),
        ("active", "closed", False),
        ("acknowledged", "active", True),
        ("acknowledged", "resolved", True),
        ("resolved", "closed", True),
        ("resolved", "active", False),
        ("closed", "active", False),
        ("active", "active", False),
    ],
)
def test_an_incident_moves_only_as_the_table_says(before: str, after: str, allowed: bool) -> None:
    assert may_become(before, after) is allowed
    assert (after in allowed_statuses(before)) is allowed


def test_a_failed_mitigation_may_be_tried_again_and_a_closed_incident_is_the_end() -> None:
    assert may_mitigate("failed", "mitigating")
    assert not may_mitigate("none", "succeeded")
    assert allowed_statuses("closed") == ()


def test_an_id_tells_when_and_of_what_kind() -> None:
    assert incident_id(OPENED, KEY) == f"INC-20260301235959-{KEY}"


def test_a_second_that_is_taken_gives_the_next_free_one_over_midnight() -> None:
    assert free_incident_id(OPENED, KEY, incident_id(OPENED, KEY)) == f"INC-20260302000000-{KEY}"
    assert free_incident_id(OPENED, KEY, f"INC-20260302000007-{KEY}") == f"INC-20260302000008-{KEY}"
    assert free_incident_id(OPENED, KEY, f"INC-20260228000000-{KEY}") == incident_id(OPENED, KEY)


@pytest.mark.parametrize(
    ("reference", "number"),
    [
        ("INC-123", 123),
        ("123", 123),
        ("inc-7", 7),
        (incident_id(OPENED, KEY), None),
        ("INC-", None),
        ("²", None),
    ],
)
def test_the_short_number_is_told_from_the_long_id(reference: str, number: int | None) -> None:
    assert incident_number(reference) == number
