"""What a message says of its incident, in the order in which people ask; each channel gives it its form. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from receiver.domain.incident import ID_PREFIX, RESOLVED_BY_ALERT
from receiver.domain.notification import ActionOutcome, Notification, Template
from receiver.notifiers.plain_text import clean, duration, is_web_link, moment, one_line

_VALUE = 200
# Most useful first.
_LINK_LABELS = {
    "runbook": "Runbook",
    "dashboard": "Dashboard",
    "panel": "Panel",
    "silence": "Silence",
    "source": "Source",
}

_ACTION_HEADLINES = {
    ActionOutcome.DONE: "Action done",
    ActionOutcome.DRY_RUN: "Dry run: this would be done",
    ActionOutcome.FAILED: "Action failed",
    ActionOutcome.REFUSED: "Action refused",
    ActionOutcome.EXPIRED: "Action expired",
    ActionOutcome.UNKNOWN: "Action outcome unknown: it may have been carried out",
}


def number(n: Notification) -> str:
    """The short name of the incident, `INC-12`."""
    return f"{ID_PREFIX}{n.number}"


def title(n: Notification, limit: int) -> str:
    """The incident's title in one line of at most `limit` characters."""
    return one_line(n.title, limit) or "(no title)"


def headline(n: Notification) -> str:
    """What has happened, in a few words."""
    match n.template:
        case Template.OPENED:
            return f"{number(n)} has opened"
        case Template.UPDATED:
            return f"{number(n)} goes on"
        case Template.ACKNOWLEDGED:
            return f"{number(n)} has been acknowledged by {one_line(n.acknowledged_by, _VALUE) or 'somebody'}"
        case Template.RESOLVED:
            return f"{number(n)} is resolved" + (f" after {lasted(n)}" if n.resolved_at else "")
        case Template.TEST:
            return "Test message from alert receiver"
        case Template.ESCALATED:
            return f"{number(n)} is escalated"
        case Template.ACTION_FAILED | Template.ACTION_COMPLETED:
            return f"{action_headline(n)} ({number(n)})"
        case Template.APPROVAL_NEEDED:
            return f"An action for {number(n)} needs approval"
        case Template.DIAGNOSED:
            return f"{number(n)} has been diagnosed"
        case Template.REMINDER:
            return f"{number(n)} still needs somebody: its mitigation has failed"
        case Template.BUNDLE:
            return title(n, _VALUE)


def action_outcome(n: Notification) -> ActionOutcome | None:
    """How the action ended that the message tells the end of; None for every other message."""
    if n.template not in (Template.ACTION_FAILED, Template.ACTION_COMPLETED):
        return None
    usual = ActionOutcome.DONE if n.template is Template.ACTION_COMPLETED else ActionOutcome.FAILED
    return n.action_outcome or usual


def action_headline(n: Notification) -> str:
    """How the action ended, in a few words; empty for a message that tells no such end."""
    outcome = action_outcome(n)
    return _ACTION_HEADLINES[outcome] if outcome else ""


def facts(n: Notification) -> list[tuple[str, str]]:
    """Pairs of name and value; what has no value is left out. A bundle has none: it is no incident."""
    if n.template is Template.BUNDLE:
        return []
    by_itself = n.resolved_by in ("", RESOLVED_BY_ALERT)
    found = [
        ("Severity", f"{n.severity} · {n.priority}"),
        ("Status", n.status),
        ("Service", n.service),
        ("Cluster", n.cluster),
        ("Namespace", n.namespace),
        ("Alerts", f"{n.alert_count} received, {n.firing_count or 'none'} firing"),
        ("Opened", moment(n.opened_at)),
        ("Last alert", moment(n.last_seen_at)),
        ("Acknowledged by", n.acknowledged_by),
        ("Resolved", moment(n.resolved_at) if n.resolved_at else ""),
        (
            "Resolved by",
            "" if not n.resolved_at else "its last alert, which ended" if by_itself else n.resolved_by,
        ),
        ("Incident", n.incident_id),
    ]
    return [(name, one_line(value, _VALUE)) for name, value in found if clean(value)]


def links(n: Notification) -> Iterator[tuple[str, str]]:
    """Label and address of every link that is fit to be shown; a silence is of no use once all is over."""
    if n.template is Template.BUNDLE:
        return
    wanted = [(f"Open {number(n)}", n.incident_url)]
    wanted += [(label, n.links.get(name, "")) for name, label in _LINK_LABELS.items()]
    for label, url in wanted:
        if is_web_link(url) and not (label == "Silence" and n.template is Template.RESOLVED):
            yield label, url


def lasted(n: Notification) -> str:
    """How long the incident took, empty while it goes on."""
    return duration(n.resolved_at - n.opened_at) if n.resolved_at else ""
