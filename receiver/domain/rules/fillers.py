"""How values get into texts and queries: the filters beside Jinja's own, and the escaping of PromQL strings. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from receiver.domain.rules.problem import quoted

# Prometheus reads strings as Go does: https://prometheus.io/docs/prometheus/latest/querying/basics/#string-literals
_STRING = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\x00"})
# All that RE2 gives a meaning to: regexp.QuoteMeta of Go.
_META = re.compile(r"[\\.+*?()|\[\]{}^$]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class QueryText(str):
    """A part of a query that is escaped already."""

    __slots__ = ()


def query_value(value: object) -> str:
    """A value as it stands within a double-quoted string of PromQL."""
    if isinstance(value, QueryText):
        return value
    return QueryText(_SURROGATE.sub("\ufffd", str(value)).translate(_STRING))


def regex(value: object) -> QueryText:
    """`{{ labels.pod | regex }}`: the value itself, in a string that is read as a pattern (=~, !~)."""
    return QueryText(query_value(_META.sub(r"\\\g<0>", str(value))))


def number(value: object) -> QueryText:
    """`{{ labels.threshold | number }}`: a number, safe outside of quotes too. Raises ValueError for what is none."""
    try:
        found = float(str(value))
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(f"{quoted(str(value))} is no number")
    return QueryText(str(int(found)) if found.is_integer() and abs(found) < 2**53 else repr(found))


def whole(value: object, default: int | None = None) -> int:
    """`| int`, but without a default what is no whole number is refused: Jinja's own makes it 0."""
    text = str(value)
    if re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", text):
        return int(text)
    if default is None:
        raise ValueError(f"{quoted(text)} is no whole number")
    return default


def decimal(value: object, default: float | None = None) -> float:
    """`| float`, as strict as `int`."""
    try:
        return float(number(value))
    except ValueError:
        if default is None:
            raise
        return default


FILTERS: Mapping[str, Callable[..., object]] = {
    "regex": regex,
    "number": number,
    "int": whole,
    "float": decimal,
}
# Filters after which a value is safe outside of quotes.
NUMBERS = frozenset({"number", "int", "float"})
