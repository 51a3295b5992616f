"""Texts and queries of rules: what senders wrote gets in as a value, never as a part of the query or as code."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.domain.action import Type
from receiver.domain.rules.matcher import Subject
from receiver.domain.rules.render import (
    LONGEST_RENDERED,
    LONGEST_SOURCE,
    flaw_of_query,
    flaw_of_text,
    render_query,
    render_text,
    view_of,
)
from receiver.domain.rules.run_spec import Filled, RunSpec, VerifySpec
from receiver.errors import RenderFailed

SUBJECT = Subject(
    {"service": "checkout", "namespace": "", "priority": "P1"},
    {"pod": "web-0", "items": "9", "team": "", "replicas": "3", "nasty": 'a"b\\c\n.*{{ 7 * 7 }}'},
)
VIEW = view_of(SUBJECT, "INC-1")
# A string of PromQL: Go's, of which Prometheus says that these escapes are known.
STRING = re.compile(r'"(?:[^"\\\n\r\t\x00]|\\["\\nrt]|\\x00)*"')


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no values", "no values"),
        ("{{ service }}/{{ labels.pod }} {{ incident_id }}", "checkout/web-0 INC-1"),
        ('{{ labels["pod"] }}', "web-0"),
        ("{{ labels.items }}", "9"),
        ("{{ labels.team | default(service) }}", "checkout"),
        ('{{ namespace | default("default") }}', "default"),
        ("{{ (labels.replicas | int) + 1 }}", "4"),
        ("{% if labels.zone is defined %}{{ labels.zone }}{% else %}any{% endif %}", "any"),
        ("{{ labels.nasty }}", 'a"b\\c\n.*{{ 7 * 7 }}'),
    ],
)
def test_a_text_gets_the_values_it_names(text: str, expected: str) -> None:
    assert flaw_of_text(text) is None
    assert render_text(text, VIEW) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{{ labels.deployment }}", "there is no label deployment"),
        ("{{ labels.team }}", "there is no label team"),
        ("{{ namespace }}", "namespace is not known here"),
        ("{{ labels.pod | int }}", '"web-0" is no whole number'),
        ("{{ labels.pod | float }}", '"web-0" is no number'),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ service.__class__ }}", "__class__ is not known here"),
        ("{{ labels._values }}", "there is no label _values"),
        ("{{ labels.__init__.__globals__ }}", "there is no label __init__"),
        ('{{ "".join(["a"]).format.__self__ }}', "__self__ is not known here"),
        ("{{ labels.pod * 4000 }}", f"the text came to 20000 characters, {LONGEST_RENDERED} are allowed"),
    ],
)
def test_what_cannot_be_filled_in_is_said_and_not_guessed(text: str, told: str) -> None:
    with pytest.raises(RenderFailed) as raised:
        render_text(text, VIEW)
    assert str(raised.value) == told


def test_nothing_reaches_beyond_the_values() -> None:
    for text in (
        "{{ service.__class__.__mro__ }}",
        "{{ labels.__class__.__base__.__subclasses__() }}",
        '{{ service.format.__globals__["os"] }}',
        "{{ ''.__class__ }}",
    ):
        with pytest.raises(RenderFailed):
            render_text(text, VIEW)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{{", "the text cannot be read: "),
        ("{{ labels.pod | upcase }}", "the text cannot be read: No filter named 'upcase'."),
        (
            "{{ lables.pod }}",
            'unknown name "lables"; did you mean "labels"? (a label is written labels.lables)',
        ),
        ("{{ pod }}", 'unknown name "pod"'),
        ("{% include 'passwd' %}", "a text cannot include or import another"),
        ("{% for one in range(9) %}{% endfor %}", 'unknown name "range"'),
        ("x" * (LONGEST_SOURCE + 1), f"the text has {LONGEST_SOURCE + 1} characters"),
    ],
)
def test_a_text_that_can_never_be_filled_in_is_a_mistake(text: str, told: str) -> None:
    assert (flaw_of_text(text) or "").startswith(told)


def test_a_query_gets_values_as_strings_patterns_and_numbers() -> None:
    query = (
        'up{pod="{{ labels.nasty }}",job=~"{{ labels.nasty | regex }}-.*"} > {{ labels.replicas | number }}'
    )
    assert flaw_of_query(query) is None
    assert render_query(query, VIEW) == (
        r'up{pod="a\"b\\c\n.*{{ 7 * 7 }}",job=~"a\"b\\\\c\n\\.\\*\\{\\{ 7 \\* 7 \\}\\}-.*"} > 3'
    )


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("up{pod={{ labels.pod }}}", "a value must stand in double quotes, or be a number"),
        ("up{pod='{{ labels.pod }}'}", "a value must stand in double quotes"),
        ("up{pod=`{{ labels.pod }}`}", "a value must stand in double quotes"),
        ('up{pod=~"{{ labels.pod }}"}', "behind =~ and !~ a value is a pattern"),
        ('up{pod !~ "x{{ labels.pod }}"}', "behind =~ and !~ a value is a pattern"),
        ('up{pod="\\{{ labels.pod }}"}', "a value must not follow a backslash"),
        ('# "\nup{pod={{ labels.pod }}}', "a value must stand in double quotes, or be a number"),
        ('up{pod="{% if labels.pod %}x"{% endif %}', "a string must end in the same branch"),
        ('up{pod="{% for one in labels %}"{% endfor %}', "a string must end in the same branch"),
        ('up{pod="{{ labels.pod }}', 'a string that began with " is not ended'),
        ("{% macro a() %}{{ labels.pod }}{% endmacro %}{{ a() }}", "a query may hold"),
        ("{{ labels.pod | default(1) }}", "a value must stand in double quotes, or be a number"),
    ],
)
def test_a_value_must_stand_where_it_cannot_become_a_part_of_the_query(query: str, told: str) -> None:
    assert (flaw_of_query(query) or "").startswith(told)
    with pytest.raises(RenderFailed):
        render_query(query, VIEW)


@given(st.text())
def test_no_value_ends_the_string_it_stands_in(value: str) -> None:
    view = view_of(Subject({}, {"pod": value or "x"}))
    assert re.fullmatch(rf"up{{pod={STRING.pattern}}}", render_query('up{pod="{{ labels.pod }}"}', view))
    pattern = render_query('up{pod=~"{{ labels.pod | regex }}"}', view)
    assert re.fullmatch(rf"up{{pod=~{STRING.pattern}}}", pattern)


@pytest.mark.parametrize("value", ["nan", "inf", "1) or vector(1", "0x10", "1e400", ""])
def test_outside_of_quotes_only_numbers_get_in(value: str) -> None:
    view = view_of(Subject({}, {"limit": value}))
    with pytest.raises(RenderFailed):
        render_query("up > {{ labels.limit | number }}", view)


def test_an_action_is_filled_in_with_values_of_their_types() -> None:
    spec = RunSpec(
        "kubernetes.scale",
        target={"deployment": "{{ service }}"},
        parameters={
            "labels": {"pod": "{{ labels.pod }}"},
            "count": 3,
            "on": True,
            "replicas": Filled("{{ (labels.replicas | int) + 1 }}", Type.INTEGER),
            "grace": Filled("{{ labels.items }}", Type.SECONDS),
        },
        verify=VerifySpec(60, 'up{pod="{{ labels.pod }}"}', "> 0"),
    )
    rendered = spec.rendered(VIEW)
    assert rendered.target == {"deployment": "checkout"}
    assert rendered.parameters == {
        "labels": {"pod": "web-0"},
        "count": 3,
        "on": True,
        "replicas": 4,
        "grace": 9.0,
    }
    assert rendered.verify == VerifySpec(60, 'up{pod="web-0"}', "> 0")


@pytest.mark.parametrize("text", ["{{ labels.pod }}", "{{ service }} 3", "1e9", "3.5", "٣"])
def test_a_number_that_is_none_once_filled_in_is_refused(text: str) -> None:
    spec = RunSpec("kubernetes.scale", parameters={"replicas": Filled(text, Type.INTEGER)})
    with pytest.raises(RenderFailed) as raised:
        spec.rendered(VIEW)
    assert str(raised.value).startswith("replicas: ") and str(raised.value).endswith(" is not a whole number")
