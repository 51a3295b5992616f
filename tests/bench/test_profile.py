"""The profile counts each place as often as it was seen."""

from __future__ import annotations

import pytest

from bench.profile import Profile, Samples, part_of, text

STACKS = [
    'process 7:"gunicorn";thread 7;run (gunicorn/workers/base.py:1);take (receiver/web/webhooks.py:5) 3',
    "run (gunicorn/workers/base.py:1);take (receiver/web/webhooks.py:5);dumps (json/__init__.py:2) 6",
    "run (gunicorn/workers/base.py:1);take (receiver/web/webhooks.py:5);take (receiver/web/webhooks.py:5) 1",
]


def samples() -> Samples:
    found = Samples()
    found.add(STACKS)
    return found


def test_a_function_counts_by_itself_and_with_all_that_it_calls():
    found = samples()
    assert found.total == 10
    assert found.own["take (receiver/web/webhooks.py:5)"] == 4
    assert found.within["take (receiver/web/webhooks.py:5)"] == 10
    assert found.within["run (gunicorn/workers/base.py:1)"] == 10
    assert found.parts == {"receiver/web/webhooks.py": 4, "json": 6}


@pytest.mark.parametrize(
    ("frame", "part"),
    [
        ("f (receiver/storage/bulk.py:115)", "receiver/storage/bulk.py"),
        ("f.<locals>.<listcomp> (pymysql/connections.py:3)", "pymysql"),
        ("EnumType.__call__ (enum.py:686)", "enum"),
    ],
)
def test_places_are_summed_by_package_and_by_the_receivers_modules(frame, part):
    assert part_of(frame) == part


def test_shares_are_told_in_the_cpu_time_of_an_alert():
    told = text(Profile(samples(), 200.0, 100.0, 5000.0, 1.5, 8.0), rows=5)
    assert "200 us of CPU" in told
    row = next(line for line in told.splitlines() if line.startswith("| json "))
    assert [cell.strip() for cell in row.split("|")[1:-1]] == ["json", "120.0", "60.0%"]
