"""A circuit breaker for one target system: left alone after failures in a row, then probed. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from receiver.domain.action_state import BreakerState
from receiver.errors import DeliveryFailed

# For so long at least the probe has the system to itself; should its worker die, another one may probe afterwards.
SHORTEST_PROBE_SECONDS = 30.0
# How often one that waits for another's probe looks whether that has ended.
PROBE_PAUSE_SECONDS = 2.0
_UNWELL = 500
_TOO_MUCH = (408, 429)


@dataclass(frozen=True, slots=True)
class Breaker:
    """What all workers know of a system. `failures` in a row; `probe_until` names the probe that is under way."""

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    opened_at: datetime | None = None
    probe_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """After so many failures in a row the system is left alone, for so long."""

    failures: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether the system may be asked now: with `breaker` as it is from then on, or after `delay_seconds`."""

    breaker: Breaker
    delay_seconds: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether it may not."""
        return self.delay_seconds > 0


def admit(breaker: Breaker, now: datetime, limits: Limits, probe: datetime | None = None) -> Admission:
    """Whether an action may ask the system. `probe`: the `probe_until` that it was given before, if it is the probe."""
    match breaker.state:
        case BreakerState.CLOSED:
            return Admission(breaker)
        case BreakerState.HALF_OPEN if breaker.probe_until is not None and breaker.probe_until > now:
            if breaker.probe_until == probe:
                return Admission(breaker)
            left = (breaker.probe_until - now).total_seconds()
            return Admission(breaker, min(PROBE_PAUSE_SECONDS, left))
        case BreakerState.OPEN if breaker.opened_at is not None:
            left = limits.seconds - (now - breaker.opened_at).total_seconds()
            if left > 0:
                return Admission(breaker, left)
    until = now + timedelta(seconds=max(limits.seconds, SHORTEST_PROBE_SECONDS))
    return Admission(replace(breaker, state=BreakerState.HALF_OPEN, probe_until=until))


def after_answer(breaker: Breaker, probe: datetime | None) -> Breaker:
    """The system has answered, be it with a no. Once it is left alone, only the probe's answer counts."""
    is_probe = probe is not None and breaker.probe_until == probe
    return Breaker() if breaker.state is BreakerState.CLOSED or is_probe else breaker


def after_failure(breaker: Breaker, now: datetime, limits: Limits) -> Breaker:
    """The system has not answered, or not as one that is well. A call from before it was left alone changes nothing."""
    failures = breaker.failures + 1
    if breaker.state is BreakerState.OPEN or (
        breaker.state is BreakerState.CLOSED and failures < limits.failures
    ):
        return replace(breaker, failures=failures)
    return Breaker(BreakerState.OPEN, failures, opened_at=now)


def after_nothing(breaker: Breaker, now: datetime, probe: datetime | None) -> Breaker:
    """It was not asked after all. If this was the probe, another action may be it at once."""
    if probe is None or breaker.probe_until != probe:
        return breaker
    return replace(breaker, probe_until=now)


Change = Callable[[Breaker, datetime], Breaker]


def change_after(failure: DeliveryFailed, limits: Limits, probe: datetime | None) -> Change:
    """What a failed call tells of the system's health.

    A refusal with a status is an answer, but for those of a system that has too much to do. One without status that is
    permanent is our own, made before the system was asked.
    """
    status = failure.http_status
    if status is not None and status < _UNWELL and status not in _TOO_MUCH and not failure.outcome_unknown:
        return lambda breaker, now: after_answer(breaker, probe)
    if failure.permanent and status is None and not failure.outcome_unknown:
        return lambda breaker, now: after_nothing(breaker, now, probe)
    return lambda breaker, now: after_failure(breaker, now, limits)
