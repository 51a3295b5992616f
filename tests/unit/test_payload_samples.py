"""The samples in tests/payloads come out as their expected results say."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from receiver.domain.alert import Alert, RejectedAlert
from receiver.errors import UnintelligibleBody
from receiver.sources.base import FieldMapping
from receiver.sources.fingerprint import labels_fingerprint
from receiver.sources.registry import parse_body

PAYLOADS = Path(__file__).parent.parent / "payloads"
GRAFANA = json.loads((PAYLOADS / "grafana" / "expected.json").read_bytes())
ALERTMANAGER = json.loads((PAYLOADS / "alertmanager" / "expected.json").read_bytes())
RECEIVED_AT = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
SOURCE_OF_KIND = {"grafana_unified": "grafana", "grafana_legacy": "grafana_legacy"}


def parsed(path):
    return parse_body((PAYLOADS / path).read_bytes(), FieldMapping(), RECEIVED_AT)


def only_alert(path):
    (alert,) = parsed(path).alerts
    assert isinstance(alert, Alert)
    return alert


@pytest.mark.parametrize("folder", ["grafana", "alertmanager"])
def test_every_sample_has_its_expected_result(folder):
    samples = {
        path.relative_to(PAYLOADS / folder).as_posix()
        for path in (PAYLOADS / folder).rglob("*.*")
        if path.name != "expected.json" and not path.name.endswith(".headers.json")
    }
    assert samples == set(GRAFANA if folder == "grafana" else ALERTMANAGER)


@pytest.mark.parametrize("name", [name for name, wanted in GRAFANA.items() if wanted["kind"] != "unknown"])
def test_grafana_sample_gives_the_expected_rule_uids(name):
    body = parsed(f"grafana/{name}")
    assert body.source == SOURCE_OF_KIND[GRAFANA[name]["kind"]]
    wanted = [uid or "grafana-test" for uid in GRAFANA[name]["rule_uids"]]
    assert [alert.rule_uid for alert in body.alerts] == wanted


@pytest.mark.parametrize("name", ALERTMANAGER)
def test_alertmanager_sample_gives_the_expected_alerts(name):
    body = parsed(f"alertmanager/{name}")
    wanted = ALERTMANAGER[name]
    assert body.source == "alertmanager"
    assert body.truncated == wanted["truncated"]
    assert [alert.status for alert in body.alerts] == wanted["statuses"]
    assert [alert.rule_uid for alert in body.alerts] == wanted["rule_uids"]
    assert [alert.fingerprint for alert in body.alerts] == wanted["fingerprints"]
    assert [alert.starts_at for alert in body.alerts] == [
        datetime.fromisoformat(starts_at) for starts_at in wanted["starts_at"]
    ]


@pytest.mark.parametrize("name", ALERTMANAGER)
def test_computed_fingerprints_are_those_of_alertmanager(name):
    for alert in parsed(f"alertmanager/{name}").alerts:
        assert labels_fingerprint(alert.labels) == alert.fingerprint


@pytest.mark.parametrize(
    "path",
    [
        *(f"alertmanager/{name}" for name in ALERTMANAGER),
        *(f"grafana/{name}" for name, wanted in GRAFANA.items() if wanted["kind"] == "grafana_unified"),
    ],
)
def test_each_alert_keeps_its_exact_slice_of_the_body(path):
    body = (PAYLOADS / path).read_bytes()
    alerts = parsed(path).alerts
    joined = ",".join(alert.raw for alert in alerts).encode()
    assert body.startswith(b'{"receiver":')
    assert b'"alerts":[' + joined + b"]" in body


def test_a_custom_text_is_unintelligible():
    with pytest.raises(UnintelligibleBody, match=r"^not JSON: invalid character at byte 0$"):
        parsed("grafana/18_v12_custom_payload_not_json.txt")


def test_a_repeat_is_known_by_fingerprint_start_and_status_although_its_bytes_differ():
    first, again = (
        only_alert("grafana/10_v13_firing_ruleUID.json"),
        only_alert("grafana/11_v13_repeat_of_10.json"),
    )
    assert first.raw != again.raw
    assert (first.fingerprint, first.starts_at, first.status, first.incident_key) == (
        again.fingerprint,
        again.starts_at,
        again.status,
        again.incident_key,
    )


def test_a_flapping_alert_keeps_its_fingerprint_and_starts_anew():
    first, _, again = (only_alert(f"alertmanager/s25_flap/00{n}.body.json") for n in (1, 2, 3))
    assert first.fingerprint == again.fingerprint
    assert again.starts_at > first.starts_at


def test_missing_data_is_titled_with_the_rules_own_name():
    alert = only_alert("grafana/05_v11_6_datasource_nodata.json")
    assert alert.alertname == "DatasourceNoData"
    assert alert.title == "High error rate (no data)"
    assert alert.state_reason == "NoData"
    assert (alert.severity, alert.priority) == ("critical", "P0")


def test_a_truncated_body_says_how_many_were_cut_off():
    body = parsed("grafana/12_v13_truncated_status_lies.json")
    assert body.truncated == 3
    assert [alert.status for alert in body.alerts] == ["resolved", "resolved"]


def test_only_the_test_button_gives_test_alerts():
    tests = {
        name
        for name, wanted in GRAFANA.items()
        if wanted["kind"] != "unknown" and any(alert.is_test for alert in parsed(f"grafana/{name}").alerts)
    }
    assert tests == {"07_v12_0_test_button.json"}


def test_a_label_with_the_separator_does_not_give_another_tuples_key():
    alert = only_alert("grafana/29_v11_label_impersonation.json")
    assert alert.cluster == "a|b"
    assert alert.rule_uid == "ae0000000000a"


def test_no_sample_has_a_rejected_alert():
    paths = [f"grafana/{name}" for name, wanted in GRAFANA.items() if wanted["kind"] != "unknown"]
    paths += [f"alertmanager/{name}" for name in ALERTMANAGER]
    assert not [path for path in paths for alert in parsed(path).alerts if isinstance(alert, RejectedAlert)]
