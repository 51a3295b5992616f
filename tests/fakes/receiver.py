"""Our own product as a real process group: `receiver up`, asked and posted to over HTTP."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

from tests.fakes.polling import wait_until
from tests.fakes.ports import free_port
from tests.fakes.processes import BIN, Process, environment


class Receiver:
    """`receiver up` over `database_url`, both parts started; further settings by their names without RECEIVER_."""

    def __init__(self, folder: Path, database_url: str, **settings: str) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        given = {"DATABASE_URL": database_url, "BIND": self.url.removeprefix("http://"), **settings}
        self.process = Process(
            [BIN / "receiver", "up"],
            folder=folder,
            env=environment({f"RECEIVER_{name}": value for name, value in given.items()}),
            name="receiver",
        )
        self._headers = (
            {"Authorization": f"Bearer {settings['WEBHOOK_TOKEN']}"} if "WEBHOOK_TOKEN" in settings else {}
        )
        try:
            self.process.wait_for_http(f"{self.url}/readyz", timeout=40)
            # It yields the processor to the receiver, and may be seconds behind it.
            self.process.wait_for_output("worker.started")
        except BaseException:
            self.process.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.stop()

    def post(self, body: bytes, timeout: float = 30) -> requests.Response:
        """Post a webhook body, as a sender does."""
        return requests.post(
            f"{self.url}/api/v1/webhooks/alertmanager", data=body, headers=self._headers, timeout=timeout
        )

    def incidents(self, **filters: str) -> list[dict[str, Any]]:
        """What the API lists, newest first."""
        answer = requests.get(f"{self.url}/api/v1/incidents", params=filters, timeout=10)
        answer.raise_for_status()
        return list(answer.json()["incidents"])

    def timeline(self, incident_id: str) -> list[str]:
        """The types of all its events, in their order."""
        types: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = requests.get(
                f"{self.url}/api/v1/incidents/{incident_id}/timeline",
                params={"limit": "500", **cursor},
                timeout=10,
            ).json()
            types += [event["type"] for event in page["events"]]
            if page["next_cursor"] is None:
                return types
            cursor = {"cursor": page["next_cursor"]}

    def wait_for_incident(self, timeout: float = 30, **expected: object) -> dict[str, Any]:
        """The one incident that has these values, as soon as there is one."""
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            found[:] = [
                one for one in self.incidents() if all(one[name] == value for name, value in expected.items())
            ]
            return bool(found)

        wait_until(is_there, timeout, f"an incident with {expected}")
        assert len(found) == 1
        return found[0]

    def pids(self, *words: str) -> list[int]:
        """Processes of its group whose command line has all these words."""
        lines = (line.partition(" ")[::2] for line in self.process.members())
        return [int(pid) for pid, command in lines if all(word in command for word in words)]
