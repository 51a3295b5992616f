"""One matcher, `name="value"`, as in Alertmanager: on an alert's or an incident's fields and on its labels."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial

from receiver.domain.incident import Mitigation, Status
from receiver.domain.rules.fields import FIELDS, OUTCOMES, is_result
from receiver.domain.rules.pattern import Pattern, compile_pattern
from receiver.domain.rules.problem import quoted, unknown
from receiver.domain.severity import Priority, Severity

LABEL_PREFIX = "label."
_PLURAL = "labels."  # as in the texts of actions; no sender's label has a dot in its name

# Fields that can have a few values only: another value in a matcher is a mistake.
_VALUES: Mapping[str, frozenset[str]] = {
    "priority": frozenset(one.value for one in Priority),
    "severity": frozenset(one.value for one in Severity),
    "status": frozenset(one.value for one in Status),
    "outcome": OUTCOMES,
    "mitigation": frozenset(one.value for one in Mitigation),
}
_SHAPE = re.compile(
    r"""(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\W\d][\w.:/-]*))\s*(?P<operator>=~|!~|!=|=)\s*(?P<value>.*)""",
    re.DOTALL,
)
_QUOTED_VALUE = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_PLAIN_VALUE = re.compile(r"""[^\s"'`,{}=~!][^\s"'`,{}]*""")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a rule looks at. A field or label that is missing counts as empty."""

    fields: dict[str, str]
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Matcher:
    """A condition. `literals`: all values that fulfil it, where they are few and known. `is_positive`: = or =~."""

    text: str
    name: str
    is_label: bool
    test: Callable[[str], bool] = field(compare=False)
    literals: frozenset[str] | None = None
    is_positive: bool = True

    def value_in(self, subject: Subject) -> str:
        """The subject's value that is compared."""
        return (subject.labels if self.is_label else subject.fields).get(self.name, "")

    def holds(self, subject: Subject) -> bool:
        """Whether the subject fulfils it."""
        return self.test(self.value_in(subject))


def read_matcher(text: str, fields: Collection[str] = FIELDS) -> Matcher | str:
    """The matcher in `text`, or what is wrong with it.

    A bare name is a field if it is one of `fields` or a result, `diagnostics.NAME`, else a label; `label.NAME` and
    `"NAME"` are always labels.
    """
    found = _SHAPE.fullmatch(text.strip())
    if found is None:
        return f'{quoted(text)} is no matcher; write one as name="value", with =, !=, =~ or !~'
    name, is_label = _name(found["quoted"], found["plain"], fields)
    if (found["plain"] or "").startswith(_PLURAL):
        return f"{quoted(name)} is no label; write {LABEL_PREFIX}{name.removeprefix(_PLURAL)}"
    if not name:
        return f"the matcher {quoted(text)} names no label"
    value = _value(found["value"])
    if value is None:
        return (
            f"the value in {quoted(text)} must stand in double quotes, one matcher an entry:"
            f' {found["plain"] or "name"}{found["operator"]}"value"'
        )
    made = _test(found["operator"], value)
    if isinstance(made, str):
        return f"{quoted(text)}: {made}"
    allowed = None if is_label else _VALUES.get(name)
    if allowed and found["operator"] in ("=", "!=") and value not in allowed:
        return f"{unknown(name, value, allowed)} (the label as it was sent is {LABEL_PREFIX}{name})"
    is_positive = not found["operator"].startswith("!")
    return Matcher(text.strip(), name, is_label, made.matches, made.literals, is_positive)


def _name(in_quotes: str | None, plain: str | None, fields: Collection[str]) -> tuple[str, bool]:
    if in_quotes is not None:
        return _unescaped(in_quotes), True
    assert plain is not None
    if plain.startswith(LABEL_PREFIX):
        return plain.removeprefix(LABEL_PREFIX), True
    return plain, plain not in fields and not is_result(plain)


def _value(text: str) -> str | None:
    in_quotes = _QUOTED_VALUE.fullmatch(text)
    if in_quotes:
        return _unescaped(in_quotes[1])
    return text if _PLAIN_VALUE.fullmatch(text) else None


def _unescaped(text: str) -> str:
    # Alertmanager keeps the backslash before anything else, so "\d+" need not be written "\\d+".
    return _ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[0]), text)


def _test(sign: str, value: str) -> Pattern | str:
    if sign == "=":
        return Pattern(partial(operator.eq, value), frozenset({value}))
    if sign == "!=":
        return Pattern(partial(operator.ne, value))
    pattern = compile_pattern(value)
    if isinstance(pattern, str) or sign == "=~":
        return pattern
    matches = pattern.matches
    return Pattern(lambda text: not matches(text))
