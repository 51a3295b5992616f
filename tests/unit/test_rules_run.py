"""The actions that rules ask for: what a file may say of them, and every mistake in that with its place."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from receiver.domain.action import Parameter, Signature, Type
from receiver.domain.rules.parse import parse_rules
from receiver.domain.rules.run_spec import Filled, RunSpec, VerifySpec
from receiver.notifiers.registry import WANTED
from tests.builders.rules import rules_text

ACTIONS: Mapping[str, Signature] = {
    one.name: one
    for one in (
        Signature(
            "k.scale",
            "Scale.",
            required=("namespace", "deployment"),
            optional=("cluster",),
            parameters=(
                Parameter("delta", Type.INTEGER, "By how many.", is_required=True, least=-10, most=10),
                Parameter("grace", Type.SECONDS, "How long.", least=0, most=600),
                Parameter("mode", Type.TEXT, "How.", choices=("soft", "hard")),
                Parameter("note", Type.TEXT, "Why."),
                Parameter("force", Type.FLAG, "Whether."),
                Parameter("env", Type.TABLE, "With what."),
            ),
        ),
        Signature("nothing", "Needs nothing."),
    )
}
TARGET = 'target: {namespace: "{{ namespace }}", deployment: web}'


def read(run: str, on: str = "incident.opened") -> tuple[RunSpec | None, list[str]]:
    """What a rule with this `run` asks for, and the mistakes, `COLUMN: text` each."""
    text = rules_text(f"- {{name: a, on: {on}, run: {run}}}")
    found, problems = parse_rules(text, WANTED, actions=ACTIONS)
    column = text.splitlines()[-1].index("run: ") + len("run: ")
    return found.rules[0].run if found else None, [
        f"{one.column - 1 - column}: {one.text}" for one in problems
    ]


def test_everything_that_can_be_said_of_an_action() -> None:
    spec, mistakes = read(
        "{action: k.scale, target: {namespace: '{{ namespace }}', deployment: web, cluster: eu}, parameters: "
        "{delta: -1, grace: 5m, mode: soft, note: 'for {{ labels.pod }}', force: true, env: {A: '{{ service }}'}}, "
        "dry_run: true, approval: required, expires_after: 90s, resolves: true, "
        "verify: {query: 'up{pod=\"{{ labels.pod }}\"}', holds: '> 0', within: 5m}}"
    )
    assert mistakes == []
    assert spec == RunSpec(
        "k.scale",
        target={"namespace": "{{ namespace }}", "deployment": "web", "cluster": "eu"},
        parameters={
            "delta": -1,
            "grace": 300.0,
            "mode": "soft",
            "note": "for {{ labels.pod }}",
            "force": True,
            "env": {"A": "{{ service }}"},
        },
        is_dry_run=True,
        needs_approval=True,
        expires_after_seconds=90,
        resolves=True,
        verify=VerifySpec(300, 'up{pod="{{ labels.pod }}"}', "> 0"),
    )


def test_what_is_not_said_has_its_default() -> None:
    assert read("{action: nothing}") == (RunSpec("nothing"), [])


def test_numbers_may_come_from_labels() -> None:
    spec, mistakes = read(
        f"{{action: k.scale, {TARGET}, parameters: {{delta: '{{{{ labels.step }}}}', grace: 1.5}}}}"
    )
    assert mistakes == []
    assert spec is not None
    assert spec.parameters == {"delta": Filled("{{ labels.step }}", Type.INTEGER), "grace": 1.5}


@pytest.mark.parametrize(
    ("run", "told"),
    [
        ("k.scale", '0: run must be a table of keys, this is "k.scale"'),
        ("{}", "0: action is missing; it is one of k.scale, nothing"),
        ("{action: k.scal}", '9: unknown action "k.scal"; did you mean "k.scale"?'),
        ("{action: [nothing]}", "9: action must be the name of an action, this is a list"),
        ("{action: nothing, wait: 3}", '18: unknown key "wait"; known are'),
        ("{action: nothing, target: {a: b}}", "26: nothing has no target; leave it out"),
        ("{action: nothing, dry_run: yes}", "27: dry_run must be true or false"),
        (
            "{action: nothing, approval: maybe}",
            '28: approval must be required, this is "maybe"; else leave it',
        ),
        (
            "{action: nothing, expires_after: soon}",
            "33: expires_after must be a stretch of time, as in 90s, 10m",
        ),
        ("{action: nothing, expires_after: 0s}", "33: expires_after must be from 1s to 30d"),
        ("{action: nothing, verify: {}}", "26: within is missing; it says how long"),
        ("{action: nothing, verify: {within: 5m}}", "26: verify needs either alert_resolved: true, or query"),
        (
            "{action: nothing, verify: {within: 5m, alert_resolved: true, query: up, holds: '> 0'}}",
            "26: verify needs either alert_resolved: true, or query",
        ),
        (
            "{action: nothing, verify: {within: 5m, query: up}}",
            "26: holds is missing; query and holds belong",
        ),
        (
            "{action: nothing, verify: {within: 5m, query: up, holds: much}}",
            "57: holds must be a comparison, as in '< 0.9', this is \"much\"",
        ),
        (
            "{action: nothing, verify: {within: 5m, query: 'up{a={{ labels.a }}}', holds: '> 0'}}",
            "46: query: a value must stand in double quotes, or be a number",
        ),
        (
            "{action: k.scale, parameters: {delta: 1}}",
            "0: target is missing; k.scale needs namespace, deployment",
        ),
        ("{action: k.scale, target: {namespace: a}}", "26: deployment is missing; k.scale needs it"),
        (
            "{action: k.scale, target: {deploymnt: a}}",
            '27: unknown key "deploymnt"; did you mean "deployment"?',
        ),
        ("{action: k.scale, target: {namespace: [a]}}", "38: namespace must be a text, this is a list"),
        ("{action: k.scale, target: {namespace: '{{'}}", "38: namespace: the text cannot be read: "),
        ("{action: k.scale, target: {namespace: '{{ pod }}'}}", '38: namespace: unknown name "pod"'),
        (f"{{action: k.scale, {TARGET}}}", "0: parameters is missing; k.scale needs delta there"),
    ],
)
def test_a_mistake_in_an_action_has_its_place(run: str, told: str) -> None:
    spec, mistakes = read(run)
    assert spec is None
    assert any(one.startswith(told) for one in mistakes), mistakes


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ("{delta: 11}", "delta: must be between -10 and 10"),
        ("{delta: 1.5}", 'delta must be a whole number, this is "1.5"'),
        ("{delta: '{{ labels.'}", "delta: the text cannot be read"),
        ("{delta: 1, dleta: 2}", 'unknown key "dleta"; did you mean "delta"?'),
        ("{delta: 1, grace: 11m}", "grace: must be between 0 and 600"),
        (
            "{delta: 1, grace: soon}",
            "grace must be a number of seconds, or a stretch of time as in 5m, this is",
        ),
        ("{delta: 1, mode: medium}", "mode: must be one of soft, hard"),
        ("{delta: 1, note: {a: b}}", "note must be a text, this is a table of keys"),
        ("{delta: 1, force: 1}", 'force must be true or false, this is "1"'),
        ("{delta: 1, env: a}", 'env must be a table of texts, this is "a"'),
        ("{delta: 1, env: {A: [b]}}", "A must be a text, this is a list"),
        ("[delta]", "parameters must be a table of keys, this is a list"),
    ],
)
def test_parameters_are_held_against_what_the_action_takes(parameters: str, told: str) -> None:
    spec, mistakes = read(f"{{action: k.scale, {TARGET}, parameters: {parameters}}}")
    assert spec is None
    assert any(one.partition(": ")[2].startswith(told) for one in mistakes), mistakes


def test_a_text_may_name_what_is_known_on_all_events_of_its_rule_only() -> None:
    note = f"{{action: k.scale, {TARGET}, parameters: {{delta: 1, note: '{{{{ outcome }}}}'}}}}"
    assert read(note, on="action.failed")[1] == []
    (mistake,) = read(note, on="[action.failed, incident.opened]")[1]
    assert 'note: unknown name "outcome"' in mistake


@pytest.mark.parametrize("event", ["incident.resolved", "action.requested", "notification.failed"])
def test_nothing_is_run_for_what_is_over_or_waits(event: str) -> None:
    (mistake,) = read("{action: nothing}", on=event)[1]
    assert f"run cannot be had on {event}, only on " in mistake
