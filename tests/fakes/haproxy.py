"""haproxy with deploy/galera/haproxy.cfg, on a port of 127.0.0.1, before database servers on other ports of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.fakes import tools
from tests.fakes.ports import free_port
from tests.fakes.processes import Process, environment

CONFIGURATION = tools.ROOT / "deploy" / "galera" / "haproxy.cfg"


class HAProxy(Process):
    """A running haproxy; `port` is where it listens. `servers`: the ports of the nodes, the preferred one first.

    `is_spread`: it takes the nodes in turn, which is not how it ships.
    """

    def __init__(self, folder: Path, servers: Sequence[int], *, is_spread: bool = False) -> None:
        self.port = free_port()
        folder.mkdir()
        text = CONFIGURATION.read_text(encoding="utf-8")
        places = {"bind 127.0.0.1:3306": f"bind 127.0.0.1:{self.port}"}
        for number, port in enumerate(servers, 1):
            places[f"db{number}.example.org:3306"] = f"127.0.0.1:{port}"
        if is_spread:
            places |= {"balance first": "balance roundrobin", "stick on int(1)": ""}
        for old, new in places.items():
            assert text.count(old) == 1, f"{CONFIGURATION.name} has {old!r} {text.count(old)} times"
            text = text.replace(old, new)
        (folder / "haproxy.cfg").write_text(text, encoding="utf-8")
        super().__init__(
            [tools.require("haproxy"), "-db", "-f", folder / "haproxy.cfg"],
            folder=folder,
            env=environment(tools.fetched_libraries()),
            name="haproxy",
        )
