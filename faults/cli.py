"""The command line of the fault suite."""

from __future__ import annotations

import signal
import sys
import time

import click

from faults import report
from faults.kinds.base import Fault
from faults.kinds.registry import FAULTS
from faults.run import Effort, Verdict, run
from tests.fakes.tools import SCRATCH

_NAMES = [fault.name for fault in FAULTS]
# What a fault takes beside its own time: start, calm before and after, healing, checks. Measured.
_ASIDE_SECONDS = 45.0


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--only", multiple=True, type=click.Choice(_NAMES), help="Which faults; several times for several."
)
@click.option(
    "--minutes", type=float, help="About how long it may take in all; faults last longer accordingly."
)
@click.option("--rate", default=60.0, show_default=True, help="Requests a second.")
@click.option("--largest-group", default=4, show_default=True, help="Alerts of one request, at most.")
@click.option("--list", "is_list", is_flag=True, help="Say which faults there are, and do nothing.")
@click.option(
    "--keep/--no-keep", default=True, help="Write faults/results/<date>-<commit>.json. Default: do."
)
def main(
    only: tuple[str, ...], minutes: float | None, rate: float, largest_group: int, is_list: bool, keep: bool
) -> None:
    """Break the receiver's neighbours and its own processes under load, and check that nothing is lost or doubled.

    Exit status 1: a checker found something; logs and journals of that fault stay in var/test/faults.
    """
    faults = [fault for fault in FAULTS if not only or fault.name in only]
    if is_list:
        for fault in faults:
            click.echo(f"{fault.name:<15} {fault.title}")
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # what was mounted is unmounted
    effort = Effort(rate=rate, stretch=_stretch(faults, minutes), largest_group=largest_group)
    folder = SCRATCH / "faults"
    folder.mkdir(parents=True, exist_ok=True)
    verdicts: list[Verdict] = []
    started = time.monotonic()
    for fault in faults:
        verdict = run(fault, effort, folder)
        verdicts.append(verdict)
        click.echo(report.line(verdict))
        for text in report.problems(verdict):
            click.echo(text)
    click.echo("\n" + report.table(verdicts))
    if keep:
        click.echo(f"\nWritten to {report.write(verdicts)}")
    click.echo(f"Took {(time.monotonic() - started) / 60:.1f} minutes.")
    bad = [verdict.fault.name for verdict in verdicts if not verdict.is_good]
    if bad:
        sys.exit(f"Not content with: {', '.join(bad)}. Evidence: {folder}")


def _stretch(faults: list[Fault], minutes: float | None) -> float:
    """How much longer than need be each fault lasts so that all take about `minutes`; never shorter than need be."""
    if minutes is None:
        return 1.0
    needed = sum(fault.seconds for fault in faults)
    return max(1.0, (minutes * 60 - _ASIDE_SECONDS * len(faults)) / needed)
