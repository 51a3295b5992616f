"""The command line of the bench: `receiver-bench`, or `python -m bench`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import click

from bench import compare, profile, report, results
from bench.alerta import Alerta
from bench.measures import MEASURES, Measure
from bench.run import Effort
from bench.scenarios import SCENARIOS, Scenario
from bench.series import Rival, run_series

_NAMES = [one.name for one in (*SCENARIOS, *MEASURES)]
_WITH_ALERTA = "RECEIVER_BENCH_ALERTA"


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--seconds", default=5.0, show_default=True, help="How long each run is measured.")
@click.option(
    "--warm-up", default=2.0, show_default=True, help="Seconds of load before that, which do not count."
)
@click.option("--repetitions", default=3, show_default=True, help="Runs of each scenario.")
@click.option("--connections", default=16, show_default=True, help="Connections that send at the same time.")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(_NAMES),
    help="What to run; may be given several times. Default: all.",
)
@click.option(
    "--without", multiple=True, type=click.Choice(_NAMES), help="What not to run; may be given several times."
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
@click.option("--output", type=click.Path(path_type=Path), help="Write the results to this file instead.")
@click.pass_context
def main(
    context: click.Context,
    seconds: float,
    warm_up: float,
    repetitions: int,
    connections: int,
    only: tuple[str, ...],
    without: tuple[str, ...],
    settings: tuple[str, ...],
    binlog: bool,
    keep: bool,
    output: Path | None,
) -> None:
    """Measure webhooks and alerts a second, latency and memory of the receiver on this machine.

    With RECEIVER_BENCH_ALERTA=1 in the environment also Alerta, beside it. Exit status 1, and no figures of a run: an
    answer was not 200, or the database does not hold what was acknowledged.
    """
    if context.invoked_subcommand is not None:
        return
    started = time.monotonic()
    effort = Effort(seconds, warm_up, connections, dict(_setting(text) for text in settings))
    found = run_series(
        chosen(only, without),
        measures(only, without),
        effort,
        repetitions,
        binlog=binlog,
        rivals=rivals(os.environ),
        tell=_tell,
    )
    _tell("\n" + report.text(found))
    if keep or output:
        _tell(f"\nWritten to {results.write(found, output)}")
    took = ", ".join(f"{name} {taken:.0f}" for name, taken in found.took_seconds.items())
    _tell(f"Took {time.monotonic() - started:.0f} s: {took}.")
    sys.exit(1 if found.failures else 0)


@main.command("compare", short_help="Set two results side by side.")
@click.argument("before")
@click.argument("after")
def _compare(before: str, after: str) -> None:
    """Tell what changed between two results: files, or commits of which there is one in bench/results.

    A change counts as noise while some repetition of one lies among those of the other.
    """
    try:
        one, other = (compare.read(compare.find(name)) for name in (before, after))
    except compare.NotComparable as error:
        raise click.ClickException(str(error)) from None
    _tell(compare.text(one, other))


main.add_command(profile.main)


def chosen(only: Sequence[str], without: Sequence[str] = ()) -> list[Scenario]:
    """The scenarios of these names in the table's order (all where there are none), but for those of `without`."""
    return [one for one in SCENARIOS if one.name not in without and (not only or one.name in only)]


def measures(only: Sequence[str], without: Sequence[str] = ()) -> list[Measure]:
    """The same of measures."""
    return [one for one in MEASURES if one.name not in without and (not only or one.name in only)]


def rivals(environment: Mapping[str, str]) -> dict[str, Callable[[Path], Rival]]:
    """The products that this environment wants measured beside the receiver."""
    return {"alerta": Alerta} if environment.get(_WITH_ALERTA) == "1" else {}


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.startswith("RECEIVER_"):
        raise click.BadParameter(f"{text!r}: must be RECEIVER_NAME=value", param_hint="--setting")
    return name, value


def _tell(text: str) -> None:
    click.echo(text)
