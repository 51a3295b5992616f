"""`receiver settings`: every setting there is."""

from __future__ import annotations

import click

from receiver.config import FILE_SUFFIX, SETTINGS


@click.command("settings")
def command() -> None:
    """List all settings with their defaults. Shows no value that is set: they may be secrets."""
    for one in SETTINGS:
        default = "not set" if one.default is None else one.default
        click.echo(f"{one.name}  [default: {default}]{'  [secret]' if one.secret else ''}\n    {one.help}")
    click.echo(
        f"\nEach can come from a file instead: {SETTINGS[0].name}{FILE_SUFFIX} is the path of one, and so on."
    )
