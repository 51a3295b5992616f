"""A diagnosis in a few short lines, as messages show it: what is not as it should be first. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MOST_LINES = 12
LONGEST_LINE = 160


def summary(diagnostics: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Lines for people, from what `incidents.diagnostics` holds; none where nothing was looked at.

    Each is one line of at most 160 characters; from the fields of foreign systems, so a channel must escape them.
    """
    if not diagnostics:
        return ()
    found = list(_lines(diagnostics))
    wrong = [line for is_ok, line in found if not is_ok]
    right = [line for is_ok, line in found if is_ok]
    lines = [_cut(f"{mark} {line}") for mark, some in (("✗", wrong), ("✓", right)) for line in some]
    if len(lines) > MOST_LINES:
        left = len(lines) - MOST_LINES + 1
        lines = [*lines[: MOST_LINES - 1], f"… and {left} more"]
    return tuple(lines)


def _lines(diagnostics: Mapping[str, Any]) -> Iterator[tuple[bool, str]]:
    pods = diagnostics.get("pods")
    if pods:
        yield bool(pods.get("ok")), _pods(pods)
    for name, result in (diagnostics.get("metrics") or {}).items():
        yield bool(result.get("ok")), f"{name}: {_metric(result)}"
    for name, result in (diagnostics.get("dependencies") or {}).items():
        yield bool(result.get("ok")), f"{name} ({result.get('kind', 'dependency')}): {_dependency(result)}"


def _pods(result: Mapping[str, Any]) -> str:
    if "error" in result:
        return f"pods: {result['error']}"
    parts = [f"pods: {result.get('ready')}/{result.get('wanted')} ready"]
    if result.get("restarts"):
        parts.append(f"{result['restarts']} restart{'s' if result['restarts'] != 1 else ''}")
    parts += [f"{number} {reason}" for reason, number in (result.get("waiting") or {}).items()]
    last = result.get("last_termination")
    if last:
        parts.append(f"last ended: {last.get('reason')} (exit code {last.get('exit_code')})")
    warnings = [event for event in result.get("events") or () if event.get("type") == "Warning"]
    for event in warnings[:1]:
        parts.append(f"{event.get('reason')}: {event.get('message')}")
    return ", ".join(parts)


def _metric(result: Mapping[str, Any]) -> str:
    if "error" in result:
        return str(result["error"])
    unit = f" {result['unit']}" if result.get("unit") else ""
    if "series" in result:
        listed = (_one_series(one, unit) for one in result["series"][:3])
        more = result.get("series_count", 0) - 3
        text = ", ".join(listed) + (f" and {more} more" if more > 0 else "")
    else:
        text = _number(result.get("value")) + unit
        if "first" in result:
            text += f" (from {_number(result['first'])}, at most {_number(result['most'])})"
    return text + (f", expected {result['expected']}" if result.get("expected") else "")


def _one_series(one: Mapping[str, Any], unit: str) -> str:
    labels = ",".join(str(value) for value in (one.get("labels") or {}).values())
    return f"{labels} {_number(one.get('value'))}{unit}"


def _dependency(result: Mapping[str, Any]) -> str:
    if "error" in result:
        return str(result["error"])
    text = f"HTTP {result['status']}" if "status" in result else "answers"
    if result.get("seconds"):
        text += f" in {result['seconds']:.3g} s"
    if "connections" in result:
        text += f", {result['connections']} of {result.get('max_connections')} connections"
    return text


def _number(value: object) -> str:
    """At most four digits that count: nobody reads more of them in a message."""
    return f"{value:.4g}" if isinstance(value, (int, float)) else "?"


def _cut(line: str) -> str:
    plain = " ".join("".join(one if one.isprintable() else " " for one in line).split())
    return plain if len(plain) <= LONGEST_LINE else plain[: LONGEST_LINE - 1] + "…"
