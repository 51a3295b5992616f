"""Files and functions stay small enough to be read at a sitting."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.fakes.tools import ROOT

LONGEST_FILE = 400
LONGEST_FUNCTION = 60
FILES = sorted(
    path
    for folder in ("receiver", "tests", "bench", "faults", "fuzz")
    for path in (ROOT / folder).rglob("*.py")
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_and_no_function_is_too_long(path: Path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE
    functions = [
        node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    too_long = [
        node.name for node in functions if (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION
    ]
    assert too_long == []
