"""A diagnosis in short lines, and how the results of several are kept together."""

from __future__ import annotations

import pytest

from receiver.domain.diagnosis_record import joined, wrong
from receiver.domain.diagnosis_summary import LONGEST_LINE, MOST_LINES, summary

AT = "2026-11-21T03:00:00.000Z"
PODS = {
    "ok": False,
    "ready": 1,
    "wanted": 3,
    "restarts": 10,
    "waiting": {"CrashLoopBackOff": 2},
    "last_termination": {"reason": "OOMKilled", "exit_code": 137, "pod": "svc-a-2"},
    "events": [
        {"type": "Normal", "reason": "ScalingReplicaSet", "message": "Scaled up"},
        {"type": "Warning", "reason": "BackOff", "message": "Back-off restarting"},
    ],
}


def of(**sections):
    return summary(sections)


def test_nothing_was_looked_at_is_no_line():
    assert summary(None) == summary({}) == summary({"pods": {}, "metrics": {}, "dependencies": {}}) == ()


def test_what_is_wrong_comes_first_and_each_line_says_what_was_expected():
    lines = of(
        metrics={
            "availability": {"ok": True, "value": 0.9987, "expected": ">= 0.99"},
            "errors": {"ok": False, "value": 0.0512345, "expected": "< 0.01"},
            "p95": {"ok": True, "value": 0.3, "unit": "s", "first": 0.1, "most": 0.35},
        },
        dependencies={
            "orders": {"ok": False, "kind": "mysql", "error": "connection refused"},
            "api": {"ok": False, "kind": "http", "status": 503, "seconds": 0.021},
            "queue": {"ok": True, "kind": "kafka", "seconds": 0.004},
            "billing": {"ok": True, "kind": "mysql", "connections": 7, "max_connections": 151},
        },
        pods=PODS,
    )
    assert lines == (
        "✗ pods: 1/3 ready, 10 restarts, 2 CrashLoopBackOff, last ended: OOMKilled (exit code 137), "
        "BackOff: Back-off restarting",
        "✗ errors: 0.05123, expected < 0.01",
        "✗ orders (mysql): connection refused",
        "✗ api (http): HTTP 503 in 0.021 s",
        "✓ availability: 0.9987, expected >= 0.99",
        "✓ p95: 0.3 s (from 0.1, at most 0.35)",
        "✓ queue (kafka): answers in 0.004 s",
        "✓ billing (mysql): answers, 7 of 151 connections",
    )


def test_what_could_not_be_found_out_says_why():
    lines = of(pods={"ok": False, "error": "no cluster"}, metrics={"up": {"ok": False, "error": "no data"}})
    assert lines == ("✗ pods: no cluster", "✗ up: no data")


def test_several_series_are_named_by_their_labels():
    series = [{"labels": {"pod": f"p{number}"}, "value": number} for number in range(10)]
    (line,) = of(metrics={"load": {"ok": True, "series": series, "series_count": 12, "unit": "cores"}})
    assert line == "✓ load: p0 0 cores, p1 1 cores, p2 2 cores and 9 more"


def test_lines_are_few_short_and_one_line_each():
    lines = of(metrics={f"m{number}": {"ok": False, "error": "a\nb\t" + "x" * 500} for number in range(40)})
    assert len(lines) == MOST_LINES
    assert lines[-1] == f"… and {40 - MOST_LINES + 1} more"
    assert all(len(line) <= LONGEST_LINE and line.isprintable() for line in lines)


@pytest.mark.parametrize("value", [None, "x", True, {}])
def test_a_result_that_was_written_otherwise_breaks_no_message(value):
    assert of(metrics={"it": {"value": value}}, pods={"x": 1}, dependencies={"it": {}})


def test_a_second_diagnosis_keeps_what_it_does_not_look_at_itself():
    first = joined(None, "web", {"metrics": {"up": {"ok": False}}, "pods": PODS}, AT)
    second = joined(
        first, "database", {"metrics": {"lag": {"ok": True}}, "dependencies": {"db": {"ok": True}}}, "later"
    )
    assert second == {
        "pods": PODS,
        "metrics": {"up": {"ok": False}, "lag": {"ok": True}},
        "dependencies": {"db": {"ok": True}},
        "diagnosis": "database",
        "collected_at": "later",
        "ordinal": 2,
    }
    assert first["ordinal"] == 1


def test_the_newest_result_of_a_probe_counts():
    first = joined(None, "web", {"metrics": {"up": {"ok": False}}, "pods": PODS}, AT)
    again = joined(first, "web", {"metrics": {"up": {"ok": True}}, "pods": {"ok": True}}, AT)
    assert (again["metrics"]["up"], again["pods"]) == ({"ok": True}, {"ok": True})


def test_all_sections_are_always_there():
    assert {"pods", "metrics", "dependencies"} <= joined(None, "web", {}, AT).keys()


def test_what_is_not_as_it_should_be_is_named_by_its_path():
    results = {
        "pods": PODS,
        "metrics": {"up": {"ok": False}, "lag": {"ok": True}},
        "dependencies": {"db": {"error": "x"}},
    }
    assert wrong(results) == ["pods", "metrics.up", "dependencies.db"]
