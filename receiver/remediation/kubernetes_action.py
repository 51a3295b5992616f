"""What all actions on Kubernetes share: their target is named and checked alike, and one breaker guards the cluster."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from receiver.domain.action import Order, Plan, Result, Signature
from receiver.errors import DeliveryFailed
from receiver.kubeclient import KubeClient
from receiver.kubeclient.access import UNSET
from receiver.remediation.base import LONGEST_TARGET
from receiver.remediation.names import flaws_of

# The API's folder of each kind.
FOLDERS = {
    "deployment": "/apis/apps/v1/namespaces/{namespace}/deployments/",
    "pod": "/api/v1/namespaces/{namespace}/pods/",
    "node": "/api/v1/nodes/",
    "hpa": "/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers/",
    "job": "/apis/batch/v1/namespaces/{namespace}/jobs/",
    "cronjob": "/apis/batch/v1/namespaces/{namespace}/cronjobs/",
}


class KubernetesAction(ABC):
    """A base for the actions on one object. `kind` is the target's key for it; None for `kube`: there is no cluster."""

    signature: ClassVar[Signature]
    kind: ClassVar[str]

    def __init__(self, kube: KubeClient | None) -> None:
        self._kube = kube

    def mistakes(self, order: Order) -> list[str]:
        """See Action.mistakes."""
        problems = [*self.signature.problems(order), *flaws_of(order.target)]
        problems = problems or self.more_problems(order)
        if not problems and len(self.target_text(order)) > LONGEST_TARGET:
            problems.append(f"target: its names are longer than {LONGEST_TARGET} characters together")
        return problems

    def check(self, order: Order) -> list[str]:
        """See Action.check."""
        problems = self.mistakes(order)
        if self._kube is None:
            problems.append(UNSET)
        return problems

    def more_problems(self, order: Order) -> list[str]:
        """What does not fit together in an order whose single values are right."""
        return []

    def target_text(self, order: Order) -> str:
        """See Action.target_text."""
        parts = (order.target.get("namespace"), self.kind, order.target.get(self.kind, ""))
        return "kubernetes:" + "/".join(part for part in parts if part is not None)

    def system(self, order: Order) -> str:
        """See Action.system: the API server is one system, whatever is changed in the cluster."""
        return "kubernetes"

    @abstractmethod
    def plan(self, order: Order) -> Plan:
        """See Action.plan."""

    def run(self, order: Order, plan: Plan) -> Result:
        """See Action.run."""
        if plan.is_noop:
            return Result(plan.text, plan.to_state)
        return self.change(order, plan)

    @abstractmethod
    def change(self, order: Order, plan: Plan) -> Result:
        """`run` for a plan that changes something."""

    @property
    def kube(self) -> KubeClient:
        """The cluster. Raises DeliveryFailed where there is none."""
        if self._kube is None:
            raise DeliveryFailed(UNSET, permanent=True)
        return self._kube

    def path(self, order: Order) -> str:
        """The path of the order's object. Raises DeliveryFailed for a name that `check` would refuse.

        Asked once more here, because from here on the names are part of an address.
        """
        return self.folder(order) + order.target[self.kind]

    def folder(self, order: Order, kind: str = "") -> str:
        """The path of the objects of a kind, by default the order's, in the order's namespace; with a / at its end."""
        problems = flaws_of(order.target)
        if problems:
            raise DeliveryFailed("; ".join(problems), permanent=True)
        return FOLDERS[kind or self.kind].format(namespace=order.target.get("namespace", ""))

    def place(self, order: Order) -> str:
        """The object for people: `shop/svc-a`, or the node's name."""
        return "/".join(filter(None, (order.target.get("namespace"), order.target[self.kind])))


def at(value: Any, *way: str) -> Any:
    """What stands there in an object of the API; None where the way breaks off."""
    for step in way:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def number_at(value: Any, *way: str, missing: int = 0) -> int:
    """The whole number that stands there, `missing` if there is none."""
    found = at(value, *way)
    return found if isinstance(found, int) and not isinstance(found, bool) else missing


def table_at(value: Any, *way: str) -> dict[str, Any]:
    """The table that stands there, empty if there is none."""
    found = at(value, *way)
    return found if isinstance(found, dict) else {}


def required_text(value: Any, *way: str) -> str:
    """The text that stands there. Raises DeliveryFailed if there is none: then it is no object of Kubernetes."""
    found = at(value, *way)
    if not isinstance(found, str) or not found:
        raise DeliveryFailed(f"the answer of the API server has no {'.'.join(way)}", permanent=True)
    return found
