"""The load can be measured alone."""

from __future__ import annotations

from bench.bodies import Shape
from bench.generator import limit


def test_the_load_is_measured_against_a_server_that_does_nothing(tmp_path):
    found = limit(Shape(alerts=20, services=5), tmp_path, seconds=0.2)
    assert found.per_second > 0
    assert found.us_per_request > 0
    assert list(tmp_path.iterdir()) == []
