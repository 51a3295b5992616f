"""The real Prometheus on a loopback port of its own, and a small server of metrics that it scrapes."""

from __future__ import annotations

import json
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.fakes import tools
from tests.fakes.polling import wait_until
from tests.fakes.ports import free_port
from tests.fakes.processes import Process

_CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
scrape_configs:
  - job_name: shop
    static_configs: [{{targets: ["{target}"]}}]
"""
_ALERTING = """
alerting:
  alertmanagers: [{{static_configs: [{{targets: ["{target}"]}}]}}]
"""


class MetricsServer:
    """Serves /metrics. `text` makes what it says, in Prometheus's text format, from the number of the scrape."""

    def __init__(self, text: Callable[[int], str]) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.scrapes += 1
                body = outer.text(outer.scrapes).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.text = text
        self.scrapes = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.target = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Prometheus:
    """A running Prometheus that scrapes `metrics` every second. `folder` gets its configuration, data and log.

    `rules`: text of a file of alerting rules; `alertmanager`: the address of the one that hears of them.
    """

    def __init__(
        self, metrics: MetricsServer, folder: Path, *, rules: str = "", alertmanager: str = ""
    ) -> None:
        program = tools.require("prometheus")
        folder.mkdir(parents=True, exist_ok=True)
        if tools.is_fetched(program):
            (folder / "usr").symlink_to(program.parents[1])
        config = _CONFIG.format(target=metrics.target)
        if rules:
            (folder / "rules.yml").write_text(rules, encoding="utf-8")
            config += "rule_files: [rules.yml]\n"
        if alertmanager:
            config += _ALERTING.format(target=alertmanager.removeprefix("http://"))
        (folder / "prometheus.yml").write_text(config, encoding="utf-8")
        self.metrics = metrics
        self.url = f"http://127.0.0.1:{free_port()}"
        self.process = Process(
            [
                program,
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=data",
                f"--web.listen-address={self.url.removeprefix('http://')}",
            ],
            folder=folder,
            name="prometheus",
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

    def result(self, query: str) -> list[Any]:
        """What an instant query gives, as the API has it."""
        asked = urllib.parse.urlencode({"query": query})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{asked}", timeout=10) as answer:
            found: list[Any] = json.load(answer)["data"]["result"]
        return found

    def wait_for(self, query: str, timeout: float = 30) -> None:
        """Returns as soon as the query gives anything."""
        wait_until(lambda: bool(self.result(query)), timeout, f"Prometheus knows {query}")

    def stop(self) -> None:
        """Ends it. May be called again."""
        self.process.stop()
