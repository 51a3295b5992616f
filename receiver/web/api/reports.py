"""/api/v1/reports: the built-in reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from receiver.domain.report import Kind
from receiver.services.reports.ask import DEFAULT_LIMIT, DEFAULT_SINCE, Wish, report
from receiver.services.reports.base import MOST_ROWS
from receiver.services.reports.document import document_of
from receiver.services.reports.registry import REPORTS
from receiver.web.api.blueprint import ApiBlueprint
from receiver.web.api.fields import CommaList
from receiver.web.parts import current_parts

Body = Mapping[str, Any]

blueprint = ApiBlueprint("reports", prefix="reports", description="What a period's incidents and alerts say.")


class ReportQuery(ma.Schema):
    """What a report is asked about."""

    since = fields.String(
        load_default=DEFAULT_SINCE,
        metadata={
            "description": "So long ago (`12h`, `30d`, `8w`), a day (`2026-11-01`), or a time (RFC 3339)."
        },
    )
    until = fields.String(load_default="", metadata={"description": "The same, not included; default: now."})
    by = fields.String(load_default="", metadata={"description": "How to group: one of the report's `by`."})
    service = CommaList(fields.String(), load_default=())
    cluster = CommaList(fields.String(), load_default=())
    namespace = CommaList(fields.String(), load_default=())
    rule = CommaList(fields.String(), load_default=(), metadata={"description": "By its rule_uid."})
    limit = fields.Integer(
        load_default=DEFAULT_LIMIT,
        validate=validate.Range(1, MOST_ROWS),
        metadata={"description": "How many rows of long lists at most."},
    )


def _time(about: str) -> fields.String:
    return fields.String(allow_none=True, metadata={"format": "date-time", "description": about})


class ReportColumn(ma.Schema):
    """A column of a section."""

    name = fields.String()
    kind = fields.String(
        validate=validate.OneOf([kind.value for kind in Kind]),
        metadata={"description": "What it holds; shares are from 0 to 1."},
    )


class ReportSection(ma.Schema):
    """A table of the report."""

    name = fields.String()
    title = fields.String()
    columns = fields.List(fields.Nested(ReportColumn))
    rows = fields.List(
        fields.Dict(), metadata={"description": "A value for each column; null: there is none."}
    )


class ReportAnswer(ma.Schema):
    """A report."""

    name = fields.String()
    title = fields.String()
    since = _time("Where the period begins; alerts count by whole hours.")
    until = _time("Where it ends; not included.")
    counted_at = _time("As of when it is right; null: nothing is counted yet.")
    notes = fields.List(fields.String(), metadata={"description": "What has to be known to read it."})
    sections = fields.List(fields.Nested(ReportSection))


class ReportName(ma.Schema):
    """A report that there is."""

    name = fields.String()
    about = fields.String()
    by = fields.List(fields.String(), metadata={"description": "How it can be grouped, the default first."})


class ReportNames(ma.Schema):
    """The built-in reports."""

    reports = fields.List(fields.Nested(ReportName))


@blueprint.reads("", answers=ReportNames)
def list_reports() -> Any:
    """List the reports"""
    return {
        "reports": [
            {"name": kind.name, "about": kind.about, "by": list(kind.groupings)} for kind in REPORTS.values()
        ]
    }


@blueprint.reads("/<name>", query=ReportQuery, answers=ReportAnswer)
def get_report(query: Body, name: str) -> Any:
    """Get a report

    About the last 7 days, if nothing else is asked.
    """
    wish = Wish(
        since=query["since"],
        until=query["until"],
        by=query["by"],
        limit=query["limit"],
        services=query["service"],
        clusters=query["cluster"],
        namespaces=query["namespace"],
        rules=query["rule"],
    )
    runtime = current_parts().runtime
    return document_of(report(runtime.engine, name, wish, runtime.clock()))
