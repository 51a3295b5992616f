"""Two results side by side: what is more than noise is told as such, and nothing else."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from click.testing import CliRunner

from bench import cli, compare
from bench.compare import NotComparable, Pair, find, pairs, read, text, warnings


def figure(median: float, spread: float = 0.1) -> dict[str, float]:
    return {"median": median, "lowest": median * (1 - spread), "highest": median * (1 + spread)}


def result(commit: str = "aaa", *, rate: float = 1000.0, p99: float = 20.0, **options: Any) -> dict[str, Any]:
    return {
        "commit": commit,
        "machine": {"cores": 2, "cpu": "x", "memory_gb": 8, "system": "y", "flush_ms": 0.2},
        "versions": {"python": "3.11.7"},
        "options": {"seconds": 6.0, "repetitions": 3, **options},
        "databases": {"mariadb": {"version": "10.11"}},
        "scenarios": [
            {
                "name": "fresh",
                "title": "one alert",
                "webhooks_per_second": figure(rate),
                "p99_ms": figure(p99),
                "runs": [{"cpu_cores": {"others": 0.01}}],
            }
        ],
        "measures": [
            {"title": "jobs/s", **figure(5000.0)},
            {"title": "way to Slack, p99 ms", **figure(100.0)},
        ],
    }


def changed(**changes: Any) -> dict[str, Pair]:
    return {pair.title: pair for pair in pairs(result(), result("bbb", **changes))}


@pytest.mark.parametrize(
    ("rate", "verdict", "percent"),
    [(1150.0, "noise", 15.0), (1300.0, "better", 30.0), (700.0, "worse", -30.0), (1000.0, "noise", 0.0)],
)
def test_a_rate_has_changed_when_no_repetitions_overlap(rate, verdict, percent):
    pair = changed(rate=rate)["one alert, webhooks/s"]
    assert pair.verdict == verdict
    assert pair.percent == pytest.approx(percent)


@pytest.mark.parametrize(("p99", "verdict"), [(10.0, "better"), (21.0, "noise"), (40.0, "worse")])
def test_less_latency_is_better(p99, verdict):
    assert changed(p99=p99)["one alert, p99 ms"].verdict == verdict


def test_only_what_both_results_have_is_compared():
    before, after = result(), result("bbb")
    before["scenarios"][0]["receiver_us_per_alert"] = figure(300.0)  # a file of before has no such figure
    after["measures"].pop(0)
    assert [pair.title for pair in pairs(before, after)] == [
        "one alert, webhooks/s",
        "one alert, p99 ms",
        "way to Slack, p99 ms",
    ]


def test_the_table_tells_both_commits_the_change_and_what_to_think_of_it():
    told = text(result(), result("bbb", rate=1300.0))
    head, _, first, *_ = told.splitlines()
    assert [cell.strip() for cell in head.split("|")[2:4]] == ["aaa", "bbb"]
    assert [cell.strip() for cell in first.split("|")[1:-1]] == [
        "one alert, webhooks/s",
        "1,000 (900 .. 1,100)",
        "1,300 (1,170 .. 1,430)",
        "+30.0 %",
        "better",
    ]


def test_equal_conditions_are_not_warned_of():
    assert list(warnings(result(), result("bbb"))) == []


@pytest.mark.parametrize(
    ("place", "value", "word"),
    [
        (("machine", "cores"), 4, "cores"),
        (("machine", "flush_ms"), 0.9, "flush"),
        (("versions", "python"), "3.13", "python"),
        (("options", "connections"), 64, "connections"),
        (("databases", "mariadb"), {"version": "11"}, "mariadb"),
        (("options", "repetitions"), 1, "one repetition"),
    ],
)
def test_other_conditions_are_warned_of(place, value, word):
    after = result("bbb")
    after[place[0]][place[1]] = value
    assert any(word in told for told in warnings(result(), after))


def test_a_busy_machine_is_warned_of():
    after = copy.deepcopy(result("bbb"))
    after["scenarios"][0]["runs"][0]["cpu_cores"]["others"] = 0.9
    assert [told for told in warnings(result(), after) if "bbb" in told and "0.90 cores" in told]


def test_a_result_is_found_by_its_path_or_the_beginning_of_its_commit(tmp_path):
    for name in (
        "2026-11-21-be4eeb51a450.json",
        "2026-11-21-cf02e85aaaaa-dirty.json",
        "2026-11-20-cf02e85bbbbb.json",
    ):
        (tmp_path / name).write_text(json.dumps(result()))
    assert find("be4eeb5", tmp_path).name == "2026-11-21-be4eeb51a450.json"
    assert find(str(tmp_path / "2026-11-21-cf02e85aaaaa-dirty.json"), tmp_path).name.startswith(
        "2026-11-21-cf02"
    )
    with pytest.raises(NotComparable, match="several"):
        find("cf02e85", tmp_path)
    with pytest.raises(NotComparable, match="be4eeb51a450"):
        find("abc", tmp_path)


def test_a_file_that_is_no_result_is_named(tmp_path):
    file = tmp_path / "x.json"
    file.write_text("{}")
    with pytest.raises(NotComparable, match=r"x\.json"):
        read(file)


def test_the_command_compares_two_files(tmp_path, monkeypatch):
    monkeypatch.setattr(compare, "FOLDER", tmp_path)
    for name, rate in (("a.json", 1000.0), ("b.json", 1500.0)):
        (tmp_path / name).write_text(json.dumps(result(name, rate=rate)))
    done = CliRunner().invoke(cli.main, ["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")])
    assert (done.exit_code, "+50.0 %" in done.output) == (0, True), done.output
    refused = CliRunner().invoke(cli.main, ["compare", str(tmp_path / "a.json"), "nothing"])
    assert (refused.exit_code, "nothing" in refused.output) == (1, True)
