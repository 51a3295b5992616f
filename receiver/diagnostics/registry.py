"""Every instrument and every kind of dependency, written out."""

from __future__ import annotations

from collections.abc import Mapping

from receiver.clock import Clock, utc_now
from receiver.config import Settings
from receiver.diagnostics import http, kafka, mysql, postgresql, redis, tcp
from receiver.diagnostics.base import Check, patient
from receiver.diagnostics.collector import Collector
from receiver.diagnostics.dependency import Dependencies
from receiver.diagnostics.kubernetes import Connect, Pods
from receiver.diagnostics.metrics import Metrics
from receiver.diagnostics.prometheus import Prometheus
from receiver.domain.diagnosis import DependencyKind
from receiver.kubeclient import KubeClient, access_of

CHECKS: Mapping[DependencyKind, Check] = {
    DependencyKind.TCP: tcp.look,
    DependencyKind.HTTP: http.look,
    DependencyKind.MYSQL: mysql.look,
    DependencyKind.POSTGRESQL: postgresql.look,
    DependencyKind.REDIS: redis.look,
    DependencyKind.KAFKA: kafka.look,
}


def build_prometheus(settings: Settings) -> Prometheus | None:
    """The Prometheus that the settings name, None if they name none."""
    if settings.prometheus_url is None:
        return None
    return Prometheus(settings.prometheus_url, settings.prometheus_token)


def build_collector(settings: Settings, clock: Clock = utc_now) -> Collector:
    """All instruments, as far as they are set up; what is not has a reason as its result.

    Raises SettingsError for a kubeconfig file that cannot be used.
    """
    return Collector(
        metrics=Metrics(build_prometheus(settings), clock),
        pods=Pods(_connect(settings)),
        dependencies=Dependencies(CHECKS, settings.remediation_databases),
        clock=clock,
    )


def _connect(settings: Settings) -> Connect | None:
    access = access_of(settings)
    return (lambda seconds: KubeClient(access, patient(seconds))) if access else None
