"""Keeps requests to user-given addresses away from what only this machine can reach (SSRF): decides by address.

A name says nothing: it may resolve to anything, and to something else the next moment. So the guard looks it up once
and hands back the addresses to connect to.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import Any

from receiver.errors import ReceiverError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Lookup = Callable[..., Sequence[tuple[Any, ...]]]

# https://www.iana.org/assignments/iana-ipv4-special-registry, .../iana-ipv6-special-registry, and what clouds add.
_DENIED = {
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "carrier-grade NAT",
    "127.0.0.0/8": "loopback",
    "168.63.129.16/32": "metadata of Azure",
    "169.254.0.0/16": "link-local, metadata of clouds",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "reserved",
    "192.0.2.0/24": "documentation",
    "192.88.99.0/24": "6to4 relay",
    "192.168.0.0/16": "private",
    "198.18.0.0/15": "benchmarks",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
    "::1/128": "loopback",
    "::ffff:0:0/96": "IPv4-mapped",
    "64:ff9b::/96": "NAT64",
    "64:ff9b:1::/48": "NAT64",
    "2001::/32": "Teredo",
    "2001::/23": "reserved",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",
    "3fff::/20": "documentation",
    "fc00::/7": "private",
    "fe80::/10": "link-local",
    "ff00::/8": "multicast",
}
_DENIED_NETWORKS = tuple((ipaddress.ip_network(text), kind) for text, kind in _DENIED.items())
# All that has been given out for use on the internet; the rest of IPv6 is special or nobody's.
_GLOBAL_IPV6 = ipaddress.ip_network("2000::/3")


class AddressRefused(ReceiverError):
    """The host leads only to addresses that must not be reached; `reason` says why, and what would permit it."""

    def __init__(self, kind: str, setting: str) -> None:
        self.kind = kind
        self.reason = f"the host's address is not public ({kind}); {setting} can permit its network"
        super().__init__(self.reason)


class AddressGuard:
    """Permits public addresses, and those in the networks `allow`, which `setting` holds."""

    def __init__(
        self,
        allow: Sequence[Network] = (),
        setting: str = "RECEIVER_WEBHOOK_OUT_ALLOW",
        lookup: Lookup | None = None,
    ) -> None:
        self._allow = tuple(allow)
        self._setting = setting
        self._lookup = lookup

    def permitted(self, host: str, port: int) -> list[str]:
        """The addresses of `host` that may be connected to, in the resolver's order; at least one.

        Raises AddressRefused if there is none, socket.gaierror if the name cannot be resolved.
        """
        lookup = self._lookup or socket.getaddrinfo
        try:
            found = lookup(host.strip("[]"), port, 0, socket.SOCK_STREAM)
        except UnicodeError:  # a label of the name is empty or too long
            raise socket.gaierror(socket.EAI_NONAME, "not a host's name") from None
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        refusals = [self.refusal(address) for address in addresses]
        permitted = [address for address, refusal in zip(addresses, refusals, strict=True) if refusal is None]
        if not permitted:
            raise AddressRefused(next((kind for kind in refusals if kind), "none at all"), self._setting)
        return permitted

    def refusal(self, address: str) -> str | None:
        """What kind of address it is that must not be reached, or None for one that may be."""
        parsed = ipaddress.ip_address(address.partition("%")[0])
        if any(parsed in network for network in self._allow):
            return None
        for network, kind in _DENIED_NETWORKS:
            if parsed in network:
                return kind
        return "reserved" if parsed.version == 6 and parsed not in _GLOBAL_IPV6 else None
