"""The latency in calm times is measured at a tenth of what was found to be the top."""

from __future__ import annotations

from bench.calm import calm
from bench.databases import SQLiteFiles


def test_a_short_run_measures_every_part(tmp_path):
    found = calm(SQLiteFiles(tmp_path), tmp_path, top_seconds=0.5, seconds=1.0)
    assert found.per_second >= 1
    assert 0 < found.p50_ms <= found.p99_ms
    assert list(tmp_path.iterdir()) == []
