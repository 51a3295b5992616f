"""Who may use the API: a bearer token with a role, or everybody where the receiver is open (loopback, no token)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from receiver.config import ROLES, Settings
from receiver.errors import NotAllowed, NotAuthenticated
from receiver.web import credentials

CHALLENGE = 'Bearer realm="api"'
ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, and what that one may do. `named`: a token vouches for the name."""

    name: str
    role: str
    named: bool = True

    def may(self, role: str) -> bool:
        """Whether this principal has at least `role`."""
        return ROLES.index(self.role) >= ROLES.index(role)


class ApiGate:
    """Finds the principal of a request."""

    def __init__(self, settings: Settings) -> None:
        self._tokens = tuple(
            (credentials.digests([entry.token]), Principal(entry.name, entry.role))
            for entry in settings.api_tokens
        )
        self.is_open = not self._tokens and (settings.bind.is_loopback or not settings.auth)

    def admit(self, environ: Mapping[str, Any], role: str) -> Principal:
        """The principal, who has at least `role`.

        Raises NotAuthenticated without a good token, NotAllowed when the token's role is too low.
        """
        if self.is_open:
            return Principal(ANONYMOUS, ROLES[-1], named=False)
        if not self._tokens:
            raise NotAuthenticated("this API has no token yet: set RECEIVER_API_TOKENS=name:role:token")
        principal = self._principal(environ.get("HTTP_AUTHORIZATION", ""))
        if principal is None:
            raise NotAuthenticated(
                "this needs the header Authorization: Bearer with a token of RECEIVER_API_TOKENS"
            )
        if not principal.may(role):
            raise NotAllowed(f"this needs the role {role}; the token has the role {principal.role}")
        return principal

    def _principal(self, authorization: str) -> Principal | None:
        scheme, value = credentials.scheme_and_value(authorization)
        found = [principal for accepted, principal in self._tokens if credentials.matches(value, accepted)]
        return found[0] if found and scheme == "bearer" else None
