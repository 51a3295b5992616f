"""Dependencies of a diagnosis: finds out where each one is, within what an alert may say of it, and has it checked."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from receiver.diagnostics.base import Check, Facts, Place, failed
from receiver.diagnostics.inside import InsideGuard
from receiver.domain.dependency_address import Address, has_values, parse_address, parse_path
from receiver.domain.diagnosis import DependencyKind, DependencyProbe
from receiver.domain.rules.render import View, render_text
from receiver.errors import DeliveryFailed

SETTING = "RECEIVER_REMEDIATION_DATABASES"
_PORTS = {DependencyKind.MYSQL: 3306, DependencyKind.POSTGRESQL: 5432, DependencyKind.REDIS: 6379}
_SCHEMES = {
    DependencyKind.MYSQL: ("mysql", "mariadb"),
    DependencyKind.POSTGRESQL: ("postgresql", "postgres"),
    DependencyKind.REDIS: ("redis",),
}


class Dependencies:
    """Looks at dependencies. `databases`: addresses with passwords, under the names by which rules know them."""

    def __init__(self, checks: Mapping[DependencyKind, Check], databases: Mapping[str, str]) -> None:
        self._checks = checks
        self._databases = databases

    def look(self, probe: DependencyProbe, view: View) -> Facts:
        """`address`, and what the check of its kind found out, or the `error` why it found nothing out.

        Raises DeliveryFailed and RenderFailed where it is not clear where the dependency is.
        """
        place = self._place(probe, view)
        try:
            found = self._checks[probe.kind](place, probe.timeout_seconds)
        except DeliveryFailed as failure:
            found = failed(failure.reason)
        return {"address": str(place.address), **found}

    def _place(self, probe: DependencyProbe, view: View) -> Place:
        text = render_text(probe.address, view).strip()
        if probe.kind in _PORTS and ":" not in text:
            return self._named(probe.kind, text)
        try:
            address = parse_address(text, _web_port(probe))
            path = parse_path(render_text(probe.path, view)) if probe.kind is DependencyKind.HTTP else ""
        except ValueError as error:
            # Without the text: it is what an alert says, and may be anything.
            reason = f"the address, with the alert's values in it, cannot be used: it {error}"
            raise DeliveryFailed(reason, permanent=True) from None
        guard = InsideGuard(is_ours=not has_values(probe.address))
        return Place(address, guard, path, probe.is_tls)

    def _named(self, kind: DependencyKind, name: str) -> Place:
        given = self._databases.get(name)
        if given is None:
            raise DeliveryFailed(f"{SETTING} has no database of this name", permanent=True)
        try:
            login = make_url(given)
        except (ArgumentError, ValueError):  # the latter for a port that is no number
            login = None
        if login is None or not login.host or login.get_backend_name() not in _SCHEMES[kind]:
            raise DeliveryFailed(
                f"what {SETTING} has under this name is no {kind.value}:// address", permanent=True
            )
        return Place(Address(login.host, login.port or _PORTS[kind]), InsideGuard(is_ours=True), login=login)


def _web_port(probe: DependencyProbe) -> int | None:
    if probe.kind is not DependencyKind.HTTP:
        return None
    return 443 if probe.is_tls else 80
