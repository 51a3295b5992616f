"""`receiver serve`: the web part alone, in gunicorn."""

from __future__ import annotations

import socket

import click
from sqlalchemy.exc import DBAPIError

from receiver.cli import shared_metrics
from receiver.cli.environment import start
from receiver.cli.lifeline import follow_parent
from receiver.cli.listener import listen
from receiver.config import Settings
from receiver.logs import event_logger
from receiver.remediation.registry import build_actions
from receiver.rules_file import rules_of
from receiver.storage.engine import create_engine, is_unreachable
from receiver.storage.migrate import require_newest

_log = event_logger("serve")

# How long requests that are under way may take after SIGTERM; a webhook needs a fraction of it.
GRACEFUL_SECONDS = 20


@click.command("serve", short_help="Run the web part alone.")
@click.option(
    "--listener",
    type=int,
    hidden=True,
    help="The inherited socket of `receiver up`, which watches over this.",
)
def command(listener: int | None) -> None:
    """Take alerts and serve the API, without a worker.

    Run as many as you like, on several machines; someone must also run `receiver worker`. SIGTERM and Ctrl-C let the
    requests under way finish; SIGHUP reads the rules file again. Refuses to start on a database that needs
    `receiver db upgrade`.
    """
    settings = start()
    rules = rules_of(settings)
    build_actions(
        settings
    )  # their files are read for good after the fork: a wrong one is told here, not there
    _require_newest_schema(settings)
    if listener is None:
        found = listen(settings.bind)
        shared_metrics.empty(settings.metrics_dir)
    else:
        found = socket.socket(fileno=listener)
        follow_parent(GRACEFUL_SECONDS + 5)
    shared_metrics.share(settings.metrics_dir)
    # Not at the top: it imports prometheus_client, which looks for the shared directory only once.
    from receiver.cli.gunicorn_app import GunicornApp

    GunicornApp(settings, rules, found, graceful_seconds=GRACEFUL_SECONDS).run()


def _require_newest_schema(settings: Settings) -> None:
    engine = create_engine(settings.database_url, pool_size=1)
    try:
        require_newest(engine)
    except DBAPIError as error:
        if not is_unreachable(error):
            raise
        _log.warning(
            "serve.no_database", extra={"spool": str(settings.spool_dir)}
        )  # alerts come all the same
    finally:
        engine.dispose()  # before gunicorn forks
