"""Days that were counted beforehand make reports shorter, and never say anything else than the rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select, update

from receiver.clock import utc_now
from receiver.domain.announcement import Announcement
from receiver.domain.jobs import ClaimedJob
from receiver.domain.notification import NotificationState, Template
from receiver.domain.report import Report
from receiver.ids import new_trace_id
from receiver.runtime import Runtime
from receiver.services import incidents as people
from receiver.services.incidents import Deed
from receiver.services.report_days import AT_LATEST, FURTHEST, PAUSE, SOURCES, count_due
from receiver.services.reports.ask import Wish, report
from receiver.services.reports.registry import REPORTS
from receiver.services.retention import Cutoffs, prune
from receiver.services.rollup import catch_up, turn
from receiver.storage import bundles, incident_facts, report_days, report_places, tables
from receiver.storage import notifications as message_records
from receiver.storage.notifications import MessageEnd
from receiver.storage.report_day_table import report_days as table
from receiver.storage.tables import incidents, jobs, notifications
from tests.builders.plain_reports import PLAIN, Raw
from tests.builders.rollups import NOW, Past
from tests.fixtures.runtimes import RuntimeFactory
from tests.integration.test_reports import ALL_RULES, assert_says, lived, rows_of

LATER = NOW + timedelta(days=3)
MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)
# From within a day to within a day; whole days; within the day.
PERIODS = (
    (NOW - timedelta(days=30), NOW + timedelta(days=2)),
    (NOW - timedelta(hours=27, minutes=17), MIDNIGHT + timedelta(minutes=7)),
    (MIDNIGHT - timedelta(days=2), MIDNIGHT),
    (NOW - timedelta(hours=5), NOW - timedelta(hours=4)),
)


@pytest.fixture
def runtime(engine: Engine, make_runtime: RuntimeFactory) -> Runtime:
    """A day and more, of which all days are counted."""
    made = lived(engine, make_runtime)
    assert count_due(engine, LATER, lambda: False)
    return made


@pytest.fixture
def embedded(sqlite_engine: Engine, make_runtime: RuntimeFactory) -> Runtime:
    """The same, where one database stands for all."""
    made = lived(sqlite_engine, make_runtime)
    assert count_due(sqlite_engine, LATER, lambda: False)
    return made


def assert_right(engine: Engine, periods: Any = PERIODS) -> None:
    for since, until in periods:
        raw = Raw(engine, since, until)
        for name, plain in PLAIN.items():
            wish = Wish(since.isoformat(), until.isoformat(), limit=ALL_RULES)
            assert_says(report(engine, name, wish, NOW), plain(raw))


def statements_of(engine: Engine, work: Callable[[], object]) -> list[str]:
    found: list[str] = []

    def note(_c: Any, _k: Any, statement: str, *_: Any) -> None:
        found.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    work()
    event.remove(engine, "before_cursor_execute", note)
    return found


def doubted(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.execute(select(table.c.subject).where(table.c.is_right.is_(False))).scalars())


def test_reports_say_of_counted_days_what_the_plain_rows_say(runtime: Runtime) -> None:
    assert_right(runtime.engine)


def all_answers(engine: Engine) -> dict[tuple[str, str, str], Report]:
    return {
        (name, by, since): report(engine, name, Wish(since, by=by, limit=ALL_RULES), NOW + timedelta(days=1))
        for name, kind in REPORTS.items()
        for by in kind.groupings or ("",)
        for since in ("72h", "30h", "2026-11-20")
    }


def test_each_grouping_says_the_same_before_days_are_counted_and_after(
    engine: Engine, make_runtime: RuntimeFactory
) -> None:
    lived(engine, make_runtime)
    before = all_answers(engine)
    assert count_due(engine, LATER, lambda: False)
    after = all_answers(engine)
    for asked, found in before.items():
        assert_says(after[asked], rows_of(found))


def test_whole_days_are_read_from_what_was_counted(embedded: Runtime) -> None:
    wish = Wish((MIDNIGHT - timedelta(days=2)).isoformat(), MIDNIGHT.isoformat())
    for name in set(REPORTS) - {"automation"}:
        asked = statements_of(embedded.engine, partial(report, embedded.engine, name, wish, NOW))
        assert any("report_days" in one for one in asked)
        for rows in ("incident_facts", "alert_days", "alert_hours", "notifications"):
            assert not [one for one in asked if f"FROM {rows}" in one], (name, rows)


def test_what_changes_in_a_counted_day_is_told_at_once_and_counted_again(runtime: Runtime) -> None:
    engine, past = runtime.engine, Past(runtime, seed=21)
    for _ in range(3):
        past.act()
    past.replay(timedelta(hours=25), 3)  # came yesterday, lay in the spool until now
    catch_up(engine)
    assert doubted(engine) >= {*report_days.INCIDENTS, *report_days.ALERTS}
    assert_right(engine)
    assert count_due(engine, LATER + PAUSE / 2, lambda: False)
    assert doubted(engine), "a day is not counted again at each change"
    assert count_due(engine, LATER + PAUSE, lambda: False)
    assert not doubted(engine)
    assert_right(engine)


def test_what_says_nothing_new_of_an_incident_leaves_its_day_as_it_is(embedded: Runtime) -> None:
    with embedded.engine.begin() as connection:
        ids = connection.execute(select(incidents.c.incident_id)).scalars().all()
        incident_facts.record(connection, ids)
    assert not doubted(embedded.engine)


def test_a_day_that_somebody_changed_without_a_word_is_right_again_some_hours_later(
    embedded: Runtime,
) -> None:
    with embedded.engine.begin() as connection:
        connection.execute(update(table).values(numbers='{"keys":[],"counts":{}}', times=b""))
        connection.execute(notifications.update().values(state="dead"))
    assert count_due(embedded.engine, LATER + AT_LATEST, lambda: False)
    assert_right(embedded.engine)


def test_messages_that_retention_removes_are_counted_no_more(runtime: Runtime) -> None:
    engine = runtime.engine
    with engine.begin() as connection:
        connection.execute(jobs.update().values(state="done", finished_at=utc_now()))
        connection.execute(
            incidents.update().values(status="closed", resolved_at=NOW, closed_at=NOW, closed_by="ada")
        )
        before = connection.execute(select(func.count()).select_from(notifications)).scalar_one()
    later = utc_now() + timedelta(days=500)
    prune(engine, Cutoffs(later, later, later, later), has_broker=False)
    raw = Raw(engine, *PERIODS[0])
    assert before > len(raw.messages) == 0
    wish = Wish(raw.since.isoformat(), raw.until.isoformat())
    assert_says(report(engine, "notifications", wish, NOW), PLAIN["notifications"](raw))


def test_the_day_that_goes_on_is_not_counted_beforehand(
    sqlite_engine: Engine, make_runtime: RuntimeFactory
) -> None:
    lived(sqlite_engine, make_runtime)
    assert count_due(sqlite_engine, MIDNIGHT - timedelta(seconds=1), lambda: False)
    with sqlite_engine.connect() as connection:
        assert connection.execute(select(func.max(table.c.day))).scalar() == MIDNIGHT - timedelta(days=2)
    assert count_due(sqlite_engine, MIDNIGHT, lambda: False)
    with sqlite_engine.connect() as connection:
        newest = select(func.max(table.c.day)).where(table.c.subject == "people")
        assert connection.execute(newest).scalar() == MIDNIGHT - timedelta(days=1)


def test_the_standing_job_counts_days_and_stops_when_its_time_is_over(
    sqlite_engine: Engine, make_runtime: RuntimeFactory
) -> None:
    lived(sqlite_engine, make_runtime)
    assert not count_due(sqlite_engine, LATER, lambda: True)
    assert turn(sqlite_engine, lambda: LATER)
    with sqlite_engine.connect() as connection:
        days = connection.execute(select(func.count(table.c.day.distinct()))).scalar_one()
    assert days >= 3
    assert_right(sqlite_engine)


def test_names_count_as_they_are_spelled(runtime: Runtime) -> None:
    engine = runtime.engine
    with engine.connect() as connection:
        found = connection.execute(select(incidents.c.incident_id).limit(4)).scalars().all()
    for one, team in zip(found, ("Search", "search", "Sèarch", "search"), strict=True):
        people.assign(runtime, one, Deed("ada", new_trace_id()), team)
    catch_up(engine)
    wish = Wish((NOW - timedelta(days=30)).isoformat(), by="team", limit=ALL_RULES)
    for moment in (LATER, LATER + PAUSE):
        rows = {row[0]: row[1] for row in rows_of(report(engine, "incidents", wish, LATER))["groups"]}
        assert (rows["Search"], rows["search"], rows["Sèarch"]) == (1, 2, 1)
        assert count_due(engine, moment + PAUSE, lambda: False)


def test_what_is_asked_about_some_places_is_read_from_the_rows(
    embedded: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    since, until = PERIODS[0]
    raw = Raw(embedded.engine, since, until, services=["checkout", "mail"])
    wish = Wish(since.isoformat(), until.isoformat(), limit=ALL_RULES, services=["checkout", "mail"])
    for most in (report_places._WRITTEN_OUT, 1):  # places written out, and too many for that
        monkeypatch.setattr(report_places, "_WRITTEN_OUT", most)
        for name, kind in REPORTS.items():
            if kind.has_places:
                assert_says(report(embedded.engine, name, wish, NOW), PLAIN[name](raw))


def test_a_message_that_ends_anew_or_late_is_counted_where_it_ended(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = runtime.engine
    monkeypatch.setattr(message_records, "utc_now", lambda: LATER)
    with engine.begin() as connection:
        died = (
            connection.execute(select(notifications).where(notifications.c.state == "dead")).mappings().all()
        )
        for row in died:
            announcement = Announcement(row["channel"], Template(row["template"]), row["sequence"])
            key, token = f"again:{row['notification_id']}", "0" * 32
            job = ClaimedJob(7, "notify", "notify", key, {}, row["incident_id"], 2, 5, new_trace_id(), token)
            at = NOW - timedelta(hours=13)
            message_records.record(
                connection, MessageEnd(job, announcement, NotificationState.SENT, "warning", 1, at)
            )
    assert len(died) > 2 and doubted(engine) == set(report_days.MESSAGES)
    raw = Raw(engine, *PERIODS[0])
    assert not [row for row in raw.messages if row.state == "dead"]
    wish = Wish(raw.since.isoformat(), raw.until.isoformat())
    assert_says(report(engine, "notifications", wish, NOW), PLAIN["notifications"](raw))


def test_messages_of_a_bundle_that_end_anew_are_counted_once(runtime: Runtime) -> None:
    own = notifications.c
    with runtime.engine.begin() as connection:
        early = select(own.notification_id).where(own.finished_at < MIDNIGHT).limit(5)
        ended = connection.execute(early).scalars().all()
        bundles.end(connection, ended, NotificationState.DEAD, "given up", LATER)
    assert len(ended) == 5
    since, until = MIDNIGHT - timedelta(days=2), LATER + timedelta(days=1)
    found = report(runtime.engine, "notifications", Wish(since.isoformat(), until.isoformat()), NOW)
    assert_says(found, PLAIN["notifications"](Raw(runtime.engine, since, until)))


def test_a_person_who_is_called_alert_counts_as_a_person(
    engine: Engine, make_runtime: RuntimeFactory
) -> None:
    lived(engine, make_runtime)
    wish = Wish((MIDNIGHT - timedelta(days=2)).isoformat(), MIDNIGHT.isoformat(), limit=ALL_RULES)
    with engine.begin() as connection:
        values = {"resolved_by": "Alert", "status": "resolved", "resolve_seconds": 10}
        connection.execute(update(tables.incident_facts).values(values))
    before = rows_of(report(engine, "noise", wish, NOW))["most_incidents"]
    assert {row[-1] for row in before} == {0}
    assert count_due(engine, LATER, lambda: False)
    assert rows_of(report(engine, "noise", wish, NOW))["most_incidents"] == before


def test_a_day_in_which_nothing_changed_is_not_written_again(runtime: Runtime) -> None:
    def writes_of_a_turn(now: datetime) -> int:
        written = 0

        def look(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
            nonlocal written
            if statement.startswith("INSERT INTO report_days"):
                written += len(parameters) if many else 1

        event.listen(runtime.engine, "before_cursor_execute", look)
        try:
            assert count_due(runtime.engine, now, lambda: False)
        finally:
            event.remove(runtime.engine, "before_cursor_execute", look)
        return written

    with runtime.engine.connect() as connection:
        days = connection.execute(select(func.count(table.c.day.distinct()))).scalar_one()
        subjects = connection.execute(select(func.count()).select_from(table)).scalar_one()
    again = writes_of_a_turn(LATER + AT_LATEST)
    assert 0 < again <= days * len(SOURCES) < subjects


def test_days_that_are_too_old_to_be_counted_again_are_forgotten(runtime: Runtime) -> None:
    oldest = select(func.min(table.c.day))
    with runtime.engine.connect() as connection:
        first = connection.execute(oldest).scalar_one()
    much_later = first + FURTHEST + timedelta(days=1, hours=12)
    assert count_due(runtime.engine, much_later, lambda: False, at_most=1)
    with runtime.engine.connect() as connection:
        assert connection.execute(oldest).scalar_one() == first + timedelta(days=1)
