"""What `receiver rules test` and `receiver rules replay` print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from receiver.cli.table import table
from receiver.clock import isoformat
from receiver.domain.rules.evaluate import Fate, Trace
from receiver.domain.rules.matcher import Subject
from receiver.domain.rules.model import ALL_PRIORITIES, RuleSet
from receiver.services.rehearsal import Rehearsal, Scene
from receiver.services.replay import PRIORITIES_ENTRY, Replay, Tally

_NONE = "."


def rehearsal_lines(rehearsal: Rehearsal) -> Iterator[str]:
    """One alert: what it is, what became of each rule, and what follows."""
    alert = rehearsal.alert
    yield f"{alert.alertname or alert.title}, {alert.status.value}, incident key {alert.incident_key}"
    yield f"  {_fields(rehearsal.raised.subject)}"
    if alert.is_test:
        yield "  It is a test of the sender: no rule is asked, it opens no incident."
        return
    yield from _scene(rehearsal.raised)
    verdict = rehearsal.verdict
    if verdict.is_ignored:
        yield f"    => ignored: {verdict.reason}"
        return
    because = f" ({verdict.reason})" if verdict.reason else ""
    yield f"    => opens or joins an incident of priority {verdict.priority}{because}"
    for scene in rehearsal.scenes:
        yield from _scene(scene)
        told = [f"{effect.channel} is told (rule {effect.rule})" for effect in scene.effects]
        yield f"    => {', '.join(told) or 'nobody is told'}"


def _fields(subject: Subject) -> str:
    return " ".join(f'{name}="{value}"' for name, value in subject.fields.items() if value)


def _scene(scene: Scene) -> Iterator[str]:
    yield f"  {scene.event.value}"
    if not scene.traces:
        yield "    no rule is for it"
        return
    lines = table([(trace.rule.name, trace.fate.value, _why(trace, scene.subject)) for trace in scene.traces])
    yield from (f"    {line}" for line in lines.splitlines())


def _why(trace: Trace, subject: Subject) -> str:
    if trace.fate is Fate.UNREACHED:
        return f"{trace.ended_by} came first"
    if trace.failed is not None:
        value = trace.failed.value_in(subject)
        return f'{trace.failed.text}, and it is "{value}"'
    return ", ".join(matcher.text for matcher in trace.rule.matchers) or "always"


def replay_lines(replay: Replay, since: datetime, rules: RuleSet, name: str) -> Iterator[str]:
    """The present rules and the new ones side by side, then what each of the new ones did."""
    yield f"{replay.alerts:,} alerts since {isoformat(since)}\n"
    yield table(_compared(replay.tallies), heading=("", "IN FORCE", name))
    new = replay.tallies[-1]
    names = [rule.name for rule in rules.rules]
    if new.ignored_by[PRIORITIES_ENTRY]:
        names.append(PRIORITIES_ENTRY)
    if names:
        rows = [
            (one, _shown(new.ignored_by[one]), _shown(new.priority_by[one]), _shown(new.notified_by[one]))
            for one in names
        ]
        yield "\n" + table(rows, heading=(f"RULES OF {name}", "IGNORED", "PRIORITY SET", "NOTIFICATIONS"))


def _compared(tallies: Sequence[Tally]) -> Iterator[Sequence[str]]:
    yield ("alerts ignored", *(_shown(one.ignored) for one in tallies))
    yield ("incidents opened", *(_shown(one.incidents.total()) for one in tallies))
    for priority in sorted(ALL_PRIORITIES):
        if any(one.incidents[priority] for one in tallies):
            yield (f"  {priority}", *(_shown(one.incidents[priority]) for one in tallies))
    yield ("notifications", *(_shown(one.notifications.total()) for one in tallies))
    for channel in sorted({channel for one in tallies for channel in one.notifications}):
        yield (f"  {channel}", *(_shown(one.notifications[channel]) for one in tallies))


def _shown(number: int) -> str:
    return f"{number:,}" if number else _NONE
