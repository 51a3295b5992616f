"""The whole receiver with its neighbours: a MariaDB, `receiver serve`, two `receiver worker`, and the witnesses."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Engine, make_url

from faults import witness
from faults.bodies import REMEDIATED_KEYS
from faults.history import Journal
from faults.secrets import ROUTING_KEY, WEBHOOK_TOKEN
from receiver.storage.engine import create_engine
from receiver.storage.migrate import upgrade
from tests.fakes import groups
from tests.fakes.commit_cutter import CommitCutter
from tests.fakes.mariadb import MariaDB
from tests.fakes.ports import free_port
from tests.fakes.processes import BIN, Process, environment

WORKERS = 2
RULES = """\
version: 1
rules:
  - name: scale
    on: incident.opened
    match: 'service=~"{services}"'
    run:
      action: kubernetes.scale
      target: {{namespace: "{{{{ namespace }}}}", deployment: "{{{{ service }}}}"}}
      parameters: {{by: 1, max: 1000}}
    continue: true
  - name: tell
    on: [incident.opened, incident.resolved]
    notify: {{channels: [slack, pagerduty], quiet: true}}
"""
_SUPERVISE_SECONDS = 0.1
_RESTART_PAUSE_SECONDS = 0.3


class Stack:
    """Runs from `with` to its end. `folder` takes logs, spool and journals.

    `lease_seconds`: of the workers; `cutter`: the receiver reaches its database through a CommitCutter; `settings`:
    more of the receiver's, without RECEIVER_; `variables`: more of its environment; `place`: where the database lies.
    """

    def __init__(
        self,
        folder: Path,
        *,
        lease_seconds: float = 10,
        cutter: bool = False,
        settings: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
        spool: Path | None = None,
        place: Path | None = None,
    ) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.lease_seconds = lease_seconds
        self.spool = spool or folder / "spool"
        self.marks = Journal(folder / "marks.jsonl")
        self.address = f"127.0.0.1:{free_port()}"
        self.processes: dict[str, Process] = {}
        self.ended: list[tuple[str, int]] = []  # those that ended, and their status
        self.goal = 0  # how many alerts the load is to have had acknowledged, where a fault lasts until then
        self.held: set[str] = set()  # names that are not started again
        self.variables = dict(variables or {})
        self._settings = dict(settings or {})
        self._stopping = threading.Event()
        self._started: list[Process] = []
        self._seen: set[int] = set()  # of those that ended
        self._lock = threading.RLock()
        self._parts = ExitStack()
        self._has_cutter, self.place = cutter, place

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._parts.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parts.close()

    def _start(self) -> None:
        self._parts.callback(self.marks.close)
        self._start_database()
        self.engine: Engine = create_engine(self.url, pool_size=4)
        self._parts.callback(self.engine.dispose)
        self._migrate()
        self.slack = self._parts.enter_context(witness.slack(self.folder / "channels.jsonl"))
        self.pagerduty = self._parts.enter_context(witness.pagerduty(self.folder / "channels.jsonl"))
        self.cluster = self._parts.enter_context(witness.Cluster(self.folder / "cluster.jsonl"))
        services = [f"svc-{number}" for number in range(REMEDIATED_KEYS)]
        self.cluster.add(services)
        (self.folder / "rules.yml").write_text(RULES.format(services="|".join(services)))
        url = self.url
        self.cutter: CommitCutter | None = None
        if self._has_cutter:
            self.cutter = self._parts.enter_context(CommitCutter(self.database.port))
            url = make_url(url).set(port=self.cutter.port).render_as_string(hide_password=False)
        self._environment = self._given(url)
        self._parts.callback(self._end_all)
        for name in ("serve", *(f"worker-{n}" for n in range(1, WORKERS + 1))):
            self.launch(name)
        self.processes["serve"].wait_for_http(f"http://{self.address}/readyz", timeout=60)
        for n in range(1, WORKERS + 1):
            self.processes[f"worker-{n}"].wait_for_output("worker.started", timeout=60)
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)
        self._supervisor.start()

    def _start_database(self) -> None:
        """Start what the receiver stores in; `url` is where it is reached, by this suite too."""
        self.database = MariaDB(binlog=self.place is not None, place=self.place)
        self._parts.callback(self.database.stop)
        self.url = self.database.create_database("receiver")

    def _migrate(self) -> None:
        """Bring the database to the schema of the release that is to run."""
        upgrade(self.engine)

    def _given(self, url: str) -> dict[str, str]:
        given = {
            "DATABASE_URL": url,
            "BIND": self.address,
            "SPOOL_DIR": str(self.spool),
            "RULES": str(self.folder / "rules.yml"),
            "WEBHOOK_TOKEN": WEBHOOK_TOKEN,
            "SLACK_WEBHOOK_URL": self.slack.url,
            "PAGERDUTY_ROUTING_KEY": ROUTING_KEY,
            "PAGERDUTY_EVENTS_URL": self.pagerduty.base_url,
            "WORKER_LEASE_SECONDS": f"{self.lease_seconds:g}",
            # Each message by itself, so that each can be counted; limits that would stand in the way are lifted.
            "NOTIFY_PER_MINUTE": "1000000",
            "UPDATE_INTERVAL_SECONDS": "86400",
            "REMEDIATION_PER_HOUR": "1000000",
            **self.cluster.settings,
            **self._settings,
        }
        return environment(self.variables | {f"RECEIVER_{name}": text for name, text in given.items()})

    # Processes

    def launch(self, name: str) -> None:
        """Start `serve` or a worker."""
        command = name.partition("-")[0]
        with self._lock:
            self.processes[name] = Process(
                [BIN / "receiver", command],
                folder=self.folder / name,
                env=self._environment,
                name=name,
            )
            self._started.append(self.processes[name])

    def web_pids(self) -> list[int]:
        """The processes that serve requests, without their master."""
        group = self.processes["serve"].pid
        return [pid for pid in _group(group) if pid != group]

    def pids(self) -> dict[str, int]:
        """All processes of the receiver by name."""
        found = {name: process.pid for name, process in self.processes.items()}
        return found | {f"web {pid}": pid for pid in self.web_pids()}

    def kill(self, name: str) -> None:
        """SIGKILL for the process itself; its children, if any, are left to notice."""
        self.note("kill", process=name)
        self._signal(self.processes[name].pid, signal.SIGKILL)

    def kill_pid(self, pid: int) -> None:
        """SIGKILL for one process of ours."""
        self.note("kill", pid=pid)
        self._signal(pid, signal.SIGKILL)

    def send(self, name: str, number: signal.Signals) -> None:
        """Any signal."""
        self.note(number.name, process=name)
        self._signal(self.processes[name].pid, number)

    def note(self, mark: str, **facts: object) -> None:
        """Write into the marks what is being done to the system."""
        self.marks.write(mark=mark, **facts)

    @contextmanager
    def trouble(self, what: str) -> Iterator[None]:
        """Until its end nobody can be sure that what was done outside could be recorded, too."""
        self.note("trouble.begins", what=what)
        try:
            yield
        finally:
            self.note("trouble.ends", what=what)

    def logs(self) -> dict[str, Path]:
        """The log of each process."""
        return {name: self.folder / name / f"{name}.log" for name in self.processes}

    def _signal(self, pid: int, number: signal.Signals) -> None:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            self.note("gone already", pid=pid)

    def _supervise(self) -> None:
        """What systemd or a container runtime does: whatever ends is started again."""
        while not self._stopping.wait(_SUPERVISE_SECONDS):
            for name, process in list(self.processes.items()):
                status = process.returncode()
                if status is None:
                    continue
                if process.pid not in self._seen:
                    self._seen.add(process.pid)
                    self.ended.append((name, status))
                    self.note("ended", process=name, status=status)
                if name not in self.held and not self._stopping.wait(_RESTART_PAUSE_SECONDS):
                    self.launch(name)
                    self.note("started", process=name)

    def _end_all(self) -> None:
        self._stopping.set()
        if hasattr(self, "_supervisor"):
            self._supervisor.join()
        # All that ever ran: those that a killed master left behind are in its group.
        for process in reversed(self._started):
            if process.returncode() is None:
                process.send(signal.SIGCONT)
            process.stop(grace=30)


def _group(group: int) -> list[int]:
    return [int(line.partition(" ")[0]) for line in groups.members(group)]
