"""`receiver up` as a newcomer uses it, with real processes: it starts, is used, survives, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import Engine

from receiver.cli.exits import Exit
from tests.builders import bodies
from tests.fakes import groups
from tests.fakes.polling import wait_until
from tests.fakes.ports import free_port
from tests.fakes.processes import BIN, Process, environment
from tests.fakes.receiver import Receiver
from tests.fakes.slack import SlackServer, hang

SQLITE = "sqlite:///var/receiver.db"  # under the process's own folder
PASSWORD = "a-password-nobody-may-see"

Start = Callable[..., Process]


@pytest.fixture
def start(start_process: Start, tmp_path: Path) -> Start:
    """A function that starts `receiver WORDS` in a folder of the test's own, with settings by name."""

    def start(*words: str, **settings: str) -> Process:
        env = environment({f"RECEIVER_{name}": value for name, value in settings.items()})
        return start_process(
            [BIN / "receiver", *words], folder=tmp_path, env=env, name=f"receiver-{words[0]}"
        )

    return start


def ctrl_c(process: Process) -> None:
    """What a terminal does: SIGINT to every process of the group at once."""
    os.killpg(process.pid, signal.SIGINT)


def run_like_a_newcomer(command: str) -> str:
    """Paste the command into a shell."""
    return subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=True, timeout=30
    ).stdout


def printed_command(output: str, after: str) -> str:
    """The command that the banner shows under the line `after`."""
    found = re.search(rf"{re.escape(after)}\n((?:  .+\n)+)", output)
    assert found, output
    return found[1]


def pids(receiver: Receiver, word: str) -> list[int]:
    """The processes of the group that run `receiver WORD`."""
    return [int(line.split()[0]) for line in receiver.process.members() if f" receiver {word}" in line]


def has_other(receiver: Receiver, gone: set[int], number: int) -> bool:
    """Whether so many processes serve, and none of those."""
    serving = pids(receiver, "serve")
    return len(serving) >= number and not gone & set(serving)


def logged(process: Process, event: str) -> list[dict[str, Any]]:
    """The log lines of one kind."""
    lines = (line for line in process.output().splitlines() if line.startswith('{"'))
    return [fields for fields in map(json.loads, lines) if fields["event"] == event]


def ends_of_children(process: Process) -> list[tuple[str, int]]:
    """Which children died and were started again, with their statuses."""
    return [(fields["child"], fields["status"]) for fields in logged(process, "up.child_ended")]


def assert_clean_end(process: Process) -> None:
    assert process.wait(timeout=40) == 0
    process.assert_nothing_left()
    assert "Traceback" not in process.output()


def test_what_is_printed_opens_an_incident_and_ctrl_c_leaves_nothing(start: Start) -> None:
    process = start("up", BIND=f"127.0.0.1:{free_port()}")
    process.wait_for_output("see the incident it opened:")
    told = process.output()
    receipt = json.loads(run_like_a_newcomer(printed_command(told, "Send a first alert:")))
    assert receipt["alerts"] == {"received": 1, "opened": 1}
    listed = json.loads(run_like_a_newcomer(printed_command(told, "and see the incident it opened:")))
    assert [one["title"] for one in listed["incidents"]] == ["CpuHigh"]
    assert f"{process.log.parent}/var/receiver.db" in told
    ctrl_c(process)
    assert_clean_end(process)


def test_a_terminal_that_closes_ends_it_cleanly_unless_nohup_says_otherwise(
    start_process: Start, tmp_path: Path
) -> None:
    env = environment({"RECEIVER_BIND": f"127.0.0.1:{free_port()}"})
    process = start_process([BIN / "receiver", "up"], folder=tmp_path, env=env, terminal=True)
    process.wait_for_output("Send a first alert:")
    process.close_terminal()
    assert_clean_end(process)
    assert "rules.reloaded" not in process.output()
    address = f"127.0.0.1:{free_port()}"
    env = environment({"RECEIVER_BIND": address})
    process = start_process(["nohup", BIN / "receiver", "up"], folder=tmp_path / "nohup", env=env)
    process.wait_for_output("Send a first alert:")
    os.killpg(process.pid, signal.SIGHUP)
    process.wait_for_http(f"http://{address}/readyz")
    process.send(signal.SIGTERM)
    assert_clean_end(process)


def test_as_many_workers_run_as_are_asked_for_and_all_of_them_end(tmp_path: Path) -> None:
    with Receiver(tmp_path, SQLITE, WORKER_PROCESSES="2") as receiver:
        process = receiver.process
        process.wait_until(lambda: len(logged(process, "worker.started")) == 2, 30, "start both")
        assert len({fields["worker"] for fields in logged(process, "worker.started")}) == 2
        ctrl_c(process)
        assert_clean_end(process)


def test_it_can_be_run_again_and_knows_what_it_knew(tmp_path: Path) -> None:
    for run in (1, 2):
        with Receiver(tmp_path, SQLITE) as receiver:
            answer = receiver.post(bodies.alertmanager([bodies.alert()])).json()
            assert answer["incidents"][0]["alert_count"] == run
            receiver.process.send(signal.SIGTERM)
            assert_clean_end(receiver.process)


def test_work_under_way_is_finished_before_it_ends(tmp_path: Path, slack: SlackServer) -> None:
    slack.answer(hang(3))
    with Receiver(tmp_path, SQLITE, SLACK_WEBHOOK_URL=slack.url) as receiver:
        receiver.post(bodies.alertmanager([bodies.alert()]))
        slack.wait_for(1)
        ctrl_c(receiver.process)
        assert_clean_end(receiver.process)
    with Receiver(tmp_path, SQLITE, SLACK_WEBHOOK_URL=slack.url) as receiver:
        (incident,) = receiver.incidents()
        assert "notification.delivered" in receiver.timeline(incident["incident_id"])
    assert len(slack.messages()) == 1


def test_a_second_ctrl_c_does_not_wait_for_work_under_way(tmp_path: Path, slack: SlackServer) -> None:
    slack.answer_always(hang(60))
    with Receiver(tmp_path, SQLITE, SLACK_WEBHOOK_URL=slack.url, WORKER_DRAIN_SECONDS="600") as receiver:
        receiver.post(bodies.alertmanager([bodies.alert()]))
        slack.wait_for(1)
        ctrl_c(receiver.process)
        wait_until(lambda: logged(receiver.process, "up.child_stopped") != [], 20, "gunicorn ended")
        assert receiver.process.returncode() is None
        wait_until(lambda: _ended_after_another_ctrl_c(receiver.process), 15, "the second Ctrl-C ended it")
        receiver.process.assert_nothing_left()


def _ended_after_another_ctrl_c(process: Process) -> bool:
    # Again and again: within the first moments a repeated signal counts as the same Ctrl-C.
    if process.returncode() is None:
        ctrl_c(process)
    return process.returncode() is not None


def test_a_killed_job_worker_comes_back_and_goes_on(tmp_path: Path, slack: SlackServer) -> None:
    with Receiver(tmp_path, SQLITE, SLACK_WEBHOOK_URL=slack.url) as receiver:
        (first,) = pids(receiver, "worker")
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: pids(receiver, "worker") not in ([], [first]), 20, "another worker runs")
        receiver.post(bodies.alertmanager([bodies.alert()]))
        slack.wait_for(1, timeout=20)
        assert ends_of_children(receiver.process) == [("worker", -signal.SIGKILL)]


def test_killed_web_processes_come_back(tmp_path: Path) -> None:
    with Receiver(tmp_path, SQLITE) as receiver:
        before = pids(receiver, "serve")
        workers = groups.children(before)  # of gunicorn
        os.kill(workers[0], signal.SIGKILL)
        wait_until(lambda: has_other(receiver, {workers[0]}, len(before)), 20, "gunicorn replaced it")
        (master,) = set(before) - set(workers)
        os.kill(master, signal.SIGKILL)
        wait_until(lambda: has_other(receiver, {master, *workers}, 1), 20, "all are new")
        # The address was listened on all the time: nothing is refused, however long the new one takes to start.
        assert receiver.post(bodies.alertmanager([bodies.alert()])).status_code == 200
        assert ends_of_children(receiver.process) == [("receiver", -signal.SIGKILL)]


def test_a_child_that_cannot_be_helped_ends_all_with_its_status(tmp_path: Path) -> None:
    with Receiver(tmp_path, SQLITE) as receiver:
        with sqlite3.connect(tmp_path / "var" / "receiver.db") as database:
            database.execute("UPDATE alembic_version SET version_num = '9999'")  # a newer release was here
        database.close()
        os.kill(pids(receiver, "worker")[0], signal.SIGKILL)
        assert receiver.process.wait(timeout=30) == Exit.SCHEMA
        receiver.process.assert_nothing_left()
        assert receiver.process.output().endswith(
            f"The worker cannot be kept running: it ended with status {Exit.SCHEMA:d}; see the lines above.\n"
        )


BROKEN = """
from receiver.cli import gunicorn_app
from receiver.cli.listener import listen
from receiver.config import HostPort, load
from receiver.rules_file import rules_of

def broken(settings, rules):
    raise RuntimeError("broken")

gunicorn_app.create_app = broken
settings = load()
listener = listen(HostPort("127.0.0.1", 0))
gunicorn_app.GunicornApp(settings, rules_of(settings), listener, graceful_seconds=1).run()
"""


def test_an_application_that_cannot_start_ends_gunicorn_instead_of_looping(
    start_process: Start, tmp_path: Path
) -> None:
    process = start_process([sys.executable, "-c", BROKEN], folder=tmp_path)
    assert process.wait(timeout=30) == Exit.FAILED
    assert "Worker failed to boot" in process.output()


def test_its_children_end_when_it_is_killed(tmp_path: Path) -> None:
    with Receiver(tmp_path, SQLITE) as receiver:
        assert len(receiver.process.members()) >= 4
        receiver.process.send(signal.SIGKILL)
        receiver.process.assert_nothing_left(timeout=30)


def test_both_processes_count_into_one_metrics_page(tmp_path: Path, slack: SlackServer) -> None:
    for _ in (1, 2):  # the second run does not add to what the first has counted
        with Receiver(tmp_path, SQLITE, SLACK_WEBHOOK_URL=slack.url) as receiver:
            receiver.post(bodies.alertmanager([bodies.alert(service=str(free_port()))]))
            counted = 'receiver_notifications_total{channel="slack",outcome="sent"} 1.0'
            wait_until(lambda: counted in _metrics(receiver), 20, "the worker's message was counted")  # noqa: B023 - called at once
            assert 'receiver_alerts_total{disposition="opened"} 1.0' in _metrics(receiver)


def _metrics(receiver: Receiver) -> str:
    return requests.get(f"{receiver.url}/metrics", timeout=10).text


def test_a_broken_request_is_refused_and_stays_out_of_the_log(tmp_path: Path) -> None:
    with Receiver(tmp_path, SQLITE) as receiver:
        host, port = receiver.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as client:
            client.sendall(f"GET /livez HTTP/1.1\r\nAuthorization Bearer {PASSWORD}\r\n\r\n".encode())
            assert client.makefile("rb").readline().startswith(b"HTTP/1.1 400 ")
        assert logged(receiver.process, "Invalid request from ip=127.0.0.1")
        assert PASSWORD not in receiver.process.output()


def test_an_address_in_use_is_one_clear_line(start: Start, tmp_path: Path) -> None:
    with Receiver(tmp_path / "first", SQLITE) as receiver:
        address = receiver.url.removeprefix("http://")
        second = start("up", BIND=address)
        assert second.wait(timeout=30) == Exit.ADDRESS
    assert second.output() == (
        f"Cannot listen on {address}: another program listens there; stop it, or set RECEIVER_BIND to another port\n"
    )
    assert not (tmp_path / "var").exists()  # it did not touch anything


def test_wrong_settings_are_told_and_nothing_starts(start: Start) -> None:
    process = start("up", BIND="nonsense")
    assert process.wait(timeout=30) == Exit.SETTINGS
    assert process.output() == (
        "The settings are not right:\n  RECEIVER_BIND: must be host:port, for example 127.0.0.1:8080\n"
    )


@pytest.mark.parametrize("words", ["serve", "worker"])
def test_a_database_that_needs_an_upgrade_is_refused(start: Start, words: str) -> None:
    process = start(words, BIND=f"127.0.0.1:{free_port()}")
    assert process.wait(timeout=30) == Exit.SCHEMA
    assert "run `receiver db upgrade`" in process.output()
    assert "Traceback" not in process.output()


def test_a_database_that_is_away_is_told_without_its_password(start: Start) -> None:
    url = f"mysql+pymysql://receiver:{PASSWORD}@127.0.0.1:{free_port()}/receiver"
    process = start("up", BIND=f"127.0.0.1:{free_port()}", DATABASE_URL=url)
    assert process.wait(timeout=30) == Exit.DATABASE
    assert (
        process.output()
        == "The database cannot be used: nothing answers there (2003). `receiver doctor` tells more.\n"
    )


def test_serve_takes_alerts_without_a_database_and_tells_no_password(start: Start) -> None:
    url = f"mysql+pymysql://receiver:{PASSWORD}@127.0.0.1:{free_port()}/receiver"
    address = f"127.0.0.1:{free_port()}"
    process = start("serve", BIND=address, DATABASE_URL=url)
    process.wait_for_http(f"http://{address}/readyz", timeout=30)
    assert "serve.no_database" in process.output()
    assert PASSWORD not in process.output()


def test_receiver_and_worker_run_by_themselves(
    start: Start, sqlite_engine: Engine, slack: SlackServer
) -> None:
    port, metrics_port = free_port(), free_port()
    settings = {"DATABASE_URL": sqlite_engine.url.render_as_string(), "SLACK_WEBHOOK_URL": slack.url}
    web = start("serve", BIND=f"127.0.0.1:{port}", **settings)
    worker = start("worker", WORKER_METRICS_BIND=f"127.0.0.1:{metrics_port}", **settings)
    web.wait_for_http(f"http://127.0.0.1:{port}/readyz")
    body = bodies.alertmanager([bodies.alert()])
    assert requests.post(f"http://127.0.0.1:{port}/webhook/alert", data=body, timeout=10).status_code == 200
    slack.wait_for(1, timeout=20)
    worker.wait_for_http(f"http://127.0.0.1:{metrics_port}/metrics")
    for process in (web, worker):
        ctrl_c(process)
        assert_clean_end(process)


def test_the_demo_shows_what_became_of_its_alerts(tmp_path: Path, start: Start) -> None:
    token = tmp_path / "token"
    token.write_text("secret-token\n")
    with Receiver(tmp_path / "receiver", SQLITE, WEBHOOK_TOKEN="secret-token") as receiver:
        demo = start("demo", "--url", receiver.url, "--token-file", str(token), "--pause", "0")
        assert demo.wait(timeout=60) == 0
        told = demo.output()
        assert "30 pods fail their checks, in one group ..... 1 opened, 29 attached" in told
        assert "99 alerts made 4 incidents" in told
        assert "1 body kept without being understood" in told
        assert len(receiver.incidents(status="open")) == 2
        refused = start("demo", "--url", receiver.url)
        assert refused.wait(timeout=60) == Exit.FAILED
        assert "it wants a credential (401)" in refused.output()


def test_a_demo_without_a_receiver_says_so(start: Start) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    demo = start("demo", "--url", url)
    assert demo.wait(timeout=30) == Exit.FAILED
    assert demo.output() == f"{url} does not take the alerts: connection refused\n"
