"""Free TCP ports on the loopback interface."""

from __future__ import annotations

import random
import socket

# Below the ports that systems hand out to outgoing connections (Linux from 32768, macOS from 49152), so that
# a port found free here is not taken by some client's connection before the server binds it.
_FIRST, _LAST = 20000, 32000
_handed_out: set[int] = set()
# Not the seeded generator: test processes side by side must not draw the same ports.
_random = random.SystemRandom()


def free_port() -> int:
    """A port on 127.0.0.1 that nothing listens on, never the same twice in one process."""
    while True:
        port = _random.randint(_FIRST, _LAST)
        if port not in _handed_out and _can_bind(port):
            _handed_out.add(port)
            return port


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
