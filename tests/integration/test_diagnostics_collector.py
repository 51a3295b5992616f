"""A whole diagnosis at once: whatever one of its probes meets, each has a result of its own."""

from __future__ import annotations

import json

from receiver.config import load
from receiver.diagnostics.registry import CHECKS, build_collector
from receiver.domain.diagnosis import DependencyKind, DependencyProbe, Diagnosis, MetricProbe, PodsProbe
from receiver.domain.rules.matcher import Subject
from receiver.domain.rules.render import view_of
from tests.fakes.ports import free_port
from tests.fakes.raw_http import RawServer

VIEW = view_of(Subject({"service": "svc-a"}, {}))


def collect(diagnosis, **settings):
    environ = {f"RECEIVER_{name}": value for name, value in settings.items()}
    found = build_collector(load(environ)).collect(diagnosis, VIEW)
    json.dumps(found, allow_nan=False).encode()
    return found


def tcp(name, port, **options):
    return DependencyProbe(name, DependencyKind.TCP, f"127.0.0.1:{port}", **options)


def test_what_hangs_has_its_own_error_and_the_others_their_results():
    with RawServer(lambda client: client.hold()) as silent:
        found = collect(
            Diagnosis(
                metrics=(MetricProbe("errors", "up", timeout_seconds=0.5),),
                pods=PodsProbe("shop", "svc-a", timeout_seconds=0.5),
                dependencies=(tcp("there", silent.port), tcp("gone", free_port())),
            ),
            PROMETHEUS_URL=f"http://127.0.0.1:{silent.port}",
            KUBERNETES_URL=f"http://127.0.0.1:{silent.port}",
            KUBERNETES_TOKEN="secret-of-the-cluster",
        )
    assert "within 0.5 s" in found["metrics"]["errors"]["error"]
    assert "within 0.5 s" in found["pods"]["error"]
    assert found["dependencies"]["there"]["ok"] is True
    assert found["dependencies"]["gone"]["error"] == "connection refused"
    # The quick ones were done while the others still waited.
    assert found["dependencies"]["there"]["seconds"] < found["metrics"]["errors"]["seconds"]
    assert "secret" not in json.dumps(found)


def test_the_whole_ends_at_its_deadline_and_keeps_what_came_before_it():
    with RawServer(lambda client: client.hold()) as silent:
        slow = MetricProbe("slow", "up", timeout_seconds=60)
        found = collect(
            Diagnosis(metrics=(slow,), dependencies=(tcp("there", silent.port),), deadline_seconds=0.5),
            PROMETHEUS_URL=f"http://127.0.0.1:{silent.port}",
        )
    assert found["metrics"]["slow"]["error"] == "no result within 0.5 s"
    assert found["dependencies"]["there"]["ok"] is True


def test_nothing_that_is_not_looked_at_has_a_section():
    assert collect(Diagnosis()) == {}


def test_halves_of_characters_in_a_foreign_answer_reach_no_database():
    body = json.dumps(
        {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "1"]}]}}
    )
    answer = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    def script(client):
        client.read_request()
        client.send(answer)

    with RawServer(script) as server:
        found = collect(
            Diagnosis(metrics=(MetricProbe("it", "up", unit="\ud800"),)),
            PROMETHEUS_URL=f"http://127.0.0.1:{server.port}",
        )
    assert found["metrics"]["it"]["unit"] == "?"


def test_every_kind_of_dependency_has_its_check():
    assert set(CHECKS) == set(DependencyKind)
