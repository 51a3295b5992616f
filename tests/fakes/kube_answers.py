"""What a played API server answers: how requests fail, Status and Scale objects, patches, RBAC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.kube_store import Object, Place, Refused, merged, stepped

_GROUPS = {
    "deployments": ("apps", "v1"),
    "replicasets": ("apps", "v1"),
    "jobs": ("batch", "v1"),
    "cronjobs": ("batch", "v1"),
    "horizontalpodautoscalers": ("autoscaling", "v2"),
}
_REASONS = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
CHANGES = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Fault:
    """How a request fails: with `status`, or by silence (`hang`), or by a cut connection (`drop`).

    `done`: what was asked is done all the same. `method` and `path` (a part of it) say which requests it is for;
    an empty `method` means those that change something.
    """

    status: int = 503
    hang: bool = False
    drop: bool = False
    done: bool = False
    method: str = ""
    path: str = ""
    retry_after: int | None = None
    plain: bool = False  # the body is no Status object, as a proxy's is

    def is_for(self, method: str, path: str) -> bool:
        return (method == self.method or (not self.method and method in CHANGES)) and self.path in path


@dataclass
class Reply:
    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


def place_of(resource: str, namespace: str, name: str = "") -> Place:
    group, version = _GROUPS.get(resource, ("", "v1"))
    return Place(group, version, namespace, resource, name)


def verb_of(method: str, place: Place) -> str:
    if method == "GET":
        return "get" if place.name else "list"
    return {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}.get(method, method)


def permits(rule: Mapping[str, Any], place: Place, verb: str) -> bool:
    return place.group in rule["apiGroups"] and place.rule_name in rule["resources"] and verb in rule["verbs"]


def patched(old: Object, body: Any, kind: str) -> Object:
    match kind:
        case "application/json-patch+json":
            return stepped(old, body)
        case "application/merge-patch+json" | "application/strategic-merge-patch+json":
            found: Object = merged(old, body)
            return found
    raise Refused(415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {kind}")


def scale_of(deployment: Object) -> Object:
    metadata = deployment["metadata"]
    kept = {name: metadata[name] for name in ("name", "namespace", "uid", "resourceVersion")}
    replicas = deployment["spec"].get("replicas", 1)
    return {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": kept,
        "spec": {"replicas": replicas},
        "status": {"replicas": deployment.get("status", {}).get("replicas", 0)},
    }


def failed(fault: Fault) -> Reply:
    reason = _REASONS.get(fault.status, "Unknown")
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    body = (
        "<html>no healthy upstream</html>" if fault.plain else status_object(fault.status, reason, "as told")
    )
    return Reply(fault.status, body, headers)


def status_object(status: int, reason: str, message: str) -> Object:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": status,
    }
