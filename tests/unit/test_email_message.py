"""A mail about an incident: one thread, no foreign header, text that reads well, HTML that is only ours."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from receiver.domain.notification import Notification, Template
from receiver.notifiers.email_message import compose
from tests.builders.notifications import BY_TEMPLATE, EVIL, FIRING, HOSTILE, HUGE, NOW

HEADERS = {
    "From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted",
    "X-Auto-Response-Suppress", "MIME-Version", "Content-Type",
}  # fmt: skip


def mail(n: Notification) -> EmailMessage:
    """The mail as a mail program reads it off the wire."""
    raw = compose(n, "alerts@example.org", ["ops@example.org", "boss@example.org"], NOW).as_bytes()
    assert raw.isascii()
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 998  # https://www.rfc-editor.org/rfc/rfc5322#section-2.1.1
    parsed = message_from_bytes(raw, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def body(n: Notification, kind: str = "plain") -> str:
    part = mail(n).get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def test_an_opened_incident_reads_well():
    expected = """
        INC-4711 has opened
        Größe of 日本 is over 9000 🔥

        It is.

        Severity: critical · P0
        Status: active
        Service: checkout
        Cluster: prod-eu
        Namespace: shop
        Alerts: 3 received, 3 firing
        Opened: 2026-11-21 03:00 UTC
        Last alert: 2026-11-21 03:12 UTC
        Incident: INC-20261121030000-0123456789abcdef

        Open INC-4711: https://receiver.example/incidents/4711
        Runbook: https://wiki.example/x
        """
    assert body(FIRING) == dedent(expected).lstrip()


def test_each_occasion_says_first_what_has_happened():
    first = {template.value: body(message).partition("\n")[0] for template, message in BY_TEMPLATE.items()}
    assert first == {
        "opened": "INC-4711 has opened",
        "updated": "INC-4711 goes on",
        "acknowledged": "INC-4711 has been acknowledged by ann",
        "resolved": "INC-4711 is resolved after 30 min",
        "test": "Test message from alert receiver",
        "escalated": "INC-4711 is escalated",
        "action_failed": "Action failed (INC-4711)",
        "action_completed": "Action done (INC-4711)",
        "approval_needed": "An action for INC-4711 needs approval",
        "diagnosed": "INC-4711 has been diagnosed",
        "reminder": "INC-4711 still needs somebody: its mitigation has failed",
        "bundle": "2 incidents opened",
    }
    assert "- 2 more alerts" in body(BY_TEMPLATE[Template.UPDATED])


def test_the_subject_has_priority_number_and_title():
    assert mail(FIRING)["Subject"] == "[P0] INC-4711 Größe of 日本 is over 9000 🔥"
    assert (
        mail(replace(BY_TEMPLATE[Template.RESOLVED], thread_ref="<a@example.org>"))["Subject"]
        == "Re: [P0] INC-4711 Größe of 日本 is over 9000 🔥"
    )


def test_a_mail_says_who_it_is_from_and_that_no_person_wrote_it():
    found = mail(FIRING)
    assert found["From"] == "Alert receiver <alerts@example.org>"
    assert found["To"] == "ops@example.org, boss@example.org"
    assert found["Auto-Submitted"] == "auto-generated"
    assert found["Date"] == "Sat, 21 Nov 2026 03:00:00 +0000"


def test_a_mail_answers_none_that_was_never_sent():
    found = mail(BY_TEMPLATE[Template.ESCALATED])
    assert found["Subject"] == "[P0] INC-4711 Größe of 日本 is over 9000 🔥"
    assert (found["In-Reply-To"], found["References"]) == (None, None)


def test_all_mails_of_an_incident_are_one_thread():
    first = mail(FIRING)["Message-ID"]
    assert first == "<INC-20261121030000-0123456789abcdef.opened.0@example.org>"
    assert mail(FIRING)["References"] is None
    for template in (Template.UPDATED, Template.ACKNOWLEDGED, Template.RESOLVED):
        found = mail(replace(BY_TEMPLATE[template], thread_ref=first))
        assert found["In-Reply-To"] == found["References"] == first


def test_a_repeat_has_the_same_name_and_another_message_another():
    names = [mail(message)["Message-ID"] for message in BY_TEMPLATE.values()]
    assert names == [mail(message)["Message-ID"] for message in BY_TEMPLATE.values()]
    names.append(mail(replace(BY_TEMPLATE[Template.UPDATED], sequence=4))["Message-ID"])
    names.append(mail(replace(BY_TEMPLATE[Template.TEST], opened_at=FIRING.last_seen_at))["Message-ID"])
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("template", Template)
def test_a_title_cannot_add_a_header(template):
    found = mail(replace(HOSTILE, template=template))
    assert set(found.keys()) <= HEADERS
    assert len(found.keys()) == len(set(found.keys()))
    assert found["To"] == "ops@example.org, boss@example.org"
    assert "\n" not in found["Subject"]


def test_a_title_cannot_add_a_tag():
    html = body(replace(HOSTILE, template=Template.UPDATED), "html")
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "javascript:" not in html
    assert html.count("<a ") == 1  # the incident; the other addresses are none to be shown


def test_the_html_has_links_and_loads_nothing():
    html = body(FIRING, "html")
    assert '<a href="https://wiki.example/x">Runbook</a>' in html
    assert "src=" not in html
    assert "url(" not in html


def test_a_mail_stays_small():
    assert len(compose(HUGE, "alerts@example.org", ["ops@example.org"], NOW).as_bytes()) < 180_000


@given(st.text(st.characters(), max_size=300))
def test_any_title_comes_out_as_it_is_or_cut(title):
    found = mail(replace(FIRING, title=title))
    assert set(found.keys()) <= HEADERS
    shown = str(found["Subject"]).removeprefix("[P0] INC-4711 ")
    assert shown in body(replace(FIRING, title=title)) or shown.endswith("…")


def test_the_evil_text_is_evil():
    assert "\r\nBcc:" in EVIL
