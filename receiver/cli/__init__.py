"""The command line, `receiver COMMAND`. A command is a module here with a click command called `command`.

A new one is entered in COMMANDS. Each module is imported only when its command runs: that starts faster, and `serve`
can set the directory of the shared metrics before anything imports prometheus_client.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click
from sqlalchemy.exc import SQLAlchemyError

from receiver import __version__
from receiver.cli.exits import failure_of
from receiver.errors import ReceiverError

COMMANDS: Mapping[str, str] = {
    "up": "receiver.cli.up",
    "serve": "receiver.cli.serve",
    "worker": "receiver.cli.worker",
    "db": "receiver.cli.db",
    "jobs": "receiver.cli.jobs",
    "report": "receiver.cli.report",
    "rules": "receiver.cli.rules",
    "remediation": "receiver.cli.remediation",
    "templates": "receiver.cli.templates",
    "doctor": "receiver.cli.doctor",
    "notify-test": "receiver.cli.notify_test",
    "demo": "receiver.cli.demo",
    "settings": "receiver.cli.settings",
}


class Commands(click.Group):
    """The commands in the order of COMMANDS; expected errors end them with one clear line and a status of their own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, the way a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command, None where there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        command = import_module(COMMANDS[cmd_name]).command
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; see exits.py for what becomes of errors."""
        try:
            return super().invoke(ctx)
        except (ReceiverError, SQLAlchemyError, OSError) as error:
            failure = failure_of(error)
            if failure is None:
                raise
        status, line = failure
        click.echo(line, err=True)
        raise click.exceptions.Exit(status)


@click.command(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="receiver")
def main() -> None:
    """Takes alerts from Grafana and Alertmanager, keeps every one in SQL, and makes incidents of them.

    Set up by environment variables: `receiver settings` lists them. Begin with `receiver up`; when something does
    not work, ask `receiver doctor`.

    Exit status: 0 all went well, 1 it failed or something is off, 2 wrong settings or usage, 3 the database needs
    `receiver db upgrade`, 4 the database cannot be reached, 5 the address cannot be listened on.
    """
