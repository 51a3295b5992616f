"""Messages about actions say how each has ended, and say it once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from receiver.config import load
from receiver.domain.announcement import Announcement
from receiver.domain.announcement_request import Ask
from receiver.domain.notification import ActionOutcome, Notification, Template
from receiver.notifiers.template_files import EMAIL_SUBJECT, EMAIL_TEXT, SLACK_PHONE, SLACK_TITLE
from receiver.notifiers.texts import shipped_wording
from receiver.services.message_content import notification
from tests.builders.notifications import BY_TEMPLATE, FIRING

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
SETTINGS = load({"RECEIVER_DATABASE_URL": "sqlite://", "RECEIVER_PUBLIC_URL": "https://receiver.example"})
ACTION = {
    "action_id": "ACT-1",
    "type": "kubernetes.rollout_restart",
    "target": "kubernetes:shop/deployment/svc-a",
    "is_dry_run": False,
    "from_state": {"restarted_at": None},
    "to_state": {"images": ["b:2"]},
    "requested_by": "rule cpu-scale",
    "reason": "rule cpu-scale on incident.opened",
    "error": None,
    "output": "",
    "state": "completed",
    "expires_at": None,
}


def about(template: Template, **action: object) -> Notification:
    incident = {name: getattr(FIRING, name) for name in Notification.__slots__ if name != "diagnostics"}
    incident |= {"diagnostics": {"metrics": {"errors": {"ok": False, "value": 1.0}}}}
    ask = Ask(Announcement("slack", template, 1), action_id="ACT-1")
    found = ACTION | action
    return notification(SETTINGS, ask, incident, action=found, said=(), changes=(), may_have_been_sent=False)  # type: ignore[arg-type]  # a row is a mapping


@pytest.mark.parametrize(
    ("template", "action", "head"),
    [
        (Template.ACTION_COMPLETED, {}, "Action done"),
        (Template.ACTION_COMPLETED, {"is_dry_run": True}, "Dry run: this would be done"),
        (Template.ACTION_FAILED, {"state": "failed"}, "Action failed"),
        (Template.ACTION_FAILED, {"state": "refused"}, "Action refused"),
        (Template.ACTION_FAILED, {"state": "expired"}, "Action expired"),
        (
            Template.ACTION_FAILED,
            {"state": "unknown"},
            "Action outcome unknown: it may have been carried out",
        ),
    ],
)
@pytest.mark.parametrize("part", [EMAIL_SUBJECT, EMAIL_TEXT, SLACK_PHONE, SLACK_TITLE])
def test_every_text_says_how_the_action_ended(template, action, head, part):
    text = shipped_wording(about(template, **action)).render(part).text
    assert head in text
    assert ("Action done" in text, "Action failed" in text) == (
        head == "Action done",
        head == "Action failed",
    )


def test_a_message_of_another_occasion_says_nothing_of_an_outcome():
    opened = replace(BY_TEMPLATE[Template.OPENED], action_outcome=ActionOutcome.DONE)
    assert "Action" not in shipped_wording(opened).render(EMAIL_SUBJECT).text


def test_states_and_askers_are_told_as_people_would_say_them():
    details = about(Template.ACTION_COMPLETED).details
    assert "from restarted_at not set to images b:2" in details
    assert "asked for by rule cpu-scale on incident.opened" in details


def test_who_approves_reads_the_plan_and_each_address_once():
    plan = "restart shop/svc-a"
    asked = about(Template.APPROVAL_NEEDED, state="awaiting_approval", output=plan, expires_at=NOW)
    text = shipped_wording(asked).render(EMAIL_TEXT).text
    assert [text.count(one) for one in (plan, "/approve", "/reject", "images")] == [1, 1, 1, 0]


def test_only_who_hears_of_the_incident_reads_its_diagnosis():
    said = {}
    for template in (Template.OPENED, Template.DIAGNOSED, Template.ESCALATED, Template.ACTION_COMPLETED):
        said[template] = "errors:" in shipped_wording(about(template)).render(EMAIL_TEXT).text
    assert [template for template, told in said.items() if not told] == [Template.ACTION_COMPLETED]
