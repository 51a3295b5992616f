"""How long each built-in report and the incident list take; `python -m bench.reports URL`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import click
from sqlalchemy import Engine

from bench.spread import percentile
from receiver.cli.table import table
from receiver.clock import utc_now
from receiver.domain.incident import OPEN_STATUSES
from receiver.services import incident_list
from receiver.services.reports.ask import Wish, report
from receiver.services.reports.registry import REPORTS
from receiver.storage.engine import create_engine, is_mysql, reading
from receiver.storage.incident_queries import IncidentFilter

LIMIT_MS = 50.0
_PAGE = 50


@click.command()
@click.argument("url")
@click.option("--repetitions", default=20, show_default=True)
@click.option("--since", multiple=True, default=("7d", "30d", "90d"), show_default=True)
def main(url: str, repetitions: int, since: tuple[str, ...]) -> None:
    """Measure every report, in each of its groupings, and the incident list over the database at URL."""
    engine = create_engine(url)
    try:
        click.echo(measure(engine, repetitions, since))
    finally:
        engine.dispose()


def measure(engine: Engine, repetitions: int, since: tuple[str, ...]) -> str:
    """Median and 99th percentile in milliseconds of each, how much of it is Python's own work, and how many rows and
    index entries the database reads; `!` marks medians above the limit.
    """
    lines = []
    for name, work in _subjects(engine, since):
        work()  # warm, as the database's cache is where reports are read often
        began = time.process_time()
        times = sorted(_milliseconds(work) for _ in range(repetitions))
        python = (time.process_time() - began) * 1000 / repetitions
        median, slow = percentile(times, 50), percentile(times, 99)
        rows = _rows_read(engine, work)
        mark = "!" if median > LIMIT_MS else ""
        lines.append((name, f"{median:8.1f}", f"{slow:8.1f}", f"{python:8.1f}", f"{rows:9,}", mark))
    return table(lines, heading=("report or list", "  median", "     p99", "  python", "     rows", ""))


def _rows_read(engine: Engine, work: Callable[[], object]) -> int:
    """How much `work` reads: the pool hands out one and the same session while nobody else asks for one."""
    before = _handler_reads(engine)
    work()
    return _handler_reads(engine) - before


def _handler_reads(engine: Engine) -> int:
    with reading(engine) as connection:
        if not is_mysql(connection):
            return 0  # SQLite does not tell
        return sum(
            int(value)
            for _, value in connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Handler\\_read\\_%%'")
        )


def _subjects(engine: Engine, since: tuple[str, ...]) -> Iterator[tuple[str, Callable[[], object]]]:
    now = utc_now()
    for span in since:
        for name, kind in REPORTS.items():
            for by in kind.groupings or ("",):
                if by == "hour" and span != "7d":
                    continue
                wish = Wish(span, by=by)
                yield f"{name} --since {span} {by and f'--by {by}'}", _asker(engine, name, wish, now)
    for name in ("mtta-mttr", "volume", "noise"):
        wish = Wish("30d", services=["service-03"])
        yield f"{name} --since 30d --service one", _asker(engine, name, wish, now)
    for text, wanted in _lists(now).items():
        yield f"incidents?{text}", _lister(engine, wanted)


def _lists(now: datetime) -> dict[str, IncidentFilter]:
    month = now - timedelta(days=30)
    return {
        "": IncidentFilter(),
        "status=open": IncidentFilter(statuses=OPEN_STATUSES),
        "status=resolved": IncidentFilter(statuses=["resolved"]),
        "service": IncidentFilter(services=["service-03"]),
        "service (none)": IncidentFilter(services=["no-such-service"]),
        "severity=critical": IncidentFilter(severities=["critical"]),
        "priority=P0&status=open": IncidentFilter(priorities=["P0"], statuses=OPEN_STATUSES),
        "owner": IncidentFilter(owners=["payments"]),
        "since=30d": IncidentFilter(since=month),
        "since&until (one day)": IncidentFilter(since=month, until=month + timedelta(days=1)),
        "q (many)": IncidentFilter(text="slow"),
        "q (one service)": IncidentFilter(text="service-03"),
        "q (none)": IncidentFilter(text="nothing like it"),
        "q (none)&since=30d": IncidentFilter(text="nothing like it", since=month),
    }


def _asker(engine: Engine, name: str, wish: Wish, now: datetime) -> Callable[[], object]:
    return lambda: report(engine, name, wish, now)


def _lister(engine: Engine, wanted: IncidentFilter) -> Callable[[], object]:
    return lambda: incident_list.find(engine, wanted, None, _PAGE)


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
