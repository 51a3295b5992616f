"""`receiver remediation`: the kill switch from the command line."""

from __future__ import annotations

import pytest

from tests.builders.cli import run
from tests.builders.remediation import action, audits, open_incident, scale, wish, work


@pytest.fixture
def remediation(sqlite_engine):
    """The command over the test's database."""
    url = sqlite_engine.url.render_as_string(hide_password=False)
    return lambda *words, **settings: run(["remediation", *words], DATABASE_URL=url, **settings)


def test_off_stops_what_was_asked_for_and_on_lets_new_ones_run(sqlite_engine, make_runtime, remediation):
    runtime = make_runtime(sqlite_engine)
    action_id = wish(runtime, open_incident(runtime), scale())
    off = remediation("off")
    assert (off.exit_code, off.output) == (0, "Remediation is off.\n")
    work(runtime)
    assert action(sqlite_engine, action_id)["error"] == "remediation is switched off"
    assert remediation("on").output == "Remediation is on.\n"
    assert [(row["action"], row["detail"]) for row in audits(sqlite_engine)] == [
        ("remediation.switched", {"from": "on", "to": "off"}),
        ("remediation.switched", {"from": "off", "to": "on"}),
    ]
    assert all(" at " in row["actor"] for row in audits(sqlite_engine))


def test_to_switch_to_what_it_is_says_so(remediation):
    remediation("off")
    assert remediation("off").output == "The switch stood at off already.\nRemediation is off.\n"


def test_a_stricter_setting_is_named(remediation):
    answer = remediation("on", REMEDIATION="dry-run")
    assert "Remediation is dry-run." in answer.output
    assert "RECEIVER_REMEDIATION is dry-run here, and that is stricter." in answer.output


def test_status_tells_the_switch_the_actions_and_the_systems_left_alone(
    sqlite_engine, make_runtime, remediation
):
    runtime = make_runtime(sqlite_engine, BREAKER_FAILURES="1", KUBERNETES_URL="http://127.0.0.1:9")
    wish(runtime, open_incident(runtime), scale())
    work(runtime)
    remediation("dry-run")
    lines = remediation("status").output.splitlines()
    assert lines[0] == "Remediation is dry-run."
    assert lines[1] == "  setting  on (RECEIVER_REMEDIATION, here)"
    assert lines[2].startswith("  switch   dry-run, by ")
    assert "  1 action requested" in lines
    assert "  0 actions awaiting_approval" in lines
    assert any(
        line.startswith("  kubernetes is left alone (open) after 1 failures in a row, since ")
        for line in lines
    )
