"""Identifiers made here: ULIDs for rows that must be known before they are written, and trace ids.

A ULID (https://github.com/ulid/spec) sorts by time, so new rows go to the end of their index.
"""

from __future__ import annotations

import os
import re
import threading
import time
from datetime import datetime
from functools import lru_cache

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = tuple(a + b for a in _CROCKFORD for b in _CROCKFORD)
_UPPER_SHIFTS, _LOWER_SHIFTS = range(60, -1, -10), range(50, -1, -10)
_TRACEPARENT = re.compile(r"^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$")


class UlidFactory:
    """Makes ULIDs that rise strictly within the process, also when the clock stands still or steps back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._milliseconds = 0
        self._last = 0
        os.register_at_fork(after_in_child=self._begin_anew)

    def __call__(self) -> str:
        """One new ULID, 26 characters."""
        with self._lock:
            now = time.time_ns() // 1_000_000
            if now > self._milliseconds:
                self._milliseconds, self._last = now, now << 80 | int.from_bytes(os.urandom(10), "big")
            else:  # within one millisecond, and after a clock that stepped back, count on from the last one
                self._last += 1
            return _encode(self._last)

    def _begin_anew(self) -> None:
        """A fork must not go on with its parent's sequence, nor wait for a lock that a thread of the parent held."""
        self._lock = threading.Lock()
        self._milliseconds = 0


def _encode(value: int) -> str:
    return _upper_digits(value >> 60) + "".join([_PAIRS[value >> shift & 1023] for shift in _LOWER_SHIFTS])


@lru_cache(maxsize=16)  # those of one millisecond differ in their last digits only
def _upper_digits(value: int) -> str:
    return "".join([_PAIRS[value >> shift & 1023] for shift in _UPPER_SHIFTS])


new_ulid = UlidFactory()


def first_ulid(moment: datetime) -> str:
    """A ULID below all that are made at `moment` (aware) or later, and above all that were made before it."""
    return _encode(int(moment.timestamp() * 1000) << 80)


def new_trace_id() -> str:
    """A random W3C trace id: 32 lower-case hex digits."""
    return os.urandom(16).hex()


def trace_id_of(traceparent: str | None) -> str:
    """The trace id of a `traceparent` header (https://www.w3.org/TR/trace-context/), or a new one if it has none."""
    found = _TRACEPARENT.match(traceparent or "")
    return found.group(1) if found and found.group(1).strip("0") else new_trace_id()
