"""What instruments have in common: they look at one thing, and give back facts or raise why there are none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from sqlalchemy import URL

from receiver.domain.dependency_address import Address
from receiver.domain.rules.render import View
from receiver.httpclient import AddressGuard, HttpClient

P_contra = TypeVar("P_contra", contravariant=True)

# What was found, as it is stored and shown. `ok` says whether it is as it should be.
Facts = Mapping[str, Any]
LONGEST_CONNECT_SECONDS = 3.0


def failed(reason: str) -> Facts:
    """The facts where nothing was found out."""
    return {"ok": False, "error": reason}


def patient(seconds: float) -> HttpClient:
    """A client whose requests take at most so long."""
    return HttpClient(min(LONGEST_CONNECT_SECONDS, seconds), seconds, seconds)


class Instrument(Protocol[P_contra]):
    """Looks at what one probe describes."""

    def look(self, probe: P_contra, view: View) -> Facts:
        """The facts, with `ok`, in the probe's time. `view` holds the values for its texts.

        Raises DeliveryFailed where nothing was found out, RenderFailed where the alert lacks a value or has a bad one.
        """


@dataclass(frozen=True, slots=True)
class Place:
    """Where a dependency is. `login` is the address with user and password, where the settings have one."""

    address: Address
    guard: AddressGuard
    path: str = ""
    is_tls: bool = False
    login: URL | None = field(default=None, repr=False)


class Check(Protocol):
    """Asks one kind of dependency whether it is there."""

    def __call__(self, place: Place, seconds: float) -> Facts:
        """The facts, with `ok`, in so many seconds. Raises DeliveryFailed where no usable answer came."""
