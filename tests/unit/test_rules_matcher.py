"""Matchers mean what they mean in Alertmanager, on fields and on labels."""

from __future__ import annotations

import pytest

from receiver.domain.rules.fields import FIELDS
from receiver.domain.rules.matcher import Matcher, Subject, read_matcher

SUBJECT = Subject(
    {"service": "checkout", "severity": "critical", "priority": "P0", "cluster": "prod-eu"},
    {"severity": "page", "team": "pay ments", "instance": "db-1:9100", "dotted.name": "x", "multi": "a\nb"},
)


def matcher(text: str) -> Matcher:
    found = read_matcher(text)
    assert isinstance(found, Matcher), found
    return found


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ('service="checkout"', True),
        ('service="check"', False),
        ("service=checkout", True),
        ('  service =  "checkout" ', True),
        ('service!="checkout"', False),
        ('service!="other"', True),
        # Patterns mean the whole value.
        ('cluster=~"prod"', False),
        ('cluster=~"prod-.*"', True),
        ("cluster=~prod-.*", True),
        ('cluster=~"eu|prod-eu"', True),
        ('cluster=~"eu|prod"', False),
        ('cluster=~"prod-(eu|us)"', True),
        ('cluster=~"(?i)PROD-EU"', True),
        ('cluster!~"prod-.*"', False),
        ('cluster!~"prod"', True),
        ('instance=~"db-\\d+:\\d+"', True),
        ('instance=~"db-\\\\d+:\\\\d+"', True),
        # What is missing counts as empty.
        ('absent=""', True),
        ('absent!=""', False),
        ('absent!="x"', True),
        ('absent=~".*"', True),
        ('absent=~".+"', False),
        ('absent!~".+"', True),
        ('namespace=""', True),
        # Fields win over labels of the same name; the label can be had all the same.
        ('severity="critical"', True),
        ('label.severity="page"', True),
        ('label.severity="critical"', False),
        ('"severity"="page"', True),
        ('"dotted.name"="x"', True),
        ('dotted.name="x"', True),
        ('team="pay ments"', True),
        ('multi="a\\nb"', True),
        ('multi=~"a.b"', False),
        ('multi=~"a.*"', False),
        ('multi=~"(?s)a.b"', True),
    ],
)
def test_a_matcher_holds_as_alertmanager_users_expect(text: str, holds: bool) -> None:
    assert matcher(text).holds(SUBJECT) is holds


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("service", 'is no matcher; write one as name="value"'),
        ('=="x"', "is no matcher"),
        ('1st="x"', "is no matcher"),
        ("", "is no matcher"),
        ('service=="x"', 'in double quotes, one matcher an entry: service="value"'),
        ("service=a b", "in double quotes"),
        ('service="a", cluster="b"', "one matcher an entry"),
        ("service='a'", "in double quotes"),
        ('service="a', "in double quotes"),
        ('{service="a"}', "is no matcher"),
        ('label.="x"', "names no label"),
        ('severity="critcal"', 'unknown severity "critcal"; did you mean "critical"?'),
        ('severity!="Critical"', 'did you mean "critical"? (the label as it was sent is label.severity)'),
        ('priority="p0"', 'unknown priority "p0"; did you mean "P0"?'),
        ('status="firing"', 'unknown status "firing"'),
        ('service=~"("', "the pattern is not one of RE2 (missing ): ()"),
        ('service=~"a(?=b)"', "not one of RE2"),
        ('service=~"(a)\\1"', "not one of RE2"),
        (f'service=~"{"a?" * 501}"', "the pattern has 1002 characters, 1000 are allowed"),
        ('service=~"((a{100}){100}){100}"', "not one of RE2"),
    ],
)
def test_what_is_no_matcher_is_told_with_what_would_be_one(text: str, told: str) -> None:
    found = read_matcher(text)
    assert isinstance(found, str)
    assert told in found


def test_every_field_is_one_unless_it_is_asked_for_as_a_label() -> None:
    for name in FIELDS:
        assert not matcher(f'{name}=~".+"').is_label
        assert matcher(f'label.{name}=~".+"').is_label
    assert matcher('team="x"').is_label
