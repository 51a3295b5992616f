"""`receiver remediation`: the kill switch, and how remediation stands."""

from __future__ import annotations

import os
import pwd
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy import Engine

from receiver.cli.environment import start
from receiver.clock import isoformat
from receiver.config import Settings
from receiver.domain.remediation import Mode
from receiver.ids import new_trace_id
from receiver.services.remediation import switch
from receiver.services.remediation.switch import Status
from receiver.storage.engine import create_engine
from receiver.storage.migrate import require_newest


@click.group("remediation", short_help="Switch remediation on and off.")
def command() -> None:
    """Switch remediation on and off, for all workers on all machines, and see how it stands.

    Takes effect at once: when `off` has returned, no action begins any more. What is under way goes on.
    """


@command.command("on")
def on() -> None:
    """Let actions run. RECEIVER_REMEDIATION may still forbid it."""
    _turn(Mode.ON)


@command.command("off")
def off() -> None:
    """The kill switch: from now on no action begins. Those whose turn comes are refused, and told."""
    _turn(Mode.OFF)


@command.command("dry-run")
def dry_run() -> None:
    """Plan actions and tell what they would do, and do nothing."""
    _turn(Mode.DRY_RUN)


@command.command("status")
def status() -> None:
    """What remediation may do now, by whose word, and what is under way."""
    with _engine() as (settings, engine):
        found = switch.status(engine, settings)
    for line in _lines(found):
        click.echo(line)


def _turn(mode: Mode) -> None:
    with _engine() as (settings, engine):
        before = switch.turn(engine, mode, _who(), new_trace_id())
        found = switch.status(engine, settings)
    if before.mode is mode:
        click.echo(f"The switch stood at {mode} already.")
    click.echo(f"Remediation is {found.mode}.")
    if found.mode is not mode:
        click.echo(f"RECEIVER_REMEDIATION is {found.setting} here, and that is stricter.", err=True)


def _lines(found: Status) -> Iterator[str]:
    yield f"Remediation is {found.mode}."
    yield f"  setting  {found.setting} (RECEIVER_REMEDIATION, here)"
    by = (
        f", by {found.switch.changed_by} at {isoformat(found.switch.changed_at)}"
        if found.switch.changed_by
        else ""
    )
    yield f"  switch   {found.switch.mode}{by}"
    for state, number in found.actions.items():
        yield f"  {number} {'action' if number == 1 else 'actions'} {state}"
    for row in found.breakers:
        yield (
            f"  {row['target_system']} is left alone ({row['state']}) after {row['failures']} failures in a row, "
            f"since {isoformat(row['changed_at'])}"
        )


def _who() -> str:
    """The account on this machine, for the audit."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run under a number without a name
        name = f"uid {os.getuid()}"
    return f"{name} at {socket.gethostname()}"


@contextmanager
def _engine() -> Iterator[tuple[Settings, Engine]]:
    settings = start(quiet=True)
    engine = create_engine(settings.database_url, pool_size=1)
    try:
        require_newest(engine)
        yield settings, engine
    finally:
        engine.dispose()
