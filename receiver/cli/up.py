"""`receiver up`: everything in one group of processes, in the foreground."""

from __future__ import annotations

import signal
import threading

import click

from receiver.cli import shared_metrics
from receiver.cli.banner import banner
from receiver.cli.environment import start
from receiver.cli.listener import base_url, listen
from receiver.cli.serve import GRACEFUL_SECONDS
from receiver.cli.supervisor import Child, Supervisor
from receiver.config import HostPort, Settings
from receiver.errors import DeliveryFailed
from receiver.httpclient import HttpClient
from receiver.remediation.registry import build_actions
from receiver.rules_file import rules_of
from receiver.services.upgrade import upgrade_database
from receiver.storage.engine import create_engine

# Beyond what the children give themselves, for their own ends.
_SPARE_SECONDS = 5


@click.command("up", short_help="Run everything: upgrade, receiver and worker.")
def command() -> None:
    """Upgrade the database, then run the receiver and a worker until Ctrl-C or SIGTERM.

    What needs one machine needs only this. A process that dies is started again; one that keeps dying ends all with
    its status. A second Ctrl-C does not wait for work that is under way. Without a terminal, SIGHUP reads the rules
    file again; with one it means that the terminal was closed.
    """
    settings = start()
    rules_of(settings)  # a wrong file is told at once, by this process; its children read it for themselves
    build_actions(settings)  # likewise
    listener = listen(settings.bind)  # first: a second `up` must not touch the database of a running one
    _upgrade(settings)
    shared_metrics.empty(settings.metrics_dir)
    url = base_url(HostPort(settings.bind.host, listener.getsockname()[1]))
    # Held here too, so that connections wait, instead of being refused, while a dead gunicorn is started again.
    descriptor = listener.fileno()
    supervisor = Supervisor(
        [
            Child("receiver", ["serve", "--listener", str(descriptor)], [descriptor], hurry=signal.SIGQUIT),
            *_workers(settings.worker_processes),
        ],
        drain_seconds=max(GRACEFUL_SECONDS, settings.worker_drain_seconds) + _SPARE_SECONDS,
        before_stop=listener.close,
    )
    threading.Thread(target=_announce, args=(settings, url), name="announce", daemon=True).start()
    supervisor.run()


def _workers(count: int) -> list[Child]:
    return [
        Child(f"worker {number}" if number > 1 else "worker", ["worker", "--supervised"])
        for number in range(1, count + 1)
    ]


def _upgrade(settings: Settings) -> None:
    engine = create_engine(settings.database_url, pool_size=1)
    try:
        upgrade_database(engine)
    finally:
        engine.dispose()


def _announce(settings: Settings, url: str) -> None:
    """Print the banner once the receiver answers."""
    http = HttpClient(connect_timeout_seconds=1, read_timeout_seconds=2, total_timeout_seconds=3)
    pause = threading.Event()
    while True:
        try:
            if http.request("GET", f"{url}/livez").is_success:
                break
        except DeliveryFailed:
            pass  # not yet
        pause.wait(0.2)
    click.echo(banner(settings, url))
