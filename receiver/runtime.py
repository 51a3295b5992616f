"""What a process works with: settings, engine, clock and channels, built once and handed down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Engine

from receiver.clock import Clock, utc_now
from receiver.config import Settings
from receiver.domain.rules.model import Audience, RuleSet
from receiver.notifiers.base import Notifier
from receiver.notifiers.registry import build_notifiers
from receiver.rules_file import audience_of, rules_of
from receiver.sources.base import FieldMapping
from receiver.storage.engine import create_engine


@dataclass(frozen=True, slots=True)
class Runtime:
    """The parts of one process. Build it after a fork, never before: connections must not be shared."""

    settings: Settings
    engine: Engine
    notifiers: Mapping[str, Notifier]
    mapping: FieldMapping
    rules: RuleSet
    audience: Audience
    clock: Clock = field(default=utc_now)

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def build_runtime(
    settings: Settings, *, rules: RuleSet | None = None, pool_size: int | None = None
) -> Runtime:
    """The runtime for `settings`; `pool_size` connections at most (default: what a web process needs).

    `rules`: what has been read already; otherwise they are read now. Raises WrongRules.
    """
    return Runtime(
        rules=rules or rules_of(settings),
        audience=audience_of(settings),
        settings=settings,
        engine=create_engine(settings.database_url, pool_size=pool_size or settings.web_database_connections),
        notifiers=build_notifiers(settings),
        mapping=mapping_of(settings),
    )


def mapping_of(settings: Settings) -> FieldMapping:
    """Which labels feed which field of an alert."""
    return FieldMapping(
        cluster=settings.labels_cluster,
        namespace=settings.labels_namespace,
        service=settings.labels_service,
        phase=settings.labels_phase,
        severity=settings.labels_severity,
        default_severity=settings.default_severity,
        priorities=settings.priorities,
    )
