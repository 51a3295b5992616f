"""Three nodes of a MariaDB Galera cluster of our own, with deploy/galera/galera.cnf, on ports of 127.0.0.1."""

from __future__ import annotations

import configparser
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import pymysql

from tests.fakes import tools
from tests.fakes.haproxy import HAProxy
from tests.fakes.mariadb import as_user, scratch, template
from tests.fakes.polling import TimedOut, wait_until
from tests.fakes.ports import free_port
from tests.fakes.processes import Process, environment

CONFIGURATION = tools.ROOT / "deploy" / "galera" / "galera.cnf"
USER = "receiver"
START_SECONDS = 90.0
SIZE = 3
# Of the size of the machine that the tests run on; everything else is as shipped.
_SMALL = (
    "--skip-name-resolve",
    "--max-connections=300",
    "--innodb-buffer-pool-size=128M",
    "--innodb-log-file-size=24M",
    "--performance-schema=OFF",
)
_POSITION = re.compile(r"WSREP: Recovered position: *([0-9a-f-]{36}):(-?\d+)")
_ACCOUNTS = """FLUSH PRIVILEGES;
CREATE USER '{user}'@'127.0.0.1' IDENTIFIED BY '{password}';
GRANT ALL ON *.* TO '{user}'@'127.0.0.1' WITH GRANT OPTION;
CREATE USER 'haproxy'@'127.0.0.1';
"""


class Node:
    """One node. It can be killed, stopped, and started again over its data."""

    def __init__(
        self, folder: Path, name: str, group: int, password: str, options: Sequence[str] = ()
    ) -> None:
        self.name, self.folder = name, folder
        self._options = options
        self.port, self.group = free_port(), group  # for clients; for the other nodes
        self._program, self._library = tools.require("mariadbd"), tools.require_galera()
        self._password = password
        self._members: Sequence[Node] = (self,)
        self._process: Process | None = None
        (folder / "data").mkdir(parents=True)

    def join(self, members: Sequence[Node]) -> None:
        """Say who belongs to the cluster."""
        self._members = members

    @property
    def url(self) -> str:
        """As MariaDB.url."""
        return f"mysql+pymysql://{USER}:{self._password}@127.0.0.1:{self.port}/"

    def begin(self, *, is_first: bool = False) -> None:
        """Start it, from where its data are; do not wait. `is_first`: it makes the cluster (galera_new_cluster)."""
        options = ["--wsrep-new-cluster"] if is_first else []
        if (self.folder / "data" / "ibdata1").exists() and not is_first_start(self.folder):
            identity, number = self.position()
            options.append(f"--wsrep-start-position={identity}:{number}")
        self._process = Process(
            [*self._command(), *options],
            folder=self.folder,
            env=environment({"PATH": f"{Path(__file__).parent}{os.pathsep}{os.environ['PATH']}"}),
            name="mariadbd",
            remove=True,
        )

    def wait(self) -> None:
        """Return when it takes part in the cluster and takes writes."""
        assert self._process is not None
        self._process.wait_until(self.is_ready, START_SECONDS, "be a ready node")

    def position(self) -> tuple[str, int]:
        """The last change that a node that does not run has: the cluster's identity, and the change's number."""
        asked = [*self._command(), "--wsrep-recover"]
        found = subprocess.run(asked, cwd=self.folder, capture_output=True, text=True, check=False)
        match = _POSITION.search(found.stdout + found.stderr)
        if match is None:
            raise AssertionError(f"{self.name} has no position:\n{found.stderr[-2000:]}")
        return match[1], int(match[2])

    def may_bootstrap(self) -> None:
        """Say in grastate.dat that this node is the one from which the cluster begins anew."""
        file = self.folder / "data" / "grastate.dat"
        file.write_text(file.read_text().replace("safe_to_bootstrap: 0", "safe_to_bootstrap: 1"))

    def kill(self) -> None:
        """SIGKILL; the data stays."""
        if self._process is not None:
            self._process.kill()
            self._process.stop()

    def send(self, number: signal.Signals) -> None:
        """A signal for the server."""
        assert self._process is not None
        self._process.send(number)

    def stop(self) -> None:
        """A clean end. May be called again."""
        if self._process is not None and self._process.returncode() is None:
            self._process.send(signal.SIGCONT)
            self._process.stop(grace=30)
        elif self._process is not None:
            self._process.stop()

    def is_running(self) -> bool:
        """Whether its process has not ended."""
        return self._process is not None and self._process.returncode() is None

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self._process is not None
        return self._process.pid

    def version(self) -> str:
        """Which release it is."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT VERSION()")
            return str((cursor.fetchone() or ("",))[0])

    def status(self) -> dict[str, str]:
        """Its wsrep_... status; empty while it takes no connections."""
        try:
            with self.connect() as connection, connection.cursor() as cursor:
                cursor.execute("SHOW GLOBAL STATUS LIKE 'wsrep_%'")
                return {name: value for name, value in cursor.fetchall()}
        except pymysql.err.MySQLError:
            return {}

    def is_ready(self) -> bool:
        """Whether it takes part in a cluster that has a majority, with all of its changes."""
        found = self.status()
        return (found.get("wsrep_ready"), found.get("wsrep_local_state")) == ("ON", "4")

    def connect(self, database: str | None = None) -> pymysql.Connection[pymysql.cursors.Cursor]:
        """A session with autocommit on this very node, as somebody who may do everything."""
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            password=self._password,
            connect_timeout=2,
            read_timeout=8,
            autocommit=True,
            database=database,
        )

    def _command(self) -> list[str | Path]:
        file = self.folder / "galera.cnf"
        file.write_text(_configuration(self, self._members, self._library))
        return [
            self._program,
            f"--defaults-file={file}",
            *as_user(),
            *_SMALL,
            *self._options,
            f"--datadir={self.folder / 'data'}",
            "--socket=server.sock",
            f"--pid-file={self.folder / 'pid'}",
            f"--port={self.port}",
        ]


def is_first_start(folder: Path) -> bool:
    """Whether the node has data, and never was in a cluster."""
    return not (folder / "data" / "grastate.dat").exists()


class Galera:
    """A cluster from `with` to its end, and a haproxy before it. `url` leads through haproxy to the one writer.

    `is_spread`: to all nodes in turn, which is a mistake. `logs`: a folder that gets all logs, and keeps them.
    `options`: more of mariadbd's.
    """

    def __init__(
        self, *, is_spread: bool = False, logs: Path | None = None, options: Sequence[str] = ()
    ) -> None:
        tools.require("haproxy")
        self._is_spread, self._logs = is_spread, logs
        self._folder = Path(tempfile.mkdtemp(prefix="galera-", dir=scratch()))
        self._password = secrets.token_hex(8)
        self.nodes = [
            Node(self._folder / f"db{n}", f"db{n}", free_port(), self._password, options)
            for n in range(1, SIZE + 1)
        ]
        for node in self.nodes:
            node.join(self.nodes)
        self.proxy: HAProxy | None = None

    def __enter__(self) -> Self:
        try:
            self._make_data(self.nodes[0])
            self.nodes[0].begin(is_first=True)
            self.nodes[0].wait()
            self.join(self.nodes[1:])
            ports = [node.port for node in self.nodes]
            self.proxy = HAProxy(self._folder / "haproxy", ports, is_spread=self._is_spread)
            self.proxy.wait_until(lambda: self.writer() is not None, 20, "lead to a node")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End all, and remove the data."""
        if self.proxy is not None:
            self.proxy.stop()
        stops = [threading.Thread(target=node.stop) for node in reversed(self.nodes)]
        for thread in stops:
            thread.start()
        for thread in stops:
            thread.join()
        if self._logs is not None:
            self._logs.mkdir(exist_ok=True)
            for log in self._folder.glob("*/*.log"):
                shutil.copy(log, self._logs / f"{log.parent.name}.log")
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def port(self) -> int:
        """haproxy's."""
        assert self.proxy is not None
        return self.proxy.port

    @property
    def url(self) -> str:
        """As MariaDB.url, through haproxy."""
        return f"mysql+pymysql://{USER}:{self._password}@127.0.0.1:{self.port}/"

    def create_database(self, name: str) -> str:
        """An empty database; its URL, through haproxy."""
        with self.nodes[0].connect() as connection:
            connection.cursor().execute(f"CREATE DATABASE `{name}`")
        return self.url + name

    def pids(self) -> list[int]:
        """Of the nodes and haproxy."""
        return [node.pid for node in self.nodes] + ([self.proxy.pid] if self.proxy is not None else [])

    def join(self, nodes: Sequence[Node]) -> None:
        """Start nodes of a cluster that runs, one after the other, until all are ready."""
        for node in nodes:
            node.begin()
            node.wait()

    def writer(self) -> Node | None:
        """The node to which haproxy leads now; None while it leads to none."""
        try:
            connection = pymysql.connect(
                host="127.0.0.1",
                port=self.port,
                user=USER,
                password=self._password,
                connect_timeout=2,
                read_timeout=2,
            )
        except pymysql.err.MySQLError:
            return None
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute("SELECT @@wsrep_node_name")
                (name,) = cursor.fetchone() or ("",)
        except pymysql.err.MySQLError:
            return None
        return next((node for node in self.nodes if node.name == name), None)

    def recover(self) -> Node:
        """What an operator does after all nodes died (docs/galera.md); the node from which the cluster began anew."""
        with ThreadPoolExecutor() as pool:
            positions = list(pool.map(Node.position, self.nodes))
        _, best = max(zip(positions, self.nodes, strict=True), key=lambda pair: pair[0][1])
        best.may_bootstrap()
        best.begin(is_first=True)
        best.wait()
        self.join([node for node in self.nodes if node is not best])
        return best

    def mend(self, patience: float = 30) -> list[str]:
        """What an operator does when nodes do not come back by themselves (docs/galera.md); what had to be done.

        A node that has left for good (wsrep_connected OFF) is started anew. If there is still no majority, the most
        advanced node is told to be the cluster.
        """
        done: list[str] = []
        if _holds(self.is_whole, patience):
            return done
        for node in self.nodes:
            if node.status().get("wsrep_connected") != "ON":
                done.append(f"restart {node.name}")
                node.stop()
                node.begin()
        if not _holds(lambda: any(node.is_ready() for node in self.nodes), patience):
            best = max(self.nodes, key=lambda node: int(node.status().get("wsrep_last_committed", -1)))
            done.append(f"pc.bootstrap {best.name}")
            with best.connect() as connection:
                connection.cursor().execute("SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'")
        wait_until(self.is_whole, START_SECONDS, "all nodes ready")
        return done

    def is_whole(self) -> bool:
        """Whether every node is ready."""
        return all(node.is_ready() for node in self.nodes)

    def wait_until_equal(self, timeout: float = 30) -> None:
        """Return when every node has applied all changes."""
        asked = "wsrep_last_committed"
        wait_until(
            lambda: len({node.status().get(asked, node.name) for node in self.nodes}) == 1,
            timeout,
            "the same last change on all nodes",
        )

    def _make_data(self, node: Node) -> None:
        data, program = node.folder / "data", tools.require("mariadbd")
        shutil.copytree(template(program), data, dirs_exist_ok=True)
        made = subprocess.run(
            [program, "--no-defaults", *as_user(), "--bootstrap", f"--datadir={data}"],
            input=_ACCOUNTS.format(user=USER, password=self._password),
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            raise RuntimeError(f"no accounts could be made in {data}:\n{made.stderr[-2000:]}")


def _holds(condition: Callable[[], bool], seconds: float) -> bool:
    try:
        wait_until(condition, seconds)
    except TimedOut:
        return False
    return True


def _configuration(node: Node, members: Sequence[Node], library: Path) -> str:
    """The shipped file with this node's places, and a cache of the size that tests need."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(CONFIGURATION, encoding="utf-8")
    own = parser["mysqld"]
    own["wsrep_provider"] = str(library)
    own["wsrep_cluster_address"] = "gcomm://" + ",".join(f"127.0.0.1:{one.group}" for one in members)
    own["wsrep_node_name"] = node.name
    own["wsrep_node_address"] = own["bind_address"] = "127.0.0.1"
    own["wsrep_sst_method"] = "copy"  # the script wsrep_sst_copy, beside this file
    del own["wsrep_sst_auth"]
    places = f"base_host=127.0.0.1;base_port={node.group};ist.recv_addr=127.0.0.1:{free_port()}"
    listens = f"gmcast.listen_addr=tcp://127.0.0.1:{node.group}"
    options = own["wsrep_provider_options"].strip('"').replace("gcache.size=2G", "gcache.size=64M")
    own["wsrep_provider_options"] = f'"{options};{places};{listens}"'
    lines = [f"{name} = {value}" for name, value in own.items()]
    return "\n".join(["[mysqld]", *lines, ""])
