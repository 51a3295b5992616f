"""`receiver worker`: does the jobs."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from receiver.cli import shared_metrics
from receiver.cli.environment import start
from receiver.cli.exits import Exit, Failure
from receiver.cli.lifeline import follow_parent
from receiver.config import HostPort

# Of a busy machine's CPU a web process gets three times as much: in a storm alerts come in before messages go out.
NICENESS = 5


@click.command("worker", short_help="Run a worker alone.")
@click.option("--supervised", is_flag=True, hidden=True, help="`receiver up` watches over this.")
def command(supervised: bool) -> None:
    """Do what follows from alerts: send notifications. Run as many as you like, on several machines.

    SIGTERM and Ctrl-C let the jobs under way finish (RECEIVER_WORKER_DRAIN_SECONDS); SIGHUP reads the rules file again.
    Waits for a database that is away, and refuses one that needs `receiver db upgrade`.
    """
    settings = start()
    os.nice(NICENESS)
    if supervised:
        follow_parent(settings.worker_drain_seconds + 5)
        shared_metrics.share(settings.metrics_dir)
    else:
        shared_metrics.keep_to_oneself()
    # Not at the top: they import prometheus_client, which looks for the shared directory only once.
    from receiver.rules_file import rules_of
    from receiver.runtime import build_runtime
    from receiver.worker.loop import connections_needed, run_worker
    from receiver.worker.queues import queues_of

    rules = rules_of(settings)
    queues = queues_of([*settings.channels, *rules.channels])
    runtime = build_runtime(settings, rules=rules, pool_size=connections_needed(settings, len(queues)))
    try:
        with _metrics_server(None if supervised else settings.worker_metrics_bind):
            status = run_worker(runtime, is_supervised=supervised)
    finally:
        # Told twice, it still ends in good order: while Python winds up, the default would kill it.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        runtime.close()
    sys.exit(status)


@contextmanager
def _metrics_server(bind: HostPort | None) -> Iterator[None]:
    """Serve /metrics there. Under `receiver up` the web part serves the worker's too."""
    if bind is None:
        yield
        return
    from prometheus_client import start_http_server  # as above

    try:
        server, thread = start_http_server(bind.port, addr=bind.host)
    except OSError as error:
        reason = f"Cannot listen on {bind} (RECEIVER_WORKER_METRICS_BIND): {error.strerror}"
        raise Failure(Exit.ADDRESS, reason) from None
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
