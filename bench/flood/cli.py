"""The command line of the flood."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click

from bench.databases import MariaDBServer
from bench.flood.figures import Seen
from bench.flood.runs import Field, FloodPlan, FloodRun, SlowPlan, SlowRun
from bench.machine import cores

_MEMORY_MB = 1024 * 1.048576
_RECOVERY_SECONDS = 30.0
_HONEST_SECONDS = 1.0
_SMALL_SECONDS = 5.0


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", type=click.Choice(["slow", "flood"]), help="Default: both.")
@click.option("--slow", default=200, show_default=True, help="Slow senders.")
@click.option("--seconds", default=20.0, show_default=True, help="How long each run takes.")
@click.option("--times", default=10.0, show_default=True, help="How many times its capacity the flood is.")
@click.option("--connections", default=1500, show_default=True, help="Of the flood.")
def main(only: str | None, slow: int, seconds: float, times: float, connections: int) -> None:
    """Show what slow senders and a flood do to honest ones, on this machine.

    Exit status 1: something was lost, or a bound did not hold.
    """
    broken: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        database = MariaDBServer()
        try:
            with Field(database, Path(folder)) as field:
                if only != "flood":
                    broken += _slow(field, slow, seconds)
                if only != "slow":
                    broken += _flood(field, seconds, times, connections)
        finally:
            database.stop()
    click.echo("")
    click.echo("\n".join(f"NOT HELD: {text}" for text in broken) or "All bounds hold.")
    sys.exit(1 if broken else 0)


def _slow(field: Field, number: int, seconds: float) -> list[str]:
    runs = [
        field.slow(SlowPlan(slow=many, seconds=seconds), front=front)
        for front in (False, True)
        for many in (0, number)
    ]
    click.echo("\n| | slow senders | honest requests | p50 ms | p99 ms | longest ms | cut off | memory MB |")
    click.echo("|---|---|---|---|---|---|---|---|")
    for run in runs:
        click.echo(
            f"| {run.place} | {run.slow} | {_kinds(run.seen)} | {_milliseconds(run.seen)} | {run.cut_off} |"
            f" {run.memory:.0f} |"
        )
    return [f"{run.place} beside {run.slow} slow senders: {_kinds(run.seen)}" for run in runs if _is_bad(run)]


def _is_bad(run: SlowRun) -> bool:
    return run.seen.longest > _HONEST_SECONDS or set(run.seen.kinds) - {"processed", "spooled"} != set()


def _flood(field: Field, seconds: float, times: float, connections: int) -> list[str]:
    capacity = field.capacity(min(seconds, _SMALL_SECONDS))
    run = field.flood(FloodPlan(capacity * times, seconds=seconds, connections=connections))
    burst = run.burst
    click.echo(
        f"\nCapacity {capacity:.0f} requests/s (16 connections, {cores()} cores); flood {capacity * times:.0f}/s"
    )
    click.echo(
        f"due {burst.due}, of them sent {burst.sent}: the others found none of {connections} connections free"
    )
    click.echo(f"(the process that sent it was late by up to {burst.own_lag_seconds:.1f} s itself)")
    for kind, count in burst.kinds.most_common():
        click.echo(f"  {kind:<12}{count:>9}  {count / max(1, burst.sent):.1%}")
    click.echo("\n| honest senders | answers | p50 ms | p99 ms | longest ms |\n|---|---|---|---|---|")
    for name, shown in (("before", run.before), ("beside the flood", run.during), ("after it", run.after)):
        click.echo(f"| {name} | {_kinds(shown)} | {_milliseconds(shown)} |")
    click.echo(
        f"\nmemory of all processes at most {run.memory_rss:.0f} MB (RSS), {run.memory_pss:.0f} MB (PSS)"
    )
    click.echo(
        f"recovery {run.recovery_seconds:.1f} s after the end; spool empty after {run.spool_seconds:.1f} s"
    )
    click.echo(f"acknowledged {run.acknowledged}, of them missing {run.missing}")
    return [text for text, holds in _bounds(run) if not holds]


def _bounds(run: FloodRun) -> list[tuple[str, bool]]:
    return [
        (f"{run.missing} acknowledged deliveries are missing", run.missing == 0),
        (f"memory {run.memory_rss:.0f} MB", run.memory_rss < _MEMORY_MB),
        (f"recovery {run.recovery_seconds:.0f} s", run.recovery_seconds < _RECOVERY_SECONDS),
        (
            f"answers {dict(run.burst.kinds)}",
            set(run.burst.kinds) <= {"processed", "spooled", "503", "no answer"},
        ),
    ]


def _kinds(shown: Seen) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in shown.kinds.most_common())


def _milliseconds(shown: Seen) -> str:
    return " | ".join(f"{1000 * seconds:.0f}" for seconds in (shown.p50, shown.p99, shown.longest))
