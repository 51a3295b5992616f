"""What a process works with: settings, engine, clock and channels, built once and handed down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Engine

from receiver.brokers.base import Broker
from receiver.brokers.registry import build_broker
from receiver.clock import Clock, utc_now
from receiver.config import Settings
from receiver.diagnostics.collector import Collector
from receiver.diagnostics.registry import build_collector
from receiver.domain.rules.model import Audience, RuleSet
from receiver.logs import event_logger
from receiver.notifiers.base import Notifier
from receiver.notifiers.registry import build_notifiers
from receiver.remediation.base import Action
from receiver.remediation.registry import build_actions
from receiver.rules_file import audience_of, rules_of, unknown_wordings
from receiver.sources.base import FieldMapping
from receiver.storage.engine import create_engine

_log = event_logger("rules")


class Rulebook:
    """Holds the rules that are in force in this process. They are replaced as a whole, never changed."""

    __slots__ = ("current",)

    def __init__(self, rules: RuleSet) -> None:
        self.current = rules


@dataclass(frozen=True, slots=True)
class Runtime:
    """The parts of one process. Build it after a fork, never before: connections must not be shared."""

    settings: Settings
    engine: Engine
    notifiers: dict[str, Notifier]
    mapping: FieldMapping
    rulebook: Rulebook
    audience: Audience
    diagnostics: Collector
    clock: Clock = field(default=utc_now)
    broker: Broker | None = None
    actions: Mapping[str, Action] = field(default_factory=dict)

    @property
    def rules(self) -> RuleSet:
        """The rules that are in force now. Whoever asks twice may get two answers."""
        return self.rulebook.current

    def read_rules_again(self) -> None:
        """Put into force what the rules file says now. Raises WrongRules, and then the old ones stay.

        Channels that it names no more are kept: messages for them may be under way.
        """
        rules = rules_of(self.settings)
        _tell_unknown_wordings(rules, self.settings)
        self.notifiers.update(build_notifiers(self.settings, named=rules.channels))
        self.rulebook.current = rules

    def close(self) -> None:
        """Give the connections back."""
        if self.broker is not None:
            self.broker.close()
        self.engine.dispose()


def _tell_unknown_wordings(rules: RuleSet, settings: Settings) -> None:
    for rule, wording in unknown_wordings(rules, settings):
        _log.warning("template.missing", extra={"rule": rule, "template": wording})


def build_runtime(
    settings: Settings, *, rules: RuleSet | None = None, pool_size: int | None = None
) -> Runtime:
    """The runtime for `settings`; `pool_size` connections at most (default: what a web process needs).

    `rules`: what has been read already; otherwise they are read now. Raises WrongRules.
    """
    rules = rules or rules_of(settings)
    _tell_unknown_wordings(rules, settings)
    return Runtime(
        rulebook=Rulebook(rules),
        audience=audience_of(settings),
        settings=settings,
        engine=create_engine(settings.database_url, pool_size=pool_size or settings.web_database_connections),
        notifiers=build_notifiers(settings, named=rules.channels),
        mapping=mapping_of(settings),
        diagnostics=build_collector(settings),
        broker=build_broker(settings),
        actions=build_actions(settings),
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
