"""Text from alerts, followed to every place where it ends up: there it is text, and nothing else.

Labels, titles and annotations with each hostile text come in. What they would do to a log, test_cases.py looks at, with
a real server.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from sqlalchemy import Engine, select
from werkzeug.test import TestResponse

from receiver.cli.report import as_csv, as_text
from receiver.domain.report import Column, Kind, Report, Section
from receiver.ids import new_trace_id
from receiver.runtime import Runtime
from receiver.services.check import check_database
from receiver.services.intake import Intake
from receiver.storage.tables import grafana_alerts, incidents
from receiver.worker.loop import run_due
from tests.builders import bodies
from tests.builders.flow import rules_file
from tests.builders.web import client_of
from tests.fakes.counterparts import ALL
from tests.fakes.kube_objects import deployment
from tests.fakes.kubernetes import KubernetesServer
from tests.fakes.mail_server import MailServer
from tests.fakes.slack import Answer, SlackServer
from tests.fixtures.runtimes import RuntimeFactory
from tests.hostile.cases_bodies import INJECTED

HEAD = """
diagnoses:
  look:
    metrics:
      up: {query: 'up{service="{{ service }}",pod=~"{{ labels.pod | regex }}"}', holds: "> 0"}
"""
RULES = """
- {name: look, on: incident.opened, diagnose: look, continue: true}
- name: scale
  on: incident.opened
  run: {action: kubernetes.scale, target: {namespace: "{{ namespace }}", deployment: "{{ service }}"},
    parameters: {by: 1, max: 5}}
  continue: true
- {name: tell, on: incident.opened, notify: {channels: all}}
"""
NO_DATA = Answer(200, '{"status":"success","data":{"resultType":"vector","result":[]}}')
NOW = datetime(2026, 11, 21, tzinfo=UTC)
SAFE_PATH = re.compile(r"/[A-Za-z0-9/.-]+")
# One string of PromQL, from its quote to its quote.
STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')


class Ends:
    """Where text ends up."""

    def __init__(self, stack: ExitStack) -> None:
        self.channels = {name: stack.enter_context(ALL[name]()) for name in ("slack", "pagerduty", "email")}
        self.cluster = stack.enter_context(KubernetesServer())
        self.cluster.put("shop", deployment("svc-a", replicas=2))
        self.prometheus = stack.enter_context(SlackServer())  # records whatever it is asked
        self.prometheus.answer_always(NO_DATA)

    @property
    def settings(self) -> dict[str, str]:
        found = {"PROMETHEUS_URL": self.prometheus.base_url, **self.cluster.settings}
        for channel in self.channels.values():
            found |= channel.settings(channel.port)
        return found

    def sent(self, channel: str) -> Any:
        """The one message that came, as JSON."""
        server: Any = self.channels[channel]
        (message,) = server.server.messages()
        return message.json


@pytest.fixture
def ends() -> Iterator[Ends]:
    with ExitStack() as stack:
        yield Ends(stack)


@pytest.fixture
def runtime(sqlite_engine: Engine, make_runtime: RuntimeFactory, ends: Ends, tmp_path: Path) -> Runtime:
    return make_runtime(sqlite_engine, RULES=rules_file(tmp_path, RULES, HEAD), **ends.settings)


@pytest.mark.parametrize("text", INJECTED.values(), ids=[name.replace(" ", "-") for name in INJECTED])
def test_hostile_text_stays_text_wherever_it_ends(text: str, runtime: Runtime, ends: Ends):
    _send(runtime, text)
    run_due(runtime)
    _assert_database_is_unharmed(runtime.engine, text)
    _assert_slack_is_unharmed(ends.sent("slack"))
    _assert_pagerduty_is_unharmed(ends.sent("pagerduty"))
    _assert_mail_is_unharmed(ends.channels["email"])
    _assert_queries_are_unharmed(ends.prometheus, text)
    _assert_cluster_is_unharmed(ends.cluster)
    answer = client_of(runtime).get("/api/v1/incidents")
    assert [one["service"] for one in answer.json["incidents"]] == [text]
    _assert_api_is_unharmed(runtime, answer, text)


def _send(runtime: Runtime, text: str) -> None:
    labels: dict[str, Any] = dict.fromkeys(("namespace", "service", "pod", "cluster", text or "x"), text)
    alert = bodies.alert(
        text, annotations={"summary": text, "description": text, "runbook_url": text}, **labels
    )
    alert["generatorURL"] = text
    intake = Intake(runtime)
    intake.accept(intake.read(bodies.alertmanager([alert]), trace_id=new_trace_id()))


def _assert_database_is_unharmed(engine: Engine, text: str) -> None:
    with engine.connect() as connection:
        (stored,) = connection.execute(select(grafana_alerts.c.labels)).scalars()
        (incident,) = connection.execute(select(incidents)).mappings()
    assert stored["service"] == text
    assert incident["service"] == text
    report = check_database(engine)
    assert [one.name for one in report.checks if one.wrong] == []


def _assert_slack_is_unharmed(message: Any) -> None:
    texts = list(_text_objects(message))
    assert texts
    for kind, shown in texts:
        if kind == "mrkdwn":
            shown = re.sub(r"`[^`\n]*`", "", shown)  # in a code span nothing formats
        # What is left of control characters is what we write ourselves: links to http(s), dates.
        left = (
            re.sub(r"<(?:https?://[^<>|]+\|[^<>|]+|!date\^\d+\^[^<>]+)>", "", shown)
            if kind == "mrkdwn"
            else shown
        )
        assert not set("<>") & set(left), shown
    assert not set("<>") & set(message["text"])
    assert message["unfurl_links"] is False


def _text_objects(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        if value.get("type") in ("mrkdwn", "plain_text"):
            yield value["type"], value["text"]
        for inner in value.values():
            yield from _text_objects(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _text_objects(inner)


def _assert_pagerduty_is_unharmed(event: Any) -> None:
    assert set(event) <= {
        "routing_key",
        "event_action",
        "dedup_key",
        "payload",
        "client",
        "client_url",
        "links",
    }
    assert re.fullmatch(r"INC-\d{14}-[0-9a-f]{16}", event["dedup_key"])
    assert all(link["href"].startswith(("http://", "https://")) for link in event["links"])
    assert "\n" not in event["payload"]["summary"]


def _assert_mail_is_unharmed(counterpart: Any) -> None:
    server: MailServer = counterpart._server
    (mail,) = server.mails
    assert mail.recipients == ("ops@example.org", "boss@example.org")
    names = [name.lower() for name, _ in mail.message.items()]
    assert "bcc" not in names
    assert len(set(names)) == len(names)
    assert mail.message.is_multipart()
    page = _Page()
    page.feed(mail.part("html"))
    assert page.harm == []


class _Page(HTMLParser):
    """Notes what a mail program would run, load or follow beyond http(s) links."""

    def __init__(self) -> None:
        super().__init__()
        self.harm: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "img", "iframe", "object", "form", "svg", "base", "link"):
            self.harm.append(tag)
        for name, value in attrs:
            if name.startswith("on") or (name in ("href", "src") and not re.match("https?://", value or "")):
                self.harm.append(f"{tag} {name}={value}")


def _assert_queries_are_unharmed(prometheus: SlackServer, text: str) -> None:
    """Each query is the rule's own, with one string in each of its two places."""
    assert bool(prometheus.messages()) == bool(text)  # a label that is empty is one that is missing
    for message in prometheus.messages():
        (query,) = parse_qs(urlsplit(message.path).query)["query"]
        assert STRING.sub("@", query) == "up{service=@,pod=~@}"


def _assert_cluster_is_unharmed(cluster: KubernetesServer) -> None:
    assert cluster.changes() == []
    for request in cluster.journal():
        assert SAFE_PATH.fullmatch(unquote(urlsplit(request.path).path)), request.path
        assert ".." not in request.path
        assert "secrets" not in request.path
    assert cluster.replicas("shop", "svc-a") == 2


def _assert_api_is_unharmed(runtime: Runtime, answer: TestResponse, text: str) -> None:
    assert answer.mimetype == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    for page in ("/docs", "/openapi.json", "/health"):
        shown = client_of(runtime).get(page).text
        assert len(text) < 8 or text not in shown


def test_a_page_shows_nothing_of_the_address_it_was_asked_for(runtime: Runtime):
    client = client_of(runtime)
    for path in (
        "/problems/<script>alert(1)</script>",
        "/docs/<script>alert(1)</script>",
        "/<script>alert(1)</script>",
    ):
        answer = client.get(path)
        assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")
        assert "<script>" not in answer.text


FORMULAS = ("=cmd|'/c calc'!A1", "+1+1", "-1+1", "@SUM(A1)", "\t=1+1", "\r=1+1", "\n=1+1")


def _report(text: str) -> Report:
    columns = [Column("service", Kind.TEXT), Column("incidents")]
    section = Section("by_service", "By service", columns, [["svc-a", 1], [text, -1]])
    return Report("incidents", "Incidents", NOW, NOW, [section])


@pytest.mark.parametrize("text", FORMULAS, ids=["equals", "plus", "minus", "at", "tab", "return", "line-end"])
def test_a_spreadsheet_takes_no_cell_of_a_report_for_a_formula(text: str):
    written = as_csv(_report(text)).removeprefix("# by_service\n")
    heading, plain, hostile = csv.reader(io.StringIO(written))
    assert (heading, plain) == (["service", "incidents"], ["svc-a", "1"])
    assert hostile[0][0] not in "=+-@\t\r\n"
    assert hostile[0].endswith(text.strip())
    assert hostile[1] == "-1"  # a number of ours stays one


def test_a_report_writes_no_control_characters_to_a_terminal():
    assert not set("\x1b\x07") & set(as_text(_report("\x1b[2J\x1b]0;title\x07")))
