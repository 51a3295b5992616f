"""nginx with the configuration from deploy/nginx, on a loopback port, in front of a receiver or a stand-in for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tests.fakes import tools
from tests.fakes.ports import free_port
from tests.fakes.processes import Process

CONFIGURATION = tools.ROOT / "deploy" / "nginx"


class Front(Process):
    """A running nginx; `port` is where it listens. What differs from the container is replaced, each exactly once.

    `upstream_port`: where the receiver is. `edits`: further replacements in nginx.conf, for limits that a test cannot
    wait for or would have to exhaust.
    """

    def __init__(self, folder: Path, upstream_port: int, edits: Mapping[str, str] | None = None) -> None:
        self.port = free_port()
        folder.mkdir()
        main = {
            "listen 8080": f"listen 127.0.0.1:{self.port}",
            "worker_processes auto": "worker_processes 1",  # events are handled in the order in which they came
            **(edits or {}),
        }
        text = _edited("nginx.conf", main).replace("/tmp/", f"{folder}/")
        (folder / "nginx.conf").write_text(text, encoding="utf-8")
        where = {
            "receiver:8080 resolve": f"127.0.0.1:{upstream_port}"
        }  # Debian's nginx is older than `resolve`
        (folder / "upstream.conf").write_text(_edited("upstream.conf", where), encoding="utf-8")
        super().__init__(
            [tools.require("nginx"), "-p", folder, "-c", folder / "nginx.conf", "-g", _globals()],
            folder=folder,
            name="nginx",
        )
        try:
            self.wait_for_http(f"http://127.0.0.1:{self.port}/nginx-health")
        except BaseException:
            self.stop()
            raise


def _globals() -> str:
    # Started by root, nginx would hand over to `nobody`, to whom the test's folder is closed. The container starts it
    # as an ordinary user.
    return "daemon off;" + (" user root;" if os.geteuid() == 0 else "")


def _edited(name: str, edits: Mapping[str, str]) -> str:
    text = (CONFIGURATION / name).read_text(encoding="utf-8")
    for old, new in edits.items():
        assert text.count(old) == 1, f"{name} has {old!r} {text.count(old)} times"
        text = text.replace(old, new)
    return text
