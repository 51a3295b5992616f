"""Each report says what the raw rows say, and reads them in none that matters for its speed."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, event, insert, select

from receiver.app import create_app
from receiver.cli import main
from receiver.domain.report import Report
from receiver.errors import InvalidField, UnknownReport
from receiver.ids import new_trace_id
from receiver.runtime import Runtime
from receiver.services.reports.ask import Wish, report
from receiver.services.reports.registry import REPORTS
from receiver.services.rollup import catch_up, turn
from receiver.storage.tables import incidents, notifications, remediation_actions
from tests.builders.plain_reports import PLAIN, Raw
from tests.builders.rollups import NOW, Past
from tests.fixtures.runtimes import RuntimeFactory

ALL_RULES = 1000


@pytest.fixture
def runtime(sqlite_engine: Engine, make_runtime: RuntimeFactory) -> Runtime:
    """Alerts, people, messages and actions of a day and more, all counted."""
    return lived(sqlite_engine, make_runtime)


def lived(engine: Engine, make_runtime: RuntimeFactory) -> Runtime:
    made = make_runtime(engine)
    past = Past(made, seed=11)
    past.live(hours=28, deliveries_an_hour=1)
    add_work(engine, past)
    past.replay(timedelta(hours=50), 6)
    catch_up(engine)
    return made


def add_work(engine: Engine, past: Past) -> None:
    """Messages and actions, made up, for the incidents that there are."""
    choose = past.random.choice
    with engine.begin() as connection:
        rows = connection.execute(select(incidents.c.incident_id, incidents.c.opened_at)).all()
        messages, actions = [], []
        for number, one in enumerate(rows):
            messages.append(
                {
                    "incident_id": one.incident_id,
                    "channel": choose(("slack", "email")),
                    "template": "opened",
                    "sequence": 0,
                    "state": choose(("sent", "sent", "dead", "bundled", "superseded")),
                    "job_id": number,
                    "attempt": 1,
                    "alert_count": 1,
                    "severity": "warning",
                    "finished_at": one.opened_at + timedelta(seconds=1),
                }
            )
            if number % 2:
                actions.append(
                    {
                        "action_id": f"ACT-{number}",
                        "incident_id": one.incident_id,
                        "ordinal": 1,
                        "type": choose(("kubernetes.scale", "http.call")),
                        "target": "x",
                        "parameters": {},
                        "options": {},
                        "requested_by": "rule x",
                        "reason": "",
                        "state": choose(("completed", "failed", "unknown")),
                        "is_dry_run": past.random.random() < 0.2,
                        "requested_at": one.opened_at + timedelta(seconds=2),
                        "trace_id": new_trace_id(),
                    }
                )
        connection.execute(insert(notifications), messages)
        connection.execute(insert(remediation_actions), actions)


def rows_of(found: Report) -> dict[str, list[tuple[Any, ...]]]:
    return {one.name: [tuple(row) for row in one.rows] for one in found.sections}


def same(found: Any, expected: Any) -> bool:
    return bool(found == (pytest.approx(expected) if isinstance(expected, float) else expected))


def assert_says(found: Report, expected: dict[str, Any]) -> None:
    said = rows_of(found)
    assert said.keys() == expected.keys()
    for name, rows in expected.items():
        assert len(said[name]) == len(rows), (found.name, name, said[name], rows)
        for mine, plain in zip(said[name], rows, strict=True):
            assert len(mine) == len(plain) and all(map(same, mine, plain)), (found.name, name, mine, plain)


PERIODS = (
    (timedelta(days=30), timedelta(0)),
    (timedelta(hours=26, minutes=17), timedelta(hours=3, minutes=9)),
    (timedelta(hours=5), timedelta(hours=4)),
    (timedelta(days=400), timedelta(days=399)),
)


def test_each_report_says_what_the_plain_rows_say(engine: Engine, make_runtime: RuntimeFactory) -> None:
    runtime = lived(engine, make_runtime)
    assert PLAIN.keys() == REPORTS.keys()
    for since, until in PERIODS:
        raw = Raw(runtime.engine, NOW - since, NOW - until)
        for name, plain in PLAIN.items():
            wish = Wish((NOW - since).isoformat(), (NOW - until).isoformat(), limit=ALL_RULES)
            found = report(runtime.engine, name, wish, NOW)
            assert_says(found, plain(raw))
    raw = Raw(runtime.engine, NOW - timedelta(days=30), NOW, services=["checkout", "mail"])
    for name, kind in REPORTS.items():
        wish = Wish("30d", NOW.isoformat(), limit=ALL_RULES, services=["checkout", "mail"])
        if kind.has_places:
            assert_says(report(runtime.engine, name, wish, NOW), PLAIN[name](raw))
        else:
            with pytest.raises(InvalidField, match="leave it out"):
                report(runtime.engine, name, wish, NOW)


def test_each_grouping_adds_up_to_the_whole(runtime: Runtime) -> None:
    sections = {"mtta-mttr": ("groups", 1), "volume": ("times", 1), "noise": ("most_incidents", 3)}
    sections |= {"incidents": ("groups", 1), "notifications": ("channels", 1)}
    checked = 0
    for name, kind in REPORTS.items():
        sums = set()
        for by in kind.groupings:
            found = report(runtime.engine, name, Wish("72h", by=by, limit=ALL_RULES), NOW)
            section = next(one for one in found.sections if one.name == sections[name][0])
            place = [column.name for column in section.columns].index(
                {"volume": "alerts", "notifications": "messages"}.get(name, "incidents")
            )
            sums.add(sum(int(str(row[place])) for row in section.rows))
            checked += 1
        assert len(sums) <= 1, (name, sums)
    assert checked >= 13


def test_no_report_reads_the_table_of_alerts(runtime: Runtime) -> None:
    statements: list[str] = []

    def note(_c: Any, _k: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(runtime.engine, "before_cursor_execute", note)
    for name in REPORTS:
        report(runtime.engine, name, Wish(), NOW)
    assert len(statements) > len(REPORTS)
    assert not [one for one in statements if "grafana_alerts" in one or "deliveries" in one]


def test_what_happens_to_an_incident_later_changes_the_report(runtime: Runtime) -> None:
    past = Past(runtime, seed=12)
    before = rows_of(report(runtime.engine, "mtta-mttr", Wish("90d"), NOW))
    for _ in range(4):
        past.act()
    turn(runtime.engine, lambda: datetime.now(NOW.tzinfo))
    wish = Wish("90d", limit=ALL_RULES)
    found = report(runtime.engine, "mtta-mttr", wish, NOW)
    assert rows_of(found) != before
    assert_says(found, PLAIN["mtta-mttr"](Raw(runtime.engine, NOW - timedelta(days=90), NOW)))


@pytest.mark.parametrize(
    ("wish", "field", "says"),
    [
        (Wish("yesterday"), "since", "30d"),
        (Wish("2026-13-01"), "since", "2026-11-01"),
        (Wish("1d", "2d"), "since", "before"),
        (Wish(by="colour"), "by", "priority, severity, service, rule"),
        (Wish(limit=0), "limit", "from 1"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_with_what_would(
    sqlite_engine: Engine, wish: Wish, field: str, says: str
) -> None:
    with pytest.raises(InvalidField, match=says) as refused:
        report(sqlite_engine, "mtta-mttr", wish, NOW)
    assert refused.value.field == field


def test_hours_are_shown_for_a_week_at_most(sqlite_engine: Engine) -> None:
    with pytest.raises(InvalidField, match="--by day"):
        report(sqlite_engine, "volume", Wish("8d", by="hour"), NOW)
    with pytest.raises(UnknownReport, match="mtta-mttr"):
        report(sqlite_engine, "mttr", Wish(), NOW)


def test_the_command_writes_text_csv_and_json(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECEIVER_DATABASE_URL", runtime.settings.database_url)
    turn(runtime.engine, lambda: datetime.now(NOW.tzinfo))
    asked = ["--since", "2026-11-18", "--until", "2026-11-21T12:30Z"]
    run = CliRunner().invoke
    for name in REPORTS:
        result = run(main, ["report", name, *asked])
        assert result.exit_code == 0, result.output
        assert "2026-11-18 00:00 to 2026-11-21 1" in result.stdout
        written = json.loads(run(main, ["report", name, *asked, "--format", "json"]).stdout)
        found = report(runtime.engine, name, Wish("2026-11-18", "2026-11-21T12:30Z"), NOW)
        assert [one["name"] for one in written["sections"]] == [one.name for one in found.sections]
        parts = run(main, ["report", name, *asked, "--format", "csv"]).stdout.split("# ")[1:]
        for part, section in zip(parts, found.sections, strict=True):
            lines = list(csv.reader(io.StringIO(part.partition("\n")[2].strip())))
            assert lines[0] == [column.name for column in section.columns]
            assert len(lines) == len(section.rows) + 1
    assert run(main, ["report", "nonsense"]).exit_code == 2


@pytest.mark.parametrize(
    ("name", "option", "value", "right"),
    [
        ("volume", "--since", "soon", "30d"),
        ("volume", "--since", "0d", "before until"),
        ("volume", "--until", "9999-12-31T23:30Z", "9999"),
        ("incidents", "--until", "9999-12-31", "9999"),
        ("volume", "--by", "week", "day, hour"),
        ("noise", "--limit", "0", "from 1 to"),
        ("automation", "--service", "web", "leave it out"),
    ],
)
def test_an_option_that_is_wrong_is_named_with_what_would_be_right(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch, name: str, option: str, value: str, right: str
) -> None:
    monkeypatch.setenv("RECEIVER_DATABASE_URL", sqlite_engine.url.render_as_string(hide_password=False))
    wrong = CliRunner().invoke(main, ["report", name, option, value])
    assert wrong.exit_code == 2, wrong.output
    assert option in wrong.stderr and right in wrong.stderr


def test_the_command_says_when_nobody_counts(sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    url = sqlite_engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("RECEIVER_DATABASE_URL", url)
    run = CliRunner().invoke
    assert "Nothing is counted yet" in run(main, ["report", "noise"]).stderr
    turn(sqlite_engine, lambda: datetime.now(NOW.tzinfo) - timedelta(hours=1))
    assert "no worker is running" in run(main, ["report", "noise"]).stderr
    turn(sqlite_engine, lambda: datetime.now(NOW.tzinfo))
    assert run(main, ["report", "noise"]).stderr == ""


def test_the_api_answers_reports_to_readers(runtime: Runtime, make_runtime: RuntimeFactory) -> None:
    guarded = make_runtime(runtime.engine, API_TOKENS="ada:viewer:" + "t" * 32)
    client = create_app(guarded.settings, guarded).test_client()
    headers = {"Authorization": "Bearer " + "t" * 32}
    assert client.get("/api/v1/reports/noise").status_code == 401
    names = client.get("/api/v1/reports", headers=headers).json
    assert [one["name"] for one in names["reports"]] == list(REPORTS)
    for name in REPORTS:
        url = f"/api/v1/reports/{name}?since=2026-11-18&until=2026-11-21T12:30:00Z"
        answer = client.get(url, headers=headers)
        assert answer.status_code == 200, answer.text
        found = report(runtime.engine, name, Wish("2026-11-18", "2026-11-21T12:30Z"), NOW)
        assert [len(one["rows"]) for one in answer.json["sections"]] == [
            len(one.rows) for one in found.sections
        ]
    assert client.get("/api/v1/reports/mttr", headers=headers).json["type"].endswith("unknown-report")
    refused = client.get("/api/v1/reports/noise?since=soon", headers=headers)
    assert refused.status_code == 422 and "since" in refused.json["errors"]
