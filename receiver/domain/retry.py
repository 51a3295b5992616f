"""When to try again: exponential backoff with full jitter
(https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/)."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from receiver.errors import DeliveryFailed


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits between 0 and `base_seconds` * 2^(attempt-1), never more than `cap_seconds`."""

    base_seconds: float = 2.0
    cap_seconds: float = 600.0
    longest_retry_after_seconds: float = 3600.0

    def delay_seconds(self, attempt: int, draw: Callable[[], float] = random.random) -> float:
        """Seconds to wait after the failed attempt number `attempt` (from 1); `draw` gives a number in [0, 1)."""
        ceiling = min(self.cap_seconds, self.base_seconds * 2.0 ** min(attempt - 1, 30))
        return ceiling * draw()


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """Either the seconds to wait, or None for a dead letter; always with the reason."""

    delay_seconds: float | None
    reason: str


def decide_retry(
    failure: DeliveryFailed,
    attempt: int,
    max_attempts: int,
    backoff: Backoff,
    draw: Callable[[], float] = random.random,
) -> RetryDecision:
    """Whether and when attempt number `attempt` (from 1) that ended in `failure` is followed by another."""
    if failure.permanent:
        return RetryDecision(None, failure.reason)
    if attempt >= max_attempts:
        return RetryDecision(None, f"gave up after {attempt} attempts: {failure.reason}")
    delay = backoff.delay_seconds(attempt, draw)
    if failure.retry_after_seconds is not None:
        # The other side's wish is a floor; jitter on top keeps waiting jobs from coming back in one burst.
        delay += min(failure.retry_after_seconds, backoff.longest_retry_after_seconds)
    return RetryDecision(delay, failure.reason)
