"""People are called, one group after the other, until somebody acknowledges; and again when that one forgets."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine, text

from receiver.domain.events import EventType
from receiver.domain.retry import Backoff
from receiver.runtime import Runtime
from receiver.services.incidents import Deed, acknowledge, resolve
from receiver.storage.engine import reading
from receiver.worker.attempt import attempt
from receiver.worker.dispatcher import claim
from receiver.worker.handlers import build_handlers
from receiver.worker.loop import run_due
from receiver.worker.recorder import settle
from tests.builders.flow import TELL, Storm, action_ends, let_time_pass, rules_file
from tests.builders.jobs import states
from tests.fakes.counterparts import ALL, Counterpart
from tests.fixtures.runtimes import RuntimeFactory

ANN = Deed("ann", "0" * 32, "looking at it")
NEVER = threading.Event()
HEAD = """
escalations:
  default:
    steps:
      - {after: 0m, channels: [slack]}
      - {after: 15m, channels: [email]}
      - {after: 30m, channels: [pagerduty]}
    acknowledgement_expires: 4h
"""
RULES = f"""
- name: call-people
  on: [incident.opened, incident.updated]
  match: priority=~"P0|P1"
  escalate: default
  continue: true
- name: call-when-mending-fails
  on: action.failed
  escalate: default
{TELL.replace("channels: all", "channels: [slack]")}
"""


@pytest.fixture
def services() -> Iterator[dict[str, Counterpart]]:
    with ExitStack() as running:
        names = ("slack", "email", "pagerduty")
        yield {name: running.enter_context(ALL[name]()) for name in names}


@pytest.fixture
def make(engine: Engine, make_runtime: RuntimeFactory, services: dict[str, Counterpart], tmp_path):
    def made(rules: str = RULES, head: str = HEAD, **settings: str) -> Any:
        for service in services.values():
            settings |= service.settings(service.port)
        runtime = make_runtime(engine, RULES=rules_file(tmp_path, rules, head), **settings)
        return SimpleNamespace(runtime=runtime, storm=Storm(runtime), engine=engine)

    return made


def work(runtime: Runtime) -> None:
    """All that is due, and what that asks for."""
    while run_due(runtime):
        pass


def told(engine: Engine, channel: str) -> list[tuple[str, int, str]]:
    query = "SELECT template, sequence, state FROM notifications WHERE channel = :channel ORDER BY notification_id"
    with reading(engine) as connection:
        return [tuple(row) for row in connection.execute(text(query), {"channel": channel})]


def run_again(engine: Engine, key: str) -> None:
    """A job that is done comes due once more, as after a restored backup."""
    with engine.begin() as connection:
        done = text("UPDATE jobs SET state = 'ready', attempt = 0 WHERE idempotency_key = :key")
        assert connection.execute(done, {"key": key}).rowcount == 1


def asked(engine: Engine, channel: str) -> list[str]:
    """The occasions on which a channel was asked to say something, in that order."""
    return [
        key.split(":")[3] for key in states(engine) if key.startswith("notify:") and f":{channel}:" in key
    ]


def events(engine: Engine, type_: str) -> list[dict[str, Any]]:
    with reading(engine) as connection:
        query = text("SELECT payload FROM events WHERE type = :type ORDER BY event_id")
        return [json.loads(row.payload) for row in connection.execute(query, {"type": type_})]


def test_each_step_comes_in_its_time_until_all_have_been_called(make, engine, services):
    on = make()
    on.storm.breaks(1, severity="critical")
    work(on.runtime)
    assert (told(engine, "slack"), told(engine, "email")) == ([("opened", 0, "sent")], [])
    let_time_pass(engine, 899)
    work(on.runtime)
    assert told(engine, "email") == []
    let_time_pass(engine, 2)
    work(on.runtime)
    assert told(engine, "email") == [("escalated", 0, "sent")]
    assert told(engine, "pagerduty") == []
    let_time_pass(engine, 900)
    work(on.runtime)
    assert told(engine, "pagerduty") == [("escalated", 0, "sent")]
    (mail,) = services["email"].texts()
    assert "Nobody has acknowledged it for 15 min" in mail
    assert "Step 2 of 3 of the escalation default" in mail
    assert '"event_action": "trigger"' in services["pagerduty"].texts()[0]


def test_whoever_was_called_is_named_with_the_rule_that_wanted_it(make, engine):
    on = make()
    on.storm.breaks(1, severity="critical")
    work(on.runtime)
    let_time_pass(engine, 900)
    work(on.runtime)
    asked_for = [one for one in events(engine, "notification.requested") if one["channel"] == "email"]
    assert [one["rule"] for one in asked_for] == ["call-people (escalation default)"]


def test_what_is_not_urgent_calls_nobody(make, engine):
    on = make()
    on.storm.breaks(1, severity="warning")
    work(on.runtime)
    let_time_pass(engine, 3600)
    work(on.runtime)
    assert asked(engine, "email") == []


@pytest.mark.parametrize("how", ["acknowledge", "resolve", "recover"])
def test_nobody_else_is_called_once_somebody_has_it_or_it_is_over(make, engine, how):
    on = make(head=HEAD.replace("acknowledgement_expires: 4h", ""))
    (incident_id,) = on.storm.breaks(1, severity="critical")
    work(on.runtime)
    if how == "recover":
        on.storm.ends(1, severity="critical")
    else:
        {"acknowledge": acknowledge, "resolve": resolve}[how](on.runtime, incident_id, ANN)
    for _ in range(4):
        let_time_pass(engine, 900)
        work(on.runtime)
    assert asked(engine, "email") == asked(engine, "pagerduty") == []


def test_a_call_that_was_asked_for_is_not_made_when_somebody_was_faster(make, engine):
    on = make()
    (incident_id,) = on.storm.breaks(1, severity="critical")
    work(on.runtime)
    let_time_pass(engine, 900)
    run_due(on.runtime, queues=["escalate"])
    acknowledge(on.runtime, incident_id, ANN)
    run_due(on.runtime, queues=["notify-email"])
    assert told(engine, "email") == [("escalated", 0, "superseded")]


def test_p0_can_page_at_once(make, engine, services):
    head = "escalations: {page: {steps: [{after: 0m, channels: [pagerduty]}]}}\n"
    rules = "- {name: page, on: incident.opened, match: priority=P0, escalate: page}\n"
    on = make(rules, head)
    on.storm.breaks(1, severity="critical")
    work(on.runtime)
    assert told(engine, "pagerduty") == [("opened", 0, "sent")]
    assert '"event_action": "trigger"' in services["pagerduty"].texts()[0]


def test_an_acknowledgement_that_times_out_makes_it_active_and_calls_people_again(make, engine, services):
    on = make()
    (incident_id,) = on.storm.breaks(1, severity="critical")
    work(on.runtime)
    acknowledge(on.runtime, incident_id, ANN)
    work(on.runtime)
    let_time_pass(engine, 4 * 3600 - 60)
    work(on.runtime)
    assert _incident(engine)[0] == "acknowledged"
    let_time_pass(engine, 61)
    work(on.runtime)
    assert _incident(engine) == ("active", None)
    (update,) = [one for one in events(engine, "incident.updated") if "status" in one]
    assert update["status"] == ["acknowledged", "active"]
    assert (update["acknowledged_by"], update["note"]) == ("ann", "looking at it")
    assert told(engine, "slack")[-1] == ("escalated", 0, "sent")
    last = services["slack"].texts()[-1]
    assert "The acknowledgement by ann timed out after 4 h; their note was: looking at it." in last
    let_time_pass(engine, 900)
    work(on.runtime)
    assert told(engine, "email") == [("escalated", 0, "sent")]  # of the second round: the first has ended


def test_the_second_acknowledgement_is_told_as_well(make, engine):
    tells_all = RULES.replace("channels: [slack]", "channels: [slack, pagerduty]")
    on = make(tells_all)
    (incident_id,) = on.storm.breaks(1, severity="critical")
    work(on.runtime)
    for sequence in range(3):
        acknowledge(on.runtime, incident_id, ANN)
        work(on.runtime)
        assert ("acknowledged", sequence, "sent") in told(engine, "pagerduty")
        let_time_pass(engine, 4 * 3600)
        work(on.runtime)
        assert _incident(engine)[0] == "active"


def test_a_timer_of_an_earlier_acknowledgement_does_not_end_a_later_one(make, engine):
    on = make()
    (incident_id,) = on.storm.breaks(1, severity="critical")
    work(on.runtime)
    acknowledge(on.runtime, incident_id, ANN)
    let_time_pass(engine, 4 * 3600)
    work(on.runtime)
    acknowledge(on.runtime, incident_id, ANN)
    run_again(engine, f"acknowledgement:{incident_id}:0")
    work(on.runtime)
    assert _incident(engine)[0] == "acknowledged"


def test_without_a_policy_the_settings_say_how_long_it_stands_and_who_knew_is_told(make, engine, services):
    on = make(TELL, "", ACKNOWLEDGE_TIMEOUT_SECONDS="3600")
    (incident_id,) = on.storm.breaks(1, severity="critical")
    work(on.runtime)
    acknowledge(on.runtime, incident_id, Deed("ann", "0" * 32))
    work(on.runtime)
    let_time_pass(engine, 3600)
    work(on.runtime)
    for channel in ("slack", "email", "pagerduty"):
        assert told(engine, channel)[-1] == ("escalated", 0, "sent"), channel
    assert "The acknowledgement by ann timed out after 1 h." in services["slack"].texts()[-1]


def test_an_acknowledgement_without_any_limit_stands(make, engine):
    on = make(TELL, "")
    (incident_id,) = on.storm.breaks(1)
    acknowledge(on.runtime, incident_id, ANN)
    let_time_pass(engine, 30 * 86400)
    work(on.runtime)
    assert _incident(engine)[0] == "acknowledged"


def test_a_failed_action_calls_people_at_once_and_each_action_once(make, engine):
    on = make()
    (incident_id,) = on.storm.breaks(1)  # P2: nobody was called so far
    work(on.runtime)
    action_id = action_ends(on.runtime, incident_id)
    work(on.runtime)
    assert asked(engine, "slack") == ["opened", "updated", "escalated"]
    run_again(engine, f"escalate:{incident_id}:default:{action_id}:1:begin")
    work(on.runtime)
    assert asked(engine, "slack").count("escalated") == 1
    action_ends(on.runtime, incident_id, EventType.ACTION_FAILED, ordinal=2)
    work(on.runtime)
    assert asked(engine, "slack").count("escalated") == 2


def test_an_incident_that_gets_urgent_later_has_one_round(make, engine):
    on = make()
    on.storm.breaks(1, severity="warning")
    on.storm.breaks(1, severity="critical")
    on.storm.breaks(1, severity="critical")
    work(on.runtime)
    assert len([key for key in states(engine) if key.endswith(":begin")]) == 1


def test_a_step_whose_worker_died_is_taken_once(make, engine):
    on = make()
    on.storm.breaks(1, severity="critical")
    work(on.runtime)
    let_time_pass(engine, 900)
    (stale,) = claim(engine, "escalate", 1, 60, "a worker that hangs")
    handlers = build_handlers(on.runtime)
    late = attempt(handlers, stale, Backoff())
    let_time_pass(engine, 61)
    work(on.runtime)
    settle(engine, handlers, [(stale, late)], NEVER)
    work(on.runtime)
    assert told(engine, "email") == [("escalated", 0, "sent")]
    assert len([key for key in states(engine) if key.endswith(":opened:1:2")]) == 1


def test_a_round_goes_on_as_it_began_when_the_rules_lose_its_policy(make, engine):
    on = make()
    on.storm.breaks(1, severity="critical")
    work(on.runtime)
    without = make(TELL.replace("channels: all", "channels: [slack]"), "")
    let_time_pass(engine, 900)
    work(without.runtime)
    assert told(engine, "email") == [("escalated", 0, "sent")]


def test_whoever_was_called_hears_that_somebody_has_it_and_that_it_is_over(make, engine, services):
    on = make()  # no rule tells PagerDuty of anything
    (incident_id,) = on.storm.breaks(1, severity="critical")
    for _ in range(3):
        work(on.runtime)
        let_time_pass(engine, 900)
    acknowledge(on.runtime, incident_id, ANN)
    work(on.runtime)
    on.storm.ends(1, severity="critical")
    work(on.runtime)
    assert [template for template, _, _ in told(engine, "pagerduty")] == [
        "escalated",
        "acknowledged",
        "resolved",
    ]
    assert "acknowledged" not in asked(engine, "email")  # it has no use for that
    assert told(engine, "email")[-1] == ("resolved", 0, "sent")


def _incident(engine: Engine) -> tuple[Any, ...]:
    with reading(engine) as connection:
        return tuple(connection.execute(text("SELECT status, acknowledged_by FROM incidents")).one())
