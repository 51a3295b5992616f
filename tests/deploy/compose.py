"""docker-compose.yml as the tests read it, and the secrets it mounts."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.fakes import tools

ROOT = tools.ROOT
FILE = ROOT / "docker-compose.yml"
SECRETS = "/run/secrets/"  # where Compose mounts them
OF_THE_IMAGE = ("receiver", "worker", "migrate")  # services that run our own image

DOCUMENT: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]


def bind_mounts() -> Iterator[tuple[str, str, str]]:
    """(service, path in the checkout, mode) of everything that is mounted from the checkout."""
    for name, service in SERVICES.items():
        for volume in service.get("volumes", ()):
            source, _, rest = volume.partition(":")
            if source.startswith("."):
                yield name, source, rest.partition(":")[2]


def image_environment() -> dict[str, str]:
    """RECEIVER_... variables that the Dockerfile sets."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    return dict(re.findall(r"\b(RECEIVER_\w+)=(\S+)", text))


def environment(service: str, secrets: Path, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """RECEIVER_... variables in a container of `service`, with the secrets in `secrets` and `given` in the shell."""
    found = image_environment()
    for name, value in SERVICES[service]["environment"].items():
        found[name] = _interpolated(value, given or {}).replace(SECRETS, f"{secrets}/")
    return found


def make_secrets(folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs deploy/make-secrets.sh for `folder`."""
    return subprocess.run(
        [ROOT / "deploy" / "make-secrets.sh", folder], capture_output=True, text=True, check=False
    )


def _interpolated(text: str, given: Mapping[str, str]) -> str:
    return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: given.get(found[1]) or found[2], text)
