"""What once broke something that reads strangers' bytes, or reached much of it, breaks nothing now; and finds are kept.

The inputs are those of tests/fuzz/corpus; `make fuzz` looks for more and adds what it finds.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz import cli, corpus
from fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_no_known_input_breaks_anything(name: str):
    known = corpus.inputs(name)
    assert len(known) >= 3
    for path in known:
        TARGETS[name](path.read_bytes())


def test_every_folder_of_inputs_belongs_to_something_that_is_fuzzed():
    assert {path.name for path in corpus.FIXED.iterdir()} == set(TARGETS)


def test_what_breaks_a_target_is_found_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fragile(data: bytes) -> None:
        assert b"\xff" not in data

    monkeypatch.setattr(cli, "TARGETS", {"fragile": fragile})
    outcome = cli.plain("fragile", 60, tmp_path)  # it ends with the first find
    (found,) = outcome.found
    assert found.read_bytes() == b"\xff"  # the smallest
    assert corpus.inputs("fragile", tmp_path) == [found]
