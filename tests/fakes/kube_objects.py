"""Objects for a played Kubernetes cluster, each as small as the API would take it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]


def deployment(name: str = "svc-a", *, replicas: int = 1, image: str = "svc-a:1", **spec: Any) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": pod_template(name, image),
            **spec,
        },
        "status": {"replicas": replicas, "readyReplicas": replicas, "updatedReplicas": replicas},
    }


def pod_template(app: str, image: str) -> Object:
    return {"metadata": {"labels": {"app": app}}, "spec": {"containers": [{"name": "main", "image": image}]}}


def pod(
    name: str, *, app: str = "svc-a", owned: bool = True, ready: bool = True, restarts: int = 0, **status: Any
) -> Object:
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": f"{app}-0",
        "uid": "owner",
        "controller": True,
    }
    container = {"name": "main", "restartCount": restarts, "ready": ready, "state": {"running": {}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": app}, "ownerReferences": [owner] if owned else []},
        "spec": {"containers": [{"name": "main", "image": f"{app}:1"}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [container],
            **status,
        },
    }


def event(name: str, about: str, reason: str, message: str, kind: str = "Pod", count: int = 1) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name},
        "type": "Warning",
        "involvedObject": {"kind": kind, "name": about},
        "reason": reason,
        "message": message,
        "count": count,
        "lastTimestamp": "2026-11-21T03:00:00Z",
    }


def node(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {}}


def job(name: str, *, status: Mapping[str, Any] | None = None) -> Object:
    labels = {"job-name": name, "batch.kubernetes.io/controller-uid": "abc", "controller-uid": "abc"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": dict(labels, app="import")},
        "spec": {
            "backoffLimit": 2,
            "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "abc"}},
            "template": {
                "metadata": {"labels": dict(labels, app="import")},
                "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "import:1"}]},
            },
        },
        "status": dict(status or {"failed": 3, "conditions": [{"type": "Failed", "status": "True"}]}),
    }


def cronjob(name: str) -> Object:
    template = {
        "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "report:1"}]},
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name},
        "spec": {
            "schedule": "0 3 * * *",
            "jobTemplate": {
                "metadata": {"labels": {"app": "report"}},
                "spec": {"backoffLimit": 1, "template": template},
            },
        },
    }


def hpa(name: str, *, least: int = 1, most: int = 5) -> Object:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {"minReplicas": least, "maxReplicas": most, "scaleTargetRef": target},
    }
