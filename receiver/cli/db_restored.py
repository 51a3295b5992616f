"""`receiver db restored`: to be run once after a restore, before any worker starts."""

from __future__ import annotations

from datetime import datetime

import click

from receiver.cli.db_engine import database
from receiver.cli.exits import Exit, Failure
from receiver.clock import as_utc
from receiver.services.restored import Restored, running_worker, settle_restored


@click.command(short_help="After a restore: put aside what may have been done.")
@click.option(
    "--before",
    metavar="TIME",
    help="Only what was asked for by then, as in 2026-03-01T12:00:00Z.  [default: now]",
)
def restored(before: str | None) -> None:
    """After a restore, and before a worker starts: put aside what may have been done since the backup.

    Messages, actions, escalations and diagnoses that were still to be done become dead letters, which people look at
    and have done by `receiver jobs retry`. Actions that were under way become expired or unknown. Nothing is sent.
    Repeating it does nothing more. It refuses while a worker is at work on the database.
    """
    moment = None if before is None else _moment(before)
    with database() as (settings, engine):
        worker = running_worker(engine, settings.worker_poll_seconds)
        if worker is not None:
            raise Failure(
                Exit.FAILED,
                f"A worker is running on this database ({worker}): it does what is to be put aside. Stop all workers, "
                "then run this again. Nothing was changed.",
            )
        done = settle_restored(engine, moment)
    for line in _lines(done):
        click.echo(line)


def _lines(done: Restored) -> list[str]:
    if done.is_nothing:
        return ["Nothing was under way: workers may start."]
    queues = ", ".join(f"{number:,} {queue}" for queue, number in sorted(done.jobs.items()))
    lines = [f"{number:,} actions are {state} now" for state, number in sorted(done.actions.items())]
    if done.jobs:
        lines.append(f"{done.jobs.total():,} jobs are put aside: {queues}")
    lines.append(f"{len(done.incidents):,} incidents are concerned; their timelines tell it.")
    lines.append(
        "Workers may start. `receiver jobs list --state dead` has them, `receiver jobs retry` has them done."
    )
    return lines


def _moment(text: str) -> datetime:
    try:
        return as_utc(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{text} is no time as in 2026-03-01T12:00:00Z", param_hint="--before"
        ) from None
