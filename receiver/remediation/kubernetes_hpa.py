"""kubernetes.patch_hpa: other bounds for a HorizontalPodAutoscaler."""

from __future__ import annotations

from receiver.domain.action import Order, Parameter, Plan, Result, Signature, Type
from receiver.errors import DeliveryFailed
from receiver.remediation.kubernetes_action import KubernetesAction, number_at, required_text

MOST_REPLICAS = 1000
# The API's names for them.
_FIELDS = {"min": "minReplicas", "max": "maxReplicas"}


class PatchHpa(KubernetesAction):
    """Sets the least and the most replicas between which an autoscaler decides."""

    kind = "hpa"
    signature = Signature(
        name="kubernetes.patch_hpa",
        help="Changes the bounds of a HorizontalPodAutoscaler.",
        required=("namespace", "hpa"),
        parameters=(
            Parameter("min", Type.INTEGER, "the least replicas", least=1, most=MOST_REPLICAS),
            Parameter("max", Type.INTEGER, "the most replicas", least=1, most=MOST_REPLICAS),
        ),
    )

    def more_problems(self, order: Order) -> list[str]:
        """At least one bound, and min no more than max."""
        given = order.parameters
        if not given:
            return ["parameters: needs min, max, or both"]
        if "min" in given and "max" in given and given["min"] > given["max"]:
            return [f"min: {given['min']} is more than max, which is {given['max']}"]
        return []

    def plan(self, order: Order) -> Plan:
        """Reads the autoscaler. Raises DeliveryFailed where the new bound would contradict the other one."""
        hpa = self.kube.get(self.path(order))
        now = {
            "min": number_at(hpa, "spec", "minReplicas", missing=1),  # as the API has it where it is not set
            "max": number_at(hpa, "spec", "maxReplicas", missing=1),
        }
        wanted = now | {name: int(order.parameters[name]) for name in _FIELDS if name in order.parameters}
        if wanted["min"] > wanted["max"]:
            raise DeliveryFailed(
                f"{self.place(order)} would have min {wanted['min']} above max {wanted['max']}",
                permanent=True,
            )
        change = "{} to {} replicas".format
        is_noop = wanted == now
        return Plan(
            f"autoscaler {self.place(order)} has {change(*now.values())} already"
            if is_noop
            else f"set autoscaler {self.place(order)} from {change(*now.values())} to {change(*wanted.values())}",
            from_state=now,
            to_state=wanted,
            is_noop=is_noop,
            token=required_text(hpa, "metadata", "resourceVersion"),
        )

    def change(self, order: Order, plan: Plan) -> Result:
        """One PATCH, with the version that it was planned on."""
        spec = {field: plan.to_state[name] for name, field in _FIELDS.items()}
        self.kube.merge(self.path(order), {"metadata": {"resourceVersion": plan.token}, "spec": spec})
        least, most = plan.to_state["min"], plan.to_state["max"]
        return Result(f"autoscaler {self.place(order)} keeps {least} to {most} replicas", plan.to_state)
