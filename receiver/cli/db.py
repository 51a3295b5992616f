"""`receiver db`: upgrade the schema, check the books."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy import Engine

from receiver.cli.environment import start
from receiver.cli.exits import Exit
from receiver.cli.table import table
from receiver.services.check import MOST_NAMED, Report, check_database
from receiver.services.upgrade import upgrade_database
from receiver.storage.engine import create_engine


@click.group("db", short_help="Upgrade the database, or check its books.")
def command() -> None:
    """Upgrade the database, or check that its books balance."""


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
