"""From an incident to its diagnosis: made once, kept with the incident, told, and heard by rules."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import Engine

from receiver.domain.diagnosis_summary import summary
from receiver.domain.jobs import ClaimedJob
from receiver.domain.retry import Backoff
from receiver.runtime import Runtime
from receiver.services.incident_list import one
from receiver.services.incidents import Deed, resolve
from receiver.worker.attempt import attempt
from receiver.worker.dispatcher import claim
from receiver.worker.handlers import build_handlers
from tests.builders.jobs import rows
from tests.builders.rules import rules_text
from tests.builders.story import Story
from tests.fakes.kube_objects import deployment, pod
from tests.fakes.kubernetes import KubernetesServer
from tests.fakes.raw_http import RawServer
from tests.fakes.slack import Answer, SlackServer
from tests.fixtures.runtimes import RuntimeFactory

HUMAN = Deed("ann", "0" * 32)
RULES = """
- name: look-into-it
  on: incident.opened
  diagnose: service
- name: tell
  on: diagnostics.completed
  match: ['diagnosis="service"', 'diagnostics.metrics.errors.ok="false"', 'diagnostics.pods.ready="1"']
  notify: {channels: [slack]}
"""
LABELS = {"service": "svc-a", "namespace": "shop"}


def prometheus_answer(value):
    result = [{"metric": {}, "value": [1, str(value)]}]
    return Answer(200, json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}))


@pytest.fixture
def prometheus():
    with SlackServer() as server:
        server.answer_always(prometheus_answer(0.05))
        yield server


@pytest.fixture
def cluster():
    with KubernetesServer() as server:
        server.put("shop", deployment("svc-a"), pod("svc-a-1"))
        yield server


@pytest.fixture
def cache():
    with RawServer(lambda client: client.hold()) as server:
        yield server


@pytest.fixture
def runtime(
    engine: Engine, make_runtime: RuntimeFactory, slack: SlackServer, prometheus, cluster, cache, tmp_path
) -> Runtime:
    head = f"""
    diagnoses:
      service:
        metrics:
          errors: {{query: 'errors{{service="{{{{ service }}}}"}}', holds: "< 0.01"}}
        pods: {{deployment: "{{{{ service }}}}"}}
        dependencies:
          cache: {{tcp: "127.0.0.1:{cache.port}"}}
          database: {{mysql: "{{{{ labels.database }}}}:3306"}}
    """
    rules = tmp_path / "rules.yml"
    rules.write_text(rules_text(RULES, head), encoding="utf-8")
    return make_runtime(
        engine,
        RULES=str(rules),
        SLACK_WEBHOOK_URL=slack.url,
        PROMETHEUS_URL=prometheus.base_url,
        **cluster.settings,
    )


@pytest.fixture
def story(runtime: Runtime, slack: SlackServer) -> Story:
    return Story(runtime, slack)


def incident(story, incident_id):
    return one(story.runtime.engine, incident_id)


def told(story, kind):
    found = story.fetch(f"SELECT actor, payload FROM events WHERE type = '{kind}' ORDER BY event_id")
    return [(actor, json.loads(payload)) for actor, payload in found]


def run_once(story) -> ClaimedJob:
    """A worker makes the diagnosis and dies before it can say so."""
    (job,) = claim(story.runtime.engine, "diagnose", 1, 60, "worker")
    attempt(build_handlers(story.runtime), job, Backoff())
    return job


def test_what_was_found_is_kept_in_its_three_sections_with_times(story):
    incident_id = story.fire(**LABELS)
    story.work()
    found = incident(story, incident_id)["diagnostics"]
    assert found["metrics"]["errors"].items() >= {"ok": False, "value": 0.05, "expected": "< 0.01"}.items()
    assert found["metrics"]["errors"]["query"] == 'errors{service="svc-a"}'
    assert found["pods"].items() >= {"ok": True, "ready": 1, "wanted": 1}.items()
    assert found["dependencies"]["cache"]["ok"] is True
    assert found["dependencies"]["database"]["error"] == "there is no label database"
    assert (found["diagnosis"], found["ordinal"]) == ("service", 1)
    assert found["collected_at"].endswith("Z")
    for result in (found["pods"], found["metrics"]["errors"], found["dependencies"]["cache"]):
        assert result["at"].endswith("Z")
        assert result["seconds"] >= 0
    assert summary(found)[:2] == (
        "✗ errors: 0.05, expected < 0.01",
        "✗ database (mysql): there is no label database",
    )


def test_it_is_told_by_one_event_that_rules_hear(story):
    story.fire(**LABELS)
    story.work()
    ((actor, payload),) = told(story, "diagnostics.completed")
    assert actor == "rule look-into-it"
    assert (payload["diagnosis"], payload["rule"], payload["ordinal"]) == ("service", "look-into-it", 1)
    assert payload["wrong"] == ["metrics.errors", "dependencies.database"]
    assert payload["results"]["metrics"]["errors"]["value"] == 0.05
    story.work()
    assert [(template, state) for template, _, state in story.notifications()] == [("diagnosed", "sent")]


def test_rules_hear_nothing_of_what_is_not_so(story, prometheus):
    prometheus.answer_always(prometheus_answer(0.001))
    story.fire(**LABELS)
    story.work()
    story.work()
    assert len(told(story, "diagnostics.completed")) == 1
    assert story.notifications() == []


def test_the_incident_is_being_investigated_from_the_beginning(story):
    incident_id = story.fire(**LABELS)
    assert incident(story, incident_id)["mitigation"] == "none"
    run_once(story)  # not recorded: what is visible now was visible while it went on
    assert incident(story, incident_id)["mitigation"] == "investigating"
    assert incident(story, incident_id)["diagnostics"] is None
    ((actor, payload),) = told(story, "incident.updated")
    assert actor == "rule look-into-it"
    assert payload["changes"] == {"mitigation": ["none", "investigating"]}


def test_a_worker_that_died_in_the_middle_leaves_one_diagnosis_and_one_event_of_each_kind(story):
    incident_id = story.fire(**LABELS)
    run_once(story)
    story.pass_time(120)
    story.work()
    assert incident(story, incident_id)["diagnostics"]["ordinal"] == 1
    assert len(told(story, "diagnostics.completed")) == 1
    assert len(told(story, "incident.updated")) == 1


def test_a_mitigation_that_has_got_further_is_left_as_it_is(story):
    incident_id = story.fire(**LABELS)
    with story.runtime.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE incidents SET mitigation = 'mitigating'")
    story.work()
    assert incident(story, incident_id)["mitigation"] == "mitigating"
    assert incident(story, incident_id)["diagnostics"]["ordinal"] == 1


def test_an_incident_that_is_over_is_not_looked_into(story, prometheus):
    incident_id = story.fire(**LABELS)
    resolve(story.runtime, incident_id, HUMAN)
    story.work()
    assert incident(story, incident_id)["diagnostics"] is None
    assert prometheus.messages() == []
    (job,) = [row for row in rows(story.runtime.engine) if row["kind"] == "diagnose"]
    assert job["state"].value == "done"


def test_what_is_found_out_about_an_incident_that_ended_meanwhile_is_kept_and_nothing_follows(story, slack):
    incident_id = story.fire(**LABELS)
    (job,) = claim(story.runtime.engine, "diagnose", 1, 60, "worker")
    completion = attempt(build_handlers(story.runtime), job, Backoff())
    resolve(story.runtime, incident_id, HUMAN)
    with story.runtime.engine.begin() as connection:
        assert completion.write is not None
        completion.write(connection)
    assert incident(story, incident_id)["diagnostics"]["ordinal"] == 1
    assert len(told(story, "diagnostics.completed")) == 1
    assert story.notifications() == []
    assert [row["queue"] for row in rows(story.runtime.engine) if row["queue"].startswith("notify")] == []


def test_a_diagnosis_that_the_rules_have_no_more_is_said_on_the_timeline(story):
    story.fire(**LABELS)
    story.runtime.settings.rules.write_text(
        rules_text("- {name: all, on: incident.opened, notify: {channels: [slack]}}")
    )
    story.runtime.read_rules_again()
    story.work()
    ((_, payload),) = told(story, "incident.updated")
    assert payload["note"] == "no diagnosis service: the rules have no diagnosis service any more"


def test_a_job_that_is_given_up_is_said_on_the_timeline(story):
    story.fire(**LABELS)
    (job,) = claim(story.runtime.engine, "diagnose", 1, 60, "worker")
    with story.runtime.engine.begin() as connection:
        build_handlers(story.runtime)["diagnose"].bury(connection, job, "unexpected KeyError")
    ((_, payload),) = told(story, "incident.updated")
    assert payload["note"] == "no diagnosis service: unexpected KeyError"


def test_no_outside_call_is_made_within_a_transaction(story, prometheus, monkeypatch):
    """I8: while Prometheus is asked, the pool has all its connections back."""
    seen = []
    pool = story.runtime.engine.pool
    collector = story.runtime.diagnostics
    original = type(collector).collect

    def collect(self, diagnosis, view):
        seen.append(pool.checkedout())
        return original(self, diagnosis, view)

    monkeypatch.setattr(type(collector), "collect", collect)
    story.fire(**LABELS)
    run_once(story)
    assert seen == [0]
