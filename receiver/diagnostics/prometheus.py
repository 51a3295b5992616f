"""Asks Prometheus: instant and range queries, each answered with series of numbers.

https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import msgspec

from receiver.diagnostics.base import patient
from receiver.errors import DeliveryFailed
from receiver.httpclient import Response, failure_of

SETTING = "RECEIVER_PROMETHEUS_URL"
LARGEST_ANSWER_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers over time, newest last, NaN and Inf among them; and the labels that tell it from other series."""

    labels: Mapping[str, str]
    values: tuple[float, ...]


class _Result(msgspec.Struct):
    metric: dict[str, str] = {}
    value: tuple[float, str] | None = None
    values: list[tuple[float, str]] = []


class _Vector(msgspec.Struct, tag_field="resultType", tag="vector"):
    result: list[_Result]


class _Matrix(msgspec.Struct, tag_field="resultType", tag="matrix"):
    result: list[_Result]


class _Scalar(msgspec.Struct, tag_field="resultType", tag="scalar"):
    result: tuple[float, str]


class _String(msgspec.Struct, tag_field="resultType", tag="string"):
    result: tuple[float, str]


class _Answer(msgspec.Struct):
    data: _Vector | _Matrix | _Scalar | _String


class _Refusal(msgspec.Struct):
    error: str


class Prometheus:
    """The server at `url`, asked with the bearer token `token` if there is one. One object serves all threads."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def instant(self, query: str, seconds: float) -> list[Series]:
        """What the query gives now, one number each; empty where there is no data. `query` is complete PromQL.

        Raises DeliveryFailed: also, as permanent, for what is no PromQL.
        """
        return self._ask("query", {"query": query}, seconds)

    def range(
        self, query: str, start: float, end: float, step_seconds: float, seconds: float
    ) -> list[Series]:
        """What the query gives from `start` to `end`, both seconds since 1970, in steps. Raises as `instant`."""
        period = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step_seconds:g}"}
        return self._ask("query_range", {"query": query, **period}, seconds)

    def value(self, query: str, seconds: float) -> float | None:
        """The one number that the query gives now, None where there is no data. Raises DeliveryFailed.

        Several series are a mistake in the query: which of them would count?
        """
        found = self.instant(query, seconds)
        if len(found) > 1:
            reason = f"the query gave {len(found)} series and not one: put sum(), max() or the like around it"
            raise DeliveryFailed(reason, permanent=True)
        return found[0].values[-1] if found else None

    def _ask(self, what: str, parameters: Mapping[str, str], seconds: float) -> list[Series]:
        # Its own limit too, so that it does not go on with a query for which nobody waits any more.
        asked = urlencode({**parameters, "timeout": f"{seconds:g}s"})
        response = patient(seconds).request(
            "GET",
            f"{self._url}/api/v1/{what}?{asked}",
            headers=self._headers,
            largest_body_bytes=LARGEST_ANSWER_BYTES,
        )
        if not response.is_success:
            raise _refused(response)
        return _series(response)


def _refused(response: Response) -> DeliveryFailed:
    failure = failure_of(response)
    assert failure is not None, "only called for answers that are no success"
    try:
        said = msgspec.json.decode(response.text, type=_Refusal).error
    except msgspec.DecodeError:
        return failure
    reason = f"Prometheus refuses the query: {response.quote(said)}"
    return DeliveryFailed(reason, permanent=failure.permanent, http_status=response.status)


def _series(response: Response) -> list[Series]:
    try:
        data = msgspec.json.decode(response.text, type=_Answer).data
        if isinstance(data, _Scalar):
            return [Series({}, (float(data.result[1]),))]
        if not isinstance(data, _String):
            return [made for one in data.result if (made := _one(one)).values]
        reason = "the query gave a text and no number"
    except (msgspec.DecodeError, ValueError):
        is_long = len(response.text.encode()) >= LARGEST_ANSWER_BYTES
        reason = (
            "the answer is longer than 1 MiB: the query gives too many series"
            if is_long
            else f"the answer is not one of Prometheus; does {SETTING} lead to it?"
        )
    raise DeliveryFailed(reason, permanent=True)


def _one(result: _Result) -> Series:
    points = result.values if result.value is None else [result.value]
    labels = {name: value for name, value in result.metric.items() if name != "__name__"}
    return Series(labels, tuple(float(text) for _, text in points))
