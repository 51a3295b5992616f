"""Rolling up without losing a row: what a stretch of ids has gained since it was counted, and when to count it again.

Rows commit out of the order of their ids, so no stretch is ever counted once and for all: it is counted again at
growing ages. What was counted before is remembered, and only what came since is added to the roll-ups.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

# How old a stretch is when it is counted again. A transaction is over in seconds; the later looks are for processes
# that were frozen in the middle of one, and for hosts whose clock is behind.
CHECK_AGES = tuple(
    timedelta(minutes=minutes) for minutes in (1, 5, 20, 120, 26 * 60)
)  # fmt: skip
# The newest stretch is counted anew at each turn, until it has so many rows or is so old.
OPEN_FOR = timedelta(minutes=5)

Tally = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Facet:
    """Where an alert or an incident comes from."""

    rule_uid: str
    cluster: str
    namespace: str
    service: str

    @property
    def facet_id(self) -> int:
        """A hash that fits a signed 64-bit column."""
        text = "\0".join((self.rule_uid, self.cluster, self.namespace, self.service))
        return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big") >> 1


def growth(before: Tally, now: Tally) -> dict[str, int]:
    """What `now` has more of than `before`. Less of something means that retention was there: it stays counted."""
    return {key: number - before.get(key, 0) for key, number in now.items() if number > before.get(key, 0)}


def most(before: Tally, now: Tally) -> dict[str, int]:
    """What was counted so far, all in all."""
    return {key: max(before.get(key, 0), now.get(key, 0)) for key in before.keys() | now.keys()}


def next_check(closed_at: datetime, checks: int) -> datetime | None:
    """When to count a stretch again that was closed then and has been counted `checks` times since; None: never."""
    return closed_at + CHECK_AGES[checks] if checks < len(CHECK_AGES) else None
