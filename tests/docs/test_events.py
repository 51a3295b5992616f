"""docs/events.md against the code: types, envelope, and its example."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from receiver.domain.events import EventType
from receiver.domain.outgoing import OutgoingEvent, message_of
from tests.fakes.tools import ROOT

TEXT = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")


def first_column(name: str) -> list[str]:
    """The code words in the first column of the table between `<!-- name: ... -->` and `<!-- name end -->`."""
    block = re.search(rf"<!-- {name}: .*?-->\n(.*?)<!-- {name} end -->", TEXT, flags=re.DOTALL)
    assert block is not None, name
    return re.findall(r"^\| `([^`]+)` \|", block[1], flags=re.MULTILINE)


def example() -> dict[str, Any]:
    block = re.search(r"```json\n(.*?)```", TEXT, flags=re.DOTALL)
    assert block is not None
    found: dict[str, Any] = json.loads(block[1])
    return found


def test_the_table_of_types_is_the_code_s() -> None:
    assert first_column("types") == [kind.value for kind in EventType]


def test_the_table_of_fields_and_the_example_are_the_envelope() -> None:
    told = example()
    event = OutgoingEvent(
        **{name: told[name] for name in told.keys() - {"version", "truncated", "created_at"}},
        created_at=datetime(2026, 3, 1, 9, 15, 2, 123456, tzinfo=UTC),
    )
    sent = json.loads(message_of(event).body)
    assert sent == told
    assert first_column("envelope") == list(sent) == list(told)
