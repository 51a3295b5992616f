"""Whether what diagnoses and checks ask can be reached: Prometheus and Kubernetes. Nothing is changed there."""

from __future__ import annotations

from collections.abc import Iterator

from receiver.config import Settings
from receiver.diagnostics.base import patient
from receiver.diagnostics.registry import build_prometheus
from receiver.domain.finding import Finding, bad, ok, warn
from receiver.errors import DeliveryFailed, SettingsError
from receiver.kubeclient import KubeClient, access_of

PATIENCE_SECONDS = 5.0
# Asked with our credentials, unlike /version, which is for everybody.
_A_DEPLOYMENT = ("/apis/apps/v1/deployments", {"limit": "1"})


def check_diagnostics(settings: Settings) -> Iterator[Finding]:
    """One finding for each of the two that is set up."""
    if settings.prometheus_url:
        yield _prometheus(settings)
    yield from _kubernetes(settings)


def _prometheus(settings: Settings) -> Finding:
    prometheus = build_prometheus(settings)
    assert prometheus is not None
    try:
        prometheus.value("vector(1)", PATIENCE_SECONDS)
    except DeliveryFailed as failure:
        advice = (
            "check RECEIVER_PROMETHEUS_URL and RECEIVER_PROMETHEUS_TOKEN; diagnoses say the same until then"
        )
        return bad("Prometheus", f"cannot be asked: {failure.reason}", advice)
    return ok("Prometheus", "answers queries")


def _kubernetes(settings: Settings) -> Iterator[Finding]:
    try:
        access = access_of(settings)
    except SettingsError as error:
        yield bad("Kubernetes", "; ".join(error.problems), "mend the file, or set RECEIVER_KUBERNETES_URL")
        return
    if access is None:
        return
    try:
        KubeClient(access, patient(PATIENCE_SECONDS)).get(*_A_DEPLOYMENT)
    except DeliveryFailed as failure:
        yield _refused(failure)
        return
    yield ok("Kubernetes", "answers, and lets us see deployments")


def _refused(failure: DeliveryFailed) -> Finding:
    if failure.http_status == 403:
        return ok(
            "Kubernetes", "answers; whether it lets us into the namespaces that rules name shows in use"
        )
    if failure.http_status == 401:
        advice = (
            "check RECEIVER_KUBERNETES_TOKEN (or what RECEIVER_KUBERNETES_CONFIG has): it may have run out"
        )
        return bad("Kubernetes", "does not accept our credentials", advice)
    if failure.http_status is not None and not failure.permanent:
        return warn("Kubernetes", f"has trouble: {failure.reason}", "what asks it is tried again")
    advice = (
        "check RECEIVER_KUBERNETES_URL and RECEIVER_KUBERNETES_CA (or what RECEIVER_KUBERNETES_CONFIG has)"
    )
    return bad("Kubernetes", f"cannot be asked: {failure.reason}", advice)
