"""kubernetes.restart_job and kubernetes.create_job: a new job after an old one, or after a cron job's template."""

from __future__ import annotations

import copy
import hashlib
import json
from abc import abstractmethod
from typing import Any

from receiver.domain.action import Order, Plan, Result, Signature
from receiver.errors import DeliveryFailed
from receiver.remediation.kubernetes_action import KubernetesAction, at, required_text, table_at

LONGEST_JOB_NAME = 63
# What the job controller writes about a job; a new job gets its own.
# https://kubernetes.io/docs/reference/labels-annotations-taints/#batch-kubernetes-io-controller-uid
_CONTROLLERS = (
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
    "job-name",
    "batch.kubernetes.io/job-name",
)
_FROM = "alert-receiver/created-from"


class _NewJob(KubernetesAction):
    """Creates a job whose name follows from the action's id: a second one of the same action is refused by the API."""

    @abstractmethod
    def job(self, order: Order, found: dict[str, Any]) -> dict[str, Any]:
        """The new job, without its name. Raises DeliveryFailed where it must not be made now."""

    def plan(self, order: Order) -> Plan:
        """Reads what the new job is made after."""
        found = self.kube.get(self.path(order))
        uid, name = required_text(found, "metadata", "uid"), _new_name(order, self.kind)
        to_state = {"job": name}
        if self._exists(order, name):
            return Plan(f"job {name} has been created already", to_state=to_state, is_noop=True)
        job = self.job(order, found)
        job["metadata"] |= {"name": name, "namespace": order.target["namespace"]}
        job["metadata"].setdefault("annotations", {})[_FROM] = f"{self.kind}/{order.target[self.kind]}"
        return Plan(
            f"create job {name} in {order.target['namespace']} after {self.kind} {order.target[self.kind]}",
            from_state={self.kind: order.target[self.kind], "uid": uid},
            to_state=to_state,
            token=job,
        )

    def change(self, order: Order, plan: Plan) -> Result:
        """One POST. 409 says that this action has created it before."""
        name = plan.to_state["job"]
        try:
            self.kube.create(self.folder(order, "job").rstrip("/"), plan.token)
        except DeliveryFailed as failure:
            if failure.http_status != 409:
                raise
            return Result(f"job {name} was created already", plan.to_state)
        return Result(f"created job {name} in {order.target['namespace']}", plan.to_state)

    def _exists(self, order: Order, name: str) -> bool:
        try:
            self.kube.get(self.folder(order, "job") + name)
        except DeliveryFailed as failure:
            if failure.http_status != 404:
                raise
            return False
        return True


class RestartJob(_NewJob):
    """Runs a job once more that has ended: a new job after it. The old one stays, with its logs."""

    kind = "job"
    signature = Signature(
        name="kubernetes.restart_job",
        help="Runs an ended job once more, as a new job with the same template.",
        required=("namespace", "job"),
    )

    def job(self, order: Order, found: dict[str, Any]) -> dict[str, Any]:
        """The old job's spec, without what the controller has added."""
        if not _has_ended(found):
            raise DeliveryFailed(
                f"job {self.place(order)} has not ended yet; a second one would run beside it", permanent=True
            )
        spec = copy.deepcopy(table_at(found, "spec"))
        for name in ("selector", "manualSelector", "suspend"):
            spec.pop(name, None)
        labels = table_at(spec, "template", "metadata", "labels")
        for name in _CONTROLLERS:
            labels.pop(name, None)
        kept = table_at(found, "metadata", "labels")
        metadata = {"labels": {name: value for name, value in kept.items() if name not in _CONTROLLERS}}
        return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}


class CreateJob(_NewJob):
    """Runs a cron job's job now, as `kubectl create job --from=cronjob/NAME` does."""

    kind = "cronjob"
    signature = Signature(
        name="kubernetes.create_job",
        help="Runs the job of a cron job now. What it runs stands in the cluster, never in a rule.",
        required=("namespace", "cronjob"),
    )

    def job(self, order: Order, found: dict[str, Any]) -> dict[str, Any]:
        """The cron job's template, owned by the cron job, so that its history limits clean up."""
        if at(found, "spec", "concurrencyPolicy") == "Forbid" and at(found, "status", "active"):
            raise DeliveryFailed(
                f"cron job {self.place(order)} forbids a second job beside the one that runs", permanent=True
            )
        template = copy.deepcopy(table_at(found, "spec", "jobTemplate"))
        metadata = template.get("metadata") or {}
        owner = {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "name": order.target["cronjob"],
            "uid": required_text(found, "metadata", "uid"),
            "controller": True,
        }
        annotations = {**table_at(metadata, "annotations"), "cronjob.kubernetes.io/instantiate": "manual"}
        kept = {
            "labels": table_at(metadata, "labels"),
            "annotations": annotations,
            "ownerReferences": [owner],
        }
        return {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": kept,
            "spec": table_at(template, "spec"),
        }


def _has_ended(job: dict[str, Any]) -> bool:
    conditions = at(job, "status", "conditions")
    ends = conditions if isinstance(conditions, list) else []
    return any(at(one, "type") in ("Complete", "Failed") and at(one, "status") == "True" for one in ends)


def _new_name(order: Order, kind: str) -> str:
    """A name that the same action always gets, and no other one."""
    source = order.action_id or json.dumps([order.action, sorted(order.target.items())])
    mark = hashlib.sha256(source.encode()).hexdigest()[:10]
    start = order.target[kind][: LONGEST_JOB_NAME - len(mark) - 1].rstrip("-.")
    return f"{start}-{mark}"
