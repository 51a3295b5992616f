"""Rules from a few lines of YAML."""

from __future__ import annotations

from collections.abc import Collection
from textwrap import dedent, indent

from receiver.domain.rules.model import RuleSet
from receiver.domain.rules.parse import parse_rules
from receiver.notifiers.registry import WANTED
from receiver.remediation.registry import CATALOGUE


def rules_text(rules: str, head: str = "") -> str:
    """A file with these rules, a YAML list; `head` stands before them."""
    return f"version: 1\n{dedent(head)}rules:\n{indent(dedent(rules).strip(), '  ')}\n"


def rule_set(rules: str, head: str = "") -> RuleSet:
    """The rules of a file without mistakes."""
    found, problems = parse_rules(rules_text(rules, head), WANTED, actions=CATALOGUE)
    assert found is not None, [problem.at("rules") for problem in problems]
    return found


def mistakes(text: str, configured: Collection[str] | None = None) -> list[str]:
    """What is said of a file, `LINE:COLUMN: text` each."""
    found, problems = parse_rules(dedent(text), WANTED, configured, actions=CATALOGUE)
    assert (found is None) == bool(problems)
    return [problem.at("").removeprefix(":") for problem in problems]
