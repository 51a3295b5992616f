"""The commands of docker-compose.yml run without containers: its settings, made secrets, nginx in front."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from receiver.web.body import WEBHOOK_LIMIT_BYTES
from tests.deploy import compose
from tests.deploy.front import Front
from tests.fakes.ports import free_port
from tests.fakes.processes import BIN, Process, environment

BODY = {
    "version": "4",
    "status": "firing",
    "receiver": "alert-receiver",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "DiskFull", "service": "shop"},
            "annotations": {},
            "startsAt": "2026-11-21T09:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "",
            "fingerprint": "0123456789abcdef",
        }
    ],
}


@dataclass
class Stack:
    """What docker-compose.yml starts, on loopback ports, with one folder for all that it writes."""

    folder: Path
    secrets: Path
    running: ExitStack
    ports: dict[str, int]

    def environment(self, service: str) -> dict[str, str]:
        """The container's environment, but for the addresses: a container has a loopback interface of its own."""
        settings = compose.environment(service, self.secrets)
        settings["RECEIVER_BIND"] = f"127.0.0.1:{self.ports['receiver']}"
        settings["RECEIVER_METRICS_DIR"] = str(self.folder / service / "metrics")
        if service == "worker":
            settings["RECEIVER_WORKER_METRICS_BIND"] = f"127.0.0.1:{self.ports['worker']}"
        return environment(settings)

    def command(self, service: str) -> list[str | Path]:
        return [BIN / "receiver", *compose.SERVICES[service]["command"]]

    def run(self, service: str) -> None:
        done = subprocess.run(
            self.command(service),
            cwd=self.folder,
            env=self.environment(service),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self, service: str) -> Process:
        return self.running.enter_context(
            Process(
                self.command(service),
                folder=self.folder / service,
                env=self.environment(service),
                name=service,
            )
        )

    def is_healthy(self, service: str) -> bool:
        """Runs the health check of docker-compose.yml."""
        kind, *command = compose.SERVICES[service]["healthcheck"]["test"]
        assert kind == "CMD"
        port = {"receiver": "8080", "worker": "9091"}[service]
        assert f'127.0.0.1", {port},' in command[-1]
        command[-1] = command[-1].replace(port, str(self.ports[service]))
        path = f"{BIN}:/usr/bin:/bin"
        return subprocess.run(command, env={"PATH": path}, capture_output=True, check=False).returncode == 0

    def secret(self, name: str) -> str:
        return (self.secrets / name).read_text()


@pytest.fixture
def stack(tmp_path: Path, secrets: Path, mysql_database_url: str) -> Iterator[Stack]:
    """Migrated, receiver and worker running and healthy, nginx in front."""
    (secrets / "database_url").write_text(mysql_database_url)
    ports = {"receiver": free_port(), "worker": free_port()}
    with ExitStack() as running:
        made = Stack(tmp_path, secrets, running, ports)
        made.run("migrate")
        for service in ("receiver", "worker"):
            assert not made.is_healthy(service)
            process = made.start(service)
            process.wait_until(partial(made.is_healthy, service), 30, "become healthy")
        front = running.enter_context(Front(tmp_path / "nginx", ports["receiver"]))
        ports["nginx"] = front.port
        yield made


def call(stack: Stack, path: str, token: str, body: bytes | None = None) -> tuple[int, dict[str, object]]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{stack.ports['nginx']}{path}",
        data=body,
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_an_alert_through_nginx_becomes_an_incident(stack: Stack) -> None:
    webhook = "/api/v1/webhooks/alertmanager"
    body = json.dumps(BODY).encode()
    api_token = stack.secret("api_tokens").rpartition(":")[2]

    status, answer = call(stack, webhook, stack.secret("webhook_token"), body)
    assert (status, answer["outcome"]) == (200, "processed")
    assert call(stack, webhook, "a wrong token", body)[0] == 401
    limit = b" " * WEBHOOK_LIMIT_BYTES
    assert call(stack, webhook, stack.secret("webhook_token"), limit)[0] == 200

    status, listing = call(stack, "/api/v1/incidents", api_token)
    assert status == 200
    assert "DiskFull" in json.dumps(listing)
