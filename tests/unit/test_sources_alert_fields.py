"""How the fields of an alert are filled from a Grafana or Alertmanager body."""

from datetime import UTC, datetime

import pytest

from receiver.domain.alert import Alert
from receiver.domain.key import incident_key
from receiver.domain.severity import DEFAULT_PRIORITIES, Severity
from receiver.sources.base import FieldMapping
from receiver.sources.registry import parse_body
from tests.builders import raw_bodies as bodies

RECEIVED_AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def only(body, mapping=None):
    (alert,) = parse_body(body, mapping or FieldMapping(), RECEIVED_AT).alerts
    assert isinstance(alert, Alert), alert
    return alert


def with_labels(mapping=None, **labels):
    return only(bodies.alertmanager(bodies.alert(labels={"alertname": "A"} | labels)), mapping)


def with_annotations(**annotations):
    return only(bodies.alertmanager(bodies.alert(annotations=annotations)))


@pytest.mark.parametrize("status", ["firing", "resolved", "Firing", " RESOLVED "])
def test_the_status_is_the_alerts_own_in_any_case(status):
    body = bodies.alertmanager(bodies.alert(status=status), status="anything")
    assert only(body).status == status.strip().lower()


def test_the_defaults_take_the_usual_labels():
    alert = with_labels(
        cluster="c", namespace="n", service="s", app="a", job="j", phase="p", severity="error"
    )
    assert (alert.cluster, alert.namespace, alert.service, alert.phase) == ("c", "n", "s", "p")
    assert (alert.severity, alert.priority) == ("error", "P1")


@pytest.mark.parametrize(
    ("labels", "service"),
    [({"app": "a", "job": "j"}, "a"), ({"job": "j"}, "j"), ({"service": "", "job": "j"}, "j"), ({}, "")],
)
def test_service_falls_back_to_app_and_job(labels, service):
    assert with_labels(**labels).service == service


def test_the_mapping_decides_which_labels_feed_a_field():
    mapping = FieldMapping(
        cluster=("k8s_cluster", "region"),
        service=("team",),
        severity=("urgency",),
        default_severity=Severity.INFO,
        priorities=dict(DEFAULT_PRIORITIES) | {"sev1": "P0"},
    )
    alert = with_labels(mapping, region="eu1", cluster="no", team="checkout", service="no", urgency="sev1")
    assert (alert.cluster, alert.service, alert.severity, alert.priority) == ("eu1", "checkout", "info", "P0")


def test_severity_falls_back_to_the_priority_label_then_to_the_default():
    assert with_labels(priority="P0").priority == "P0"
    assert with_labels().severity == "warning"


def test_the_incident_key_is_over_the_full_values():
    long = "x" * 5_000
    alert = with_labels(cluster=long, service="a|b")
    assert alert.cluster == long
    assert alert.incident_key == incident_key("am:A", long, "", "a|b", "")


def test_times_are_utc_and_the_zero_time_is_none():
    alert = only(
        bodies.alertmanager(
            bodies.alert(startsAt="2026-11-21T09:30:00.123456789+02:00", endsAt=bodies.NO_TIME)
        )
    )
    assert alert.starts_at == datetime(2026, 11, 21, 7, 30, 0, 123456, tzinfo=UTC)
    assert alert.ends_at is None


def test_the_end_of_a_resolved_alert_is_kept():
    alert = only(bodies.alertmanager(bodies.alert(status="resolved", endsAt="2026-11-21T08:30:00Z")))
    assert alert.ends_at == datetime(2026, 11, 21, 8, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "starts_at",
    [
        "2026-11-22T09:00:01Z",
        "9999-12-31T23:59:59Z",
        "1999-12-31T23:59:59Z",
        "2026-02-30T00:00:00Z",
        "soon",
        None,
    ],
)
def test_a_start_that_cannot_be_true_costs_the_start_and_not_the_alert(starts_at):
    assert only(bodies.alertmanager(bodies.alert(startsAt=starts_at))).starts_at is None


def test_a_start_within_a_day_ahead_is_a_clock_that_is_off():
    alert = only(bodies.alertmanager(bodies.alert(startsAt="2026-11-22T09:00:00Z")))
    assert alert.starts_at == datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("annotations", "summary"),
    [
        ({"summary": "s", "description": "d", "message": "m"}, "s"),
        ({"description": "d", "message": "m"}, "d"),
        ({"message": "m"}, "m"),
        ({"summary": "", "message": "m"}, "m"),
        ({}, ""),
    ],
)
def test_the_summary_is_the_first_that_says_something(annotations, summary):
    assert with_annotations(**annotations).summary == summary


def test_title_and_summary_are_cut_with_an_ellipsis():
    alert = only(
        bodies.alertmanager(
            bodies.alert(labels={"alertname": "t" * 300}, annotations={"summary": "s" * 3_000})
        )
    )
    assert alert.title == "t" * 254 + "…"
    assert alert.summary == "s" * 1_999 + "…"
    assert alert.alertname == "t" * 300


@pytest.mark.parametrize(
    ("alertname", "title", "reason"),
    [
        ("DatasourceNoData", "High error rate (no data)", "NoData"),
        ("DatasourceError", "High error rate (evaluation error)", "Error"),
    ],
)
def test_missing_data_and_errors_carry_the_rules_name_and_the_reason(alertname, title, reason):
    alert = only(
        bodies.grafana(
            bodies.alert(labels={"alertname": alertname, "rulename": "High error rate"}, generatorURL="/x")
        )
    )
    assert (alert.alertname, alert.title, alert.state_reason) == (alertname, title, reason)
    assert alert.rule_uid == "grafana:High error rate"


def test_the_reason_in_the_annotation_tells_missing_data_under_the_rules_own_name():
    alert = with_annotations(grafana_state_reason="NoData")
    assert (alert.alertname, alert.title) == ("HighErrorRate", "HighErrorRate (no data)")


def test_other_reasons_are_kept_and_leave_the_title_alone():
    alert = with_annotations(grafana_state_reason="MissingSeries")
    assert (alert.state_reason, alert.title) == ("MissingSeries", "HighErrorRate")


def test_rulename_counts_for_missing_data_only():
    assert with_labels(rulename="Other").title == "A"


def test_an_alert_without_a_name_is_an_alert():
    alert = only(bodies.alertmanager(bodies.alert(labels={"instance": "db1"})))
    assert (alert.alertname, alert.rule_uid, alert.title) == ("", "am:", "Alert without a name")


def test_labels_and_annotations_are_kept_as_sent():
    labels = {"alertname": "A", "__private__": "1", "with space": "ünï 🔥", "empty": ""}
    alert = only(bodies.alertmanager(bodies.alert(labels=labels, annotations={"summary": "a\nb\u2028c"})))
    assert alert.labels == labels
    assert alert.annotations == {"summary": "a\nb\u2028c"}


def test_an_alertmanager_alert_is_never_a_test():
    alert = only(
        bodies.alertmanager(
            bodies.alert(labels={"alertname": "TestAlert", "instance": "Grafana"}, generatorURL="")
        )
    )
    assert not alert.is_test
