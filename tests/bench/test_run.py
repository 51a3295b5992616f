"""A short run over everything: a real receiver, a real database, real load."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import cli, series
from bench.databases import SQLiteFiles
from bench.run import Effort, run
from bench.scenarios import SCENARIOS

SQLITE = next(scenario for scenario in SCENARIOS if scenario.database == "sqlite")


def test_a_run_of_a_second_measures_every_part(tmp_path):
    effort = Effort(seconds=1.0, warm_up_seconds=0.2, connections=4, settings={"RECEIVER_WEB_WORKERS": "1"})
    done = run(SQLITE, SQLiteFiles(tmp_path), effort, tmp_path)
    assert done.webhooks > 0
    assert done.alerts_per_second == done.webhooks_per_second
    assert 0 < done.p50_ms <= done.p99_ms <= done.slowest_ms
    assert list(tmp_path.iterdir()) == []
    if Path("/proc/self/smaps_rollup").exists():
        assert set(done.memory_mb) == {"master", "web 1", "worker"}
        assert all(0 < memory.pss <= memory.rss <= memory.peak * 1.01 for memory in done.memory_mb.values())


def test_there_are_no_figures_of_a_receiver_that_refuses(tmp_path, monkeypatch):
    monkeypatch.setattr(series, "SCRATCH", tmp_path)
    given = ["--only", "sqlite", "--seconds", "0.2", "--warm-up", "0.1", "--no-keep"]
    done = CliRunner().invoke(cli.main, [*given, "--setting", "RECEIVER_WEBHOOK_TOKEN=another"])
    assert done.exit_code == 1
    assert "No figures" in done.output
    assert "401" in done.output


@pytest.mark.parametrize("text", ["WEB_WORKERS=2", "RECEIVER_WEB_WORKERS"])
def test_a_setting_that_is_none_is_named(text):
    done = CliRunner().invoke(cli.main, ["--setting", text])
    assert done.exit_code == 2
    assert text in done.output


def test_what_is_asked_for_runs_in_the_order_of_the_table():
    assert [one.name for one in cli.chosen(("sqlite", "fresh"))] == ["fresh", "sqlite"]
    assert cli.chosen(()) == list(SCENARIOS)
    assert [one.name for one in cli.chosen(("fresh", "hot"), ("hot",))] == ["fresh"]


def test_another_product_runs_beside_it_only_when_asked_for():
    assert cli.rivals({}) == {}
    assert cli.rivals({"RECEIVER_BENCH_ALERTA": "0"}) == {}
    assert list(cli.rivals({"RECEIVER_BENCH_ALERTA": "1"})) == ["alerta"]
