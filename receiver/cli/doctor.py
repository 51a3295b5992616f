"""`receiver doctor`: what is missing, in plain words."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from receiver.cli.environment import start
from receiver.cli.exits import Exit
from receiver.config import Settings
from receiver.domain.finding import Finding, Level, bad, ok
from receiver.errors import SettingsError, WrongRules
from receiver.httpclient import HttpClient
from receiver.notifiers.texts import wordings
from receiver.rules_file import rules_of
from receiver.services.doctor import examine

_COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.BAD: "red"}


@click.command("doctor", short_help="Say in plain words what is missing.")
def command() -> None:
    """Look at settings, database, worker and channels, a line each, with what to do. Changes and posts nothing.

    Exit status 1 if something is bad, 0 if not.
    """
    worst = Level.OK
    for finding in _findings():
        click.echo(line(finding))
        if finding.level is Level.BAD:
            worst = Level.BAD
    if worst is Level.BAD:
        sys.exit(Exit.FAILED)


def _findings() -> Iterator[Finding]:
    try:
        settings = start(quiet=True)
    except SettingsError as error:
        for problem in error.problems:
            yield bad("settings", problem, "`receiver settings` lists them all")
        return
    yield ok("settings", "all can be used")
    yield from _rules(settings)
    yield from examine(settings, HttpClient(read_timeout_seconds=5, total_timeout_seconds=8))


def _rules(settings: Settings) -> Iterator[Finding]:
    try:
        rules = rules_of(settings)
    except WrongRules as error:
        for problem in error.problems:
            yield bad("rules", problem, "`receiver rules check --here` says the same")
        return
    whose = settings.rules or "the default ones"
    yield ok("rules", f"{len(rules.rules)} in force: {whose}")
    known = wordings(settings.templates_dir)
    for rule in rules.rules:
        if rule.notice and rule.notice.wording and rule.notice.wording not in known:
            text = f'"{rule.name}" asks for the template {rule.notice.wording}, which is not there'
            yield bad("rules", text, "put it into RECEIVER_TEMPLATES_DIR; until then the usual text is sent")


def line(finding: Finding) -> str:
    """The finding as one line. click leaves the colour out where the output is no terminal."""
    level = click.style(f"{finding.level:4}", fg=_COLOURS[finding.level])
    advice = f" -> {finding.advice}" if finding.advice else ""
    return f"{level}  {finding.subject:12} {finding.text}{advice}"
