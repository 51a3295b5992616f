"""Severity is what people write into a label, normalised; priority follows from it by a table."""

import pytest

from receiver.domain.severity import (
    DEFAULT_PRIORITIES,
    Priority,
    Severity,
    more_urgent,
    normalise_severity,
    priority_of,
    worse_severity,
)


@pytest.mark.parametrize(
    ("label", "severity", "priority"),
    [
        ("critical", "critical", "P0"),
        ("page", "critical", "P0"),
        ("error", "error", "P1"),
        ("high", "error", "P1"),
        ("warning", "warning", "P2"),
        ("info", "info", "P3"),
        ("debug", "info", "P4"),
        ("none", "info", "P4"),
    ],
)
def test_the_documented_table(label, severity, priority):
    assert normalise_severity(label) == severity
    assert priority_of(label, normalise_severity(label)) == priority


@pytest.mark.parametrize("priority", ["P0", "P1", "P2", "P3", "P4"])
def test_priorities_map_to_themselves_in_either_case(priority):
    for label in (priority, priority.lower()):
        assert priority_of(label, normalise_severity(label)) == priority


@pytest.mark.parametrize("label", ["CRITICAL", " Critical ", "crit", "fatal", "emergency"])
def test_case_space_and_synonyms_do_not_matter(label):
    severity = normalise_severity(label)
    assert severity is Severity.CRITICAL
    assert priority_of(label, severity) is Priority.P0


@pytest.mark.parametrize("label", ["", "sev-17", "критично", "p9"])
def test_an_unknown_or_missing_label_gives_the_default(label):
    assert normalise_severity(label) is Severity.WARNING
    assert normalise_severity(label, Severity.ERROR) is Severity.ERROR
    assert priority_of(label, Severity.ERROR) is Priority.P1


def test_a_table_of_ones_own_overrides_by_label_and_by_severity():
    table = dict(DEFAULT_PRIORITIES) | {"warning": "P3", "sev1": "P0"}
    assert priority_of("warning", Severity.WARNING, table) is Priority.P3
    assert priority_of("warn", Severity.WARNING, table) is Priority.P3
    assert priority_of("sev1", Severity.WARNING, table) is Priority.P0


def test_a_priority_in_the_label_beats_the_table():
    assert priority_of("p1", Severity.ERROR, {"error": "P4", "p1": "P4"}) is Priority.P1


def test_a_table_that_lacks_a_severity_falls_back_to_the_documented_one():
    assert priority_of("critical", Severity.CRITICAL, {}) is Priority.P0


def test_every_severity_has_a_priority():
    assert set(Severity) <= set(DEFAULT_PRIORITIES)


@pytest.mark.parametrize(
    ("one", "other", "worse"),
    [("info", "critical", "critical"), ("error", "warning", "error"), ("warning", "warning", "warning")],
)
def test_the_worse_severity_wins_in_either_order(one, other, worse):
    assert worse_severity(one, other) == worse
    assert worse_severity(other, one) == worse


def test_the_more_urgent_priority_wins():
    assert more_urgent("P3", "P1") == more_urgent("P1", "P3") == "P1"
