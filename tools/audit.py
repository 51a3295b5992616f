"""Asks a vulnerability service about everything that is pinned: a known vulnerability fails.

    .venv/bin/python tools/audit.py

A mirror of PyPI may answer and know nothing of vulnerabilities: pip-audit then skips every package and reports success.
So one package is asked about first. Unless there is an answer about that one, nothing else is asked, and one line says
so: what was not looked at has not passed.
"""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PINS = ROOT / "constraints.txt"
NOT_RUN = "pip-audit: not run: no vulnerability service reachable"
_SERVICE = ("pypi.org", 443)
_PROBE = "flask=="
_CONNECT_SECONDS = 3
_AUDIT = (
    str(Path(sys.executable).parent / "pip-audit"),
    "--timeout",
    str(_CONNECT_SECONDS),
    "--progress-spinner",
    "off",
)
# Every pin is exact and the list is complete, so nothing has to be resolved.
_AS_PINNED = ("--no-deps", "--disable-pip")


def main(service: tuple[str, int] = _SERVICE, audit: Sequence[str] = _AUDIT, pins: Path = PINS) -> int:
    """0: nothing known against any pin, or not run, which is said; 1: something is known, or a pin was skipped."""
    probe = next(
        line for line in pins.read_text(encoding="utf-8").splitlines() if line.lower().startswith(_PROBE)
    )
    if not _connects(service) or not _knows(audit, probe):
        print(NOT_RUN)
        return 0
    # Strict: a package that the service does not know has not been looked at.
    return subprocess.run(
        [*audit, *_AS_PINNED, "--strict", "--requirement", str(pins)], check=False
    ).returncode


def _connects(service: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(service, timeout=_CONNECT_SECONDS) as plain:
            ssl.create_default_context().wrap_socket(plain, server_hostname=service[0]).close()
    except OSError:
        return False
    return True


def _knows(audit: Sequence[str], pin: str) -> bool:
    """Whether the service has an answer about one pinned package; a skipped one is none."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write(f"{pin}\n")
        file.flush()
        command = [*audit, *_AS_PINNED, "--format", "json", "--requirement", file.name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return False
    return bool(found) and all("vulns" in one for one in found)


if __name__ == "__main__":
    sys.exit(main())
