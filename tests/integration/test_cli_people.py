"""Commands for people, over real neighbours: dead letters, the test message, the check of the books."""

from __future__ import annotations

from sqlalchemy import Engine, text

from receiver.cli.exits import Exit
from receiver.ids import new_trace_id
from receiver.services.intake import Intake
from tests.builders import bodies
from tests.builders.cli import run
from tests.builders.jobs import add, request, states
from tests.fakes import slack as slack_fake
from tests.fakes.slack import SlackServer
from tests.fixtures.runtimes import RuntimeFactory


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def test_dead_letters_are_listed_with_their_reason_and_retried(engine: Engine) -> None:
    add(engine, request("one"), request("two"))
    with engine.begin() as connection:
        died = "UPDATE jobs SET state = 'dead', last_error = 'no_service' WHERE idempotency_key = 'one'"
        connection.execute(text(died))
    listed = run(["jobs", "list", "--state", "dead"], DATABASE_URL=url_of(engine))
    _heading, *rows = listed.stdout.splitlines()
    assert (listed.exit_code, len(rows)) == (0, 1)
    assert rows[0].endswith("no_service")
    job_id = rows[0].split()[0]
    retried = run(["jobs", "retry", job_id], DATABASE_URL=url_of(engine))
    assert (retried.exit_code, retried.stdout) == (0, "1 job is due again.\n")
    assert states(engine) == {"one": "ready", "two": "ready"}
    again = run(["jobs", "retry", job_id], DATABASE_URL=url_of(engine))
    assert (again.exit_code, "not dead" in again.stderr) == (Exit.FAILED, True)


def test_all_dead_letters_are_retried_at_once(engine: Engine) -> None:
    add(engine, request("one"), request("two"))
    with engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET state = 'dead'"))
    answer = run(["jobs", "retry", "--all-dead"], DATABASE_URL=url_of(engine))
    assert (answer.exit_code, answer.stdout) == (0, "2 jobs are due again.\n")
    assert set(states(engine).values()) == {"ready"}


def test_retrying_needs_to_be_told_what(sqlite_engine: Engine) -> None:
    assert run(["jobs", "retry"], DATABASE_URL=url_of(sqlite_engine)).exit_code == 2
    assert run(["jobs", "retry", "1", "--all-dead"], DATABASE_URL=url_of(sqlite_engine)).exit_code == 2


def test_no_such_jobs_is_said(sqlite_engine: Engine) -> None:
    answer = run(["jobs", "list", "--queue", "notify-slack"], DATABASE_URL=url_of(sqlite_engine))
    assert (answer.exit_code, answer.stdout) == (0, "There are no such jobs.\n")


def test_the_test_message_arrives(slack: SlackServer) -> None:
    answer = run(["notify-test"], SLACK_WEBHOOK_URL=slack.url)
    assert (answer.exit_code, answer.stdout) == (0, "slack: the test message was taken: ok\n")
    (message,) = slack.messages()
    assert "Test message" in message.json["text"]


def test_a_refused_test_message_is_told_in_words(slack: SlackServer) -> None:
    slack.answer(slack_fake.CHANNEL_NOT_FOUND)
    answer = run(["notify-test"], SLACK_WEBHOOK_URL=slack.url)
    assert answer.exit_code == Exit.FAILED
    assert "channel_not_found" in answer.stdout
    assert "trying again will not help" in answer.stdout
    assert "services" not in answer.stdout  # the address is a secret


def test_without_a_channel_nobody_can_be_told() -> None:
    answer = run(["notify-test"])
    assert (answer.exit_code, "RECEIVER_SLACK_WEBHOOK_URL" in answer.stderr) == (Exit.FAILED, True)


def test_the_check_prints_what_it_counted_and_names_what_is_off(
    engine: Engine, make_runtime: RuntimeFactory
) -> None:
    intake = Intake(make_runtime(engine))
    intake.accept(intake.read(bodies.alertmanager([bodies.alert()]), trace_id=new_trace_id()))
    clean = run(["db", "check"], DATABASE_URL=url_of(engine))
    assert clean.exit_code == 0
    assert clean.stdout.endswith("\nalerts: 1 opened\n")
    assert "WRONG" not in clean.stdout
    with engine.begin() as connection:
        connection.execute(text("UPDATE incidents SET alert_count = 5"))
    wrong = run(["db", "check"], DATABASE_URL=url_of(engine))
    assert wrong.exit_code == Exit.FAILED
    assert "1 WRONG" in wrong.stdout
    assert ": alert_count 5, there are 1 rows" in wrong.stdout


def test_the_doctor_prints_a_line_for_each_finding(engine: Engine) -> None:
    answer = run(["doctor"], DATABASE_URL=url_of(engine))
    assert answer.exit_code == 0
    lines = answer.stdout.splitlines()
    assert {line.split()[0] for line in lines} <= {"ok", "warn"}
    (slack_line,) = (line for line in lines if " Slack " in line)
    assert slack_line.startswith("warn")
    assert slack_line.endswith("-> set RECEIVER_SLACK_WEBHOOK_URL")
