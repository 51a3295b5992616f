"""The command line of the fault suite."""

from __future__ import annotations

import fnmatch
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import click

from faults import report
from faults.kinds.base import Fault
from faults.kinds.registry import FAULTS
from faults.run import run
from faults.verdict import Effort, Verdict
from tests.fakes.tools import SCRATCH

_NAMES = [fault.name for fault in FAULTS]
# What a fault takes beside its own time: start, calm before and after, healing, checks. Measured.
_ASIDE_SECONDS = 25.0
_ALERTS, _SHORT_ALERTS = 1_000_000, 20_000
_ROUNDS, _SHORT_ROUNDS = 600, 66


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--only", multiple=True, help="Which faults; several times for several, as galera* does.")
@click.option("--without", multiple=True, help="Which not; likewise.")
@click.option("--short", "is_short", is_flag=True, help="Some of them, small: less than 8 minutes.")
@click.option(
    "--minutes", type=float, help="About how long it may take in all; faults last longer accordingly."
)
@click.option("--rate", default=60.0, show_default=True, help="Requests a second.")
@click.option("--largest-group", default=4, show_default=True, help="Alerts of one request, at most.")
@click.option(
    "--alerts", type=int, help="How many acknowledged, in all, `million` waits for. Default: 1000000."
)
@click.option("--crash-rounds", type=int, help="How many there are. Default: 600.")
@click.option("--list", "is_list", is_flag=True, help="Say which faults there are, and do nothing.")
@click.option(
    "--keep/--no-keep", default=True, help="Write faults/results/<date>-<commit>.json. Default: do."
)
def main(
    only: tuple[str, ...],
    without: tuple[str, ...],
    is_short: bool,
    minutes: float | None,
    rate: float,
    largest_group: int,
    alerts: int | None,
    crash_rounds: int | None,
    is_list: bool,
    keep: bool,
) -> None:
    """Break the receiver's neighbours and its own processes under load, and check that nothing is lost or doubled.

    Exit status 1: a checker found something; logs and journals of that fault stay in var/test/faults.
    """
    left_out = _named(without)
    wanted = _named(only) if only else {fault.name for fault in FAULTS if fault.is_short or not is_short}
    faults = [fault for fault in FAULTS if fault.name in wanted - left_out]
    if is_list:
        for fault in faults:
            click.echo(f"{fault.name:<15} {fault.title}")
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # what was mounted is unmounted
    effort = Effort(
        rate=rate,
        stretch=_stretch(faults, minutes),
        largest_group=largest_group,
        alerts=_or(alerts, _SHORT_ALERTS if is_short else _ALERTS),
        crash_rounds=_or(crash_rounds, _SHORT_ROUNDS if is_short else _ROUNDS),
    )
    started = time.monotonic()
    folder = SCRATCH / "faults"
    folder.mkdir(parents=True, exist_ok=True)
    verdicts = _run_all(faults, effort, folder)
    click.echo("\n" + report.table(verdicts))
    if keep:
        click.echo(f"\nWritten to {report.write(verdicts)}")
    click.echo(f"Took {(time.monotonic() - started) / 60:.1f} minutes.")
    bad = [verdict.fault.name for verdict in verdicts if not verdict.is_good]
    if bad:
        sys.exit(f"Not content with: {', '.join(bad)}. Evidence: {folder}")


def _run_all(faults: list[Fault], effort: Effort, folder: Path) -> list[Verdict]:
    verdicts: list[Verdict] = []
    for fault in faults:
        had = sum(int(verdict.figures.get("alerts", 0)) for verdict in verdicts)
        verdict = run(fault, replace(effort, alerts=max(0, effort.alerts - had)), folder)
        verdicts.append(verdict)
        click.echo(report.line(verdict))
        for text in report.problems(verdict):
            click.echo(text)
    return verdicts


def _named(patterns: tuple[str, ...]) -> set[str]:
    found = set()
    for pattern in patterns:
        names = fnmatch.filter(_NAMES, pattern)
        if not names:
            raise click.UsageError(f"there is no fault {pattern!r}; --list names them")
        found |= set(names)
    return found


def _or(given: int | None, otherwise: int) -> int:
    return otherwise if given is None else given


def _stretch(faults: list[Fault], minutes: float | None) -> float:
    """How much longer than need be each fault lasts so that all take about `minutes`; never shorter than need be."""
    if minutes is None:
        return 1.0
    needed = sum(fault.seconds for fault in faults)
    return max(1.0, (minutes * 60 - _ASIDE_SECONDS * len(faults)) / needed)
