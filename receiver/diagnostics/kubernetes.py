"""Pods of a diagnosis: how many are ready, why the others are not, and what the cluster says about them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from receiver.clock import isoformat
from receiver.diagnostics.base import Facts
from receiver.diagnostics.kubernetes_objects import (
    Deployment,
    KubernetesEvent,
    Pod,
    Selector,
    Terminated,
    list_of,
    one_of,
)
from receiver.domain.diagnosis import PodsProbe
from receiver.domain.rules.render import View, render_text
from receiver.errors import DeliveryFailed
from receiver.kubeclient.access import UNSET
from receiver.kubeclient.client import Reader

MOST_PODS_READ = 100
MOST_PODS, MOST_EVENTS = 10, 5
MOST_EVENTS_READ = "500"
LONGEST_MESSAGE = 200
LONG_AGO = datetime.min.replace(tzinfo=UTC)
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL.pattern}(?:\.{_LABEL.pattern})*")
_REQUIREMENT = re.compile(
    r"(?P<key>(?:[a-z0-9.-]{1,253}/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)"
    r"\s*(?P<sign>==?|!=)\s*(?P<value>(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?)"
)


# A client whose requests take at most so many seconds each.
Connect = Callable[[float], Reader]


class Pods:
    """Looks at pods through what `connect` makes, None where no cluster is set up."""

    def __init__(self, connect: Connect | None) -> None:
        self._connect = connect

    def look(self, probe: PodsProbe, view: View) -> Facts:
        """`ready` of `wanted`, `restarts`, `waiting` and `last_termination` with their reasons, `pods`, `events`."""
        namespace = _name(_LABEL, "namespace", render_text(probe.namespace, view))
        deployment, selector = "", ""
        if probe.deployment:
            deployment = _name(_SUBDOMAIN, "deployment", render_text(probe.deployment, view))
        else:
            selector = _selector(probe.selector, view)
        if self._connect is None:
            raise DeliveryFailed(UNSET, permanent=True)
        return _Look(self._connect(probe.timeout_seconds), namespace).facts(deployment, selector)


class _Look:
    """One look at one namespace."""

    def __init__(self, kube: Reader, namespace: str) -> None:
        self._kube = kube
        self._namespace = namespace

    def facts(self, deployment: str, selector: str) -> Facts:
        place = {"namespace": self._namespace}
        if not deployment:
            pods = self._pods(selector)
            return place | {"selector": selector} | _summary(pods, None) | self._events(pods, "")
        found = self._deployment(deployment)
        pods = self._pods(_selector_text(found.spec.selector))
        return place | {"deployment": deployment} | _summary(pods, found) | self._events(pods, deployment)

    def _deployment(self, name: str) -> Deployment:
        path = f"/apis/apps/v1/namespaces/{self._namespace}/deployments/{name}"
        try:
            return one_of(Deployment, self._kube.get(path, {}))
        except DeliveryFailed as failure:
            if failure.http_status != 404:
                raise
        raise DeliveryFailed(f"the namespace {self._namespace} has no deployment {name}", permanent=True)

    def _pods(self, selector: str) -> list[Pod]:
        path = f"/api/v1/namespaces/{self._namespace}/pods"
        return list_of(Pod, self._kube.get(path, {"labelSelector": selector, "limit": str(MOST_PODS_READ)}))

    def _events(self, pods: Sequence[Pod], deployment: str) -> dict[str, Any]:
        """What the cluster says of these; why it says nothing, where it may not be asked: that is no reason to fail."""
        names = {pod.metadata.name for pod in pods} | {deployment}
        # What goes wrong with the pods; and of the deployment also that it was rolled out or scaled.
        selectors = ["type=Warning"]
        if deployment:
            selectors.append(f"involvedObject.kind=Deployment,involvedObject.name={deployment}")
        path = f"/api/v1/namespaces/{self._namespace}/events"
        found: dict[tuple[Any, ...], KubernetesEvent] = {}
        try:
            for selector in selectors:
                asked = {"fieldSelector": selector, "limit": MOST_EVENTS_READ}
                for event in list_of(KubernetesEvent, self._kube.get(path, asked)):
                    found[event.at, event.involved_object.name, event.reason, event.message] = event
        except DeliveryFailed as failure:
            return {"events_error": failure.reason}
        ours = [event for event in found.values() if event.involved_object.name in names]
        ours.sort(key=lambda event: event.at or LONG_AGO, reverse=True)
        return {"events": [_event(event) for event in ours[:MOST_EVENTS]]}


def _summary(pods: Sequence[Pod], deployment: Deployment | None) -> dict[str, Any]:
    alive = [pod for pod in pods if not pod.is_over]
    ready = sum(pod.is_ready for pod in alive)
    wanted = len(alive)
    if deployment is not None:
        ready = deployment.status.ready_replicas or 0
        wanted = 1 if deployment.spec.replicas is None else deployment.spec.replicas
    facts: dict[str, Any] = {
        "ok": ready >= wanted and wanted > 0,
        "ready": ready,
        "wanted": wanted,
        "restarts": sum(one.restart_count for pod in alive for one in pod.containers),
    }
    if deployment is not None:
        facts["updated"] = deployment.status.updated_replicas or 0
    waiting = Counter(reason for pod in alive for reason in _waiting(pod))
    if waiting:
        facts["waiting"] = dict(waiting.most_common(MOST_PODS))
    last = _last_termination(alive)
    if last is not None:
        facts["last_termination"] = last
    worst = sorted(alive, key=lambda pod: (pod.is_ready, -_restarts(pod), pod.metadata.name))
    facts["pods"] = [_pod(pod) for pod in worst[:MOST_PODS]]
    return facts


def _waiting(pod: Pod) -> list[str]:
    return [
        one.state.waiting.reason
        for one in pod.containers
        if one.state and one.state.waiting and one.state.waiting.reason
    ]


def _restarts(pod: Pod) -> int:
    return sum(one.restart_count for one in pod.containers)


def _terminations(pod: Pod) -> Iterable[tuple[Terminated, str]]:
    """How its containers ended when they had to be started again, or could not be."""
    for one in pod.status.container_statuses or ():
        for state in (one.last_state, one.state):
            if state and state.terminated:
                yield state.terminated, one.name


def _last_termination(pods: Sequence[Pod]) -> dict[str, Any] | None:
    found = [(end, container, pod) for pod in pods for end, container in _terminations(pod)]
    if not found:
        return None
    end, container, pod = max(found, key=lambda one: one[0].finished_at or LONG_AGO)
    return {
        "reason": end.reason or "unknown",
        "exit_code": end.exit_code,
        "pod": pod.metadata.name,
        "container": container,
        "at": isoformat(end.finished_at),
    }


def _pod(pod: Pod) -> dict[str, Any]:
    return {
        "name": pod.metadata.name,
        "ready": pod.is_ready,
        "phase": pod.status.phase,
        "reason": pod.status.reason or next(iter(_waiting(pod)), ""),
        "restarts": _restarts(pod),
    }


def _event(event: KubernetesEvent) -> dict[str, Any]:
    return {
        "at": isoformat(event.at),
        "type": event.type or "",
        "reason": event.reason or "",
        "object": f"{event.involved_object.kind}/{event.involved_object.name}",
        "message": " ".join((event.message or "").split())[:LONGEST_MESSAGE],
        "count": event.count or 1,
    }


def _name(shape: re.Pattern[str], what: str, text: str) -> str:
    if not shape.fullmatch(text):
        # Without the text: it is what an alert says, and may be anything.
        raise DeliveryFailed(
            f"the {what}, with the alert's values in it, is no name in Kubernetes", permanent=True
        )
    return text


def _selector(source: str, view: View) -> str:
    """The selector with its values: each requirement by itself, so that no value can add another one."""
    parts = [render_text(part, view).strip() for part in source.split(",")]
    found = [_REQUIREMENT.fullmatch(part) for part in parts]
    if not all(found):
        raise DeliveryFailed(
            "the selector, with the alert's values in it, is no selector of labels", permanent=True
        )
    return ",".join(f"{one['key']}{one['sign']}{one['value']}" for one in found if one)


def _selector_text(selector: Selector) -> str:
    """A deployment's selector as the API takes it in a query."""
    parts = [f"{name}={value}" for name, value in (selector.match_labels or {}).items()]
    for one in selector.match_expressions or ():
        match one.operator:
            case "In" | "NotIn":
                parts.append(f"{one.key} {one.operator.lower()} ({','.join(one.values or ())})")
            case "Exists":
                parts.append(one.key)
            case "DoesNotExist":
                parts.append(f"!{one.key}")
    return ",".join(parts)
