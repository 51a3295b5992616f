"""`receiver db`: upgrade the schema and check the books here; what is old, holds and restores in files of their own."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from receiver.cli.db_engine import database
from receiver.cli.db_prune import archive, prune
from receiver.cli.db_restored import restored
from receiver.cli.exits import Exit
from receiver.cli.holds import hold, release
from receiver.cli.table import table
from receiver.services.check import MOST_NAMED, Report, check_database
from receiver.services.upgrade import upgrade_database


@click.group("db", short_help="Upgrade, check, archive or prune the database.")
def command() -> None:
    """Upgrade the database, check that its books balance, archive or remove what is old."""


@command.command()
def upgrade() -> None:
    """Bring the database to this release's schema. Repeating it does nothing; several at once wait for each other."""
    with database(newest=False) as (_, engine):
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
    with database(newest=False) as (_, engine):
        report = check_database(engine)
    click.echo("\n".join(_lines(report)))
    if not report.is_clean:
        sys.exit(Exit.FAILED)


for one in (archive, hold, prune, release, restored):
    command.add_command(one)


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
