"""The section `escalations` of a rules file."""

from __future__ import annotations

from textwrap import dedent

import pytest

from receiver.domain.escalation import EscalationPolicy, EscalationStep
from receiver.domain.rules.document import read_document
from receiver.domain.rules.read_escalations import read_escalations

KNOWN = ("slack", "email", "pagerduty")


def flaw(name):
    return None if name in KNOWN else f"no channel {name}"


def read(text):
    node, problems = read_document(dedent(text))
    assert node is not None and problems == []
    policies = read_escalations(node, problems, flaw)
    return policies, [f"{one.line}:{one.column}: {one.text}" for one in problems]


def mistakes(text):
    return read(text)[1]


def test_steps_and_times_are_read():
    policies, problems = read(
        """\
        default:
          steps:
            - {after: 0m, channels: [slack]}
            - {after: 15m, channels: [email, slack]}
            - {after: 1h, channels: pagerduty}
          acknowledgement_expires: 4h
        short: {steps: [{after: 90s, channels: [slack]}]}
        """
    )
    assert problems == []
    assert policies == {
        "default": EscalationPolicy(
            (
                EscalationStep(0, ("slack",)),
                EscalationStep(900, ("email", "slack")),
                EscalationStep(3600, ("pagerduty",)),
            ),
            14400,
        ),
        "short": EscalationPolicy((EscalationStep(90, ("slack",)),), None),
    }


def test_all_mistakes_are_told_at_once_with_their_places():
    assert mistakes(
        """\
        default:
          steps:
            - {after: 15m, channels: [slack, fax]}
            - {after: 15m, channels: [email]}
            - {channels: []}
            - {after: soon, channels: [slack], until: 3h}
          acknowledgement_expires: 0m
        "ein Plan": {steps: [{after: 0m, channels: [slack]}]}
        nothing: {}
        """
    ) == [
        "7:28: acknowledgement_expires must be from 60s to 30d",
        "3:38: no channel fax",
        "5:7: after is missing; it says how long after the beginning, as in 0m or 15m",
        "5:18: channels is empty; it must be a list of channels",
        '6:40: unknown key "until"; known are after, channels',
        '6:15: after must be a stretch of time, as in 90s, 10m, 4h or 1d, this is "soon"',
        "4:7: each step must come after the one before it; after counts from the beginning,"
        " and who is told at the same time stands in one step",
        '8:1: "ein Plan" is no name for a policy; it must be at most 32 letters, digits, _ . -',
        "9:10: steps is missing; it is the list of whom to tell, and after how long",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a, b]", "1:1: escalations must be a table of policies by name, this is a list"),
        ("a: [b]", "1:4: a policy must be a table of keys, this is a list"),
        ("a: {steps: later}", "1:12: steps must be a list, as in [{after: 0m, channels: [slack]}]"),
        ("a: {steps: [now]}", "1:13: a step must be a table of keys"),
    ],
)
def test_what_has_another_shape_is_said_once(text, said):
    (problem,) = mistakes(text)
    assert problem.startswith(said)
