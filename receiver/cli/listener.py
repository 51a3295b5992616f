"""The listening socket, made before gunicorn starts, so that what is wrong with the address becomes a clear line."""

from __future__ import annotations

import errno
import socket

from receiver.cli.exits import Exit, Failure
from receiver.config import HostPort

_BACKLOG = 2048
_REASONS = {
    errno.EADDRINUSE: "another program listens there; stop it, or set RECEIVER_BIND to another port",
    errno.EACCES: "that needs more rights (ports below 1024 do); set RECEIVER_BIND to another port",
    errno.EADDRNOTAVAIL: "this machine has no such address; set RECEIVER_BIND to one that it has",
}


def listen(bind: HostPort) -> socket.socket:
    """A socket that listens on `bind`. Failure, with what to do, where that is not possible."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            bind.host, bind.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror:
        raise Failure(Exit.ADDRESS, f"Cannot listen on {bind}: the host's name cannot be resolved") from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # not to wait for the last run's connections
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        reason = _REASONS.get(error.errno or 0, error.strerror)
        raise Failure(Exit.ADDRESS, f"Cannot listen on {bind}: {reason}") from None
    return listener


def base_url(bind: HostPort) -> str:
    """How a program on this machine reaches a receiver that listens on `bind`."""
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound  # nosec B104
    return f"http://{HostPort(anywhere.get(bind.host, bind.host), bind.port)}"
