"""What is fuzzed, by name. A target is given bytes; it raises when something does that must never happen."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fuzz.targets import alerts, documents, gates, queries, texts, transport

Target = Callable[[bytes], None]

TARGETS: Mapping[str, Target] = {
    "body": alerts.body,
    "grafana": alerts.grafana,
    "alertmanager": alerts.alertmanager,
    "legacy": alerts.legacy,
    "key": alerts.key,
    "time": alerts.time,
    "rules": documents.rules,
    "settings": documents.settings,
    "signature": gates.signature,
    "authorization": gates.authorization,
    "cursor": queries.cursor,
    "filters": queries.filters,
    "promql": texts.promql,
    "slack": texts.slack,
    "messages": texts.messages,
    "names": texts.names,
    "chunks": transport.chunks,
    "head": transport.head,
}
