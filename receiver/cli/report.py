"""`receiver report NAME`: what the incidents and alerts of a period say, for people, or as CSV or JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

import click

from receiver.cli.environment import start
from receiver.cli.table import table
from receiver.clock import utc_now
from receiver.domain.report import Kind, Report, Section, Value
from receiver.errors import InvalidField
from receiver.services.reports.ask import DEFAULT_LIMIT, DEFAULT_SINCE, Wish
from receiver.services.reports.ask import report as ask
from receiver.services.reports.document import document_of, plain
from receiver.services.reports.registry import REPORTS
from receiver.storage.engine import create_engine
from receiver.storage.migrate import require_newest

# The worker counts every few seconds; longer ago means that none is running.
_STALE = timedelta(minutes=3)


def _several(name: str, about: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(f"--{name}", f"{name}s", multiple=True, help=about)


def _list() -> str:
    return "\b\n" + table([(f"  {kind.name}", kind.about) for kind in REPORTS.values()])


@click.command("report", short_help="Reports: MTTA, MTTR, volume, noise, ...", epilog=_list())
@click.argument("name", type=click.Choice(list(REPORTS)), metavar="NAME")
@click.option(
    "--since", default=DEFAULT_SINCE, show_default=True, help="30d, 12h, 2026-11-01, 2026-11-01T08:00Z."
)
@click.option("--until", default="", help="The same; now, if it is left out.")
@click.option("--by", default="", help="How to group; see docs/reports.md.")
@_several("service", "Only this service. Can be given several times.")
@_several("cluster", "Only this cluster.")
@_several("namespace", "Only this namespace.")
@_several("rule", "Only this rule (rule_uid).")
@click.option("--limit", type=int, default=DEFAULT_LIMIT, show_default=True, help="Rows of long lists.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "csv", "json"]),
    default="text",
    show_default=True,
    help="How it is written.",
)
def command(
    name: str,
    since: str,
    until: str,
    by: str,
    services: tuple[str, ...],
    clusters: tuple[str, ...],
    namespaces: tuple[str, ...],
    rules: tuple[str, ...],
    limit: int,
    form: str,
) -> None:
    """What the alerts and incidents of a period say. Times are UTC."""
    wish = Wish(since, until, by, limit, services, clusters, namespaces, rules)
    engine = create_engine(start(quiet=True).database_url, pool_size=1)
    try:
        require_newest(engine)
        found = ask(engine, name, wish, utc_now())
    except InvalidField as error:
        raise click.BadParameter(str(error), param_hint=f"--{error.field}") from None
    finally:
        engine.dispose()
    click.echo(_FORMS[form](found).rstrip("\n"))
    stale = staleness(found, utc_now())
    if stale:
        click.echo(stale, err=True)


def staleness(found: Report, now: datetime) -> str:
    """What to warn of when nobody keeps the roll-ups up to date; empty if all is well."""
    if found.counted_at is None:
        return "Nothing is counted yet: a worker (`receiver worker`, `receiver up`) does it within seconds."
    if now - found.counted_at > _STALE:
        return f"What came since {_moment(found.counted_at)} is not counted: no worker is running."
    return ""


def as_text(found: Report) -> str:
    """Tables for people."""
    parts = [f"{found.title}, {_moment(found.since)} to {_moment(found.until)}"]
    parts += [f"{one.title}\n{_lines(one)}" for one in found.sections]
    parts += [click.wrap_text(note, width=100) for note in found.notes]
    return "\n\n".join(parts)


def as_csv(found: Report) -> str:
    """One CSV for each section, with its heading, under a comment with its name."""
    out = io.StringIO()
    for number, one in enumerate(found.sections):
        out.write("\n" if number else "")
        out.write(f"# {one.name}\n")
        # All texts in quotes: by itself it leaves them out around a lone carriage return.
        writer = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(column.name for column in one.columns)
        writer.writerows([_harmless(plain(value)) for value in row] for row in one.rows)
    return out.getvalue()


def _harmless(value: str | int | float | None) -> str | int | float | None:
    """Labels are strangers' texts: a spreadsheet must not take one for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(tuple("=+-@\t\r\n")) else value


def as_json(found: Report) -> str:
    """The same document as the API's."""
    return json.dumps(document_of(found), indent=2, ensure_ascii=False)


_FORMS: Mapping[str, Callable[[Report], str]] = {"text": as_text, "csv": as_csv, "json": as_json}


def _lines(one: Section) -> str:
    if not one.rows:
        return "(none)"
    heading = [column.name.upper().replace("_", " ") for column in one.columns]
    rows = [
        [_cell(column.kind, value) for column, value in zip(one.columns, row, strict=True)]
        for row in one.rows
    ]
    return table(list(_to_the_right(one, [heading, *rows])))


def _to_the_right(one: Section, lines: list[list[str]]) -> Iterator[list[str]]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    left = [column.kind in (Kind.TEXT, Kind.MOMENT) for column in one.columns]
    for line in lines:
        yield [
            cell if is_left else cell.rjust(width)
            for cell, width, is_left in zip(line, widths, left, strict=True)
        ]


def _cell(kind: Kind, value: Value) -> str:
    if value is None:
        return "-"
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, str):
        return value or '""'
    if kind is Kind.SECONDS:
        return _span(value)
    if kind is Kind.SHARE:
        return f"{value:.1%}"
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _span(seconds: float) -> str:
    whole = round(seconds)
    for unit, name, smaller, rest in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= unit:
            return f"{whole // unit}{name} {whole % unit // smaller}{rest}"
    return f"{whole}s"
