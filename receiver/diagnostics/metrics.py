"""Metrics of a diagnosis: what Prometheus says, as a number that people and rules can read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from receiver.clock import Clock
from receiver.diagnostics.base import Facts
from receiver.diagnostics.prometheus import SETTING, Prometheus, Series
from receiver.domain.comparison import Comparison, read_comparison
from receiver.domain.diagnosis import MetricProbe
from receiver.domain.rules.render import View, render_query
from receiver.errors import DeliveryFailed

MOST_SERIES = 10
LONGEST_QUERY = 500
LONGEST_LABEL = 100


class Metrics:
    """Looks at metrics. `prometheus` None: it is not set up."""

    def __init__(self, prometheus: Prometheus | None, clock: Clock) -> None:
        self._prometheus = prometheus
        self._clock = clock

    def look(self, probe: MetricProbe, view: View) -> Facts:
        """`value`; on a range also `first`, `least`, `most`, `average`; `series` instead where there are several."""
        query = render_query(probe.query, view)
        if self._prometheus is None:
            raise DeliveryFailed(f"{SETTING} is not set", permanent=True)
        expected = read_comparison(probe.holds) if probe.holds else None
        facts: dict[str, object] = {"query": query[:LONGEST_QUERY]}
        if probe.unit:
            facts["unit"] = probe.unit
        if expected:
            facts["expected"] = str(expected)
        if probe.over_seconds is not None:
            facts["over_seconds"] = probe.over_seconds
        return facts | _found(self._series(self._prometheus, probe, query), expected)

    def _series(self, prometheus: Prometheus, probe: MetricProbe, query: str) -> list[Series]:
        if probe.over_seconds is None:
            return prometheus.instant(query, probe.timeout_seconds)
        now = self._clock().timestamp()
        return prometheus.range(
            query, now - probe.over_seconds, now, probe.step_seconds, probe.timeout_seconds
        )


def _found(series: Sequence[Series], expected: Comparison | None) -> dict[str, object]:
    """JSON has no NaN and no infinity: what is none of the usual numbers is said in words."""
    usable = [(one, _finite(one.values)) for one in series]
    usable = [(one, values) for one, values in usable if values]
    if not usable:
        what = "only values that are no number (NaN or Inf)" if series else "no data"
        return {"ok": False, "error": f"the query gave {what}"}
    is_ok = expected is None or all(expected.holds(values[-1]) for _, values in usable)
    if len(series) == 1:
        return {"ok": is_ok} | _numbers(usable[0][1])
    # The ones that are not as expected first, for only so many are kept.
    usable.sort(key=lambda pair: expected is not None and expected.holds(pair[1][-1]))
    listed = [{"labels": _labels(one)} | _numbers(values) for one, values in usable[:MOST_SERIES]]
    return {"ok": is_ok, "series": listed, "series_count": len(series)}


def _finite(values: Sequence[float]) -> list[float]:
    return [value for value in values if math.isfinite(value)]


def _numbers(values: Sequence[float]) -> dict[str, object]:
    numbers: dict[str, object] = {"value": values[-1]}
    if len(values) > 1:
        numbers |= {
            "first": values[0],
            "least": min(values),
            "most": max(values),
            "average": fmean(values),
        }
    return numbers


def _labels(series: Series) -> dict[str, str]:
    return {name: value[:LONGEST_LABEL] for name, value in sorted(series.labels.items())[:MOST_SERIES]}
