"""When a process has more requests than it can answer in time, so that new ones are better told at once. Pure.

Refusing a request before the application sees it costs less than taking it, and a queue that grows would make everybody
wait until nobody waits any more.
"""

from __future__ import annotations

# The time for which a greenlet that is ready waits for its turn. Alone it tells nothing: the machine may be busy with
# something else. Nor do many requests: their senders may be slow.
_LONGEST_LAG_SECONDS = 0.5
_MOST_REQUESTS = 64
# Whoever looks after the receiver gets an answer all the same.
ALWAYS_ANSWERED = frozenset({"/livez", "/readyz", "/health", "/metrics"})


def is_too_much(requests: int, lag_seconds: float, path: str) -> bool:
    """Whether a request for `path` is to be refused, with so many under way and turns that come so late."""
    return requests > _MOST_REQUESTS and lag_seconds > _LONGEST_LAG_SECONDS and path not in ALWAYS_ANSWERED
