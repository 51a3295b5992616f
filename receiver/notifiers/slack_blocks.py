"""What a message looks like in Slack: from a Notification to the payload of an incoming webhook. Pure.

Everything that matters stands in the blocks. The attachment below them only gives the colour and the full id: Slack
calls attachments secondary and may fold them. Links are links and no buttons: a click on a button shows a warning in
Slack unless the app has a request URL for interactivity, which an incoming webhook need not have.

Limits: https://docs.slack.dev/reference/block-kit/blocks. Slack also refuses messages whose blocks have some 13,000
characters together (msg_blocks_too_long, in no document); the limits below keep a message under 9,000.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from slack_sdk.models.attachments import BlockAttachment
from slack_sdk.models.blocks import (
    Block,
    ContextBlock,
    HeaderBlock,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
)

from receiver.domain.incident import ID_PREFIX, RESOLVED_BY_ALERT
from receiver.domain.notification import Notification, Template
from receiver.notifiers.plain_text import clean, duration
from receiver.notifiers.slack_text import code, line, lines, link, moment, size

_EMOJI = {"critical": "🔴", "error": "🟠", "warning": "🟡", "info": "🔵"}
_COLOUR = {"critical": "#D0021B", "error": "#F5741D", "warning": "#F2C744", "info": "#3B88C3"}
_RESOLVED_COLOUR = "#2EB67D"
_UNKNOWN_COLOUR = "#8D8D8D"

_HEADER = 150
_FALLBACK = 300
_TITLE = 500
_SUMMARY = 1500
_SUMMARY_AGAIN = 300
_CHANGES, _CHANGE = 8, 150
_VALUE = 200
_LINKS = 3000

# Most useful first: what does not fit is left out from the end. A silence is of no use once all is over.
_LINK_LABELS = {
    "runbook": "Runbook",
    "dashboard": "Dashboard",
    "panel": "Panel",
    "silence": "Silence",
    "source": "Source",
}

TEST_TEXT = "Test message from alert receiver"


def payload(notification: Notification) -> dict[str, Any]:
    """The JSON body to post for `notification`."""
    fallback, blocks, colour = _MESSAGES[notification.template](notification)
    identity = (
        "No incident belongs to it." if notification.template is Template.TEST else _identity(notification)
    )
    footer = BlockAttachment(color=colour, blocks=[ContextBlock(elements=[_mrkdwn(identity)])])
    return {
        "text": fallback,
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": [block.to_dict() for block in blocks],
        "attachments": [footer.to_dict()],
    }


_Message = tuple[str, list[Block], str]


def _opened(n: Notification) -> _Message:
    head = f"{_emoji(n)} {_line(n.priority, 10)} · {_number(n)}"
    blocks = [*_headline(head, n), *_summary(n, _SUMMARY), _facts(_situation(n)), *_links(n)]
    return _fallback(f"{head}: ", n), blocks, _COLOUR.get(n.severity, _UNKNOWN_COLOUR)


def _updated(n: Notification) -> _Message:
    head = f"{_emoji(n)} Update · {_line(n.priority, 10)} · {_number(n)}"
    news = "\n".join(f"• {line(change, _CHANGE)}" for change in n.changes[:_CHANGES] if clean(change))
    facts = [*_situation(n), ("Last alert", moment(n.last_seen_at))]
    blocks = [*_headline(head, n), *_plain(news), *_summary(n, _SUMMARY_AGAIN), _facts(facts), *_links(n)]
    return _fallback(f"{head}: ", n), blocks, _COLOUR.get(n.severity, _UNKNOWN_COLOUR)


def _acknowledged(n: Notification) -> _Message:
    head = f"👀 Acknowledged · {_number(n)}"
    blocks = [*_headline(head, n), _facts(_situation(n)), *_links(n)]
    return _fallback(f"{head}: ", n), blocks, _COLOUR.get(n.severity, _UNKNOWN_COLOUR)


def _resolved(n: Notification) -> _Message:
    head = f"✅ Resolved · {_number(n)}"
    after = duration(n.resolved_at - n.opened_at) if n.resolved_at else ""
    facts = [
        ("Duration", after),
        ("Resolved by", _resolver(n)),
        ("Severity", _severity(n)),
        ("Alerts", _alerts(n)),
        *_place(n),
        ("Acknowledged by", code(n.acknowledged_by, _VALUE)),
        ("Opened", moment(n.opened_at)),
        ("Resolved", moment(n.resolved_at) if n.resolved_at else ""),
    ]
    blocks = [*_headline(head, n), _facts(facts), *_links(n, leave_out="silence")]
    return _fallback(f"{head}{' after ' + after if after else ''}: ", n), blocks, _RESOLVED_COLOUR


def _test(_: Notification) -> _Message:
    blocks: list[Block] = [
        HeaderBlock(text=_plain_text(f"🧪 {TEST_TEXT}")),
        *_plain("If you can read this, messages about incidents arrive here. There is nothing to do."),
    ]
    return f"🧪 {TEST_TEXT}", blocks, _COLOUR["info"]


_MESSAGES: dict[Template, Callable[[Notification], _Message]] = {
    Template.OPENED: _opened,
    Template.UPDATED: _updated,
    Template.ACKNOWLEDGED: _acknowledged,
    Template.RESOLVED: _resolved,
    Template.TEST: _test,
}


def _headline(head: str, n: Notification) -> Iterator[Block]:
    """The header and, where it is too short for the title, the title again below it."""
    room = _HEADER - size(head) - size(" · ")
    title = _title(n, room)
    yield HeaderBlock(text=_plain_text(f"{head} · {title}"))
    if title != _title(n, _TITLE):
        yield from _plain(_title(n, _TITLE))


def _summary(n: Notification, limit: int) -> Iterator[Block]:
    if clean(n.summary) != clean(n.title):
        yield from _plain(lines(n.summary, limit))


def _situation(n: Notification) -> list[tuple[str, str]]:
    return [
        ("Severity", _severity(n)),
        ("Status", _line(n.status, _VALUE)),
        *_place(n),
        ("Alerts", _alerts(n)),
        ("Since", moment(n.opened_at)),
        ("Acknowledged by", code(n.acknowledged_by, _VALUE)),
    ]


def _severity(n: Notification) -> str:
    return f"{_line(n.severity, 40)} · {_line(n.priority, 10)}"


def _place(n: Notification) -> list[tuple[str, str]]:
    return [
        ("Service", code(n.service, _VALUE)),
        ("Cluster", code(n.cluster, _VALUE)),
        ("Namespace", code(n.namespace, _VALUE)),
    ]


def _resolver(n: Notification) -> str:
    by_itself = n.resolved_by in ("", RESOLVED_BY_ALERT)
    return "its last alert, which ended" if by_itself else code(n.resolved_by, _VALUE)


def _alerts(n: Notification) -> str:
    return f"{n.alert_count} received, {n.firing_count or 'none'} firing"


def _facts(facts: list[tuple[str, str]]) -> SectionBlock:
    """Pairs of name and value in two columns; what has no value is left out."""
    return SectionBlock(fields=[_mrkdwn(f"*{name}*\n{value}") for name, value in facts if value])


def _links(n: Notification, leave_out: str = "") -> Iterator[Block]:
    wanted = [(n.incident_url, f"Open {_number(n)}")]
    wanted += [(n.links.get(name, ""), label) for name, label in _LINK_LABELS.items() if name != leave_out]
    text = ""
    for url, label in wanted:
        found = link(url, label)
        longer = f"{text}  ·  {found}" if text else found or ""
        if found and size(longer) <= _LINKS:
            text = longer
    if text:
        yield SectionBlock(text=_mrkdwn(text))


def _identity(n: Notification) -> str:
    return f"Incident {code(n.incident_id, _VALUE)}"


def _fallback(head: str, n: Notification) -> str:
    """What a phone shows: the headline, then where it happens."""
    where = line(" / ".join(filter(None, map(clean, (n.service, n.cluster, n.namespace)))), 90)
    tail = f" ({where})" if where else ""
    return f"{head}{_title(n, _FALLBACK - size(head) - size(tail))}{tail}"


def _title(n: Notification, limit: int) -> str:
    return line(n.title, limit) or "(no title)"


def _number(n: Notification) -> str:
    return f"{ID_PREFIX}{n.number}"


def _emoji(n: Notification) -> str:
    return _EMOJI.get(n.severity, "⚪")


def _line(text: str, limit: int) -> str:
    """A word of our own that stands outside of a code span; a label's text where somebody's rules let one through."""
    return line("".join(c for c in text if c not in "*_~`"), limit) or "unknown"


def _plain(text: str) -> Iterator[Block]:
    if text:
        yield SectionBlock(text=_plain_text(text))


def _plain_text(text: str) -> PlainTextObject:
    return PlainTextObject(text=text, emoji=False)  # `:fire:` in an alert is meant as it stands


def _mrkdwn(text: str) -> MarkdownTextObject:
    return MarkdownTextObject(text=text, verbatim=True)  # no guessing at addresses, channels and names
