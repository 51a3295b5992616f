"""Wrong set-ups of actions are told before anything starts, and by `receiver doctor`."""

from __future__ import annotations

from pathlib import Path

import pytest

from receiver.config import load
from receiver.domain.finding import Level
from receiver.services.actions_check import check_actions
from tests.fakes.processes import BIN, Process, environment


@pytest.mark.parametrize("command", ["up", "serve", "worker"])
@pytest.mark.parametrize("name", ["REMEDIATION_COMMANDS", "KUBERNETES_CONFIG"])
def test_a_file_that_cannot_be_read_is_told_at_once_in_one_line(tmp_path: Path, command: str, name: str):
    env = environment({f"RECEIVER_{name}": str(tmp_path / "missing"), "RECEIVER_BIND": "127.0.0.1:0"})
    with Process([BIN / "receiver", command], folder=tmp_path, env=env) as process:
        assert process.wait(timeout=30) == 2
        output = process.output()
    assert f"RECEIVER_{name}: the file cannot be read (FileNotFoundError)" in output
    assert len(output.splitlines()) == 2, output


def test_the_doctor_names_what_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("receiver.services.actions_check.find_spec", lambda name: None)
    settings = load(
        {
            "RECEIVER_REMEDIATION_COMMANDS": str(tmp_path / "missing.yml"),
            "RECEIVER_REMEDIATION_PATHS": str(tmp_path / "missing"),
            "RECEIVER_REMEDIATION_DATABASES": "a=postgresql://u:secret@h/x,b=redis://h/0,c=mysql://h/x",
        }
    )
    found = list(check_actions(settings))
    assert [one.level for one in found] == [Level.BAD] * 4
    texts = " ".join(one.text for one in found)
    for words in ("the file cannot be read", "is no folder here", "a needs psycopg", "b needs redis"):
        assert words in texts
    assert "secret" not in texts


def test_the_doctor_says_what_is_allowed_when_all_is_well():
    (finding,) = check_actions(load({}))
    assert finding.level is Level.OK
    assert finding.text == "on; allowed: kubernetes.scale, kubernetes.rollout_restart"
