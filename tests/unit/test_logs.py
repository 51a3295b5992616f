"""Log lines: JSON, one event a line, and no secret, whoever wrote the line."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator

import pytest

from receiver import logs


@pytest.fixture
def written() -> Iterator[Callable[[], str]]:
    """Configures the logs and gives a function that returns what was written since."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("INFO", ["hooks.example/T0/secret-path", "s3cr3t", 'quo"ted\u00e9'], stream)
    yield stream.getvalue
    root.handlers[:] = before
    root.setLevel(level)


def test_a_line_is_one_json_object_with_its_facts(written: Callable[[], str]) -> None:
    logs.event_logger("intake").info("delivery.processed", extra={"trace_id": "abc", "alerts": 3})
    line = written()
    assert line.count("\n") == 1
    found = json.loads(line)
    assert (found["event"], found["level"], found["logger"]) == (
        "delivery.processed",
        "INFO",
        "receiver.intake",
    )
    assert (found["trace_id"], found["alerts"]) == ("abc", 3)
    assert "time" in found


def test_a_hostile_text_cannot_start_a_new_line(written: Callable[[], str]) -> None:
    logs.event_logger("intake").info('x\n{"event": "forged"}\x1b[31m')
    assert written().count("\n") == 1


def test_a_known_secret_is_cut_out_of_every_line(written: Callable[[], str]) -> None:
    logging.getLogger("somebody.else").warning(
        "POST https://hooks.example/T0/secret-path failed with s3cr3t and %s", 'quo"ted\u00e9'
    )
    line = written()
    assert "secret-path" not in line and "s3cr3t" not in line and "ted" not in line
    assert "[hidden]" in line


def test_an_exceptions_text_stays_out_and_its_place_is_told(written: Callable[[], str]) -> None:
    try:
        raise ValueError("INSERT ... the body of an alert")
    except ValueError:
        logs.event_logger("intake").exception("intake.failed")
    line = written()
    assert "the body of an alert" not in line
    assert "ValueError at test_logs.py" in line
