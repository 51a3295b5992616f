"""The audit of the pins never passes for what was not looked at, and asks about one package at most to learn that.

A stand-in for pip-audit keeps a journal of what it is asked: no service is.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.tools import ROOT

PINS = "# pins\nalembic==1.0\nFlask==3.0\nwerkzeug==3.0\n"
STAND_IN = """
import json, sys
journal, skipped, status = sys.argv[1:4]
with open(journal, "a") as file:
    file.write(json.dumps({"asked": open(sys.argv[-1]).read(), "arguments": sys.argv[4:]}) + "\\n")
if "json" in sys.argv:
    found = {"name": "flask", "skip_reason": "not found"} if skipped == "skips" else {"name": "flask", "vulns": []}
    print(json.dumps({"dependencies": [found]}))
    sys.exit(0)
sys.exit(int(status))
"""


@pytest.fixture
def audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that audits made-up pins: whether the service connects, what pip-audit knows, how it ends."""
    spec = importlib.util.spec_from_file_location("audit", ROOT / "tools" / "audit.py")
    assert spec and spec.loader
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    pins, journal, program = tmp_path / "pins.txt", tmp_path / "journal", tmp_path / "stand_in.py"
    pins.write_text(PINS)
    program.write_text(STAND_IN)

    def run(
        *, connects: bool = True, knows: str = "knows", status: int = 0
    ) -> tuple[int, list[dict[str, Any]]]:
        monkeypatch.setattr(module, "_connects", lambda service: connects)
        ended = module.main(
            ("service.invalid", 443), [sys.executable, program, journal, knows, str(status)], pins
        )
        lines = journal.read_text().splitlines() if journal.exists() else []
        return ended, [json.loads(line) for line in lines]

    return run


def test_without_a_connection_nothing_is_asked_and_that_is_said(audit, capsys):
    assert audit(connects=False) == (0, [])
    assert capsys.readouterr().out == "pip-audit: not run: no vulnerability service reachable\n"


def test_a_mirror_that_knows_of_no_vulnerabilities_is_asked_about_one_package_and_is_no_pass(audit, capsys):
    ended, asked = audit(knows="skips")
    assert (ended, [one["asked"] for one in asked]) == (0, ["Flask==3.0\n"])
    assert capsys.readouterr().out == "pip-audit: not run: no vulnerability service reachable\n"


@pytest.mark.parametrize("status", [0, 1])
def test_a_service_that_knows_is_asked_about_all_pins_and_decides(audit, capsys, status: int):
    ended, asked = audit(status=status)
    assert (ended, asked[-1]["asked"]) == (status, PINS)
    assert "--strict" in asked[-1]["arguments"]  # or what is skipped would pass
    assert "not run" not in capsys.readouterr().out
