"""Mistakes in a rules file: all at once, each with its place and with what would be right; never a traceback."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from receiver.domain.rules.document import LARGEST_CHARACTERS
from receiver.domain.rules.parse import parse_rules
from receiver.notifiers.registry import WANTED
from receiver.remediation.registry import CATALOGUE
from receiver.rules_file import default_rules
from tests.builders.rules import mistakes, rules_text

RULE = "- {name: a, on: alert.raised, incident: ignore}"


def test_the_default_rules_have_no_mistakes() -> None:
    assert mistakes(default_rules(), configured=()) == []


def test_all_mistakes_are_told_at_once_in_the_files_order() -> None:
    assert mistakes(
        """\
        version: 2
        incident:
          priorities: [P0]
        rules:
          - name: first
            on: incident.opend
            match: ['severity="critcal"', service=checkout]
            notify: {channels: [slak]}
          - name: first
            on: alert.raised
            incident: ignore
            continue: true
        """
    ) == [
        '1:10: version must be 1, this is "2"',
        '2:1: unknown key "incident"; did you mean "incidents"?',
        '6:9: unknown event "incident.opend"; did you mean "incident.opened"?',
        '7:13: unknown severity "critcal"; did you mean "critical"? '
        "(the label as it was sent is label.severity)",
        '8:25: unknown channel "slak"; did you mean "slack"?; others are defined under channels: in this file, '
        "or named in RECEIVER_APPRISE_URLS (for a check elsewhere: --channel slak)",
        '9:5: the name "first" belongs to the rule in line 5 already',
        "12:5: incident: ignore is the end of it: continue would do nothing",
    ]


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ("- foo", '3:5: a rule must be a table of keys, this is "foo"'),
        ("- {on: alert.raised, incident: ignore}", "3:5: name is missing; it is given as the reason"),
        ("- {name: [a], on: alert.raised, incident: ignore}", "3:12: name must be a text, this is a list"),
        (f"- {{name: {'n' * 65}, on: alert.raised, incident: ignore}}", "3:12: name must be one line of at"),
        (
            "- {name: a, incident: ignore}",
            "3:5: on is missing; it says which events the rule is for: action.completed, ",
        ),
        ("- {name: a, on: [], incident: ignore}", "3:19: on is empty"),
        (
            "- {name: a, on: alert.resolved, incident: ignore}",
            "3:19: no rule can react to alert.resolved; known are action.completed, action.failed,",
        ),
        (
            "- {name: a, on: alert.raised}",
            "3:5: the rule asks for nothing; give it one of incident, priority",
        ),
        (
            "- {name: a, on: alert.raised, priorty: P1}",
            '3:33: unknown key "priorty"; did you mean "priority"?',
        ),
        ("- {name: a, on: alert.raised, priority: 1}", '3:43: unknown priority "1"; did you mean "P1"?'),
        (
            "- {name: a, on: alert.raised, priority: [P1]}",
            "3:43: priority must be one of P0 to P4, this is a",
        ),
        ("- {name: a, on: alert.raised, incident: open}", '3:43: incident must be ignore, this is "open"'),
        (
            "- {name: a, on: incident.opened, incident: ignore}",
            "3:36: incident cannot be had on incident.opened, only on alert.raised",
        ),
        (
            "- {name: a, on: [alert.raised, incident.opened], notify: {channels: all}}",
            "3:52: notify cannot be had on alert.raised, only on action.completed, action.failed,",
        ),
        ("- {name: a, on: alert.raised, incident: ignore, match: {a: b}}", "3:58: match must be a matcher"),
        ("- {name: a, on: alert.raised, incident: ignore, match: [a]}", '3:59: "a" is no matcher'),
        (
            "- {name: a, on: alert.raised, incident: ignore, match: status=active}",
            "3:58: status is not known on alert.raised",
        ),
        (
            "- {name: a, on: incident.opened, notify: {channels: all}, match: source=grafana}",
            "3:68: source is not known on incident.opened",
        ),
        ("- {name: a, on: incident.opened, notify: slack}", "3:44: notify must be a table of keys, this is"),
        ("- {name: a, on: incident.opened, notify: {}}", "3:44: channels is missing"),
        ("- {name: a, on: incident.opened, notify: {channels: []}}", "3:55: channels is empty"),
        ("- {name: a, on: incident.opened, notify: {channels: [all, slack]}}", "3:55: all stands alone"),
        (
            "- {name: a, on: incident.opened, notify: {channels: all, wording: mine}}",
            '3:60: unknown key "wording"; known are channels, quiet, template',
        ),
        (
            "- {name: a, on: incident.opened, notify: {channels: all}, continue: yes}",
            "3:71: continue must be",
        ),
        (
            '- {name: a, on: incident.opened, notify: {channels: all}, continue: "true"}',
            "3:71: continue must",
        ),
        (
            "- {name: a, on: alert.raised, incident: ignore, priority: P1}",
            "3:51: incident: ignore is the end of it: priority would do nothing",
        ),
        (
            f"{RULE}\n- {{name: b, on: alert.raised, priority: P1}}",
            '4:5: "b" never hears of alert.raised: "a" in line 3 takes every one',
        ),
        ("- {name: a, name: b, on: alert.raised, incident: ignore}", '3:15: "name" stands in line 3 already'),
    ],
)
def test_a_mistake_in_a_rule_has_its_place(rules: str, told: str) -> None:
    found = mistakes(rules_text(rules))
    assert any(one.startswith(told) for one in found), found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "1:1: the file is empty; it must begin with version: 1"),
        ("# nothing\n", "1:1: the file is empty"),
        ("hello", "1:1: the file must be a table with the keys version, incidents, "),
        ("rules: []", "1:1: version is missing; write version: 1"),
        ("version: 1", "1:1: rules is missing"),
        ("version: 1\nrules:", "2:7: rules must be a list, this is nothing"),
        ("version: 1\nincidents: []\nrules: []", "2:12: incidents must be a table with the key priorities"),
        ("version: 1\nincidents: {priorities: []}\nrules: []", "2:25: priorities must be a list"),
        ("version: 1\nincidents: {priorities: [P9]}\nrules: []", '2:26: unknown priority "P9"'),
        ("version: 1\nrules: [", "2:9: this is no YAML: "),
        ("version: 1\n\trules: []", "2:1: this is no YAML: "),
        ("version: 1\nrules: []\n---\nversion: 1", "3:1: a second document begins here"),
        ("version: 1\nrules: &r []", "2:8: &r: anchors are not allowed; write it out where it is needed"),
        ("version: 1\nrules: *r", "2:8: *r: references are not allowed; write it out"),
        ("version: 1\nrules: !!python/object/apply:os.system [ls]", "2:8: the tag "),
        ("version: 1\n? [a]\n: b\nrules: []", "2:3: a key must be a word, this is a list"),
        ("version: 1\nrules: \x07", "2:8: the character U+0007 is not allowed in YAML"),
        ('version: "\\UFFFFFFFF"', "1:13: this is no YAML: a character or number that cannot be"),
        ('version: "\\ud800"', "1:10: half of a surrogate pair is no character"),
        (f"%YAML 1.{'9' * 5000}\n--- 1", "1:9: this is no YAML: a character or number that cannot be"),
        ("version: 1\nrules: " + "[" * 50 + "]" * 50, "2:17: nested deeper than 10 levels"),
        ("#" * (LARGEST_CHARACTERS + 1), "1:1: the file has 524289 characters, 524288 are allowed"),
        ("version: 1\nrules: [" + "{}," * 2001 + "]", "2:8: there are 2001 rules, 2000 are allowed"),
    ],
)
def test_a_mistake_in_the_file_has_its_place(text: str, told: str) -> None:
    found = mistakes(text)
    assert any(one.startswith(told) for one in found), found


def test_a_bomb_of_references_is_refused_without_being_unfolded() -> None:
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30))]
    assert any("references are not allowed" in one for one in mistakes("\n".join(lines)))


def test_a_channel_that_is_not_configured_is_refused_where_it_matters() -> None:
    text = rules_text("- {name: a, on: incident.opened, notify: {channels: [pagerduty, slack]}}")
    assert mistakes(text) == []
    assert mistakes(text, configured=["slack"]) == [
        "3:56: the channel pagerduty is not configured; `receiver settings` lists what it needs"
    ]


def test_a_channel_without_a_message_for_the_event_is_refused() -> None:
    (deaf,) = (name for name, wanted in WANTED.items() if "acknowledged" not in wanted)
    text = rules_text(f"- {{name: a, on: incident.acknowledged, notify: {{channels: [{deaf}]}}}}")
    assert mistakes(text) == [f"3:62: the channel {deaf} has no message for incident.acknowledged"]


KEYS = st.sampled_from(
    [
        "version",
        "incidents",
        "priorities",
        "rules",
        "name",
        "on",
        "match",
        "incident",
        "priority",
        "notify",
        "channels",
        "continue",
        "template",
        "quiet",
        "diagnoses",
        "metrics",
        "query",
        "holds",
        "pods",
        "dependencies",
        "diagnose",
        "escalations",
        "steps",
        "after",
        "escalate",
        "slack",
        "run",
        "action",
        "target",
        "namespace",
        "deployment",
        "parameters",
        "by",
        "approval",
        "expires_after",
        "resolves",
        "verify",
        "within",
        "alert_resolved",
        "resolve",
    ]
)
VALUES = st.recursive(
    st.sampled_from(["1", "alert.raised", "incident.opened", "ignore", "P0", "all", "slack", 'a=~"("', "a=b"])
    | st.sampled_from(["action.failed", "kubernetes.scale", "{{ labels.a }}", "{{", "10m", "required", "< 1"])
    | st.booleans()
    | st.none()
    | st.integers()
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=25,
)


RULE_OF = {
    "name": st.just("a"),
    "on": st.sampled_from(["incident.opened", "action.failed", ["incident.opened", "action.rejected"]]),
}


@given(
    st.fixed_dictionaries(RULE_OF, optional=dict.fromkeys(("run", "notify", "diagnose", "resolve"), VALUES))
)
def test_whatever_a_rule_asks_for_it_is_a_rule_or_mistakes(rule: dict[str, object]) -> None:
    text = yaml.safe_dump({"version": 1, "rules": [rule]})
    found, problems = parse_rules(text, WANTED, actions=CATALOGUE)
    assert (found is None) == bool(problems)


@given(VALUES)
def test_whatever_a_document_holds_it_is_rules_or_mistakes(value: object) -> None:
    found, problems = parse_rules(yaml.safe_dump(value), WANTED, actions=CATALOGUE)
    assert (found is None) == bool(problems)


@given(st.text(max_size=60) | st.text(alphabet=" \n-:[]{}&*!|>'\"%@`#,?a1\\x", max_size=60))
def test_whatever_a_text_holds_it_is_rules_or_mistakes(text: str) -> None:
    if any("\ud800" <= one <= "\udfff" for one in text):
        return  # cannot come from a file
    found, problems = parse_rules(text, WANTED)
    assert found is None and problems
    assert all(one.line >= 1 and one.column >= 1 and one.text.isprintable() for one in problems)
