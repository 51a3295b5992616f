"""What docs/diagnostics.md says is what the code does."""

from __future__ import annotations

import json
import re

from receiver.domain.diagnosis import DependencyKind
from receiver.domain.diagnosis_summary import LONGEST_LINE, summary
from receiver.domain.rules import read_diagnoses
from receiver.domain.rules.parse import parse_rules
from receiver.notifiers.registry import WANTED
from receiver.remediation.registry import CATALOGUE
from tests.docs.test_docs import ROOT, table

DOCUMENT = (ROOT / "docs" / "diagnostics.md").read_text()


def example(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


def test_the_worked_example_has_no_mistake() -> None:
    rules, problems = parse_rules(example("yaml"), WANTED, actions=CATALOGUE)
    assert problems == []
    assert rules is not None
    assert len(rules.diagnoses["web-service"].probes) == 7


def test_the_lines_that_it_shows_are_those_of_its_results() -> None:
    results = json.loads(example("json"))
    shown = [line[: LONGEST_LINE - 1] for line in example("text").splitlines()]
    assert [line[: LONGEST_LINE - 1] for line in summary(results)] == shown


def test_the_results_that_it_shows_have_the_names_of_its_rules() -> None:
    rules, _ = parse_rules(example("yaml"), WANTED, actions=CATALOGUE)
    assert rules is not None
    (diagnosis,) = rules.diagnoses.values()
    results = json.loads(example("json"))
    assert list(results["metrics"]) == [one.name for one in diagnosis.metrics]
    assert list(results["dependencies"]) == [one.name for one in diagnosis.dependencies]


def test_the_table_of_keys_is_what_is_read() -> None:
    listed = [(row[1], row[0].strip("`")) for row in table("diagnosis keys", "diagnostics.md")]
    of = {
        "diagnosis": read_diagnoses.KEYS,
        "metric": read_diagnoses.METRIC_KEYS,
        "pods": read_diagnoses.POD_KEYS,
    }
    assert sorted(listed) == sorted((where, key) for where, keys in of.items() for key in keys)


def test_the_table_of_kinds_is_all_there_are() -> None:
    listed = [row[0].strip("`") for row in table("dependency kinds", "diagnostics.md")]
    assert listed == [kind.value for kind in DependencyKind]
