"""kubernetes.rollout_restart: new pods for a deployment, as `kubectl rollout restart` does it."""

from __future__ import annotations

from receiver.clock import Clock, utc_now
from receiver.domain.action import Order, Plan, Result, Signature
from receiver.errors import DeliveryFailed
from receiver.kubeclient import KubeClient
from receiver.remediation.kubernetes_action import KubernetesAction, at, table_at

# What kubectl writes too: https://kubernetes.io/docs/reference/labels-annotations-taints/#kubectl-k8s-io-restart-at
_RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


class RolloutRestart(KubernetesAction):
    """Marks the pod template with the time, so that the deployment replaces its pods by its own strategy."""

    kind = "deployment"
    signature = Signature(
        name="kubernetes.rollout_restart",
        help="Replaces the pods of a deployment one after another, as its strategy says.",
        required=("namespace", "deployment"),
    )

    def __init__(self, kube: KubeClient | None, clock: Clock = utc_now) -> None:
        super().__init__(kube)
        self._clock = clock

    def plan(self, order: Order) -> Plan:
        """Reads the deployment. Raises DeliveryFailed for a paused one, which would not replace anything."""
        deployment = self.kube.get(self.path(order))
        if at(deployment, "spec", "paused"):
            raise DeliveryFailed(f"{self.place(order)} is paused and would not restart", permanent=True)
        annotations = table_at(deployment, "spec", "template", "metadata", "annotations")
        now = self._clock().isoformat(timespec="seconds")
        return Plan(
            f"restart the pods of {self.place(order)} one after another",
            from_state={"restarted_at": annotations.get(_RESTARTED_AT)},
            to_state={"restarted_at": now},
        )

    def change(self, order: Order, plan: Plan) -> Result:
        """One PATCH of the pod template's annotations."""
        marks = {_RESTARTED_AT: plan.to_state["restarted_at"]}
        self.kube.merge(self.path(order), {"spec": {"template": {"metadata": {"annotations": marks}}}})
        return Result(f"{self.place(order)} replaces its pods", plan.to_state)
