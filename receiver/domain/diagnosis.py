"""What a diagnosis looks at, as the rules describe it, and the job that asks for one. Pure.

Texts in it may hold `{{ ... }}`, as all texts of rules: they are filled in when the diagnosis is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from receiver.domain.jobs import JobKind, JobRequest

QUEUE = JobKind.DIAGNOSE.value
ATTEMPTS = 5  # what it asks may fail, and that is its result: only the database can make the job itself fail
PROBE_SECONDS = 5.0
DIAGNOSIS_SECONDS = 20.0
STEP_SECONDS = 60.0


class Section(StrEnum):
    """The parts of `incidents.diagnostics`."""

    PODS = "pods"
    METRICS = "metrics"
    DEPENDENCIES = "dependencies"


class DependencyKind(StrEnum):
    """What is spoken with a dependency."""

    TCP = "tcp"
    HTTP = "http"
    MYSQL = "mysql"
    POSTGRESQL = "postgresql"
    REDIS = "redis"
    KAFKA = "kafka"


@dataclass(frozen=True, slots=True)
class MetricProbe:
    """A PromQL query that gives a number: now, or with `over_seconds` over that stretch up to now, in steps.

    `holds` is what is expected of the number, as in ">= 0.99" (see domain.comparison), empty for nothing; `unit`
    stands behind it where people read it.
    """

    name: str
    query: str
    over_seconds: float | None = None
    step_seconds: float = STEP_SECONDS
    holds: str = ""
    unit: str = ""
    timeout_seconds: float = PROBE_SECONDS


@dataclass(frozen=True, slots=True)
class PodsProbe:
    """The pods of a service: those of a deployment, or those that fit a label selector. One of the two is empty."""

    namespace: str
    deployment: str = ""
    selector: str = ""
    timeout_seconds: float = PROBE_SECONDS


@dataclass(frozen=True, slots=True)
class DependencyProbe:
    """Something that the service needs, and whether it answers.

    `address` is host:port; for mysql, postgresql and redis also the name of a database of the settings. `path` and
    `is_tls` are for HTTP only, where the answer's status must be below 400.
    """

    name: str
    kind: DependencyKind
    address: str
    path: str = ""
    is_tls: bool = False
    timeout_seconds: float = PROBE_SECONDS


Probe = MetricProbe | PodsProbe | DependencyProbe


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is looked at, all side by side; what has not answered after `deadline_seconds` is given up."""

    metrics: tuple[MetricProbe, ...] = ()
    pods: PodsProbe | None = None
    dependencies: tuple[DependencyProbe, ...] = ()
    deadline_seconds: float = DIAGNOSIS_SECONDS

    @property
    def probes(self) -> tuple[Probe, ...]:
        """All that is looked at."""
        return (*((self.pods,) if self.pods else ()), *self.metrics, *self.dependencies)


def diagnose_job(incident_id: str, diagnosis_name: str, rule: str, cause: str, trace_id: str) -> JobRequest:
    """The job that makes the diagnosis of this name, because the rule `rule` asks for it.

    `cause` is the event that the rule reacted to (its type; on an action's event with the action's id): for each, an
    incident is diagnosed once.
    """
    return JobRequest(
        kind=JobKind.DIAGNOSE,
        queue=QUEUE,
        idempotency_key=f"diagnose:{incident_id}:{diagnosis_name}:{cause}",
        payload={"diagnosis": diagnosis_name, "rule": rule, "cause": cause},
        incident_id=incident_id,
        trace_id=trace_id,
        max_attempts=ATTEMPTS,
    )
