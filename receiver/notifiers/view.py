"""What a template may name, and what it finds there: cleaned and cut, so that no alert makes a text too long. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from receiver.domain.channel_pace import LARGEST_BUNDLE
from receiver.domain.incident import ID_PREFIX
from receiver.domain.notification import BundledIncident, Notification, Template
from receiver.notifiers.facts import action_headline, action_outcome, facts, headline, lasted, links
from receiver.notifiers.plain_text import clean, is_web_link, moment, one_line, paragraph

TITLE = 500
_SUMMARY = 4000
_WORD, _VALUE = 40, 200
_LINES, _LINE = 8, 150
_DETAILS, _DETAIL = 12, 300
_INCIDENTS = LARGEST_BUNDLE
_NO_TITLE = "(no title)"
# Elsewhere it would repeat what people have read.
_DIAGNOSED = frozenset({Template.OPENED, Template.DIAGNOSED, Template.ESCALATED})
_MARKS = {"critical": "🔴", "error": "🟠", "warning": "🟡", "info": "🔵"}

View = Mapping[str, object]

_FIELDS: Mapping[str, Callable[[Notification], object]] = {
    "occasion": lambda n: n.template.value,
    "headline": headline,
    "number": lambda n: f"{ID_PREFIX}{n.number}",
    "incident_id": lambda n: one_line(n.incident_id, _VALUE),
    "title": lambda n: one_line(n.title, TITLE) or _NO_TITLE,
    # What only repeats the title is no summary.
    "summary": lambda n: "" if clean(n.summary) == clean(n.title) else paragraph(n.summary, _SUMMARY),
    "status": lambda n: one_line(n.status, _WORD),
    "severity": lambda n: one_line(n.severity, _WORD),
    "priority": lambda n: one_line(n.priority, 10),
    "mark": lambda n: mark(n.severity),
    "service": lambda n: one_line(n.service, _VALUE),
    "cluster": lambda n: one_line(n.cluster, _VALUE),
    "namespace": lambda n: one_line(n.namespace, _VALUE),
    "place": lambda n: place(n, 90),
    "alert_count": lambda n: n.alert_count,
    "firing_count": lambda n: n.firing_count,
    "opened_at": lambda n: moment(n.opened_at),
    "last_seen_at": lambda n: moment(n.last_seen_at),
    "acknowledged_at": lambda n: moment(n.acknowledged_at) if n.acknowledged_at else "",
    "acknowledged_by": lambda n: one_line(n.acknowledged_by, _VALUE),
    "resolved_at": lambda n: moment(n.resolved_at) if n.resolved_at else "",
    "resolved_by": lambda n: one_line(n.resolved_by, _VALUE),
    "duration": lasted,
    # Those of a bundle are its headline once more.
    "changes": lambda n: [] if n.template is Template.BUNDLE else _lines(n.changes, _LINES, _LINE),
    "details": lambda n: _lines(n.details, _DETAILS, _DETAIL),
    "diagnostics": lambda n: _lines(n.diagnostics, _DETAILS, _DETAIL) if n.template in _DIAGNOSED else [],
    "facts": facts,
    "links": lambda n: list(links(n)),
    "url": lambda n: n.incident_url if is_web_link(n.incident_url) else "",
    "action_outcome": lambda n: action_outcome(n) or "",
    "action_headline": action_headline,
    "action_id": lambda n: one_line(n.action_id, 64),
    "approval": lambda n: approval(n),
    "incidents": lambda n: [_bundled(one) for one in n.incidents[:_INCIDENTS]],
    "incident_count": lambda n: len(n.incidents),
}
NAMES = frozenset(_FIELDS)


def view_of(n: Notification) -> dict[str, object]:
    """Every name that a template may use, with its value for `n`."""
    return {name: read(n) for name, read in _FIELDS.items()}


def mark(severity: str) -> str:
    """The sign of a severity."""
    return _MARKS.get(severity, "⚪")


def place(n: Notification, limit: int) -> str:
    """Service, cluster and namespace, as far as they are known."""
    return one_line(" / ".join(filter(None, map(clean, (n.service, n.cluster, n.namespace)))), limit)


def approval(n: Notification) -> list[str]:
    """How a person lets the action run, or keeps it from running: one line for each."""
    if n.template is not Template.APPROVAL_NEEDED or not n.action_id:
        return []
    base = ""
    if is_web_link(n.incident_url):
        parts = urlsplit(n.incident_url)
        base = f"{parts.scheme}://{parts.netloc}{parts.path.partition('/api/v1/')[0].rstrip('/')}"
    path = f"{base}/api/v1/actions/{one_line(n.action_id, 64)}"
    return [f"Approve: POST {path}/approve", f"Reject: POST {path}/reject"]


def _bundled(one: BundledIncident) -> dict[str, str]:
    return {
        "number": f"{ID_PREFIX}{one.number}",
        "incident_id": one_line(one.incident_id, 64),
        "title": one_line(one.title, 100) or _NO_TITLE,
        "severity": one_line(one.severity, _WORD),
        "priority": one_line(one.priority, 10),
        "mark": mark(one.severity),
        "service": one_line(one.service, 60),
        "url": one.incident_url if is_web_link(one.incident_url) and len(one.incident_url) < 500 else "",
    }


def _lines(texts: tuple[str, ...], count: int, limit: int) -> list[str]:
    return [one_line(text, limit) for text in texts[:count] if clean(text)]
