"""Metrics of a diagnosis, asked of a real Prometheus that scrapes a real server."""

from __future__ import annotations

import json
import socket

import pytest

from receiver.clock import utc_now
from receiver.diagnostics.metrics import Metrics
from receiver.diagnostics.prometheus import Prometheus as Client
from receiver.domain.diagnosis import MetricProbe
from receiver.domain.rules.matcher import Subject
from receiver.domain.rules.render import view_of
from receiver.errors import DeliveryFailed, RenderFailed
from tests.fakes.prometheus import MetricsServer, Prometheus
from tests.fakes.slack import Answer, SlackServer, hang

TOKEN = "secret-of-prometheus"
# What could end a string, a matcher, a query or a template, if it came into the query as it is.
HOSTILE = (
    'a"b',
    "a\\",
    'a\\"',
    "a\nb",
    'x"} or vector(1) or up{job="',
    "{{ labels.secret }}",
    "}",
    "`",
    "'",
    "a#b",
    "\t\r",
    ".*",
    "(",
    "ünïcode ✓",
)
WEB = {"service": "checkout", "namespace": "shop"}


def escaped(text):
    """A label's value in the text format. https://prometheus.io/docs/instrumenting/exposition_formats/"""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def metrics(scrape):
    """5 % of the requests of checkout fail, and 90 % of them take at most 0.1 s, the others at most 0.5 s."""
    lines = []
    for service, wrong in (("checkout", 5), ("search", 0)):
        labels = f'service="{service}",namespace="shop"'
        lines += [
            f'requests_total{{{labels},code="200"}} {scrape * (100 - wrong)}',
            f'requests_total{{{labels},code="503"}} {scrape * wrong}',
            f'seconds_bucket{{{labels},le="0.1"}} {scrape * 90}',
            f'seconds_bucket{{{labels},le="0.5"}} {scrape * 100}',
            f'seconds_bucket{{{labels},le="+Inf"}} {scrape * 100}',
            f"seconds_count{{{labels}}} {scrape * 100}",
            f'idle_bucket{{{labels},le="+Inf"}} 0',
        ]
    lines += [f'strange{{value="{escaped(value)}"}} {number}' for number, value in enumerate(HOSTILE)]
    lines += ['strange{value="secret"} 1000', "depth 7"]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    server = MetricsServer(metrics)
    try:
        with Prometheus(server, tmp_path_factory.mktemp("prometheus")) as running:
            # Two scrapes give a rate, and three a few points of a range.
            running.wait_for("min(count_over_time(requests_total[5m])) >= 3")
            yield running
    finally:
        server.stop()


@pytest.fixture
def look(prometheus):
    def look(query, *, labels=WEB, **options):
        view = view_of(Subject({"service": "checkout"}, labels))
        return Metrics(Client(prometheus.url), utc_now).look(MetricProbe("it", query, **options), view)

    return look


def test_availability_error_rate_and_p95_latency_are_numbers(look):
    of = 'service="{{ service }}",namespace="{{ labels.namespace }}"'
    errors = f'sum(rate(requests_total{{{of},code=~"5.."}}[5m])) / sum(rate(requests_total{{{of}}}[5m]))'
    assert look(errors, holds="< 0.01") == {
        "ok": False,
        "value": pytest.approx(0.05),
        "expected": "< 0.01",
        "query": errors.replace("{{ service }}", "checkout").replace("{{ labels.namespace }}", "shop"),
    }
    assert look(f"1 - ({errors})", holds=">= 0.9")["value"] == pytest.approx(0.95)
    p95 = look(f"histogram_quantile(0.95, sum by (le) (rate(seconds_bucket{{{of}}}[5m])))", unit="s")
    assert p95["value"] == pytest.approx(0.3)
    assert (p95["ok"], p95["unit"]) == (True, "s")


def test_a_range_is_told_by_its_ends_and_extremes(look):
    found = look('sum(requests_total{service="{{ service }}"})', over_seconds=60, step_seconds=1, holds="> 1")
    assert found["ok"]
    assert found["over_seconds"] == 60
    assert 100 <= found["first"] == found["least"] < found["value"] == found["most"]
    assert found["least"] < found["average"] < found["most"]


def test_one_number_needs_no_labels(look):
    assert look("depth")["value"] == 7
    assert look("scalar(depth)")["value"] == 7


def test_several_series_are_listed_those_that_are_not_as_expected_first(look):
    query = 'sum by (service) (rate(requests_total{code="503"}[5m])) / sum by (service) (rate(requests_total[5m]))'
    found = look(query, holds="< 0.01")
    assert found["series"] == [
        {"labels": {"service": "checkout"}, "value": pytest.approx(0.05)},
        {"labels": {"service": "search"}, "value": 0},
    ]
    assert not found["ok"]
    assert "value" not in found


def test_few_of_many_series_are_kept(look):
    found = look("strange")
    assert (len(found["series"]), found["series_count"]) == (10, len(HOSTILE) + 1)


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_no_value_of_a_label_gets_out_of_its_string(look, number):
    labels = {"value": HOSTILE[number], "secret": "secret"}
    assert look('strange{value="{{ labels.value }}"}', labels=labels)["value"] == number
    assert look('strange{value=~"{{ labels.value | regex }}"}', labels=labels)["value"] == number


def test_a_value_that_nothing_has_gives_no_data_and_no_other_series(look):
    hostile = {"value": 'nobody"} or strange{value=~".*'}
    found = look('strange{value="{{ labels.value }}"}', labels=hostile)
    assert (found["ok"], found["error"]) == (False, "the query gave no data")


def test_a_label_that_is_missing_is_said(look):
    with pytest.raises(RenderFailed, match="there is no label team"):
        look('up{team="{{ labels.team }}"}')


def test_what_is_no_number_is_said_for_json_has_no_nan(look):
    for query in ("histogram_quantile(0.95, idle_bucket)", "depth / 0", "0 / (depth - 7)"):
        found = look(query)
        assert (found["ok"], found["error"]) == (
            False,
            "the query gave only values that are no number (NaN or Inf)",
        )
        json.dumps(found, allow_nan=False)


def test_a_query_that_prometheus_refuses_says_why(look):
    with pytest.raises(DeliveryFailed, match=r"Prometheus refuses the query: .*parse error") as failed:
        look("sum(up")
    assert failed.value.permanent


def test_a_value_for_a_check_is_one_number_or_none(prometheus):
    client = Client(prometheus.url)
    assert client.value("depth", 5) == 7
    assert client.value("nothing_at_all", 5) is None
    with pytest.raises(DeliveryFailed, match="15 series and not one"):
        client.value("strange", 5)


def test_a_prometheus_that_is_not_set_up_or_not_there_is_said():
    view = view_of(Subject({}, {}))
    with pytest.raises(DeliveryFailed, match="RECEIVER_PROMETHEUS_URL is not set"):
        Metrics(None, utc_now).look(MetricProbe("it", "up"), view)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(DeliveryFailed, match="connection refused"):
        Client(f"http://127.0.0.1:{port}").instant("up", 5)


@pytest.mark.parametrize(
    "answer",
    [
        "<html>a proxy</html>",
        "[]",
        '{"status": "success"}',
        '{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":["x","y"]}]}}',
        '{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"seven"]}]}}',
        '{"status":"success","data":{"resultType":"graph","result":[]}}',
    ],
)
def test_what_is_no_answer_of_prometheus_is_said(answer):
    with SlackServer() as server:
        server.answer_always(Answer(200, answer))
        with pytest.raises(DeliveryFailed, match="not one of Prometheus"):
            Client(server.base_url).instant("up", 5)


def test_a_text_is_no_number(look):
    with pytest.raises(DeliveryFailed, match="a text and no number"):
        look('"seven"')


def test_an_answer_that_is_too_long_is_said():
    one = {"metric": {"pod": "x" * 100}, "value": [1, "1"]}
    answer = json.dumps({"status": "success", "data": {"resultType": "vector", "result": [one] * 10_000}})
    with SlackServer() as server:
        server.answer_always(Answer(200, answer))
        with pytest.raises(DeliveryFailed, match="too many series"):
            Client(server.base_url).instant("up", 5)


def test_the_token_goes_along_and_into_no_error():
    with SlackServer() as server:
        server.answer_always(Answer(403, f'{{"status":"error","error":"not for {TOKEN}"}}'))
        with pytest.raises(DeliveryFailed, match=r"not for \[...\]") as failed:
            Client(server.base_url, TOKEN).instant("up", 5)
        (message,) = server.messages()
    assert message.headers["Authorization"] == f"Bearer {TOKEN}"
    assert failed.value.http_status == 403


def test_a_server_that_hangs_is_given_up_in_the_time_of_the_probe():
    with SlackServer() as server:
        server.answer_always(hang(30))
        with pytest.raises(DeliveryFailed, match=r"within 0\.3 s"):
            Client(server.base_url).instant("up", 0.3)
