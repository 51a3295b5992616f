"""An incident's life from alert to message, with real parts: intake, worker, and Slack as an HTTP server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import text

from receiver.ids import new_trace_id
from receiver.runtime import Runtime
from receiver.services.intake import Intake
from receiver.storage.engine import reading
from receiver.worker.loop import run_due
from tests.builders import bodies
from tests.builders.jobs import pass_time
from tests.fakes.slack import SlackServer


class Story:
    """An incident's life: alerts come in, people act, jobs are done, and Slack hears of it."""

    def __init__(self, runtime: Runtime, slack: SlackServer) -> None:
        self.runtime, self.slack = runtime, slack
        self._intake = Intake(runtime)
        self._alerts = 0

    def fire(self, count: int = 1, **labels: Any) -> str:
        """That many alerts of the same incident; its id."""
        self._alerts += count
        numbers = range(self._alerts - count, self._alerts)
        return self._send([bodies.alert(instance=f"i{number}", **labels) for number in numbers])

    def recover(self) -> str:
        """All alerts end."""
        return self._send(
            [bodies.alert(instance=f"i{number}", status="resolved") for number in range(self._alerts)]
        )

    def work(self, **options: Any) -> int:
        return run_due(self.runtime, **options)

    def pass_time(self, seconds: float) -> None:
        pass_time(self.runtime.engine, seconds)

    def heard(self) -> list[str]:
        """The texts that Slack took."""
        return [str(message.json["text"]) for message in self.slack.delivered()]

    def last_message(self) -> str:
        return json.dumps(self.slack.delivered()[-1].json, ensure_ascii=False)

    def _send(self, alerts: Sequence[dict[str, Any]]) -> str:
        delivery = self._intake.read(bodies.alertmanager(alerts), trace_id=new_trace_id())
        return self._intake.accept(delivery).incidents[0].incident_id

    def fetch(self, query: str) -> list[tuple[Any, ...]]:
        """The rows that a query finds."""
        with reading(self.runtime.engine) as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    def notifications(self) -> list[tuple[Any, ...]]:
        """How each message ended, in the order of their records: template, sequence, state."""
        return self.fetch("SELECT template, sequence, state FROM notifications ORDER BY notification_id")

    def events(self) -> list[str]:
        """The types of the events about notifications, in their order."""
        found = self.fetch("SELECT type FROM events WHERE type LIKE 'notification.%' ORDER BY event_id")
        return [type_ for (type_,) in found]
