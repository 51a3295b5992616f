"""The Protocol that every action follows, and what all have in common."""

from __future__ import annotations

import hashlib
from typing import Protocol

from receiver.domain.action import Order, Plan, Result, Signature

LONGEST_SYSTEM = 64
LONGEST_TARGET = 255


class Action(Protocol):
    """One thing that can be done. One object serves all threads."""

    @property
    def signature(self) -> Signature:
        """Its name, and what it takes."""

    def mistakes(self, order: Order) -> list[str]:
        """All that is wrong with the order wherever it is to run: what no settings could mend. See `check`."""

    def check(self, order: Order) -> list[str]:
        """All that is wrong with the order, in words for people; empty if it may be planned. Asks nobody."""

    def target_text(self, order: Order) -> str:
        """What it would act on, as `kubernetes:shop/deployment/svc-a`; 255 characters at most for a checked order."""

    def system(self, order: Order) -> str:
        """The system that it would call, as `kubernetes` or `mysql:orders`; 64 characters at most."""

    def plan(self, order: Order) -> Plan:
        """What running it would change, as things stand. Changes nothing.

        Raises DeliveryFailed: nothing has happened, and `permanent` says that the target does not allow it.
        """

    def run(self, order: Order, plan: Plan) -> Result:
        """Do what `plan`, a moment old, says: one change at most. For a plan without change there is none.

        Raises DeliveryFailed: with `outcome_unknown` the change may have been made; with `permanent` another try
        would fail like this one; with neither, nothing has happened and it may be tried again.
        """


def system_key(text: str) -> str:
    """`text` as the name of a system: cut, with a mark that tells it from others, where it is too long."""
    if len(text) <= LONGEST_SYSTEM and text.isascii():
        return text
    mark = hashlib.sha256(text.encode()).hexdigest()[:12]
    start = text.encode("ascii", "replace").decode()[: LONGEST_SYSTEM - len(mark) - 1]
    return f"{start}-{mark}"


def shown(text: str, longest: int = 60) -> str:
    """A text of unknown origin, for a message: quoted, cut, in printable characters."""
    cut = text if len(text) <= longest else text[:longest] + "…"
    return '"' + "".join(c if c.isprintable() else "�" for c in cut) + '"'
