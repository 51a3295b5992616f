"""kubernetes.scale: more or fewer replicas of a deployment, within bounds."""

from __future__ import annotations

from receiver.domain.action import Order, Parameter, Plan, Result, Signature, Type
from receiver.remediation.kubernetes_action import KubernetesAction, number_at, required_text

MOST_REPLICAS = 1000
DEFAULT_MIN, DEFAULT_MAX = 1, 10


class Scale(KubernetesAction):
    """Sets the scale of a deployment.

    The version that was planned on goes with the change: if anybody else has changed the deployment meanwhile, the API
    server answers 409, nothing has happened, and the next try plans anew. So `by` is never added twice.
    """

    kind = "deployment"
    signature = Signature(
        name="kubernetes.scale",
        help="Changes the number of replicas of a deployment, to `replicas` or by `by`.",
        required=("namespace", "deployment"),
        parameters=(
            Parameter("replicas", Type.INTEGER, "the number to set", least=0, most=MOST_REPLICAS),
            Parameter("by", Type.INTEGER, "how many more, or with - fewer", least=-100, most=100),
            Parameter("min", Type.INTEGER, "`by` goes no lower; 1 by default", least=0, most=MOST_REPLICAS),
            Parameter("max", Type.INTEGER, "`by` goes no higher; 10 by default", least=1, most=MOST_REPLICAS),
        ),
    )

    def more_problems(self, order: Order) -> list[str]:
        """Exactly one of `replicas` and `by`; bounds that leave room."""
        given = order.parameters
        if ("replicas" in given) == ("by" in given):
            return ["parameters: needs either replicas or by"]
        if "replicas" in given:
            outside = [name for name in ("min", "max") if name in given]
            return [f"{name}: is for by, and replicas is given" for name in outside]
        if given["by"] == 0:
            return ["by: must not be 0"]
        least, most = _bounds(order)
        return [f"min: {least} is more than max, which is {most}"] if least > most else []

    def plan(self, order: Order) -> Plan:
        """Reads the present scale. Nothing to do where it is as wanted, or at its bound."""
        scale = self.kube.get(f"{self.path(order)}/scale")
        replicas = number_at(scale, "spec", "replicas")
        wanted = _wanted(order, replicas)
        states = {"replicas": replicas}, {"replicas": wanted}
        if wanted == replicas:
            at_bound = " and may not go further" if "by" in order.parameters else ""
            return Plan(
                f"{self.place(order)} has {replicas} replicas already{at_bound}", *states, is_noop=True
            )
        version = required_text(scale, "metadata", "resourceVersion")
        return Plan(f"scale {self.place(order)} from {replicas} to {wanted} replicas", *states, token=version)

    def change(self, order: Order, plan: Plan) -> Result:
        """One PUT of the scale, with the version that it was planned on."""
        target, wanted = order.target, plan.to_state["replicas"]
        scale = {
            "apiVersion": "autoscaling/v1",
            "kind": "Scale",
            "metadata": {
                "name": target["deployment"],
                "namespace": target["namespace"],
                "resourceVersion": plan.token,
            },
            "spec": {"replicas": wanted},
        }
        self.kube.replace(f"{self.path(order)}/scale", scale)
        before = plan.from_state["replicas"]
        return Result(f"scaled {self.place(order)} from {before} to {wanted} replicas", {"replicas": wanted})


def _bounds(order: Order) -> tuple[int, int]:
    given = order.parameters
    return int(given.get("min", DEFAULT_MIN)), int(given.get("max", DEFAULT_MAX))


def _wanted(order: Order, replicas: int) -> int:
    """The bounds hold a change back; they never turn it round, where somebody has already gone beyond them."""
    if "replicas" in order.parameters:
        return int(order.parameters["replicas"])
    by, (least, most) = int(order.parameters["by"]), _bounds(order)
    if by > 0:
        return max(replicas, min(replicas + by, most))
    return min(replicas, max(replicas + by, least))
