"""What `receiver rules test` and `receiver rules replay` print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from receiver.cli.table import table
from receiver.clock import isoformat
from receiver.domain.rules.effects import (
    DiagnoseEffect,
    EscalateEffect,
    NotifyEffect,
    ResolveEffect,
    RunEffect,
)
from receiver.domain.rules.evaluate import Fate, Trace
from receiver.domain.rules.matcher import Subject
from receiver.domain.rules.model import ALL_PRIORITIES, RuleSet
from receiver.services.rehearsal import Ordered, Rehearsal, Scene
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
        yield from (f"    => {line}" for line in _effects(scene))


def _effects(scene: Scene) -> Iterator[str]:
    if not scene.effects:
        yield "nothing follows"
    for effect in scene.effects:
        match effect:
            case NotifyEffect():
                how = f" with {effect.wording}" if effect.wording else ""
                how += ", quietly" if effect.is_quiet else ""
                what = f"{effect.channel} is told: {effect.template.value}{how}"
            case DiagnoseEffect():
                what = f"the diagnosis {effect.diagnosis} is made"
            case EscalateEffect():
                what = f"the escalation {effect.policy} begins"
            case ResolveEffect():
                what = "the incident is resolved"
            case RunEffect():
                what = _action(scene.ordered[effect.rule])
        yield f"{what} (rule {effect.rule})"


def _action(ordered: Ordered) -> str:
    spec = ordered.spec
    given = ["on", ordered.target] if ordered.target else []
    if ordered.flaw:
        return " ".join([spec.action, *given, f"is asked for, and rejected: {ordered.flaw}"])
    given += [f"{name}={value}" for name, value in spec.parameters.items()]
    how = [
        "as a dry run" if spec.is_dry_run else "",
        "once a person has approved it" if spec.needs_approval else "",
        "and resolves the incident if it helps" if spec.resolves else "",
    ]
    return " ".join([spec.action, *given, ", ".join(filter(None, ["is asked for", *how]))])


def _fields(subject: Subject) -> str:
    return " ".join(f'{name}="{value}"' for name, value in subject.fields.items() if value)


def _scene(scene: Scene) -> Iterator[str]:
    yield f"  {scene.event.value}" + (f": {scene.because}" if scene.because else "")
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
        rows = [(one, *(_shown(counter[one]) for counter in _by_rule(new).values())) for one in names]
        yield "\n" + table(rows, heading=(f"RULES OF {name}", *_by_rule(new)))


def _by_rule(tally: Tally) -> dict[str, Counter[str]]:
    """What each rule did, without the new kinds of effects where no rule has any."""
    always = {
        "IGNORED": tally.ignored_by,
        "PRIORITY SET": tally.priority_by,
        "NOTIFICATIONS": tally.notified_by,
    }
    asked = {
        "ACTIONS": tally.actions_by,
        "DIAGNOSES": tally.diagnoses_by,
        "ESCALATIONS": tally.escalations_by,
    }
    return always | {name: counter for name, counter in asked.items() if counter}


def _compared(tallies: Sequence[Tally]) -> Iterator[Sequence[str]]:
    yield ("alerts ignored", *(_shown(one.ignored) for one in tallies))
    yield ("incidents opened", *(_shown(one.incidents.total()) for one in tallies))
    for priority in sorted(ALL_PRIORITIES):
        if any(one.incidents[priority] for one in tallies):
            yield (f"  {priority}", *(_shown(one.incidents[priority]) for one in tallies))
    yield ("notifications", *(_shown(one.notifications.total()) for one in tallies))
    yield from _parts([one.notifications for one in tallies])
    for title, counters in (
        ("actions asked for", [one.actions for one in tallies]),
        ("  of these, lacking a label", [one.refused for one in tallies]),
        ("diagnoses", [one.diagnoses for one in tallies]),
        ("escalations begun", [one.escalations for one in tallies]),
    ):
        if any(counter.total() for counter in counters):
            yield (title, *(_shown(counter.total()) for counter in counters))
            if not title.startswith(" "):
                yield from _parts(counters)


def _parts(counters: Sequence[Counter[str]]) -> Iterator[Sequence[str]]:
    for name in sorted({name for counter in counters for name in counter}):
        yield (f"  {name}", *(_shown(counter[name]) for counter in counters))


def _shown(number: int) -> str:
    return f"{number:,}" if number else _NONE
