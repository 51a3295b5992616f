"""`receiver jobs`: look at the follow-up work, and have dead letters tried again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy import Engine

from receiver.cli.environment import start
from receiver.cli.exits import Exit
from receiver.cli.table import table
from receiver.clock import isoformat
from receiver.domain.jobs import JobRow, JobState
from receiver.services.jobs import list_jobs, retry_jobs
from receiver.storage.engine import create_engine
from receiver.storage.migrate import require_newest

_HEADING = ("JOB", "STATE", "QUEUE", "INCIDENT", "ATTEMPTS", "DUE", "LAST ERROR")


@click.group("jobs", short_help="List follow-up work, retry dead letters.")
def command() -> None:
    """Look at follow-up work such as notifications, and have dead letters tried again."""


@command.command("list")
@click.option(
    "--state", type=click.Choice([state.value for state in JobState]), help="Only jobs in this state."
)
@click.option("--queue", help="Only jobs of this queue, for example notify-slack.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many."
)
def list_(state: str | None, queue: str | None, limit: int) -> None:
    """List jobs, the newest first. `--state dead` lists those that were given up, with the reason."""
    with _engine() as engine:
        rows = list_jobs(engine, state=state, queue=queue, limit=limit)
    if not rows:
        click.echo("There are no such jobs.")
        return
    click.echo(table(map(_cells, rows), heading=_HEADING))


@command.command()
@click.argument("job_ids", metavar="[JOB]...", type=int, nargs=-1)
@click.option("--all-dead", is_flag=True, help="Every dead letter there is.")
def retry(job_ids: tuple[int, ...], all_dead: bool) -> None:
    """Give dead letters all their attempts again, from now on. Jobs in other states stay as they are."""
    if bool(job_ids) == all_dead:
        raise click.UsageError("name the jobs (see `receiver jobs list --state dead`), or say --all-dead")
    with _engine() as engine:
        revived = retry_jobs(engine, job_ids, all_dead=all_dead)
    click.echo(f"{revived} {'job is' if revived == 1 else 'jobs are'} due again.")
    if revived < len(job_ids):
        click.echo(f"{len(job_ids) - revived} of those named are not dead, or do not exist.", err=True)
        sys.exit(Exit.FAILED)


@contextmanager
def _engine() -> Iterator[Engine]:
    engine = create_engine(start(quiet=True).database_url, pool_size=1)
    try:
        require_newest(engine)
        yield engine
    finally:
        engine.dispose()


def _cells(job: JobRow) -> tuple[str, ...]:
    return (
        str(job.job_id),
        job.state,
        job.queue,
        job.incident_id or "-",
        f"{job.attempt}/{job.max_attempts}",
        isoformat(job.run_at) or "-",
        job.last_error or "-",
    )
