"""kubernetes.cordon and kubernetes.uncordon: whether a node gets new pods. Those that it has stay."""

from __future__ import annotations

from typing import ClassVar

from receiver.domain.action import Order, Plan, Result, Signature
from receiver.remediation.kubernetes_action import KubernetesAction, at


class _Schedule(KubernetesAction):
    """Sets whether the node is unschedulable. Said twice it changes nothing."""

    kind = "node"
    unschedulable: ClassVar[bool]

    def plan(self, order: Order) -> Plan:
        """Reads the node."""
        now = bool(at(self.kube.get(self.path(order)), "spec", "unschedulable"))
        verb = self.signature.name.rpartition(".")[2]
        is_noop = now is self.unschedulable
        return Plan(
            f"node {self.place(order)} is {verb}ed already"
            if is_noop
            else f"{verb} node {self.place(order)}",
            from_state={"unschedulable": now},
            to_state={"unschedulable": self.unschedulable},
            is_noop=is_noop,
        )

    def change(self, order: Order, plan: Plan) -> Result:
        """One PATCH of the node."""
        self.kube.merge(self.path(order), {"spec": {"unschedulable": self.unschedulable}})
        verb = self.signature.name.rpartition(".")[2]
        return Result(f"{verb}ed node {self.place(order)}", plan.to_state)


class Cordon(_Schedule):
    """No new pods for the node."""

    unschedulable = True
    signature = Signature(
        name="kubernetes.cordon",
        help="Keeps new pods from a node; those that run there stay.",
        required=("node",),
    )


class Uncordon(_Schedule):
    """New pods for the node again."""

    unschedulable = False
    signature = Signature(
        name="kubernetes.uncordon", help="Lets new pods onto a node again.", required=("node",)
    )
