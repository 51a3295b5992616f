"""Reads a kubeconfig file: the server and the credentials of its current context.

https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
"""

from __future__ import annotations

import base64
import binascii
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from receiver.errors import SettingsError

_SETTING = "RECEIVER_KUBERNETES_CONFIG"
# Other programs that fetch credentials: they would have to be started, with all that an environment can make of them.
_PROGRAMS = ("exec", "auth-provider")


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """What the current context of a file says."""

    server: str
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    authority: Path | None = None
    certificate: tuple[Path, Path] | None = None


def read_kubeconfig(path: Path) -> Kubeconfig:
    """The current context of the file. Raises SettingsError, without any of its values."""
    document = _load(path)
    context = _named(document, "contexts", "context", document.get("current-context"))
    cluster = _named(document, "clusters", "cluster", context.get("cluster"))
    user = _named(document, "users", "user", context.get("user"))
    server = cluster.get("server")
    if not isinstance(server, str) or not server.startswith(("https://", "http://")):
        raise _wrong("its cluster has no server")
    if cluster.get("insecure-skip-tls-verify"):
        raise _wrong("insecure-skip-tls-verify is not supported; name the certificate-authority")
    if any(kind in user for kind in _PROGRAMS):
        raise _wrong(
            "it gets its credentials from another program (exec), which is not supported; make a service account"
            " and set RECEIVER_KUBERNETES_URL and RECEIVER_KUBERNETES_TOKEN"
        )
    folder = path.parent
    certificate = _file(user, "client-certificate", folder)
    key = _file(user, "client-key", folder)
    token_file = user.get("tokenFile")
    return Kubeconfig(
        server=server.rstrip("/"),
        token=_text(user.get("token")),
        token_file=folder / token_file if isinstance(token_file, str) else None,
        authority=_file(cluster, "certificate-authority", folder),
        certificate=(certificate, key) if certificate and key else None,
    )


def _load(path: Path) -> Mapping[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(f"the file cannot be read ({type(error).__name__})") from None
    except yaml.YAMLError:
        raise _wrong("the file is not YAML") from None
    if not isinstance(document, dict):
        raise _wrong("the file is not a kubeconfig")
    return document


def _named(document: Mapping[str, Any], section: str, key: str, name: object) -> Mapping[str, Any]:
    entries = document.get(section)
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("name") == name and isinstance(entry.get(key), dict):
            found: Mapping[str, Any] = entry[key]
            return found
    raise _wrong(f"its current context leads to no entry of `{section}`")


def _file(entry: Mapping[str, Any], name: str, folder: Path) -> Path | None:
    """The file that an entry names, or one with the data that stands in it."""
    data, path = entry.get(f"{name}-data"), entry.get(name)
    if isinstance(data, str):
        try:
            return _kept(base64.b64decode(data, validate=True))
        except binascii.Error:
            raise _wrong(f"{name}-data is not base64") from None
    return folder / path if isinstance(path, str) else None


@lru_cache(maxsize=16)
def _kept(data: bytes) -> Path:
    """A file with `data` that only we may read: TLS libraries take certificates and keys from files only.

    On Linux it is in memory alone, and gone with the process.
    """
    if sys.platform == "linux":
        handle = os.memfd_create("kubeconfig")
        os.fchmod(handle, 0o600)
        name = f"/proc/self/fd/{handle}"
    else:
        handle, name = tempfile.mkstemp(prefix="receiver-kube-", suffix=".pem")
    with os.fdopen(handle, "wb", closefd=sys.platform != "linux") as file:
        file.write(data)
    return Path(name)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _wrong(what: str) -> SettingsError:
    return SettingsError([f"{_SETTING}: {what}"])
