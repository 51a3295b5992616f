"""The Protocol that every broker follows, and what all of them need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from receiver.domain.outgoing import Message, PublishReport
from receiver.errors import DeliveryFailed


class Broker(Protocol):
    """One broker. Built without connecting; connects when it is first used, and again after a failure.

    It belongs to one process and is used by one thread at a time.
    """

    @property
    def name(self) -> str:
        """Its name as people know it, for example `NATS`."""

    def publish(self, batch: Sequence[Message]) -> PublishReport:
        """Send `batch`, and return what the broker has acknowledged as stored; comes within half a minute.

        Messages of one key go out one after the other, each after the acknowledgement of the one before: what follows
        a failure is not sent. Raises DeliveryFailed where the broker cannot be reached at all.
        """

    def check(self) -> str:
        """What there is to say of a broker that can be used; sends and changes nothing. Raises DeliveryFailed."""

    def close(self) -> None:
        """Give the connection back."""


@contextmanager
def needs_extra(extra: str, package: str) -> Iterator[None]:
    """Around the import of a broker's client, which is an extra. Raises DeliveryFailed if it is missing."""
    try:
        yield
    except ModuleNotFoundError:
        reason = f"the package {package} is not installed: pip install 'alert-receiver[{extra}]'"
        raise DeliveryFailed(reason) from None
