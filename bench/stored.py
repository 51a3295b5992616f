"""Whether many stored alerts slow the receiver down: `python -m bench.stored --millions 20`.

Two databases of one private MariaDB, one empty, one filled like that of `make bench-data` (its roll-ups done, or the
worker would be busy with them); the same load in turns, each time with fresh processes. 20 million alerts take 45 GB of
disk for as long as this runs.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click

from bench.aims import at_least
from bench.bodies import Requests
from bench.data import make
from bench.databases import Database, Databases
from bench.load import Load
from bench.report import table
from bench.scenarios import SCENARIOS, Scenario, scenario_named
from bench.series import SCRATCH
from bench.spread import spread
from bench.subject import Subject

_CONNECTIONS = 16
_WARM_UP_SECONDS = 2.0
_ALERTS_AN_INCIDENT = 25
_DAYS = 90
_AIM = at_least(90)


def rate(url: str, scenario: Scenario, serials: Iterator[int], folder: Path, seconds: float) -> float:
    """Alerts a second into this database, by fresh processes. Raises LoadFailed, AssertionError for spooled ones."""
    own = Path(tempfile.mkdtemp(prefix="stored-", dir=folder))
    with Subject(url, own, {}) as subject:
        requests = Requests(scenario.shape, token=subject.token)
        with Load(subject.address, _CONNECTIONS) as load:
            load.drive(requests, serials, _WARM_UP_SECONDS)
            driven = load.drive(requests, serials, seconds)
        spooled = subject.settle()
    assert not spooled, f"{spooled} webhooks went by the spool: this is no rate of the database"
    shutil.rmtree(own)
    return len(driven.serials) * scenario.shape.alerts / driven.seconds


def compare(
    database: Database, scenario: Scenario, folder: Path, *, alerts: int, seconds: float, turns: int
) -> tuple[list[float], list[float]]:
    """The rates into an empty and into a filled database, in turns."""
    empty, full = database.create(), database.create()
    started = time.monotonic()
    make(full, alerts, max(1, alerts // _ALERTS_AN_INCIDENT), _DAYS)
    click.echo(f"{alerts:,} alerts are stored, after {time.monotonic() - started:.0f} s.")
    serials = itertools.count(1)
    into_empty, into_full = [], []
    for turn in range(1, turns + 1):
        into_empty.append(rate(empty, scenario, serials, folder, seconds))
        into_full.append(rate(full, scenario, serials, folder, seconds))
        click.echo(
            f"{turn}/{turns}: {into_empty[-1]:,.0f} alerts/s into the empty, {into_full[-1]:,.0f} into the full one"
        )
    return into_empty, into_full


@click.command("stored")
@click.option("--millions", default=20.0, show_default=True, help="How many million alerts are stored.")
@click.option(
    "--only",
    default="fresh",
    show_default=True,
    type=click.Choice([one.name for one in SCENARIOS if one.database == "mariadb" and one.name != "repeats"]),
    help="What is sent.",
)
@click.option("--seconds", default=6.0, show_default=True, help="How long each turn is measured.")
@click.option("--turns", default=3, show_default=True, help="How many turns each database has.")
def main(millions: float, only: str, seconds: float, turns: int) -> None:
    """Compare the rate on a table with millions of alerts with that on an empty one."""
    scenario = scenario_named(only)
    SCRATCH.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="stored-", dir=SCRATCH))
    databases = Databases(folder)
    try:
        alerts = int(millions * 1e6)
        empty, full = compare(
            databases.get("mariadb"), scenario, folder, alerts=alerts, seconds=seconds, turns=turns
        )
    finally:
        databases.stop()
    shutil.rmtree(folder)
    rows = [
        [name, f"{found.median:,.0f} ({found.lowest:,.0f} .. {found.highest:,.0f})"]
        for name, found in (("empty tables", spread(empty)), (f"{alerts:,} alerts stored", spread(full)))
    ]
    click.echo("\n" + table([f"{scenario.title}, alerts/s", "median (lowest .. highest)"], rows))
    percent = 100 * spread(full).median / spread(empty).median
    click.echo(f"\n{percent:.0f} % of the rate on empty tables (aim: {_AIM.text()}; {_AIM.verdict(percent)})")


if __name__ == "__main__":
    main()
