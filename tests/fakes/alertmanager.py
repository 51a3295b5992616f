"""The real Alertmanager, on a loopback port of its own, with the configuration that a test gives it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.fakes import tools
from tests.fakes.ports import free_port
from tests.fakes.processes import Process


class Alertmanager:
    """A running Alertmanager. `config`: text of its alertmanager.yml; `folder` gets that, data and log."""

    def __init__(self, config: str, folder: Path) -> None:
        program = tools.require("alertmanager")
        folder.mkdir(parents=True, exist_ok=True)
        if tools.is_fetched(program):
            (folder / "usr").symlink_to(program.parents[1])
        (folder / "alertmanager.yml").write_text(config, encoding="utf-8")
        self.url = f"http://127.0.0.1:{free_port()}"
        self.process = Process(
            [
                program,
                "--config.file=alertmanager.yml",
                "--storage.path=data",
                f"--web.listen-address={self.url.removeprefix('http://')}",
                "--cluster.listen-address=",  # alone: no gossip, no port for it
            ],
            folder=folder,
            name="alertmanager",
        )
        try:
            self.process.wait_for_http(f"{self.url}/-/ready")
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def post_alerts(self, alerts: Sequence[dict[str, Any]]) -> None:
        """Sends alerts as Prometheus does: each with labels, and perhaps annotations, startsAt, endsAt
        (RFC 3339) and generatorURL.

        Source: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml (POST /alerts)
        """
        request = urllib.request.Request(
            f"{self.url}/api/v2/alerts",
            data=json.dumps(list(alerts)).encode(),
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200, answer.status

    def stop(self) -> None:
        """Ends it. May be called again."""
        self.process.stop()
