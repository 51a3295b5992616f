"""The section `diagnoses` of a rules file."""

from __future__ import annotations

from textwrap import dedent

import pytest

from receiver.domain.diagnosis import DependencyKind, DependencyProbe, Diagnosis, MetricProbe, PodsProbe
from receiver.domain.rules.document import read_document
from receiver.domain.rules.read_diagnoses import read_diagnoses


def read(text):
    node, problems = read_document(dedent(text))
    assert node is not None and problems == []
    diagnoses = read_diagnoses(node, problems)
    return diagnoses, [f"{one.line}:{one.column}: {one.text}" for one in problems]


def mistakes(text):
    return read(text)[1]


def mistake(text):
    (found,) = mistakes(text)
    return found


def dependency(text):
    """The mistakes of a dependency that is written this way."""
    return mistakes(f"web: {{dependencies: {{it: {text}}}}}")


def test_everything_that_can_be_looked_at_is_read():
    diagnoses, problems = read(
        """\
        web:
          timeout: 30s
          metrics:
            availability: 'avg(up{service="{{ service }}"})'
            p95: {query: "latency", holds: "< 0.5", unit: s, timeout: 3s}
            errors: {query: "errors", over: 30m, step: 2m}
            trend: {query: "errors", over: 1d}
          pods: {deployment: "{{ service }}"}
          dependencies:
            port: {tcp: "cache.shop:11211"}
            page: {http: "https://{{ labels.host }}:8443/health?full=1", timeout: 2s}
            plain: {http: "http://api.shop"}
            database: {mysql: orders}
            other-database: {postgresql: "[fd00::1]:5432"}
            cache: {redis: "{{ labels.cache }}:6379"}
            queue: {kafka: "kafka:9092"}
        batch: {pods: {namespace: jobs, selector: "app=batch,tier!={{ labels.tier }}"}}
        """
    )
    assert problems == []
    assert diagnoses == {
        "web": Diagnosis(
            metrics=(
                MetricProbe("availability", 'avg(up{service="{{ service }}"})'),
                MetricProbe("p95", "latency", holds="< 0.5", unit="s", timeout_seconds=3),
                MetricProbe("errors", "errors", over_seconds=1800, step_seconds=120),
                MetricProbe("trend", "errors", over_seconds=86400, step_seconds=1440),
            ),
            pods=PodsProbe("{{ namespace }}", "{{ service }}"),
            dependencies=(
                DependencyProbe("port", DependencyKind.TCP, "cache.shop:11211"),
                DependencyProbe(
                    "page", DependencyKind.HTTP, "{{ labels.host }}:8443", "/health?full=1", True, 2
                ),
                DependencyProbe("plain", DependencyKind.HTTP, "api.shop", "/"),
                DependencyProbe("database", DependencyKind.MYSQL, "orders"),
                DependencyProbe("other-database", DependencyKind.POSTGRESQL, "[fd00::1]:5432"),
                DependencyProbe("cache", DependencyKind.REDIS, "{{ labels.cache }}:6379"),
                DependencyProbe("queue", DependencyKind.KAFKA, "kafka:9092"),
            ),
            deadline_seconds=30,
        ),
        "batch": Diagnosis(pods=PodsProbe("jobs", selector="app=batch,tier!={{ labels.tier }}")),
    }


def test_all_mistakes_are_told_at_once_with_their_places():
    assert mistakes(
        """\
        "a name":
          metrics:
            p95: {holds: "below 1"}
            "p 99": up
            errors: {query: 'errors{service="{{ sevice }}"}', over: 1h, step: 1s}
          pods: {}
          dependencies: {it: {tcp: "cache:11211", http: "http://cache"}}
        other: {}
        """
    ) == [
        '1:1: "a name" is no name for a diagnosis; it must be at most 32 letters, digits, _ and -',
        "3:10: query is missing; it is the PromQL that gives the number",
        '3:18: holds must be a comparison, as in ">= 0.99", this is "below 1"',
        '4:5: "p 99" is no name for what is looked at; it must be at most 32 letters, digits, _ and -',
        '5:21: unknown name "sevice"; did you mean "service"? (a label is written labels.sevice)',
        "5:55: 3600 steps are too many, 300 are allowed",
        "6:9: pods needs either the deployment they are of, or a selector of their labels",
        '7:22: a dependency must have one of tcp, http, mysql, postgresql, redis, kafka, as in {tcp: "cache:11211"}',
        "8:8: it looks at nothing; it needs metrics, pods or dependencies",
    ]


def test_a_value_that_could_break_out_of_a_query_is_refused_when_the_file_is_read():
    assert "must stand in double quotes" in mistake("web: {metrics: {up: 'up{job={{ labels.job }}}'}}")
    assert "regex" in mistake("web: {metrics: {up: 'up{job=~\"{{ labels.job }}\"}'}}")


@pytest.mark.parametrize("address", ["cache", "cache:99999", "a b:80", "http://cache:80", ":80", "cache:x"])
def test_an_address_that_can_never_be_right_is_a_mistake(address):
    (found,) = dependency(f'{{tcp: "{address}"}}')
    assert found.startswith("1:32: tcp must ")


@pytest.mark.parametrize(
    "url", ["ftp://host/", "host:80/", "http://user:password@host/", "http:///path", "http://host/../x"]
)
def test_a_web_address_that_can_never_be_right_is_a_mistake(url):
    (found,) = dependency(f'{{http: "{url}"}}')
    assert found.startswith("1:33: http must ")


def test_the_password_of_an_address_is_not_repeated():
    (found,) = dependency('{http: "http://user:hunter2@host/"}')
    assert "hunter2" not in found


def test_a_database_may_be_named_but_other_dependencies_need_an_address():
    assert dependency("{mysql: orders}") == []
    assert dependency("{redis: cache}") == []
    (found,) = dependency("{mysql: ORDERS}")
    assert found.endswith("or a name of RECEIVER_REMEDIATION_DATABASES")
    (found,) = dependency("{kafka: orders}")
    assert "host:port" in found


def test_a_probe_has_no_more_time_than_the_whole():
    assert "longer than that of the whole diagnosis" in mistake(
        "web: {timeout: 5s, metrics: {up: {query: up, timeout: 6s}}}"
    )
    assert "at most 60s" in mistake("web: {timeout: 2m, metrics: {up: {query: up, timeout: 90s}}}")
    diagnoses, problems = read("web: {timeout: 2s, metrics: {up: up}}")
    assert problems == []
    assert diagnoses["web"].metrics[0].timeout_seconds <= 2


def test_there_are_limits_to_how_much_is_looked_at():
    many = ", ".join(f"m{number}: up" for number in range(31))
    assert mistake(f"web: {{metrics: {{{many}}}}}").endswith("it looks at 31 things, 30 are allowed")


@pytest.mark.parametrize(
    "text", ["[]", "up", "web: []", "web: {metrics: up}", "web: {pods: x}", "web: {dependencies: {it: x}}"]
)
def test_a_wrong_shape_is_a_mistake_with_its_place(text):
    assert mistakes(text)
