"""What operators back a database up and restore it with: mariadb-dump and mariadb, as docs/backup.md says."""

from __future__ import annotations

import subprocess
from pathlib import Path

from sqlalchemy import make_url

from tests.fakes import tools
from tests.fakes.processes import environment

_OPTIONS = ("--single-transaction", "--quick", "--hex-blob", "--triggers", "--skip-lock-tables")
_SECONDS = 60


def dump(url: str, file: Path) -> None:
    """Write the database at `url` to `file`, while others use it. AssertionError if that fails."""
    with file.open("wb") as output:
        _run([str(tools.require("mariadb-dump")), *_login(url), *_OPTIONS, _name(url)], url, stdout=output)


def restore(file: Path, url: str) -> None:
    """Read the dump in `file` into the empty database at `url`. AssertionError if that fails."""
    with file.open("rb") as source:
        _run([str(tools.require("mariadb")), *_login(url), _name(url)], url, stdin=source)


def _login(url: str) -> list[str]:
    parsed = make_url(url)
    return [
        "--no-defaults",
        "--protocol=tcp",
        f"--host={parsed.host}",
        f"--port={parsed.port}",
        f"--user={parsed.username}",
    ]


def _name(url: str) -> str:
    return str(make_url(url).database)


def _run(command: list[str], url: str, **streams: object) -> None:
    env = environment({"MYSQL_PWD": str(make_url(url).password)})
    done = subprocess.run(command, env=env, stderr=subprocess.PIPE, timeout=_SECONDS, check=False, **streams)  # type: ignore[call-overload]  # stdin or stdout, files both
    assert done.returncode == 0, f"{command[0]}: {done.stderr.decode(errors='replace')[-2000:]}"
