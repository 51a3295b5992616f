"""Where dependencies may be: anywhere in one's own network, but never where clouds keep their credentials."""

from __future__ import annotations

import ipaddress

from receiver.httpclient.address_guard import AddressGuard, AddressRefused

_INSIDE = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
# Within the networks above, and all the same no dependency: what AWS, Google and Alibaba answer their machines from.
_METADATA = frozenset(map(ipaddress.ip_address, ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200")))


class PlaceRefused(AddressRefused):
    """The host leads only to addresses that no diagnosis looks at."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind, "")
        self.reason = f"no diagnosis looks at an address of this kind ({kind})"


class InsideGuard(AddressGuard):
    """Permits public and private addresses. Loopback only with `is_ours`: for what the operator wrote out.

    A host that comes from an alert would lead to what listens on this machine for this machine alone.
    """

    def __init__(self, *, is_ours: bool) -> None:
        super().__init__((*_INSIDE, *(_LOOPBACK if is_ours else ())))

    def permitted(self, host: str, port: int) -> list[str]:
        """As AddressGuard, with a reason of its own."""
        try:
            return super().permitted(host, port)
        except AddressRefused as refused:
            raise PlaceRefused(refused.kind) from None

    def refusal(self, address: str) -> str | None:
        """As AddressGuard, without the metadata services that have private addresses."""
        if ipaddress.ip_address(address.partition("%")[0]) in _METADATA:
            return "metadata of clouds"
        return super().refusal(address)
