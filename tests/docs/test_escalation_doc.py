"""The example of docs/escalation.md is a file without mistakes, and what the page says of it is so."""

from __future__ import annotations

import re

import pytest

from receiver.domain.channel_pace import FILLS_SECONDS, LARGEST_BUNDLE
from receiver.domain.rules.model import RuleSet
from receiver.domain.rules.parse import parse_rules
from receiver.notifiers.registry import WANTED
from receiver.storage.migrate import bundled

TEXT = (bundled("sql").parent / "docs" / "escalation.md").read_text()


@pytest.fixture
def rules() -> RuleSet:
    (example,) = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)
    found, problems = parse_rules(example, WANTED)
    assert found is not None, [problem.at("docs/escalation.md") for problem in problems]
    return found


def test_the_example_calls_slack_at_once_then_by_mail_then_pagerduty(rules: RuleSet) -> None:
    steps = rules.escalations["default"].steps
    assert [(step.after_seconds, step.channels) for step in steps] == [
        (0, ("slack",)),
        (900, ("email",)),
        (1800, ("pagerduty",)),
    ]
    assert rules.escalations["default"].acknowledgement_expires_seconds == 4 * 3600


def test_the_figures_of_bundles_are_those_of_the_code() -> None:
    assert f"filled for {FILLS_SECONDS:g} seconds with up to {LARGEST_BUNDLE} incidents" in TEXT
    of_a_storm = -(-(300 - 20) // LARGEST_BUNDLE)
    assert f"are 20 messages and {of_a_storm} bundles" in TEXT
