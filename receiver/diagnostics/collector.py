"""Makes a diagnosis: all of its probes at once, their results under the names of the rules file."""

from __future__ import annotations

import json
from functools import partial
from typing import Any, cast

from receiver.clock import Clock, isoformat
from receiver.diagnostics.base import Facts, Instrument
from receiver.diagnostics.side_by_side import Ended, Task, run_side_by_side
from receiver.domain.diagnosis import DependencyProbe, Diagnosis, MetricProbe, PodsProbe, Probe
from receiver.domain.rules.render import View


class Collector:
    """Holds the instruments of this process; one object serves all threads."""

    def __init__(
        self,
        metrics: Instrument[MetricProbe],
        pods: Instrument[PodsProbe],
        dependencies: Instrument[DependencyProbe],
        clock: Clock,
    ) -> None:
        self._metrics = metrics
        self._pods = pods
        self._dependencies = dependencies
        self._clock = clock

    def collect(self, diagnosis: Diagnosis, view: View) -> dict[str, Any]:
        """`pods`, `metrics` and `dependencies`, as far as the diagnosis has them, each result with `at` and `seconds`.

        Never fails: a probe that finds nothing out has its `error` as the result.
        """
        at = isoformat(self._clock())
        probes = diagnosis.probes
        ended = run_side_by_side([self._task(probe, view) for probe in probes], diagnosis.deadline_seconds)
        results: dict[str, Any] = {}
        for probe, one in zip(probes, ended, strict=True):
            result = _result(one, at)
            match probe:
                case PodsProbe():
                    results["pods"] = result
                case MetricProbe(name=name):
                    results.setdefault("metrics", {})[name] = result
                case DependencyProbe(name=name, kind=kind):
                    results.setdefault("dependencies", {})[name] = {"kind": kind.value, **result}
        return results

    def _task(self, probe: Probe, view: View) -> Task:
        match probe:
            case MetricProbe():
                look = partial(self._metrics.look, probe, view)
            case PodsProbe():
                look = partial(self._pods.look, probe, view)
            case DependencyProbe():
                look = partial(self._dependencies.look, probe, view)
        return Task(probe.timeout_seconds, look)


def _result(ended: Ended, at: str | None) -> Facts:
    facts = {**ended.facts, "at": at, "seconds": round(ended.seconds, 3)}
    # Foreign answers may hold halves of surrogate pairs, for which neither UTF-8 nor a database has a place.
    plain = json.dumps(facts, ensure_ascii=False, allow_nan=False).encode(errors="replace")
    return cast(Facts, json.loads(plain))
