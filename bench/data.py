"""`make bench-data`: a private MariaDB with months of made-up alerts and incidents, and how long reports take on it."""

from __future__ import annotations

import signal
import time

import click

from bench import reports
from bench.databases import MariaDBServer
from bench.fill import fill
from bench.history import past
from receiver.clock import utc_now
from receiver.services.report_days import count_due
from receiver.services.rollup import catch_up
from receiver.storage.engine import create_engine


@click.command()
@click.option("--alerts", default=5_000_000, show_default=True, help="About so many.")
@click.option("--incidents", default=200_000, show_default=True)
@click.option("--days", default=90, show_default=True)
@click.option("--repetitions", default=20, show_default=True, help="Of each report.")
@click.option("--keep", is_flag=True, help="Print the database's URL and leave it there until Ctrl-C.")
def main(alerts: int, incidents: int, days: int, repetitions: int, keep: bool) -> None:
    """Make up a past, roll it up by the worker's own code, and measure every report and the incident list."""
    began = time.monotonic()
    server = MariaDBServer()
    try:
        url = server.create()
        make(url, alerts, incidents, days)
        click.echo(f"Made and rolled up in {time.monotonic() - began:.0f} s, MariaDB {server.version}.\n")
        engine = create_engine(url)
        try:
            click.echo(reports.measure(engine, repetitions, ("7d", "30d", "90d")))
        finally:
            engine.dispose()
        if keep:
            click.echo(f"\n{url}\nCtrl-C ends it.")
            signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        server.stop()


def make(url: str, alerts: int, incidents: int, days: int) -> None:
    """Fill the empty, migrated database at `url`, and bring its roll-ups up to date."""
    now = utc_now()
    made_up = past(incidents, alerts, days, now)
    total = sum(one.alerts for one in made_up)
    click.echo(f"{len(made_up):,} incidents, {total:,} alerts of incidents.")
    fill(url, made_up, now, click.echo)
    began = time.monotonic()
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql("ANALYZE TABLE grafana_alerts, incidents, events, notifications")
        catch_up(engine)
        count_due(engine, utc_now(), lambda: False)
    finally:
        engine.dispose()
    click.echo(f"Rolled up in {time.monotonic() - began:.0f} s.")


if __name__ == "__main__":
    main()
