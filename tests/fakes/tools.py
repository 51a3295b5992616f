"""Where the foreign programs are that tests start: named in the environment, on PATH, or in var/tools."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRATCH = ROOT / "var" / "test"

# Servers that live outside an ordinary user's PATH on Debian, and Homebrew's folder.
_MORE_PATH = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin")
# Debian keeps each release of PostgreSQL in a folder of its own.
_POSTGRESQL = "/usr/lib/postgresql"
_DEBIAN = ROOT / "var" / "tools"

# Not fetch-debian.sh: some need libraries of other packages.
_FETCH = "run tools/test-needs.sh, which unpacks Debian's {0}, put it on PATH, or set RECEIVER_TEST_{1} to its path"
# name: the commands it goes by, and what to do where it is missing
_KNOWN = {
    "mariadbd": (("mariadbd",), "install mariadb-server-core, or set RECEIVER_TEST_DATABASE_URL"),
    "alertmanager": (
        ("alertmanager", "prometheus-alertmanager"),
        _FETCH.format("prometheus-alertmanager", "ALERTMANAGER"),
    ),
    "nginx": (("nginx",), _FETCH.format("nginx", "NGINX")),
    "postgres": (("postgres",), "install postgresql, or set RECEIVER_TEST_POSTGRES to the server's path"),
    "redis-server": (
        ("redis-server", "redis-check-rdb"),
        "install redis-tools, or set RECEIVER_TEST_REDIS_SERVER to the server's path",
    ),
    "prometheus": (("prometheus",), _FETCH.format("prometheus", "PROMETHEUS")),
    "mariadb": (("mariadb", "mysql"), _FETCH.format("mariadb-client-core", "MARIADB")),
    "mariadb-dump": (("mariadb-dump", "mysqldump"), _FETCH.format("mariadb-client", "MARIADB_DUMP")),
    "haproxy": (("haproxy",), _FETCH.format("haproxy", "HAPROXY")),
}
# Galera is a library that MariaDB loads.
_GALERA = "usr/lib/galera/libgalera_smm.so"


class MissingTool(AssertionError):
    """A program that a test needs is not on this machine. The message is one line that says what to do."""


def find(name: str) -> Path | None:
    """The program's path, None where it is missing. RECEIVER_TEST_<NAME> goes before everything else.

    MissingTool if that variable names what cannot be run.
    """
    variable = f"RECEIVER_TEST_{name.upper().replace('-', '_')}"
    given = os.environ.get(variable)
    if given and not os.access(given, os.X_OK):
        raise MissingTool(f"{variable} is {given}, and that is no program")
    if given:
        return Path(given)
    commands, _ = _KNOWN[name]
    fetched = map(str, _DEBIAN.glob("*/usr/*bin"))
    path = os.pathsep.join([os.environ.get("PATH", ""), *_MORE_PATH, *fetched, *_postgresql()])
    found = (shutil.which(command, path=path) for command in commands)
    return next((Path(place) for place in found if place), None)


def _postgresql() -> list[str]:
    """The folders of its releases, the latest first; also of one that was only unpacked."""
    places = [*Path(_POSTGRESQL).glob("*/bin"), *_DEBIAN.glob("*" + _POSTGRESQL + "/*/bin")]
    return sorted(map(str, places), reverse=True)


def is_fetched(program: Path) -> bool:
    """Whether the program was only unpacked: it finds its files by a `usr` in its working directory."""
    return program.is_relative_to(_DEBIAN)


def require(name: str) -> Path:
    """The program's path; MissingTool, which fails the test, where it is missing. Never a silent skip."""
    found = find(name)
    if found is None:
        raise MissingTool(f"{name} is not on this machine: {_KNOWN[name][1]}")
    return found


def require_galera() -> Path:
    """Galera's library; MissingTool where it is missing. RECEIVER_TEST_GALERA goes before everything else."""
    given = os.environ.get("RECEIVER_TEST_GALERA")
    places = [Path(given)] if given else [Path("/") / _GALERA, _DEBIAN / "galera-4" / _GALERA]
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise MissingTool(f"{places[-1].name} is not on this machine: " + _FETCH.format("galera-4", "GALERA"))
    return found


def fetched_libraries() -> dict[str, str]:
    """The environment in which programs that were only unpacked find libraries that were, too."""
    places = {str(file.parent) for file in _DEBIAN.glob("*/usr/lib/*/*.so.*")}
    return {"LD_LIBRARY_PATH": os.pathsep.join(sorted(places))} if places else {}
