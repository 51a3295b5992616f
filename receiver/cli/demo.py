"""`receiver demo`: plays a small outage to a running receiver, and shows what became of it."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

import click
import msgspec

from receiver.cli.environment import start
from receiver.cli.exits import Exit, Failure
from receiver.cli.listener import base_url
from receiver.cli.storm import Step, storm
from receiver.cli.table import table
from receiver.clock import utc_now
from receiver.errors import DeliveryFailed
from receiver.httpclient import HttpClient, Response


@click.command("demo", short_help="Play a small outage to a running receiver.")
@click.option("--url", help="The receiver's address.  [default: the one of RECEIVER_BIND]")
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the token to send.  [default: the first one of RECEIVER_WEBHOOK_TOKEN]",
)
@click.option(
    "--pause", type=click.FloatRange(0), default=0.5, show_default=True, help="Seconds between two requests."
)
def command(url: str | None, token_file: Path | None, pause: float) -> None:
    """Play a small outage to a running receiver: some 70 alerts in 11 requests, within a few seconds.

    The alerts are made up but real to the receiver: they open incidents, and channels that are configured are told.
    """
    settings = start(quiet=True)
    url = (url or base_url(settings.bind)).rstrip("/")
    token = (
        token_file.read_text(encoding="utf-8").strip()
        if token_file
        else next(iter(settings.webhook_token), "")
    )
    audience = Audience()
    http = HttpClient()
    for number, step in enumerate(storm(utc_now())):
        if number:
            time.sleep(pause)
        audience.hear(step, _post(http, url, step, token))
    click.echo(f"\n{audience.summary()}\n")
    click.echo(
        f"Look at them: {url}/api/v1/incidents, or {url}/docs. `receiver db check` proves that none is lost."
    )


def _post(http: HttpClient, url: str, step: Step, token: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        response = http.post_json(url + step.path, step.body, headers, judge=_judge)
        answer = msgspec.json.decode(response.text)
    except DeliveryFailed as failure:
        raise Failure(Exit.FAILED, f"{url} does not take the alerts: {failure.reason}") from None
    except msgspec.DecodeError:
        raise Failure(Exit.FAILED, f"What answers at {url} is no receiver") from None
    assert isinstance(answer, dict)
    return answer


def _judge(response: Response) -> DeliveryFailed | None:
    if response.is_success:
        return None
    if response.status == 401:
        return DeliveryFailed("it wants a credential (401); give --token-file", permanent=True)
    return DeliveryFailed(f"HTTP {response.status} {response.excerpt()}".strip(), permanent=True)


class Audience:
    """Listens to the answers, tells each in a line, and sums them up."""

    def __init__(self) -> None:
        self._alerts: Counter[str] = Counter()
        self._quarantined = 0
        self._incidents: dict[str, tuple[str, ...]] = {}

    def hear(self, step: Step, answer: dict[str, Any]) -> None:
        """Note one answer."""
        counts = {name: count for name, count in answer["alerts"].items() if name != "received"}
        self._alerts.update(counts)
        if answer["outcome"] == "quarantined":
            self._quarantined += 1
        for incident in answer["incidents"]:
            self._incidents[incident["incident_id"]] = (
                f"INC-{incident['number']}",
                step.about,
                incident["status"],
                str(incident["alert_count"]),
                incident["incident_id"],
            )
        became = ", ".join(f"{count} {name}" for name, count in counts.items()) or answer["outcome"]
        click.echo(f"{step.tells + ' ':.<45} {became}")

    def summary(self) -> str:
        """Alerts by disposition, and the incidents that they touched."""
        became = ", ".join(f"{count} {name}" for name, count in self._alerts.most_common())
        incidents = table(self._incidents.values(), heading=("INCIDENT", "ABOUT", "STATUS", "ALERTS", "ID"))
        kept = f"; {self._quarantined} body kept without being understood" if self._quarantined else ""
        return f"{self._alerts.total()} alerts made {len(self._incidents)} incidents: {became}{kept}.\n\n{incidents}"
