"""A message tells a person at three in the morning what is wrong, and Slack takes it, whatever is in the alert."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from receiver.domain.notification import BundledIncident, Notification, Template
from receiver.notifiers.slack_blocks import payload
from tests.fakes.slack_rules import problems, shown

OPENED_AT = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
LINKS = {
    "runbook": "https://wiki.example/checkout?a=1&b=2",
    "dashboard": "https://grafana.example/d/checkout",
    "panel": "https://grafana.example/d/checkout?viewPanel=2",
    "silence": "https://grafana.example/alerting/silence/new?matcher=x",
    "source": "https://prometheus.example/graph?g0.expr=up",
}
FIRING = Notification(
    template=Template.OPENED,
    incident_id="INC-20261121030000-0123456789abcdef",
    number=123,
    title="Checkout latency is high",
    summary="p99 is 2.4 s, over the limit of 1 s, for 5 minutes.\nPayments may time out.",
    status="active",
    severity="critical",
    priority="P0",
    service="checkout",
    cluster="prod-eu",
    namespace="shop",
    alert_count=3,
    firing_count=3,
    opened_at=OPENED_AT,
    last_seen_at=OPENED_AT + timedelta(minutes=12),
    links=LINKS,
    incident_url="https://receiver.example/incidents/123",
)
UPDATED = replace(
    FIRING,
    template=Template.UPDATED,
    status="acknowledged",
    acknowledged_by="anna",
    alert_count=42,
    firing_count=9,
    changes=("39 more alerts", "severity was error, is critical"),
)
RESOLVED = replace(
    UPDATED,
    template=Template.RESOLVED,
    status="resolved",
    firing_count=0,
    resolved_at=OPENED_AT + timedelta(seconds=750),
    resolved_by="alert",
)
TEST = replace(FIRING, template=Template.TEST)
ACKNOWLEDGED = replace(FIRING, template=Template.ACKNOWLEDGED, status="acknowledged", acknowledged_by="anna")
ALL = [FIRING, UPDATED, ACKNOWLEDGED, RESOLVED, TEST]


def rendered(text: str) -> str:
    return dedent(text).strip()


def test_an_opened_incident_reads_well():
    assert shown(payload(FIRING)) == rendered(
        """
        🔴 P0 · INC-123 · Checkout latency is high
        p99 is 2.4 s, over the limit of 1 s, for 5 minutes.
        Payments may time out.
        Severity: critical · P0
        Status: active
        Service: `checkout`
        Cluster: `prod-eu`
        Namespace: `shop`
        Alerts: 3 received, 3 firing
        Since: 2026-11-21 03:00 UTC
        [Open INC-123](https://receiver.example/incidents/123)  ·  [Runbook](https://wiki.example/checkout?a=1&b=2)\
  ·  [Dashboard](https://grafana.example/d/checkout)  ·  [Panel](https://grafana.example/d/checkout?viewPanel=2)\
  ·  [Silence](https://grafana.example/alerting/silence/new?matcher=x)\
  ·  [Source](https://prometheus.example/graph?g0.expr=up)
        [#D0021B]
        Incident `INC-20261121030000-0123456789abcdef`
        """
    )


def test_an_update_says_first_what_changed():
    assert shown(payload(replace(UPDATED, links={}))) == rendered(
        """
        🔴 Update · P0 · INC-123 · Checkout latency is high
        • 39 more alerts
        • severity was error, is critical
        p99 is 2.4 s, over the limit of 1 s, for 5 minutes.
        Payments may time out.
        Severity: critical · P0
        Status: acknowledged
        Service: `checkout`
        Cluster: `prod-eu`
        Namespace: `shop`
        Alerts: 42 received, 9 firing
        Since: 2026-11-21 03:00 UTC
        Acknowledged by: `anna`
        Last alert: 2026-11-21 03:12 UTC
        [Open INC-123](https://receiver.example/incidents/123)
        [#D0021B]
        Incident `INC-20261121030000-0123456789abcdef`
        """
    )


def test_a_resolved_incident_says_how_long_it_took_and_who_ended_it():
    assert shown(payload(replace(RESOLVED, links={}, incident_url=""))) == rendered(
        """
        ✅ Resolved · INC-123 · Checkout latency is high
        Duration: 12 min 30 s
        Resolved by: its last alert, which ended
        Severity: critical · P0
        Alerts: 42 received, none firing
        Service: `checkout`
        Cluster: `prod-eu`
        Namespace: `shop`
        Acknowledged by: `anna`
        Opened: 2026-11-21 03:00 UTC
        Resolved: 2026-11-21 03:12 UTC
        [#2EB67D]
        Incident `INC-20261121030000-0123456789abcdef`
        """
    )


def test_an_incident_that_a_person_resolved_names_that_person_and_what_still_fires():
    text = shown(payload(replace(RESOLVED, resolved_by="bob", firing_count=2)))
    assert "Resolved by: `bob`" in text
    assert "42 received, 2 firing" in text


def test_a_resolved_incident_offers_no_silence():
    text = shown(payload(RESOLVED))
    assert "[Dashboard]" in text
    assert "[Silence]" not in text


def test_a_test_message_says_so_and_shows_no_incident():
    assert shown(payload(TEST)) == rendered(
        """
        🧪 Test message from alert receiver
        If you can read this, messages about incidents arrive here. There is nothing to do.
        [#3B88C3]
        No incident belongs to it.
        """
    )


@pytest.mark.parametrize(
    ("notification", "fallback"),
    [
        (FIRING, "🔴 P0 · INC-123: Checkout latency is high (checkout / prod-eu / shop)"),
        (UPDATED, "🔴 Update · P0 · INC-123: Checkout latency is high (checkout / prod-eu / shop)"),
        (
            RESOLVED,
            "✅ Resolved · INC-123 after 12 min 30 s: Checkout latency is high (checkout / prod-eu / shop)",
        ),
        (TEST, "🧪 Test message from alert receiver"),
    ],
)
def test_the_line_on_the_phone_has_it_all(notification, fallback):
    assert payload(notification)["text"] == fallback


@pytest.mark.parametrize(
    ("severity", "emoji"),
    [("critical", "🔴"), ("error", "🟠"), ("warning", "🟡"), ("info", "🔵"), ("odd", "⚪")],
)
def test_the_severity_can_be_seen(severity, emoji):
    sent = payload(replace(FIRING, severity=severity))
    assert sent["text"].startswith(emoji)
    assert sent["blocks"][0]["text"]["text"].startswith(emoji)


def test_each_severity_and_the_end_have_a_colour_of_their_own():
    sent = [
        payload(replace(FIRING, severity=severity)) for severity in ("critical", "error", "warning", "info")
    ]
    colours = {message["attachments"][0]["color"] for message in (*sent, payload(RESOLVED))}
    assert len(colours) == 5


def test_only_what_is_known_is_shown():
    bare = replace(FIRING, summary="", service="", cluster="", namespace="", links={}, incident_url="")
    text = shown(payload(bare))
    for name in ("Service", "Cluster", "Namespace", "Acknowledged", "Runbook", "Open INC"):
        assert name not in text
    assert payload(bare)["text"] == "🔴 P0 · INC-123: Checkout latency is high"


def test_a_summary_that_repeats_the_title_is_left_out():
    assert shown(payload(replace(FIRING, summary=FIRING.title))).count(FIRING.title) == 1


def test_a_title_too_long_for_the_header_stands_below_it_in_full():
    title = "The disk of " + "db-1 " * 40 + "is full"
    text = shown(payload(replace(FIRING, title=title)))
    header, below = text.split("\n")[:2]
    assert header.endswith("…")
    assert below == title


def test_an_incident_without_a_title_has_a_readable_header():
    assert shown(payload(replace(FIRING, title="\u200b "))).startswith("🔴 P0 · INC-123 · (no title)\n")


def test_a_ping_in_an_alert_is_shown_and_pings_nobody():
    nasty = "<!channel> <@U123> <http://evil.example|click> @here & *bold* `code` _it_"
    fields: dict[str, Any] = dict.fromkeys(
        ("title", "service", "cluster", "namespace", "acknowledged_by"), nasty
    )
    sent = payload(replace(UPDATED, changes=(nasty,), summary=f"Why: {nasty}", **fields))
    assert problems(sent) == []
    assert shown(sent).count("<!channel> <@U123> <http://evil.example|click> @here & *bold*") == 7
    assert "<!channel>" not in str(sent)
    assert "evil.example|" not in str(sent).replace("&lt;http://evil.example|click&gt;", "")


def test_links_are_web_addresses_only():
    bad = {
        "runbook": "javascript:alert(1)",
        "dashboard": "https://x|y",
        "panel": "//x",
        "source": "https://u:p@x/",
    }
    text = shown(payload(replace(FIRING, links=bad, incident_url="file:///etc/passwd")))
    assert "](" not in text


def test_of_too_many_long_links_the_most_useful_ones_stay():
    long = {name: f"https://x.example/{name}?" + "q" * 1200 for name in LINKS}
    text = shown(payload(replace(FIRING, links=long)))
    assert "[Open INC-123]" in text
    assert "[Runbook]" in text
    assert "[Dashboard]" in text
    assert "[Source]" not in text


NASTY = st.one_of(
    st.text(st.characters(), max_size=80),
    st.text("&<>*_~`|!@#\n\u202e\u200b🔥\ud800 a", max_size=80),
    st.builds(
        lambda text, times: text * times,
        st.text(st.characters(), min_size=1, max_size=3),
        st.integers(0, 3000),
    ),
    st.sampled_from(["<!channel>", "<@U1>", "<!date^1^{time}|x>", "```", "&amp;", "> quote", "*a* _b_ ~c~"]),
)
ADDRESS = st.one_of(NASTY, st.builds("https://x/{}".format, NASTY))
MOMENT = st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1), max_value=datetime(2100, 1, 1))  # noqa: DTZ001


@settings(max_examples=300)
@given(
    st.builds(
        Notification,
        template=st.sampled_from(Template),
        incident_id=NASTY,
        number=st.integers(1, 2**63),
        title=NASTY,
        summary=NASTY,
        status=NASTY,
        severity=st.one_of(NASTY, st.just("critical")),
        priority=NASTY,
        service=NASTY,
        cluster=NASTY,
        namespace=NASTY,
        alert_count=st.integers(0, 2**63),
        firing_count=st.integers(0, 2**31),
        opened_at=MOMENT,
        last_seen_at=MOMENT,
        acknowledged_by=NASTY,
        resolved_at=st.none() | MOMENT,
        resolved_by=NASTY,
        links=st.dictionaries(st.sampled_from(list(LINKS)), ADDRESS),
        changes=st.lists(NASTY, max_size=12).map(tuple),
        incident_url=ADDRESS,
        details=st.lists(NASTY, max_size=14).map(tuple),
        diagnostics=st.lists(NASTY, max_size=14).map(tuple),
        action_id=NASTY,
        incidents=st.lists(
            st.builds(
                BundledIncident,
                NASTY,
                st.integers(1, 2**63),
                NASTY,
                NASTY,
                NASTY,
                NASTY,
                incident_url=ADDRESS,
            ),
            max_size=25,
        ).map(tuple),
    )
)
def test_slack_takes_the_message_whatever_the_alert_says(notification):
    assert problems(payload(notification)) == []


@pytest.mark.parametrize("filler", ["x", "&", "<", "🔥", "日", "\u0301", "` "])
@pytest.mark.parametrize("notification", ALL, ids=lambda notification: notification.template.value)
def test_slack_takes_the_longest_of_everything(notification, filler):
    long = filler * 100_000
    places = (
        "title",
        "summary",
        "service",
        "cluster",
        "namespace",
        "acknowledged_by",
        "incident_id",
        "status",
    )
    texts: dict[str, Any] = dict.fromkeys(places, long)
    links = dict.fromkeys(LINKS, "https://x/" + (filler * 1900)[:1900])
    assert problems(payload(replace(notification, changes=(long,) * 100, links=links, **texts))) == []


@pytest.mark.parametrize("notification", [FIRING, UPDATED, RESOLVED])
def test_the_parts_are_what_slacks_own_checks_let_pass(notification):
    written = payload(notification)["blocks"]
    read = Block.parse_all(written)  # leaves out what it does not know
    assert [block.type for block in read] == [block["type"] for block in written]
    for block in read:
        block.validate_json()
