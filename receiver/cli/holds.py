"""`receiver db hold` and `release`: incidents that retention leaves alone."""

from __future__ import annotations

import getpass

import click

from receiver.cli.db_engine import database
from receiver.ids import new_trace_id
from receiver.services.holds import hold_incident, release_incident
from receiver.services.incidents import Deed


@click.command(short_help="Keep an incident, however old.")
@click.argument("incident")
@click.option("--reason", required=True, help="Why it must be kept.")
def hold(incident: str, reason: str) -> None:
    """Keep an incident (INC-123, or its id) with all of its rows, however old, until `release`."""
    if not reason.strip():
        raise click.BadParameter("say why it must be kept", param_hint="--reason")
    with database() as (_, engine):
        row = hold_incident(engine, incident, Deed(getpass.getuser(), new_trace_id(), reason))
    click.echo(f"{row['incident_id']} is held.")


@click.command()
@click.argument("incident")
def release(incident: str) -> None:
    """Let retention remove the incident when its time comes."""
    with database() as (_, engine):
        was_held, _ = release_incident(engine, incident, Deed(getpass.getuser(), new_trace_id()))
    click.echo("It is held no more." if was_held else "It was not held.")
