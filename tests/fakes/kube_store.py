"""The objects of a played Kubernetes cluster: versions that rise with each change, conflicts, and a little controller.

After https://kubernetes.io/docs/reference/using-api/api-concepts/ and what kube-apiserver answers.
"""

from __future__ import annotations

import copy
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
# What the API calls things, by resource.
KINDS = {
    "deployments": "Deployment",
    "replicasets": "ReplicaSet",
    "pods": "Pod",
    "events": "Event",
    "nodes": "Node",
    "jobs": "Job",
    "cronjobs": "CronJob",
    "horizontalpodautoscalers": "HorizontalPodAutoscaler",
}


class Refused(Exception):
    """An answer other than 2xx: becomes a Status object."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        self.status, self.reason, self.message = status, reason, message
        super().__init__(message)


@dataclass(frozen=True)
class Place:
    """Where in the API something is: `/apis/apps/v1/namespaces/shop/deployments/svc-a/scale`, taken apart."""

    group: str  # empty for /api/v1
    version: str
    namespace: str  # empty for what belongs to none
    resource: str
    name: str = ""
    subresource: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.resource, self.namespace, self.name

    @property
    def rule_name(self) -> str:
        """The resource as RBAC names it."""
        return "/".join(filter(None, (self.resource, self.subresource)))

    @classmethod
    def of(cls, path: str) -> Place:
        """Raises Refused (404) for a path that the API does not have."""
        parts = path.strip("/").split("/")
        group = ""
        if parts[:1] == ["apis"] and len(parts) > 3:
            group, parts = parts[1], parts[2:]
        elif parts[:1] == ["api"] and len(parts) > 2:
            parts = parts[1:]
        else:
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        version, rest = parts[0], parts[1:]
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        if rest[0] not in KINDS or len(rest) > 3:
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        name, subresource = ([*rest[1:], "", ""])[:2]
        return cls(group, version, namespace, rest[0], name, subresource)


class Store:
    """All objects. Callers hold a lock around each method."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str, str], Object] = {}
        self._versions = itertools.count(1000)
        self._uids = itertools.count(1)

    def get(self, place: Place) -> Object:
        found = self._objects.get(place.key)
        if found is None:
            where = place.resource + (f".{place.group}" if place.group else "")
            raise Refused(404, "NotFound", f'{where} "{place.name}" not found')
        return copy.deepcopy(found)

    def list(self, place: Place, labels: str, fields: str, limit: int) -> Object:
        items = [
            copy.deepcopy(one)
            for (resource, namespace, _), one in self._objects.items()
            if resource == place.resource
            and place.namespace in ("", namespace)
            and _selected(one, labels)
            and _has_fields(one, fields)
        ]
        return {
            "kind": f"{KINDS[place.resource]}List",
            "metadata": {"resourceVersion": str(next(self._versions))},
            "items": items[: limit or None],
        }

    def create(self, place: Place, given: Object) -> Object:
        made = copy.deepcopy(given)
        metadata = made.setdefault("metadata", {})
        name = str(metadata.get("name", ""))
        if not _NAME.fullmatch(name) or (place.resource == "jobs" and len(name) > 63):
            raise Refused(422, "Invalid", f'{place.resource} "{name}" is invalid: metadata.name')
        key = (place.resource, place.namespace, name)
        if key in self._objects:
            raise Refused(409, "AlreadyExists", f'{place.resource} "{name}" already exists')
        metadata.setdefault("uid", f"00000000-0000-0000-0000-{next(self._uids):012d}")
        if place.namespace:
            metadata["namespace"] = place.namespace
        made.setdefault("kind", KINDS[place.resource])
        self._write(key, made)
        if place.resource == "deployments":
            self._roll_out(key, made)
        return copy.deepcopy(self._objects[key])

    def update(self, place: Place, given: Object) -> Object:
        """PUT of a whole object, or the result of a patch. A `resourceVersion` in it must be the present one."""
        old = self.get(place)
        asked = given.get("metadata", {}).get("resourceVersion")
        if asked not in (None, old["metadata"]["resourceVersion"]):
            raise Refused(
                409,
                "Conflict",
                f'Operation cannot be fulfilled on {place.resource} "{place.name}": the object has been modified;'
                " please apply your changes to the latest version and try again",
            )
        _validate(place, given)
        if given == old:
            return old  # as the API server does: nothing is written, no new version
        self._write(place.key, copy.deepcopy(given))
        if place.resource == "deployments":
            self._settle(place.key, old)
        return copy.deepcopy(self._objects[place.key])

    def delete(self, place: Place, options: Mapping[str, Any]) -> Object:
        old = self.get(place)
        for name, wanted in (options.get("preconditions") or {}).items():
            if old["metadata"].get(name) != wanted:
                raise Refused(
                    409, "Conflict", f"the {name} in the precondition ({wanted}) does not match the record"
                )
        del self._objects[place.key]
        return old

    def put(self, place: Place, given: Object) -> None:
        """Makes an object, in the place of what has its name."""
        if place.key in self._objects:
            del self._objects[place.key]
        self.create(place, given)

    def touch(self, place: Place) -> None:
        """A new version without any other change: somebody else was here."""
        self._write(place.key, self.get(place))

    def _write(self, key: tuple[str, str, str], value: Object) -> None:
        value["metadata"]["resourceVersion"] = str(next(self._versions))
        self._objects[key] = value

    def _settle(self, key: tuple[str, str, str], old: Object) -> None:
        """What the deployment controller does: at once, so that nobody waits."""
        new = self._objects[key]
        if new["spec"]["template"] != old["spec"]["template"]:
            self._roll_out(key, new)
        replicas = new["spec"].get("replicas", 1)
        new["status"] = {"replicas": replicas, "readyReplicas": replicas, "updatedReplicas": replicas}

    def _roll_out(self, key: tuple[str, str, str], deployment: Object) -> None:
        """A ReplicaSet for the template: an older one with the same template becomes the newest revision again."""
        namespace = key[1]
        template, uid = deployment["spec"]["template"], deployment["metadata"]["uid"]
        ours = [
            one
            for (resource, place, _), one in self._objects.items()
            if resource == "replicasets"
            and place == namespace
            and uid in [owner["uid"] for owner in one["metadata"]["ownerReferences"]]
        ]
        revision = 1 + max((int(one["metadata"]["annotations"][REVISION]) for one in ours), default=0)
        same = next((one for one in ours if _without_hash(one["spec"]["template"]) == template), None)
        if same is None:
            same = _replicaset(deployment, f"{len(ours):010x}")
            key = ("replicasets", namespace, same["metadata"]["name"])
        else:
            key = ("replicasets", namespace, same["metadata"]["name"])
        same["metadata"]["annotations"][REVISION] = str(revision)
        self._write(key, same)
        deployment["metadata"].setdefault("annotations", {})[REVISION] = str(revision)


def _replicaset(deployment: Object, mark: str) -> Object:
    metadata = deployment["metadata"]
    template = copy.deepcopy(deployment["spec"]["template"])
    template.setdefault("metadata", {}).setdefault("labels", {})[HASH] = mark
    owner = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{metadata['name']}-{mark}",
            "namespace": metadata["namespace"],
            "labels": dict(template["metadata"]["labels"]),
            "annotations": {},
            "ownerReferences": [owner],
        },
        "spec": {"replicas": 0, "template": template},
    }


def _without_hash(template: Object) -> Object:
    found = copy.deepcopy(template)
    found.get("metadata", {}).get("labels", {}).pop(HASH, None)
    return found


def _validate(place: Place, given: Object) -> None:
    spec = given.get("spec", {})
    problem = ""
    if place.resource == "deployments" and not 0 <= spec.get("replicas", 1) < 2**31:
        problem = "spec.replicas: Invalid value: must be greater than or equal to 0"
    if place.resource == "horizontalpodautoscalers" and spec.get("minReplicas", 1) > spec["maxReplicas"]:
        problem = "spec.maxReplicas: Invalid value: must be greater than or equal to `minReplicas`"
    if problem:
        raise Refused(422, "Invalid", f'{KINDS[place.resource]} "{place.name}" is invalid: {problem}')


def _selected(one: Object, selector: str) -> bool:
    """Equality and `in (...)`; what else there is, no test of ours asks for."""
    labels = one["metadata"].get("labels") or {}
    for part in re.split(r",(?![^(]*\))", selector) if selector else ():
        name, sign, value = re.fullmatch(r"\s*([^\s=!]+)\s*(==?|!=|in|)\s*(.*)", part).groups()  # type: ignore[union-attr] # always matches
        values = value.strip("()").split(",")
        if sign == "" and name not in labels:
            return False
        if sign and (labels.get(name) in values) is (sign == "!="):
            return False
    return True


def _has_fields(one: Object, selector: str) -> bool:
    for part in filter(None, selector.split(",")):
        path, _, value = part.partition("=")
        found: Any = one
        for step in path.split("."):
            found = found.get(step, {}) if isinstance(found, dict) else {}
        if str(found) != value:
            return False
    return True


def merged(value: Any, change: Any) -> Any:
    """RFC 7386; a strategic merge of the tables that we send is the same."""
    if not isinstance(change, dict):
        return copy.deepcopy(change)
    found = dict(value) if isinstance(value, dict) else {}
    for name, one in change.items():
        if one is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), one)
    return found


def stepped(value: Object, steps: Sequence[Mapping[str, Any]]) -> Object:
    """RFC 6902 as far as it is used: add, replace, remove and test on tables."""
    found = copy.deepcopy(value)
    for step in steps:
        *way, last = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]]
        spot: Any = found
        for part in way:
            spot = spot.get(part) if isinstance(spot, dict) else None
        if not isinstance(spot, dict) or (step["op"] != "add" and last not in spot):
            raise Refused(
                422, "Invalid", f"the server rejected our request: no {step['path']} in {json.dumps(way)}"
            )
        match step["op"]:
            case "add" | "replace":
                spot[last] = copy.deepcopy(step["value"])
            case "remove":
                del spot[last]
            case "test" if spot[last] != step["value"]:
                raise Refused(
                    422, "Invalid", "the server rejected our request due to an error in our request"
                )
    return found
