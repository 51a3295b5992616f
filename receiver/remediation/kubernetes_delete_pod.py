"""kubernetes.delete_pod: one pod removed, so that its owner starts another."""

from __future__ import annotations

from typing import Any

from receiver.domain.action import Order, Parameter, Plan, Result, Signature, Type
from receiver.errors import DeliveryFailed
from receiver.remediation.kubernetes_action import KubernetesAction, at, required_text


class DeletePod(KubernetesAction):
    """Deletes the very pod that was seen (its uid goes with the request), if something will start it again."""

    kind = "pod"
    signature = Signature(
        name="kubernetes.delete_pod",
        help="Deletes one pod that a controller owns, which then starts another.",
        required=("namespace", "pod"),
        parameters=(
            Parameter(
                "grace_seconds",
                Type.INTEGER,
                "time for it to end; by default the pod's own",
                least=0,
                most=600,
            ),
        ),
    )

    def plan(self, order: Order) -> Plan:
        """Reads the pod. Nothing to do where it is gone; DeliveryFailed where nothing would start it again."""
        try:
            pod = self.kube.get(self.path(order))
        except DeliveryFailed as failure:
            if failure.http_status != 404:
                raise
            pod = None
        if pod is None or at(pod, "metadata", "deletionTimestamp"):
            return Plan(f"pod {self.place(order)} is gone already", to_state={"deleted": True}, is_noop=True)
        owner = _controller(pod)
        if not owner:
            raise DeliveryFailed(
                f"pod {self.place(order)} has no controller that would start it again", permanent=True
            )
        return Plan(
            f"delete pod {self.place(order)}; {owner} starts another",
            from_state={"phase": at(pod, "status", "phase"), "owner": owner},
            to_state={"deleted": True},
            token=required_text(pod, "metadata", "uid"),
        )

    def change(self, order: Order, plan: Plan) -> Result:
        """One DELETE of this uid: a pod that has taken its name since is not touched (409)."""
        options: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": plan.token},
        }
        if "grace_seconds" in order.parameters:
            options["gracePeriodSeconds"] = order.parameters["grace_seconds"]
        self.kube.delete(self.path(order), options)
        return Result(f"deleted pod {self.place(order)}", plan.to_state)


def _controller(pod: dict[str, Any]) -> str:
    """`ReplicaSet svc-a-1`, empty if nothing owns the pod."""
    owners = at(pod, "metadata", "ownerReferences")
    for owner in owners if isinstance(owners, list) else ():
        if at(owner, "controller"):
            return f"{at(owner, 'kind')} {at(owner, 'name')}"
    return ""
