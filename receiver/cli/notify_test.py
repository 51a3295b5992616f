"""`receiver notify-test`: does a message arrive?"""

from __future__ import annotations

import sys

import click

from receiver.cli.environment import start
from receiver.cli.exits import Exit
from receiver.clock import utc_now
from receiver.errors import DeliveryFailed
from receiver.notifiers.registry import build_notifiers
from receiver.rules_file import rules_of
from receiver.services.notify_test import send_tests


@click.command("notify-test", short_help="Send a test message through each channel.")
def command() -> None:
    """Send a test message through each configured channel, now, and say what was answered.

    Exit status 1 if one failed, or if there is none.
    """
    settings = start(quiet=True)
    notifiers = build_notifiers(settings, named=rules_of(settings).channels)
    if not notifiers:
        click.echo(
            "No channel is configured: set RECEIVER_SLACK_WEBHOOK_URL or another (`receiver settings`).",
            err=True,
        )
        sys.exit(Exit.FAILED)
    failed = False
    for name, outcome in send_tests(notifiers, utc_now()):
        if isinstance(outcome, DeliveryFailed):
            failed = True
            again = "trying again will not help" if outcome.permanent else "it may work later"
            click.echo(f"{name}: failed: {outcome.reason} ({again})")
        else:
            click.echo(
                f"{name}: the test message was taken" + (f": {outcome.detail}" if outcome.detail else "")
            )
    if failed:
        sys.exit(Exit.FAILED)
