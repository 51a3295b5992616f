"""`receiver rules`: check a file of rules, try it on a body, play it to the stored alerts."""

from __future__ import annotations

import re
import sys
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import click

from receiver.cli.environment import start
from receiver.cli.exits import Exit, Failure
from receiver.cli.rules_report import rehearsal_lines, replay_lines
from receiver.clock import utc_now
from receiver.domain.alert import RejectedAlert
from receiver.errors import UnintelligibleBody, WrongRules
from receiver.remediation.registry import build_actions
from receiver.rules_file import (
    audience_of,
    check_rules,
    default_rules,
    read_rules,
    remediation_rules,
    rules_of,
)
from receiver.runtime import mapping_of
from receiver.services.rehearsal import rehearse
from receiver.services.replay import replay
from receiver.sources.registry import parse_body
from receiver.storage.engine import create_engine
from receiver.storage.migrate import require_newest

_FILE = click.argument("file", type=click.Path(path_type=Path))
_SPAN = re.compile(r"(\d{1,6})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Span(click.ParamType[timedelta]):
    """A stretch of time: 90m, 12h, 30d, 4w."""

    name = "span"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """The stretch of time that a text means."""
        if isinstance(value, timedelta):
            return value
        found = _SPAN.fullmatch(str(value).strip().lower())
        if found is None:
            self.fail("must be a number and a unit: 90m, 12h, 30d or 4w", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


@click.group("rules", short_help="Check a file of rules, or try it out.")
def command() -> None:
    """Check a file of rules, try it on a body, or play it to the stored alerts. Nothing is changed.

    RECEIVER_RULES names the file that is in force; SIGHUP makes receiver and worker read it again.
    """


@command.command()
@_FILE
@click.option(
    "--here", is_flag=True, help="Allow only channels, actions and templates that can be used here."
)
@click.option(
    "--channel",
    "elsewhere",
    multiple=True,
    metavar="NAME",
    help="A channel that exists where the rules are to run; may be given several times.",
)
def check(file: Path, here: bool, elsewhere: tuple[str, ...]) -> None:
    """Tell all mistakes in a file of rules at once, each with its line and column. Exit status 1 if there are any."""
    if here and elsewhere:
        raise click.UsageError("--channel is for channels of elsewhere, and --here is given.")
    try:
        rules = check_rules(file, start(quiet=True), is_for_here=here, elsewhere=elsewhere)
    except WrongRules as error:
        click.echo("\n".join(error.problems))
        sys.exit(Exit.FAILED)
    number = len(rules.rules)
    click.echo(f"{file}: no mistakes, {number} rule{'' if number == 1 else 's'}")


@command.command("default")
@click.option("--with-remediation", is_flag=True, help="With rules that mend twelve common troubles.")
def default_(with_remediation: bool) -> None:
    """Print the rules that are in force unless RECEIVER_RULES is set: a start for a file of your own."""
    click.echo(remediation_rules() if with_remediation else default_rules(), nl=False)


@command.command("test")
@_FILE
@click.option(
    "--payload",
    type=click.File("rb"),
    required=True,
    help="A webhook body, as Grafana or Alertmanager sends it; `-` reads it from stdin.",
)
@click.option("--here", is_flag=True, help="Check actions against the settings of here, as when they run.")
def test_(file: Path, payload: BinaryIO, here: bool) -> None:
    """Show for each alert of a body which rules would apply, and why or why not. Needs no database.

    What actions and diagnoses would bring about is shown too, for each way an action can end. None is run.
    """
    settings = start(quiet=True)
    rules = read_rules(file, settings, is_for_here=here)
    try:
        parsed = parse_body(payload.read(), mapping_of(settings), utc_now())
    except UnintelligibleBody as error:
        raise Failure(Exit.FAILED, f"{payload.name}: {error.reason}") from None
    actions = build_actions(settings) if here else {}
    rejected = [alert.reason for alert in parsed.alerts if isinstance(alert, RejectedAlert)]
    for rehearsal in rehearse(rules, parsed, audience_of(settings), actions):
        click.echo("\n".join(rehearsal_lines(rehearsal)) + "\n")
    for reason in rejected:
        click.echo(f"An alert is malformed, it would be rejected: {reason}")
    if not settings.channels:
        click.echo("No channel is configured here, so `channels: all` tells nobody.")


@command.command("replay")
@_FILE
@click.option(
    "--since", type=Span(), default="30d", show_default=True, help="How far back: 90m, 12h, 30d, 4w."
)
def replay_(file: Path, since: timedelta) -> None:
    """Show what a file of rules would have made of the stored alerts, beside the rules that are in force now.

    Reads only. Begins with empty books: an alert that was firing before counts as new. What people did is not played:
    incidents end with their last alert.
    """
    settings = start(quiet=True)
    sets = [rules_of(settings), read_rules(file, settings)]
    begin = utc_now() - since
    engine = create_engine(settings.database_url, pool_size=1)
    try:
        require_newest(engine)
        found = replay(
            engine,
            sets,
            begin,
            mapping=mapping_of(settings),
            audience=audience_of(settings),
            resolve_holds=timedelta(seconds=settings.resolve_holds_seconds),
        )
    finally:
        engine.dispose()
    click.echo("\n".join(replay_lines(found, begin, sets[1], file.name)))
