"""What the bench measures of rules is what rules do."""

from __future__ import annotations

from bench.rules import RULES, alerts, judge, measure, rules_text
from receiver.domain.rules.parse import parse_rules
from receiver.notifiers.registry import WANTED


def test_its_rules_have_no_mistakes_and_are_as_many_as_it_says() -> None:
    rules, problems = parse_rules(rules_text(), WANTED)
    assert problems == []
    assert rules is not None and len(rules.rules) == RULES


def test_rules_of_all_kinds_have_a_say_in_it() -> None:
    rules, _ = parse_rules(rules_text(), WANTED)
    assert rules is not None
    found = alerts(500)
    assert len(found) == 500
    assert sum(judge(rules, alert) for alert in found) > len(found)


def test_the_cost_is_told_for_each_repetition() -> None:
    cost = measure(number=20, of_alerts=20, repetitions=3)
    assert (len(cost.microseconds), cost.rules, cost.alerts) == (3, 20, 20)
    assert "20 rules: " in cost.text()
