"""The parts of Kubernetes objects that a diagnosis looks at, and nothing of the rest.

https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.31/
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

import msgspec

from receiver.errors import DeliveryFailed

T = TypeVar("T")


class _Object(msgspec.Struct, rename="camel"):
    """Fields that are missing have their defaults; those that the API writes as null too, where None is allowed."""


class Metadata(_Object):
    """What every object has."""

    name: str = ""
    deletion_timestamp: datetime | None = None


class Expression(_Object):
    """One condition of a selector."""

    key: str
    operator: str
    values: list[str] | None = None


class Selector(_Object):
    """Which pods belong to a deployment."""

    match_labels: dict[str, str] | None = None
    match_expressions: list[Expression] | None = None


class DeploymentSpec(_Object):
    """What a deployment is to be."""

    selector: Selector
    replicas: int | None = None


class DeploymentStatus(_Object):
    """What a deployment is."""

    ready_replicas: int | None = None
    updated_replicas: int | None = None


class Deployment(_Object):
    """A deployment."""

    spec: DeploymentSpec
    status: DeploymentStatus = msgspec.field(default_factory=DeploymentStatus)


class Terminated(_Object):
    """How a container ended."""

    exit_code: int = 0
    reason: str | None = None
    finished_at: datetime | None = None


class Waiting(_Object):
    """Why a container does not run."""

    reason: str | None = None


class ContainerState(_Object):
    """One of these, or running."""

    waiting: Waiting | None = None
    terminated: Terminated | None = None


class ContainerStatus(_Object):
    """A container of a pod."""

    name: str
    restart_count: int = 0
    state: ContainerState | None = None
    last_state: ContainerState | None = None


class Condition(_Object):
    """Something that is so, or not."""

    type: str
    status: str


class PodStatus(_Object):
    """How a pod is."""

    phase: str = "Unknown"
    reason: str | None = None
    conditions: list[Condition] | None = None
    container_statuses: list[ContainerStatus] | None = None
    init_container_statuses: list[ContainerStatus] | None = None


class Pod(_Object):
    """A pod."""

    metadata: Metadata
    status: PodStatus = msgspec.field(default_factory=PodStatus)

    @property
    def containers(self) -> list[ContainerStatus]:
        """All that is known of its containers, those that prepare it included."""
        return [*(self.status.init_container_statuses or ()), *(self.status.container_statuses or ())]

    @property
    def is_ready(self) -> bool:
        """Whether it gets traffic."""
        return any(one.type == "Ready" and one.status == "True" for one in self.status.conditions or ())

    @property
    def is_over(self) -> bool:
        """Whether it has done its work or is being removed: then nobody waits for it."""
        return self.status.phase == "Succeeded" or self.metadata.deletion_timestamp is not None


class Involved(_Object):
    """What an event is about."""

    kind: str = ""
    name: str = ""


class KubernetesEvent(_Object):
    """Something that happened, as the cluster tells it."""

    involved_object: Involved
    type: str | None = None
    reason: str | None = None
    message: str | None = None
    count: int | None = None
    last_timestamp: datetime | None = None
    event_time: datetime | None = None

    @property
    def at(self) -> datetime | None:
        """When it happened last."""
        return self.last_timestamp or self.event_time


class _Items(msgspec.Struct):
    items: list[Any] | None = None


def one_of(kind: type[T], answer: Any) -> T:
    """The object in an answer of the API. Raises DeliveryFailed where it is none."""
    try:
        return msgspec.convert(answer, kind)
    except msgspec.ValidationError:
        raise DeliveryFailed("the answer is not one of a Kubernetes API server", permanent=True) from None


def list_of(kind: type[T], answer: Any) -> list[T]:
    """The objects in a list of the API. Raises DeliveryFailed where it is none."""
    return [one_of(kind, item) for item in one_of(_Items, answer).items or ()]
