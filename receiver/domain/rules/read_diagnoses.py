"""The section `diagnoses` of a rules file: by name, what is looked at when an incident is diagnosed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from receiver.domain.comparison import read_comparison
from receiver.domain.dependency_address import has_values, parse_address, parse_path, split_web
from receiver.domain.diagnosis import (
    DIAGNOSIS_SECONDS,
    PROBE_SECONDS,
    DependencyKind,
    DependencyProbe,
    Diagnosis,
    MetricProbe,
    PodsProbe,
)
from receiver.domain.rules.document import Node, Table, Text, kind_of
from receiver.domain.rules.entries import Entries
from receiver.domain.rules.problem import Problem, quoted
from receiver.domain.rules.render import flaw_of_query, flaw_of_text

MOST_DIAGNOSES = 100
MOST_PROBES = 30
MOST_POINTS = 300  # of a range: its answer stays small, whatever the range is
LONGEST_PROBE_SECONDS = 60
LONGEST_DIAGNOSIS_SECONDS = 120
# Names stand in keys of jobs, which are ASCII, and in matchers, as in diagnostics.metrics.NAME.value.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_DATABASE = re.compile(r"[a-z0-9][a-z0-9-]{0,23}")
_SELECTOR = re.compile(r"[A-Za-z0-9_./-]{1,317}\s*(?:==?|!=)\s*[A-Za-z0-9_.-]{0,63}")
_LONGEST_UNIT = 16
KEYS = ("timeout", "metrics", "pods", "dependencies")
METRIC_KEYS = ("query", "over", "step", "holds", "unit", "timeout")
POD_KEYS = ("namespace", "deployment", "selector", "timeout")
_NAMED_DATABASES = frozenset({DependencyKind.MYSQL, DependencyKind.POSTGRESQL, DependencyKind.REDIS})
_NAMESPACE = "{{ namespace }}"


def read_diagnoses(node: Node, problems: list[Problem]) -> Mapping[str, Diagnosis]:
    """The diagnoses by name. They count only if no problem was noted."""
    if not isinstance(node, Table):
        problems.append(
            node.problem(f"diagnoses must be a table of diagnoses by name, this is {kind_of(node)}")
        )
        return {}
    if len(node.entries) > MOST_DIAGNOSES:
        problems.append(
            node.problem(f"there are {len(node.entries)} diagnoses, {MOST_DIAGNOSES} are allowed")
        )
        return {}
    return {
        _name(key, "a diagnosis", problems): _Reader(problems).diagnosis(value)
        for key, value in node.entries.values()
    }


def _name(key: Text, of: str, problems: list[Problem]) -> str:
    if not _NAME.fullmatch(key.value):
        flaw = f"{quoted(key.value)} is no name for {of}; it must be at most 32 letters, digits, _ and -"
        problems.append(key.problem(flaw))
    return key.value


class _Reader:
    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems
        self._whole_seconds = DIAGNOSIS_SECONDS

    def diagnosis(self, node: Node) -> Diagnosis:
        entries = Entries(node, self._problems, "a diagnosis", KEYS)
        self._whole_seconds = self._timeout(entries, DIAGNOSIS_SECONDS, LONGEST_DIAGNOSIS_SECONDS)
        made = Diagnosis(
            metrics=tuple(self._metric(name, value) for name, value in self._named(entries, "metrics")),
            pods=self._pods(entries.value("pods")),
            dependencies=tuple(
                filter(None, (self._dependency(*one) for one in self._named(entries, "dependencies")))
            ),
            deadline_seconds=self._whole_seconds,
        )
        if isinstance(node, Table) and not any(name in entries for name in KEYS[1:]):
            entries.note(node, "it looks at nothing; it needs metrics, pods or dependencies")
        if len(made.probes) > MOST_PROBES:
            entries.note(node, f"it looks at {len(made.probes)} things, {MOST_PROBES} are allowed")
        return made

    def _named(self, entries: Entries, section: str) -> Iterator[tuple[str, Node]]:
        node = entries.value(section)
        if node is None:
            return
        if not isinstance(node, Table) or not node.entries:
            entries.note(
                node, f"{section} must be a table of what to look at by name, this is {kind_of(node)}"
            )
            return
        for key, value in node.entries.values():
            yield _name(key, "what is looked at", self._problems), value

    def _metric(self, name: str, node: Node) -> MetricProbe:
        if isinstance(node, Text):  # nothing but the query
            self._note_flaw(node, flaw_of_query(node.value) if node.value else "the query is empty")
            return MetricProbe(name, node.value, timeout_seconds=min(PROBE_SECONDS, self._whole_seconds))
        entries = Entries(node, self._problems, "a metric", METRIC_KEYS)
        query = entries.text("query", "a PromQL query")
        if query is not None:
            self._note_flaw(query, flaw_of_query(query.value))
        elif isinstance(node, Table) and "query" not in entries:
            entries.missing("query", "it is the PromQL that gives the number")
        over, step = self._range(entries)
        return MetricProbe(
            name,
            query.value if query else "",
            over_seconds=over,
            step_seconds=step,
            holds=self._holds(entries),
            unit=self._unit(entries),
            timeout_seconds=self._timeout(entries),
        )

    def _range(self, entries: Entries) -> tuple[float | None, float]:
        over = entries.seconds("over", least=60)
        step = entries.seconds("step", least=1)
        if over is None:
            if step is not None and "over" not in entries:
                entries.note(
                    entries.key("step"), "step says nothing without over: the stretch of time it divides"
                )
            return None, step or 60.0
        step = step or max(15.0, float(round(over / 60)))
        if over / step > MOST_POINTS:
            entries.note(
                entries.key("over"), f"{over / step:.0f} steps are too many, {MOST_POINTS} are allowed"
            )
        return over, step

    def _holds(self, entries: Entries) -> str:
        found = entries.text("holds", 'a comparison, as in ">= 0.99"')
        if found is None:
            return ""
        if read_comparison(found.value) is None:
            entries.note(found, f'holds must be a comparison, as in ">= 0.99", this is {kind_of(found)}')
        return found.value

    def _unit(self, entries: Entries) -> str:
        found = entries.text("unit", "a unit, as in ms")
        if found is None:
            return ""
        if len(found.value) > _LONGEST_UNIT or not found.value.isprintable():
            entries.note(found, f"unit must be one line of at most {_LONGEST_UNIT} characters")
        return found.value

    def _pods(self, node: Node | None) -> PodsProbe | None:
        if node is None:
            return None
        entries = Entries(node, self._problems, "pods", POD_KEYS)
        found = {name: self._text(entries, name) for name in ("namespace", "deployment", "selector")}
        if isinstance(node, Table) and ("deployment" in entries) == ("selector" in entries):
            entries.note(node, "pods needs either the deployment they are of, or a selector of their labels")
        for part in found["selector"].split(",") if found["selector"] else ():
            if not has_values(part) and not _SELECTOR.fullmatch(part.strip()):
                entries.note(entries.key("selector"), 'selector must be as in "app=shop,tier!=cache"')
        return PodsProbe(
            namespace=found["namespace"] or _NAMESPACE,
            deployment=found["deployment"],
            selector=found["selector"],
            timeout_seconds=self._timeout(entries),
        )

    def _text(self, entries: Entries, name: str) -> str:
        found = entries.text(name)
        if found is None:
            return ""
        self._note_flaw(found, flaw_of_text(found.value))
        return found.value

    def _dependency(self, name: str, node: Node) -> DependencyProbe | None:
        kinds = [kind.value for kind in DependencyKind]
        entries = Entries(node, self._problems, "a dependency", (*kinds, "timeout"))
        spoken = [kind for kind in DependencyKind if kind.value in entries]
        timeout = self._timeout(entries)
        if len(spoken) != 1:
            if isinstance(node, Table):
                entries.note(
                    node, f'a dependency must have one of {", ".join(kinds)}, as in {{tcp: "cache:11211"}}'
                )
            return None
        kind = spoken[0]
        found = entries.text(kind.value, "an address")
        if found is None:
            return None
        flaw = flaw_of_text(found.value)
        if flaw is not None:
            entries.note(found, flaw)
            return None
        try:
            return _dependency(name, kind, found.value.strip(), timeout)
        except ValueError as error:
            entries.note(found, f"{kind.value} {error}")
            return None

    def _timeout(
        self, entries: Entries, default: float = PROBE_SECONDS, longest: float = LONGEST_PROBE_SECONDS
    ) -> float:
        """Seconds; a probe that says nothing of it never has more than the whole."""
        seconds = entries.seconds("timeout", least=1)
        if seconds is None:
            return min(default, self._whole_seconds)
        if seconds > longest:
            entries.note(entries.key("timeout"), f"timeout must be at most {longest:g}s")
        elif longest == LONGEST_PROBE_SECONDS and seconds > self._whole_seconds:
            flaw = f"timeout is longer than that of the whole diagnosis, {self._whole_seconds:g}s"
            entries.note(entries.key("timeout"), flaw)
        return seconds

    def _note_flaw(self, node: Node, flaw: str | None) -> None:
        if flaw is not None:
            self._problems.append(node.problem(flaw))


def _dependency(name: str, kind: DependencyKind, text: str, timeout: float) -> DependencyProbe:
    """Raises ValueError for an address that cannot be right, whatever its values are."""
    if kind is DependencyKind.HTTP:
        web = split_web(text)
        if not has_values(web.place):
            parse_address(web.place, 443 if web.is_tls else 80)
        if not has_values(web.path):
            parse_path(web.path)
        return DependencyProbe(name, kind, web.place, web.path, web.is_tls, timeout)
    is_named = kind in _NAMED_DATABASES and _DATABASE.fullmatch(text)
    if not has_values(text) and not is_named:
        try:
            parse_address(text)
        except ValueError as error:
            more = ", or a name of RECEIVER_REMEDIATION_DATABASES" if kind in _NAMED_DATABASES else ""
            raise ValueError(f"{error}{more}") from None
    return DependencyProbe(name, kind, text, timeout_seconds=timeout)
