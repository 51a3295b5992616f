"""What is removed stands in a whole file first, byte for byte; and nothing else is removed."""

from __future__ import annotations

import base64
import gzip
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from receiver.clock import utc_now
from receiver.domain.batch_pace import BatchPace
from receiver.domain.events import Event, EventType
from receiver.errors import ArchiveFailed
from receiver.ids import new_trace_id
from receiver.runtime import Runtime
from receiver.services import archive, housekeeping
from receiver.services.archive import ArchivingSweep, Target
from receiver.services.archive_file import check
from receiver.services.check import check_database
from receiver.services.holds import hold_incident
from receiver.services.incidents import Deed
from receiver.services.retention import Cutoffs, bodies_mark, prune
from receiver.storage import database_clock
from receiver.storage.archive import TABLES
from receiver.storage.events import insert_many
from receiver.storage.retention import columns_of
from receiver.storage.tables import (
    deliveries,
    events,
    grafana_alerts,
    incidents,
)
from receiver.worker.loop import run_due
from tests.builders.cli import run as run_command
from tests.builders.jobs import pass_time
from tests.builders.kept import NOT_JSON, remediate, take_in
from tests.fixtures.runtimes import RuntimeFactory

LATER = utc_now() + timedelta(days=500)
ALL = Cutoffs(LATER, LATER, LATER, LATER)
Archive = Callable[..., ArchivingSweep]


@pytest.fixture
def runtime(engine: Engine, make_runtime: RuntimeFactory) -> Runtime:
    """An open incident, a resolved one with an action, a delivery of both, an orphan, a body that is no text."""
    made = make_runtime(engine)
    take_in(made)
    remediate(made)
    return made


@pytest.fixture
def begin(runtime: Runtime, tmp_path: Path) -> Archive:
    """A function that makes a sweep over everything into `archive/`."""

    def begin(*, removes: bool = True) -> ArchivingSweep:
        return ArchivingSweep(runtime.engine, ALL, Target(tmp_path / "archive", removes), has_broker=False)

    return begin


def go_through(sweep: ArchivingSweep) -> ArchivingSweep:
    for _ in sweep.steps():
        pass
    return sweep


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]


def content(engine: Engine) -> dict[tuple[str, Any], dict[str, Any]]:
    """Every row there is, but for counts that removing other rows changes."""
    found = {}
    with engine.connect() as connection:
        for name, table in TABLES.items():
            (key,) = table.primary_key.columns
            for row in connection.execute(select(*columns_of(table))).mappings():
                found[name, row[key]] = {
                    column: value for column, value in row.items() if column != "alerts_pruned"
                }
    return found


def archived(folder: Path) -> set[tuple[str, Any]]:
    """The rows in whole files; of deliveries also those of which only the body is there, as ('bodies', key)."""
    found = set()
    for file in folder.glob("*.jsonl.gz"):
        check(file)
        for line in lines(file)[1:-1]:
            found.add(("bodies" if line.get("goes") == "body" else line["table"], line["key"]))
    return found


def over(engine: Engine) -> str:
    with engine.connect() as connection:
        wanted = select(incidents.c.incident_id).where(incidents.c.status == "resolved")
        return str(connection.execute(wanted).scalar_one())


def test_what_is_removed_is_what_the_file_holds(runtime: Runtime, begin: Archive) -> None:
    before = content(runtime.engine)
    sweep = go_through(begin())
    (file,) = sweep.files
    gone = before.keys() - content(runtime.engine).keys()
    # The bodies of both kinds go with their deliveries; the open incident's delivery stays as it came.
    assert {(line["table"], line["key"]) for line in lines(file)[1:-1]} == gone
    assert sweep.rows == check(file).rows == Counter(name for name, _ in gone)
    assert {"incidents", "events", "approvals", "notifications", "remediation_actions"} <= set(sweep.rows)
    assert check_database(runtime.engine).is_clean


def test_it_leaves_what_pruning_without_an_archive_leaves(
    runtime: Runtime, begin: Archive, tmp_path: Path
) -> None:
    go_through(begin())
    left = content(runtime.engine)
    assert prune(runtime.engine, ALL, has_broker=False).total() == 0
    assert content(runtime.engine) == left


def test_bodies_and_rows_are_archived_as_they_were(runtime: Runtime, begin: Archive) -> None:
    before = content(runtime.engine)
    (file,) = go_through(begin()).files
    found = {(line["table"], line["key"]): line["row"] for line in lines(file)[1:-1]}
    sent = {base64.b64decode(row["body"]) for (table, _), row in found.items() if table == "deliveries"}
    assert NOT_JSON in sent
    assert sent == {bytes(before[key]["body"]) for key in found if key[0] == "deliveries"}
    for key, row in found.items():
        for column, value in before[key].items():
            if isinstance(value, str | int | dict):
                assert row[column] == value, (key, column)


def test_only_a_body_goes_where_only_bodies_are_old(runtime: Runtime, tmp_path: Path) -> None:
    past = utc_now() - timedelta(days=1)
    before = content(runtime.engine)
    target = Target(tmp_path / "archive", removes=True)
    sweep = ArchivingSweep(runtime.engine, Cutoffs(LATER, past, past, past), target, has_broker=False)
    assert go_through(sweep).rows == {"bodies": 4}
    found = {line["key"]: line for line in lines(sweep.files[0])[1:-1]}
    assert {line["goes"] for line in found.values()} == {"body"}
    for key, line in found.items():
        assert base64.b64decode(line["row"]["body"]) == bytes(before["deliveries", key]["body"])
        with runtime.engine.connect() as connection:
            row = connection.execute(select(deliveries).where(deliveries.c.delivery_id == key)).one()
        assert (row.body, row.body_bytes) == (b"", len(before["deliveries", key]["body"]))
    assert go_through(begin_again(runtime, target, past)).files == []


def begin_again(runtime: Runtime, target: Target, past: Any) -> ArchivingSweep:
    return ArchivingSweep(runtime.engine, Cutoffs(LATER, past, past, past), target, has_broker=False)


def test_an_archive_alone_removes_nothing_and_holds_all_that_would_go(
    runtime: Runtime, begin: Archive
) -> None:
    before = content(runtime.engine)
    told = go_through(begin(removes=False))
    assert content(runtime.engine) == before
    would_go = {(line["table"], line["key"]) for line in lines(told.files[0])[1:-1]}
    go_through(begin())
    assert would_go == before.keys() - content(runtime.engine).keys()


def test_at_every_moment_what_is_gone_stands_in_a_whole_file(
    runtime: Runtime, begin: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "BatchPace", lambda: BatchPace(most=1, least=1))
    monkeypatch.setattr(archive, "_MOST_LINES", 6)  # several files
    before = content(runtime.engine)
    moments = 0
    sweep = begin()
    for _ in sweep.steps():
        now = content(runtime.engine)
        assert before.keys() - now.keys() <= archived(tmp_path / "archive")
        emptied = {
            key for key, row in now.items() if key[0] == "deliveries" and row["body"] != before[key]["body"]
        }
        assert {("bodies", key) for _, key in emptied} <= archived(tmp_path / "archive")
        assert check_database(runtime.engine).is_clean
        moments += 1
    assert moments > 20 and len(sweep.files) > 1
    with runtime.engine.connect() as connection:
        assert connection.execute(select(incidents.c.status)).scalars().all() == ["active"]


def test_what_is_ended_in_the_middle_leaves_no_half_file_and_removes_nothing(
    runtime: Runtime, begin: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "BatchPace", lambda: BatchPace(most=2, least=2))
    before = content(runtime.engine)
    steps = begin().steps()
    for _ in range(4):
        next(steps)
    assert list((tmp_path / "archive").glob("*.part"))
    steps.close()  # type: ignore[attr-defined]  # it is a generator
    assert list((tmp_path / "archive").iterdir()) == []
    assert content(runtime.engine) == before


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """A function that has something happen between the end of a file and the removal of what is in it."""

    def between(happens: Callable[[], object]) -> None:
        def check_and_more(file: Path) -> Any:
            happens()
            return check(file)

        monkeypatch.setattr(archive, "check", check_and_more)

    return between


def test_a_hold_set_in_between_keeps_the_incident_whole(runtime, begin, meanwhile) -> None:
    incident_id = over(runtime.engine)
    before = content(runtime.engine)
    meanwhile(lambda: hold_incident(runtime.engine, incident_id, Deed("ann", new_trace_id(), "audit")))
    go_through(begin())
    after = content(runtime.engine)
    of_it = {key for key, row in before.items() if row.get("incident_id") == incident_id and key[0] != "jobs"}
    assert len(of_it) > 6
    assert {key: after[key] for key in of_it} == {key: before[key] for key in of_it}
    assert check_database(runtime.engine).is_clean


def test_a_row_that_came_in_between_stays_with_its_incident(runtime, begin, meanwhile) -> None:
    incident_id = over(runtime.engine)
    note = Event(
        EventType.INCIDENT_UPDATED, utc_now(), "ann", new_trace_id(), incident_id, payload={"note": "late"}
    )

    def write() -> None:
        with runtime.engine.begin() as connection:
            insert_many(connection, [note])

    meanwhile(write)
    go_through(begin())
    left = content(runtime.engine)
    assert ("incidents", incident_id) in left
    assert [row["payload"] for row in left.values() if row.get("actor") == "ann"] == [{"note": "late"}]
    assert check_database(runtime.engine).is_clean


def test_a_row_that_changed_in_between_stays_as_it_is_now(runtime, begin, meanwhile) -> None:
    incident_id = over(runtime.engine)

    def publish() -> None:
        with runtime.engine.begin() as connection:
            of_it = events.c.incident_id == incident_id
            first = connection.execute(select(events.c.event_id).where(of_it).limit(1)).scalar_one()
            connection.execute(
                update(events).where(events.c.event_id == first).values(published_at=utc_now())
            )

    meanwhile(publish)
    go_through(begin())
    left = content(runtime.engine)
    assert ("incidents", incident_id) in left
    (stays,) = (row for key, row in left.items() if key[0] == "events" and row["incident_id"] == incident_id)
    assert stays["published_at"] is not None


def test_bodies_that_are_archived_are_not_looked_at_again(runtime, begin) -> None:
    go_through(begin())
    with runtime.engine.connect() as connection:
        left = connection.execute(select(deliveries.c.delivery_id)).scalars().all()
    assert left and bodies_mark(runtime.engine) >= max(left)


def test_an_incident_that_changed_in_between_stays(runtime, begin, meanwhile) -> None:
    incident_id = over(runtime.engine)

    def assign() -> None:
        with runtime.engine.begin() as connection:
            wanted = incidents.c.incident_id == incident_id
            connection.execute(update(incidents).where(wanted).values(owner="ann"))

    meanwhile(assign)
    go_through(begin())
    left = content(runtime.engine)
    assert left["incidents", incident_id]["owner"] == "ann"
    assert len([key for key in left if key[0] == "grafana_alerts"]) == 4


def test_where_it_cannot_be_written_nothing_is_removed(runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    before = content(runtime.engine)
    sweep = ArchivingSweep(
        runtime.engine, ALL, Target(tmp_path / "file" / "archive", removes=True), has_broker=False
    )
    with pytest.raises(ArchiveFailed, match="file"):
        go_through(sweep)
    assert content(runtime.engine) == before


def test_the_housekeeping_job_archives_where_it_is_told_to(
    runtime: Runtime, make_runtime: RuntimeFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_clock, "now", lambda connection: LATER)
    settings = {"ARCHIVE_DIR": str(tmp_path / "kept"), "KEEP_INCIDENTS_DAYS": "1", "KEEP_ALERTS_DAYS": "1"}
    made = make_runtime(runtime.engine, **settings)
    made = replace(made, clock=lambda: LATER)
    housekeeping.stand_by(made)
    pass_time(runtime.engine, 400)
    handlers = {"housekeeping": housekeeping.HousekeepingHandler(made)}
    assert run_due(made, handlers=handlers, queues=["housekeeping"]) == 1
    (file,) = (tmp_path / "kept").iterdir()
    assert check(file).rows["incidents"] == 1
    with runtime.engine.connect() as connection:
        assert len(connection.execute(select(incidents.c.incident_id)).all()) == 1


def test_the_commands_archive_prune_and_check(
    runtime: Runtime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with runtime.engine.begin() as connection:
        long_ago = utc_now() - timedelta(days=9)
        connection.execute(update(incidents).values(resolved_at=long_ago, opened_at=long_ago))
    settings = {
        "DATABASE_URL": runtime.engine.url.render_as_string(hide_password=False),
        "KEEP_INCIDENTS_DAYS": "1",
    }
    archived_ = run_command(["db", "archive", "--to", str(tmp_path / "a")], **settings)
    assert archived_.exit_code == 0, archived_.output
    assert "1 incidents archived" in archived_.output
    pruned = run_command(["db", "prune", "--archive-to", str(tmp_path / "b")], **settings)
    assert "1 incidents removed" in pruned.output
    (file,) = (tmp_path / "b").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    assert "is whole" in run_command(["db", "archive", "--check", str(file)], **settings).output
    file.write_bytes(file.read_bytes()[:-30])
    cut = run_command(["db", "archive", "--check", str(file)], **settings)
    assert (cut.exit_code, "is cut off" in cut.output) == (1, True)
    (whole,) = (tmp_path / "a").iterdir()
    both = run_command(["db", "archive", "--check", str(file), str(whole)], **settings)
    assert both.exit_code == 1
    assert f"{file}: is cut off" in both.output and f"{whole} is whole" in both.output
    for wrong in ([], ["--check"], [str(whole)], ["--check", str(whole), "--to", str(tmp_path)]):
        assert run_command(["db", "archive", *wrong], **settings).exit_code == 2
    with runtime.engine.connect() as connection:
        assert len(connection.execute(select(events.c.event_id)).all()) > 0
        assert len(connection.execute(select(grafana_alerts.c.alert_id)).all()) == 2
