"""`receiver templates`: check templates of your own, and see the shipped ones."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from receiver.cli.environment import start
from receiver.cli.exits import Exit, Failure
from receiver.notifiers.template_files import shipped
from receiver.notifiers.texts import Texts
from receiver.notifiers.view import NAMES


@click.group("templates", short_help="Check the texts of messages, or see the shipped ones.")
def command() -> None:
    """Check templates of your own (RECEIVER_TEMPLATES_DIR), or see the shipped ones. Nothing is changed."""


@command.command()
@click.argument("folder", type=click.Path(path_type=Path), required=False)
def check(folder: Path | None) -> None:
    """Tell all mistakes in a folder of templates at once, each with its file and line. Exit status 1 if there are any.

    Without FOLDER: that of RECEIVER_TEMPLATES_DIR. Every file is tried on every occasion.
    """
    folder = folder or start(quiet=True).templates_dir
    if folder is None:
        raise Failure(Exit.SETTINGS, "Name a folder, or set RECEIVER_TEMPLATES_DIR.")
    texts = Texts(folder)
    if texts.mistakes:
        click.echo("\n".join(texts.mistakes))
        sys.exit(Exit.FAILED)
    names = ", ".join(sorted(texts.wordings))
    click.echo(f"{folder}: no mistakes" + (f"; rules may name {names}" if names else ""))


@command.command()
@click.argument("file", required=False)
def show(file: str | None) -> None:
    """Print a shipped template, a start for one of your own; without FILE, what there is, and what they may name."""
    if file is None:
        click.echo("Templates: " + ", ".join(sorted(shipped())))
        click.echo("Names in them: " + ", ".join(sorted(NAMES)))
        return
    source = shipped().get(file)
    if source is None:
        raise Failure(
            Exit.SETTINGS, f"There is no shipped template {file}; known are {', '.join(sorted(shipped()))}."
        )
    click.echo(source.text, nl=False)
