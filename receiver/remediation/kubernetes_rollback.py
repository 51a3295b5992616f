"""kubernetes.rollback: a deployment back to an earlier revision, as `kubectl rollout undo` does it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from receiver.domain.action import Order, Parameter, Plan, Result, Signature, Type
from receiver.errors import DeliveryFailed
from receiver.remediation.kubernetes_action import KubernetesAction, at, required_text, table_at

_REVISION = "deployment.kubernetes.io/revision"
_HASH = "pod-template-hash"
# Those that belong to the deployment or to the ReplicaSet alone:
# https://github.com/kubernetes/kubectl/blob/master/pkg/util/deployment/deployment.go (annotationsToSkip)
_OWN = (
    "kubectl.kubernetes.io/last-applied-configuration",
    _REVISION,
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
)


class Rollback(KubernetesAction):
    """Gives a deployment the pod template of an earlier ReplicaSet, the last one before the present by default."""

    kind = "deployment"
    signature = Signature(
        name="kubernetes.rollback",
        help="Puts a deployment back to its previous revision, or to `to_revision`.",
        required=("namespace", "deployment"),
        parameters=(Parameter("to_revision", Type.INTEGER, "the revision to go back to", least=1),),
    )

    def plan(self, order: Order) -> Plan:
        """Reads the deployment and its ReplicaSets. Raises DeliveryFailed where there is nothing to go back to."""
        deployment = self.kube.get(self.path(order))
        if at(deployment, "spec", "paused"):
            raise DeliveryFailed(f"{self.place(order)} is paused; resume it first", permanent=True)
        now = _revision(deployment)
        chosen = _chosen(self._replicasets(order, deployment), now, order)
        template = _template(chosen)
        states: tuple[dict[str, Any], dict[str, Any]] = (
            {"revision": now, "images": _images(at(deployment, "spec", "template"))},
            {"revision": _revision(chosen), "images": _images(template)},
        )
        if template == at(deployment, "spec", "template"):
            return Plan(
                f"{self.place(order)} is as in revision {_revision(chosen)} already", *states, is_noop=True
            )
        token = {
            "version": required_text(deployment, "metadata", "resourceVersion"),
            "template": template,
            "annotations": _annotations(deployment, chosen),
        }
        images = ", ".join(_images(template))
        text = f"roll {self.place(order)} back from revision {now} to revision {_revision(chosen)} ({images})"
        return Plan(text, *states, token=token)

    def change(self, order: Order, plan: Plan) -> Result:
        """One PATCH; 409 if the deployment is not the one any more that was planned on."""
        token = plan.token
        steps = [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": token["version"]},
            {"op": "add", "path": "/metadata/annotations", "value": token["annotations"]},
            {"op": "replace", "path": "/spec/template", "value": token["template"]},
        ]
        self.kube.patch(self.path(order), steps)
        return Result(f"{self.place(order)} goes back to revision {plan.to_state['revision']}", plan.to_state)

    def _replicasets(self, order: Order, deployment: dict[str, Any]) -> list[dict[str, Any]]:
        """Those that the deployment owns."""
        labels = table_at(deployment, "spec", "selector", "matchLabels")
        selector = ",".join(f"{name}={value}" for name, value in labels.items())
        folder = self.folder(order).replace("/deployments/", "/replicasets")
        items = at(self.kube.get(folder, {"labelSelector": selector}), "items")
        uid = required_text(deployment, "metadata", "uid")
        return [one for one in items if uid in _owners(one)] if isinstance(items, list) else []


def _chosen(replicasets: Sequence[dict[str, Any]], now: int, order: Order) -> dict[str, Any]:
    """The one of the revision that is asked for, else the last before the present one."""
    wanted = order.parameters.get("to_revision")
    if wanted is not None:
        found = [one for one in replicasets if _revision(one) == wanted]
        reason = f"there is no revision {wanted}"
    else:
        found = sorted((one for one in replicasets if 0 < _revision(one) < now), key=_revision)
        reason = f"there is no revision before {now}"
    if not found:
        known = ", ".join(str(one) for one in sorted(map(_revision, replicasets))) or "none"
        raise DeliveryFailed(f"{reason} to go back to (known revisions: {known})", permanent=True)
    return found[-1]


def _revision(value: dict[str, Any]) -> int:
    text = table_at(value, "metadata", "annotations").get(_REVISION)
    return int(text) if isinstance(text, str) and text.isascii() and text.isdigit() else 0


def _owners(value: dict[str, Any]) -> list[object]:
    owners = at(value, "metadata", "ownerReferences")
    return [at(owner, "uid") for owner in owners] if isinstance(owners, list) else []


def _template(replicaset: dict[str, Any]) -> dict[str, Any]:
    """The pod template without what the controller has added."""
    template = copy.deepcopy(table_at(replicaset, "spec", "template"))
    table_at(template, "metadata", "labels").pop(_HASH, None)
    return template


def _annotations(deployment: dict[str, Any], replicaset: dict[str, Any]) -> dict[str, Any]:
    ours, theirs = (table_at(one, "metadata", "annotations") for one in (deployment, replicaset))
    kept = {name: value for name, value in ours.items() if name in _OWN}
    return kept | {name: value for name, value in theirs.items() if name not in _OWN}


def _images(template: object) -> list[str]:
    containers = at(template, "spec", "containers")
    return [str(at(one, "image")) for one in containers] if isinstance(containers, list) else []
