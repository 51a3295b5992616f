"""The effect `run` of a rule: which action, on what, with which parameters, and how it is told that it has helped."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from receiver.domain.action import Signature
from receiver.domain.comparison import read_comparison
from receiver.domain.rules.document import Node
from receiver.domain.rules.entries import Entries
from receiver.domain.rules.known import Known
from receiver.domain.rules.order_check import flaws_of, place_in
from receiver.domain.rules.problem import Problem, quoted, unknown
from receiver.domain.rules.read_parameters import ParameterReader
from receiver.domain.rules.render import flaw_of_query
from receiver.domain.rules.run_spec import EXPIRES_AFTER_SECONDS, RunSpec, VerifySpec

_KEYS = ("action", "target", "parameters", "dry_run", "approval", "expires_after", "resolves", "verify")
_VERIFY_KEYS = ("query", "holds", "alert_resolved", "within")
REQUIRED = "required"


class RunReader:
    """Reads one `run`. `known`: for the catalogue; `names`: what its texts may name."""

    def __init__(self, problems: list[Problem], known: Known, names: Collection[str]) -> None:
        self._problems = problems
        self._known = known
        self._actions = known.actions
        self._names = names

    def read(self, node: Node) -> RunSpec | None:
        """What the rule asks for, None where the action is not known; it counts only if no problem was noted."""
        before = len(self._problems)
        entries = Entries(node, self._problems, "run", _KEYS)
        if not entries.is_table:
            return None
        signature = self._signature(entries)
        options = self._options(entries)
        if signature is None:
            return None
        reader = ParameterReader(self._problems, signature, self._names)
        spec = RunSpec(signature.name, reader.target(entries), reader.parameters(entries), **options)
        if len(self._problems) == before:  # else the same would be told twice, in other words
            for place, flaw in flaws_of(spec, self._known.mistakes_of):
                entries.note(place_in(entries, place), flaw)
        return spec

    def _signature(self, entries: Entries) -> Signature | None:
        if "action" not in entries:
            entries.missing("action", f"it is one of {', '.join(sorted(self._actions))}")
        name = entries.text("action", "the name of an action")
        if name is None:
            return None
        if name.value not in self._actions:
            entries.note(name, unknown("action", name.value, self._actions))
        return self._actions.get(name.value)

    def _options(self, entries: Entries) -> dict[str, Any]:
        approval = entries.text("approval", REQUIRED)
        if approval is not None and approval.value != REQUIRED:
            entries.note(
                approval, f"approval must be {REQUIRED}, this is {quoted(approval.value)}; else leave it out"
            )
        return {
            "is_dry_run": entries.flag("dry_run"),
            "needs_approval": approval is not None,
            "expires_after_seconds": entries.seconds("expires_after") or EXPIRES_AFTER_SECONDS,
            "resolves": entries.flag("resolves"),
            "verify": self._verify(entries.value("verify")),
        }

    def _verify(self, node: Node | None) -> VerifySpec | None:
        if node is None:
            return None
        entries = Entries(node, self._problems, "verify", _VERIFY_KEYS)
        if not entries.is_table:
            return None
        within = entries.seconds("within")
        if "within" not in entries:
            entries.missing("within", "it says how long success may take to show, as in 10m")
        alert_resolved = entries.flag("alert_resolved")
        if alert_resolved == ("query" in entries or "holds" in entries):
            entries.note(
                entries.node, "verify needs either alert_resolved: true, or query with holds, as in '< 0.9'"
            )
        elif not alert_resolved and ("query" in entries) != ("holds" in entries):
            missing = "holds" if "query" in entries else "query"
            entries.missing(missing, "query and holds belong together")
        query, holds = self._query(entries)
        return VerifySpec(within or 0.0, query, holds, alert_resolved)

    def _query(self, entries: Entries) -> tuple[str, str]:
        query = entries.text("query", "a PromQL query")
        flaw = flaw_of_query(query.value, self._names) if query else None
        if query is not None and flaw is not None:
            entries.note(query, f"query: {flaw}")
        holds = entries.text("holds", "a comparison, as in '< 0.9'")
        if holds is not None and read_comparison(holds.value) is None:
            entries.note(holds, f"holds must be a comparison, as in '< 0.9', this is {quoted(holds.value)}")
        return query.value if query else "", holds.value if holds else ""
