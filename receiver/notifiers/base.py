"""The Protocol that every channel follows."""

from __future__ import annotations

from typing import Protocol

from receiver.domain.notification import Notification, Receipt, Template


class Notifier(Protocol):
    """One channel. `name` is its name in settings, job queues and metrics."""

    @property
    def name(self) -> str:
        """The channel's name, for example `slack`."""

    @property
    def templates(self) -> frozenset[Template]:
        """The occasions of an incident of which the channel hears. It can tell of the others, too."""

    def send(self, notification: Notification) -> Receipt:
        """Send one message and return once the other side has taken it.

        Raises DeliveryFailed, which says whether trying again can help. No secret and no address in its text.
        """
