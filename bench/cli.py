"""The command line of the bench."""

from __future__ import annotations

import sys
import time

import click

from bench import report, results
from bench.load import LoadFailed
from bench.measures import MEASURES, Measure
from bench.proof import ProofFailed
from bench.run import Effort
from bench.scenarios import SCENARIOS, Scenario
from bench.series import run_series

_NAMES = [one.name for one in (*SCENARIOS, *MEASURES)]
_LEFT_OUT = ", ".join(scenario.name for scenario in SCENARIOS if not scenario.by_default)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--seconds", default=8.0, show_default=True, help="How long each run is measured.")
@click.option(
    "--warm-up", default=2.0, show_default=True, help="Seconds of load before that, which do not count."
)
@click.option("--repetitions", default=3, show_default=True, help="Runs of each scenario.")
@click.option("--connections", default=16, show_default=True, help="Connections that send at the same time.")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(_NAMES),
    help=f"What to run; may be given several times. Default: all but {_LEFT_OUT}.",
)
@click.option(
    "--setting",
    "settings",
    multiple=True,
    metavar="RECEIVER_X=Y",
    help="A setting of the receiver to try; may be given several times.",
)
@click.option("--binlog", is_flag=True, help="Run MariaDB with its binary log on, flushed at each commit.")
@click.option("--keep/--no-keep", default=True, help="Write bench/results/<date>-<commit>.json. Default: do.")
def main(
    seconds: float,
    warm_up: float,
    repetitions: int,
    connections: int,
    only: tuple[str, ...],
    settings: tuple[str, ...],
    binlog: bool,
    keep: bool,
) -> None:
    """Measure webhooks and alerts a second, latency and memory of the receiver on this machine.

    Exit status 1, and no figures: an answer was not 200, or the database does not hold what was acknowledged.
    """
    started = time.monotonic()
    effort = Effort(seconds, warm_up, connections, dict(_setting(text) for text in settings))
    try:
        found = run_series(chosen(only), measures(only), effort, repetitions, binlog=binlog, tell=_tell)
    except (LoadFailed, ProofFailed) as failure:
        sys.exit(f"No figures: {failure}")
    _tell("\n" + report.text(found))
    if keep:
        _tell(f"\nWritten to {results.write(found)}")
    _tell(f"Took {time.monotonic() - started:.0f} s.")


def chosen(names: tuple[str, ...]) -> list[Scenario]:
    """The scenarios of these names in the table's order; those that run by default where there are none."""
    return [one for one in SCENARIOS if (one.name in names if names else one.by_default)]


def measures(names: tuple[str, ...]) -> list[Measure]:
    """The measures of these names; all where there are none."""
    return [one for one in MEASURES if not names or one.name in names]


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.startswith("RECEIVER_"):
        raise click.BadParameter(f"{text!r}: must be RECEIVER_NAME=value", param_hint="--setting")
    return name, value


def _tell(text: str) -> None:
    click.echo(text)
