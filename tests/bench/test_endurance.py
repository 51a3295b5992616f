"""What a long run says of memory and rate is what it saw."""

from __future__ import annotations

from bench.databases import SQLiteFiles
from bench.endurance import endure, growth, largest

RSS = [{"web 1": 80.0, "worker": 70.0}, {"web 1": 100.0, "worker": 70.0}, {"web 1": 101.0, "worker": 71.0}]


def test_memory_grows_by_what_the_second_half_added():
    assert growth([*RSS, {"web 1": 102.0, "worker": 75.0}]) == 5.0
    assert largest(RSS) == 101.0


def test_a_system_that_does_not_tell_is_no_mistake():
    assert (growth([{}, {}]), largest([{}, {}])) == (0.0, 0.0)


def test_a_short_run_measures_every_part(tmp_path):
    found = endure(SQLiteFiles(tmp_path), tmp_path, alerts=5_000, rate_seconds=0.4, connections=2)
    assert (found.alerts, len(found.rss_mb)) == (5_000, 10)
    assert min(found.alerts_per_second, found.empty_per_second, found.full_per_second) > 0
    assert list(tmp_path.iterdir()) == []
