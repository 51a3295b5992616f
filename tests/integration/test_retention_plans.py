"""Each statement of retention goes along an index: one that read a whole table would hold up everybody for minutes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, insert

from bench.prune import fill
from receiver.clock import utc_now
from receiver.domain.jobs import JobKind, JobRequest
from receiver.services.archive import ArchivingSweep, Target
from receiver.services.retention import Cutoffs, Sweep, count_first
from receiver.storage.jobs import insert_many
from receiver.storage.tables import controls, jobs

LATER = utc_now() + timedelta(days=500)
ALL = Cutoffs(LATER, LATER, LATER, LATER)
ALERTS, JOBS = 3000, 2500
# Both servers count like this, MariaDB not beyond a thousand.
NUMBERS = """(WITH RECURSIVE n (seq) AS (SELECT {first} UNION ALL SELECT seq + 1 FROM n WHERE seq < {last})
              SELECT seq FROM n) AS m"""
FEW = 10
# `index` is a whole index; the server may well read a table of a few rows whole.
WHOLE = {"ALL", "index"}
_LIST = re.compile(r"\(%\([^)]*\)s(, %\([^)]*\)s)*\)")


class Plans:
    """What the server would do for each statement, asked at the moment at which it comes for the first time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.by_statement: dict[str, list[dict[str, Any]]] = {}

    def look(self, connection: Connection, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        shape = _LIST.sub("(...)", statement)
        if not shape.startswith(("SELECT", "UPDATE", "DELETE")) or shape in self.by_statement:
            return
        with self._engine.connect() as asking:
            found = (
                asking.exec_driver_sql(f"EXPLAIN FORMAT=TRADITIONAL {statement}", parameters).mappings().all()
            )
        self.by_statement[shape] = [dict(row) for row in found]


@pytest.fixture
def plans(mysql_engine: Engine) -> Iterator[Plans]:
    url = mysql_engine.url.render_as_string(hide_password=False)
    fill(url, ALERTS, at_once=900, numbers=NUMBERS)
    with mysql_engine.begin() as connection:
        old = [
            JobRequest(JobKind.NOTIFY, f"notify-{n % 3}", f"old:{n}", incident_id=f"INC-{n}")
            for n in range(JOBS)
        ]
        insert_many(connection, old)
        long_ago = utc_now() - timedelta(days=400)
        ended = {"state": "done", "finished_at": long_ago, "run_at": long_ago}
        connection.execute(jobs.update().where(jobs.c.job_id % 3 > 0).values(ended))
        others = [
            {"name": f"other:{n}", "value": {}, "changed_by": "x", "changed_at": long_ago} for n in range(900)
        ]
        connection.execute(insert(controls), others)
        connection.exec_driver_sql("ANALYZE TABLE jobs, controls")
    for _ in count_first(mysql_engine):  # the roll-ups have their own tests
        pass
    made = Plans(mysql_engine)
    event.listen(mysql_engine, "before_cursor_execute", made.look)
    yield made
    event.remove(mysql_engine, "before_cursor_execute", made.look)


def flaws(plans: Plans) -> list[str]:
    found = []
    for statement, rows in plans.by_statement.items():
        for row in rows:
            extra = row["Extra"] or ""
            if row["table"] is None or row["table"].startswith("<"):
                continue
            if int(str(row["rows"] or 0).split()[0]) < FEW:
                continue
            # Which rows to remove is said by their primary keys: of a small table they may be the larger part.
            by_key = statement.startswith("DELETE") and row["possible_keys"] == "PRIMARY"
            whole = row["type"] in WHOLE and "Using index for group-by" not in extra and not by_key
            sorts = "filesort" in extra and "LIMIT" in statement
            if whole or sorts:
                found.append(f"{row['table']}: {row['type']}, key {row['key']}, {extra}\n    {statement}")
    return found


@pytest.mark.parametrize("how", ["removed", "archived"])
def test_no_statement_reads_a_whole_table_or_sorts(
    mysql_engine: Engine, plans: Plans, tmp_path: Path, how: str
) -> None:
    sweep: Sweep | ArchivingSweep = Sweep(mysql_engine, ALL, has_broker=True)
    if how == "archived":
        sweep = ArchivingSweep(mysql_engine, ALL, Target(tmp_path, removes=True), has_broker=True)
    for _ in sweep.steps():
        pass
    assert sweep.rows["grafana_alerts"] == ALERTS and sweep.rows["jobs"] > 0
    assert len(plans.by_statement) > 20
    assert flaws(plans) == []
