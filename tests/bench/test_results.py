"""The results file holds all that a later comparison needs, and the text tells the same."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

from bench import report, results
from bench.proc import Memory
from bench.results import Beside, Line, Results
from bench.run import Run
from bench.scenarios import SCENARIOS


def run(rate: float, *, others: float = 0.0, rss: float = 80.0) -> Run:
    return Run(
        seconds=8.0,
        webhooks=int(rate * 8),
        webhooks_per_second=rate,
        alerts_per_second=rate,
        p50_ms=10.0,
        p99_ms=20.0,
        slowest_ms=30.0,
        cpu_cores={"load": 0.1, "database": 0.5, "web 1": 1.0, "others": others},
        memory_mb={"web 1": Memory(rss=rss, pss=40.0, peak=90.0)},
    )


def series(*runs: Run) -> Results:
    return Results(
        started_at=datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
        commit="abc123",
        machine={"cores": 2, "cpu": "x", "memory_gb": 8, "system": "y", "flush_ms": 0.1, "load_average": 0.0},
        versions={"python": "3.11"},
        options={"seconds": 8.0},
        databases={"mariadb": {"version": "10.11"}},
        lines=[Line(SCENARIOS[0], list(runs))],
    )


def test_the_file_is_named_after_day_and_commit_and_holds_medians_and_every_run(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    file = results.write(series(run(900.0), run(1000.0), run(1300.0)))
    assert file == tmp_path / "2026-03-01-abc123.json"
    found = json.loads(file.read_text())
    assert {"format", "started_at", "commit", "machine", "versions", "options", "databases"} < found.keys()
    line = found["scenarios"][0]
    assert line["name"] == "fresh"
    assert line["webhooks_per_second"] == {"median": 1000.0, "lowest": 900.0, "highest": 1300.0}
    assert [one["webhooks_per_second"] for one in line["runs"]] == [900.0, 1000.0, 1300.0]
    assert line["memory_mb"] == {"web 1": {"rss": 80.0, "pss": 40.0, "peak": 90.0}}


def test_the_memory_that_is_told_is_the_largest_of_all_runs():
    found = series(run(1.0, rss=80.0), run(1.0, rss=120.0), run(1.0, rss=90.0))
    assert found.lines[0].memory_mb()["web 1"].rss == 120.0


def test_uneven_processes_are_not_hidden_by_medians():
    one_busy = [replace(run(1.0), cpu_cores={"web 1": a, "web 2": 1 - a}) for a in (0.9, 0.1, 0.8)]
    assert series(*one_busy).lines[0].busiest_web_cores() == 0.9


def test_the_text_tells_the_median_with_its_spread():
    told = report.text(series(run(900.0), run(1000.0), run(1300.0)))
    assert "1,000 (900 .. 1,300)" in told
    assert "abc123" in told


def test_the_text_warns_when_others_used_the_machine():
    assert "not calm" not in report.text(series(run(1.0, others=0.05)))
    assert "not calm" in report.text(series(run(1.0), run(1.0, others=0.9)))


def test_each_figure_stands_beside_what_it_should_be():
    told = report.text(series(run(900.0), run(1000.0), run(1300.0)))
    rows = {cells[1].strip(): cells[2:] for line in told.splitlines() if len(cells := line.split("|")) == 6}
    rate, aim, verdict, _ = (cell.strip() for cell in rows["one alert, fresh keys, webhooks/s"])
    assert (rate, aim, verdict) == ("1,000 (900 .. 1,300)", "3,000", "missed, 3.0 x")
    assert rows["one alert, fresh keys, p99 ms"][2].strip() == "met"


def test_the_cpu_time_of_an_alert_is_that_of_the_receivers_own_processes():
    found = replace(
        run(1000.0), cpu_cores={"load": 9.0, "database": 0.5, "others": 9.0, "master": 0.1, "web 1": 0.2}
    )
    assert (found.receiver_us_per_alert, found.database_us_per_alert) == (300.0, 500.0)
    assert found.load_us_per_webhook == 9000.0


def test_another_product_is_told_with_the_ratio_of_the_same_series():
    found = series(run(1000.0))
    found.beside = [
        Beside("Another", {"release": "9"}, [Line(SCENARIOS[0], [replace(run(200.0), p99_ms=80.0)])])
    ]
    told = report.text(found)
    rows = {cells[1].strip(): cells[2:] for line in told.splitlines() if len(cells := line.split("|")) == 6}
    assert [cell.strip() for cell in rows["one alert, fresh keys, p99 ms"]][2] == "0.25"
    assert "Another: release 9" in told
    assert "|              5.0 |" in told
    assert found.as_json()["beside"][0]["scenarios"][0]["webhooks_per_second"]["median"] == 200.0


def test_a_table_has_one_width():
    lines = report.table(["what", "n"], [["one", "1"], ["another one", "1,000"]]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[2] == "| one         |     1 |"
