"""Small steps from the sender's texts to an alert's fields, the same for every format."""

from __future__ import annotations

from collections.abc import Mapping

from receiver.domain.severity import normalise_severity, priority_of
from receiver.sources.base import FieldMapping

TEST_RULE_UID = "grafana-test"
NO_DATA = "NoData"
ERROR = "Error"

_LONGEST_TITLE = 255
_LONGEST_SUMMARY = 2000
_NAMELESS = "Alert without a name"
# A rule that could not be evaluated says nothing about its threshold: whoever reads the title must see that.
_TITLE_NOTES = {NO_DATA: " (no data)", ERROR: " (evaluation error)"}


def first_of(texts: Mapping[str, str], names: tuple[str, ...]) -> str:
    """The first of `names` that has a value in `texts`, else the empty string."""
    for name in names:
        text = texts.get(name)
        if text:
            return text
    return ""


def urgency_of(label: str, mapping: FieldMapping) -> tuple[str, str]:
    """Severity and priority that follow from the text of the severity label."""
    severity = normalise_severity(label, mapping.default_severity)
    return severity.value, priority_of(label, severity, mapping.priorities).value


def title_of(rule_name: str, state_reason: str) -> str:
    """What people see first: the rule's name, at most 255 characters."""
    return _cut((rule_name or _NAMELESS) + _TITLE_NOTES.get(state_reason, ""), _LONGEST_TITLE)


def summary_of(text: str) -> str:
    """The sender's own words, at most 2,000 characters."""
    return _cut(text, _LONGEST_SUMMARY)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
