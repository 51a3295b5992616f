"""Pauses between attempts that a test can count on."""

from __future__ import annotations

from collections.abc import Callable

from receiver.domain.retry import Backoff


class SteadyBackoff(Backoff):
    """Without jitter."""

    def delay_seconds(self, attempt: int, draw: Callable[[], float] = lambda: 1.0) -> float:
        return super().delay_seconds(attempt, lambda: 1.0)
