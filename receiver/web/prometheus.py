"""GET /metrics: what the processes counted, and what is read from the database for it."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask, Response, request
from prometheus_client import REGISTRY, CollectorRegistry, Metric, values
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from receiver.clock import utc_now
from receiver.domain.incident import OPEN_STATUSES
from receiver.domain.severity import Priority
from receiver.errors import SpoolFailed
from receiver.services.figures import Figures, Snapshot
from receiver.storage.spool import Spool
from receiver.web.parts import current_parts


def register(app: Flask) -> None:
    """Add /metrics to `app`. It is open: it holds numbers, and nothing of any alert."""
    app.add_url_rule("/metrics", view_func=metrics)


def metrics() -> Response:
    """All metrics, in the format that the Accept header asks for."""
    registry = CollectorRegistry()
    # Which of the two counts was decided when prometheus_client was imported (see receiver/metrics.py).
    if values.ValueClass is values.MutexValue:
        registry.register(_OfThisProcess())
    else:
        MultiProcessCollector(registry)
    registry.register(DatabaseCollector(current_parts().figures))
    registry.register(SpoolCollector(current_parts().spool))
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(registry), content_type=content_type)


class _OfThisProcess(Collector):
    """What this process counted, without the mode in which processes share their counts."""

    def collect(self) -> Iterator[Metric]:
        """All metrics of prometheus_client's own registry."""
        yield from REGISTRY.collect()


class DatabaseCollector(Collector):
    """What lives in the database; while it is away, only that it is away."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """The families, in a fixed order."""
        snapshot = self._figures.snapshot()
        up = "Whether the database gave its numbers for this answer."
        yield GaugeMetricFamily("receiver_database_up", up, value=0 if snapshot is None else 1)
        if snapshot is not None:
            yield _open_incidents(snapshot)
            yield _job_rows(snapshot)
            yield _oldest_due(snapshot)
            yield from _backlog(snapshot)
            yield _actions_under_way(snapshot)
            yield _breakers_open(snapshot)


class SpoolCollector(Collector):
    """What the spool of this machine holds."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    def collect(self) -> Iterator[Metric]:
        """The families, in a fixed order; none but the first while the spool cannot be used."""
        try:
            depth = self._spool.depth()
        except SpoolFailed:
            depth = None
        ok = "Whether the spool can be used."
        yield GaugeMetricFamily("receiver_spool_ok", ok, value=0 if depth is None else 1)
        if depth is None:
            return
        waiting = "Deliveries that are acknowledged and wait in the spool for the database."
        yield GaugeMetricFamily("receiver_spool_deliveries", waiting, value=depth.deliveries)
        oldest = depth.oldest_received_at
        age = 0.0 if oldest is None else (utc_now() - oldest).total_seconds()
        yield GaugeMetricFamily(
            "receiver_spool_oldest_seconds", "For how long the oldest of them has waited.", value=age
        )
        refused = "Deliveries in the spool that the database will not take; people have to look."
        yield GaugeMetricFamily("receiver_spool_refused", refused, value=depth.refused)


def _open_incidents(snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily(
        "receiver_open_incidents", "Incidents that are not resolved.", labels=["status", "priority"]
    )
    for status in OPEN_STATUSES:
        for (
            priority
        ) in Priority:  # zeros too: an alert on a number needs the series before the first incident
            family.add_metric([status, priority], snapshot.open_incidents.get((status, priority), 0))
    return family


def _job_rows(snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily(
        "receiver_job_rows", "Jobs that are not done, by state.", labels=["queue", "state"]
    )
    for depth in snapshot.queues:
        for state, number in depth.jobs.items():
            family.add_metric([depth.queue, state], number)
    return family


def _oldest_due(snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily(
        "receiver_job_oldest_due_seconds",
        "For how long the oldest waiting job has been due.",
        labels=["queue"],
    )
    for depth in snapshot.queues:
        family.add_metric([depth.queue], depth.oldest_due_seconds)
    return family


def _backlog(snapshot: Snapshot) -> Iterator[Metric]:
    number = "Events that the broker has not acknowledged yet, 100000 at most."
    yield GaugeMetricFamily("receiver_events_unpublished", number, value=snapshot.backlog.events)
    age = "The age of the oldest of them."
    yield GaugeMetricFamily(
        "receiver_events_oldest_unpublished_seconds", age, value=snapshot.backlog.oldest_seconds
    )


def _actions_under_way(snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily(
        "receiver_actions_under_way", "Remediation actions that have not ended, by state.", labels=["state"]
    )
    for state, number in snapshot.actions.items():
        family.add_metric([state], number)
    return family


def _breakers_open(snapshot: Snapshot) -> Metric:
    family = GaugeMetricFamily(
        "receiver_breaker_open", "Target systems that actions leave alone after failures.", labels=["system"]
    )
    for system in snapshot.open_breakers:
        family.add_metric([system], 1)
    return family
