"""Severity as people say it, normalised; and the priority that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Severity(StrEnum):
    """Worst first: the order is the rank."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Priority(StrEnum):
    """Most urgent first."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"


_SEVERITY_OF = {
    "critical": Severity.CRITICAL,
    "page": Severity.CRITICAL,
    "crit": Severity.CRITICAL,
    "fatal": Severity.CRITICAL,
    "emergency": Severity.CRITICAL,
    "disaster": Severity.CRITICAL,
    "p0": Severity.CRITICAL,
    "error": Severity.ERROR,
    "err": Severity.ERROR,
    "high": Severity.ERROR,
    "major": Severity.ERROR,
    "p1": Severity.ERROR,
    "warning": Severity.WARNING,
    "warn": Severity.WARNING,
    "medium": Severity.WARNING,
    "minor": Severity.WARNING,
    "p2": Severity.WARNING,
    "info": Severity.INFO,
    "information": Severity.INFO,
    "informational": Severity.INFO,
    "notice": Severity.INFO,
    "low": Severity.INFO,
    "p3": Severity.INFO,
    "debug": Severity.INFO,
    "none": Severity.INFO,
    "p4": Severity.INFO,
}

DEFAULT_PRIORITIES: Mapping[str, str] = {
    "critical": "P0",
    "page": "P0",
    "error": "P1",
    "high": "P1",
    "warning": "P2",
    "info": "P3",
    "debug": "P4",
    "none": "P4",
}

_RANK: dict[str, int] = {severity.value: rank for rank, severity in enumerate(Severity)}


def normalise_severity(label: str, default: Severity = Severity.WARNING) -> Severity:
    """The severity that a label's text means; `default` where the label is missing or says something unknown."""
    return _SEVERITY_OF.get(label.strip().lower(), default)


def priority_of(label: str, severity: Severity, table: Mapping[str, str] = DEFAULT_PRIORITIES) -> Priority:
    """The priority of an alert: `p0` to `p4` map to themselves, then `table` by the label's text, then by severity."""
    text = label.strip().lower()
    if text.upper() in Priority.__members__:
        return Priority[text.upper()]
    return Priority(table.get(text) or table.get(severity.value) or DEFAULT_PRIORITIES[severity.value])


def worse_severity(one: str, other: str) -> str:
    """The worse of two severities."""
    return one if _RANK[one] <= _RANK[other] else other


def more_urgent(one: str, other: str) -> str:
    """The more urgent of two priorities (`P0` before `P4`)."""
    return min(one, other)
