"""`receiver db`: upgrade the schema, check the books, remove what is old."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy import Engine

from receiver.cli.environment import start
from receiver.cli.exits import Exit
from receiver.cli.table import table
from receiver.clock import utc_now
from receiver.services.check import MOST_NAMED, Report, check_database
from receiver.services.holds import hold_incident, release_incident
from receiver.services.retention import cutoffs_of, survey
from receiver.services.retention import prune as prune_database
from receiver.services.upgrade import upgrade_database
from receiver.storage.engine import create_engine
from receiver.storage.migrate import require_newest


@click.group("db", short_help="Upgrade, check or prune the database.")
def command() -> None:
    """Upgrade the database, check that its books balance, or remove what is old."""


@command.command()
def upgrade() -> None:
    """Bring the database to this release's schema. Repeating it does nothing; several at once wait for each other."""
    with _engine() as engine:
        done = upgrade_database(engine)
    if done.before == done.after:
        click.echo(f"The database is at revision {done.after} already.")
    else:
        click.echo(f"The database is at revision {done.after} now (before: {done.before or 'empty'}).")


@command.command()
def check() -> None:
    """Prove that nothing is lost or counted twice, and name what is off. Reads only, while work goes on.

    I2: one open incident per key. I3: an incident counts all its alerts. I4: each received alert has exactly one
    disposition. Exit status 1 if something is off.
    """
    with _engine() as engine:
        report = check_database(engine)
    click.echo("\n".join(_lines(report)))
    if not report.is_clean:
        sys.exit(Exit.FAILED)


@command.command()
@click.option("--dry-run", is_flag=True, help="Only tell how much may go.")
def prune(dry_run: bool) -> None:
    """Remove what is older than the RECEIVER_KEEP_... settings say, slowly enough for intake not to notice.

    A worker does the same by itself every RECEIVER_HOUSEKEEPING_HOURS. It can be stopped at any time, and repeated.
    """
    settings = start(quiet=True)
    cutoffs = cutoffs_of(settings, utc_now())
    with _engine() as engine:
        require_newest(engine)
        if dry_run:
            rows = survey(engine, cutoffs)
        else:
            rows = prune_database(engine, cutoffs, has_broker=settings.broker_url is not None)
    said = "may go" if dry_run else "removed"
    click.echo(
        "\n".join(f"{number:,} {name} {said}" for name, number in sorted(rows.items()) if number)
        or "Nothing."
    )


@command.command()
@click.argument("incident")
@click.option("--reason", required=True, help="Why it must be kept.")
def hold(incident: str, reason: str) -> None:
    """Keep an incident (INC-123, or its id) with all of its rows, however old, until `release`."""
    with _engine() as engine:
        require_newest(engine)
        incident_id = hold_incident(engine, incident, reason, by=getpass.getuser())
    click.echo(f"{incident_id} is held.")


@command.command()
@click.argument("incident")
def release(incident: str) -> None:
    """Let retention remove the incident when its time comes."""
    with _engine() as engine:
        require_newest(engine)
        was_held = release_incident(engine, incident, by=getpass.getuser())
    click.echo("It is held no more." if was_held else "It was not held.")


@contextmanager
def _engine() -> Iterator[Engine]:
    engine = create_engine(start(quiet=True).database_url, pool_size=1)
    try:
        yield engine
    finally:
        engine.dispose()


def _lines(report: Report) -> Iterator[str]:
    yield table(
        (one.name, one.promise, one.counted, f"{one.wrong:,} WRONG" if one.wrong else "ok")
        for one in report.checks
    )
    if report.ledger:
        known = ((name, count) for name, count in report.ledger.most_common() if count)
        yield "\nalerts: " + ", ".join(f"{count:,} {name}" for name, count in known)
    for one in report.checks:
        if one.wrong:
            yield f"\n{one.name} {one.promise}:"
            yield from (f"  {what}" for what in one.named)
        if one.wrong > MOST_NAMED:
            yield f"  ... and {one.wrong - MOST_NAMED:,} more"
