"""Looks at a dependency as a diagnosis does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from receiver.diagnostics.dependency import Dependencies
from receiver.diagnostics.registry import CHECKS
from receiver.domain.diagnosis import DependencyKind, DependencyProbe
from receiver.domain.rules.matcher import Subject
from receiver.domain.rules.render import view_of
from receiver.errors import DeliveryFailed

PASSWORD = "hunter2-of-the-database"


def look(
    kind: str,
    address: str,
    *,
    labels: Mapping[str, str] | None = None,
    databases: Mapping[str, str] | None = None,
    path: str = "",
    is_tls: bool = False,
    timeout: float = 5.0,
) -> Mapping[str, Any]:
    """What is found out. `labels` are those of the alert, `databases` those of the settings."""
    probe = DependencyProbe("it", DependencyKind(kind), address, path, is_tls, timeout)
    return Dependencies(CHECKS, databases or {}).look(probe, view_of(Subject({}, labels or {})))


def why(kind: str, address: str, **options: Any) -> str:
    """Why nothing was found out."""
    try:
        found = look(kind, address, **options)
    except DeliveryFailed as failed:
        found = {"error": failed.reason}
    assert PASSWORD not in str(found)
    return str(found["error"])
