"""What a process works with: settings, engine, clock and channels, built once and handed down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Engine

from receiver.clock import Clock, utc_now
from receiver.config import Settings
from receiver.httpclient import HttpClient
from receiver.notifiers.base import Notifier
from receiver.notifiers.registry import build_notifiers
from receiver.sources.base import FieldMapping
from receiver.storage.engine import create_engine


@dataclass(frozen=True, slots=True)
class Runtime:
    """The parts of one process. Build it after a fork, never before: connections must not be shared."""

    settings: Settings
    engine: Engine
    notifiers: Mapping[str, Notifier]
    mapping: FieldMapping
    clock: Clock = field(default=utc_now)

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def build_runtime(settings: Settings, *, pool_size: int | None = None) -> Runtime:
    """The runtime for `settings`; `pool_size` connections at most (default: what the web threads need)."""
    return Runtime(
        settings=settings,
        engine=create_engine(settings.database_url, pool_size=pool_size or settings.web_threads),
        notifiers=build_notifiers(slack_webhook_url=settings.slack_webhook_url, http=HttpClient()),
        mapping=FieldMapping(
            cluster=settings.labels_cluster,
            namespace=settings.labels_namespace,
            service=settings.labels_service,
            phase=settings.labels_phase,
            severity=settings.labels_severity,
            default_severity=settings.default_severity,
            priorities=settings.priorities,
        ),
    )
