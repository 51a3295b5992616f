"""A report as a document that JSON can hold: what the API answers and `receiver report --format json` writes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from receiver.clock import isoformat
from receiver.domain.report import Report, Section, Value


def document_of(report: Report) -> dict[str, Any]:
    """All of the report; times as RFC 3339."""
    return {
        "name": report.name,
        "title": report.title,
        "since": isoformat(report.since),
        "until": isoformat(report.until),
        "counted_at": isoformat(report.counted_at),
        "notes": list(report.notes),
        "sections": [_section(one) for one in report.sections],
    }


def plain(value: Value) -> str | int | float | None:
    """The value as JSON and CSV have it."""
    return isoformat(value) if isinstance(value, datetime) else value


def _section(one: Section) -> dict[str, Any]:
    names = [column.name for column in one.columns]
    return {
        "name": one.name,
        "title": one.title,
        "columns": [{"name": column.name, "kind": column.kind.value} for column in one.columns],
        "rows": [dict(zip(names, map(plain, row), strict=True)) for row in one.rows],
    }
