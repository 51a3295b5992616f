"""What a message looks like in Slack: from a Notification to the payload of an incoming webhook. Pure.

Everything that matters stands in the blocks. The attachment below them only gives the colour and the full id: Slack
calls attachments secondary and may fold them. Links are links and no buttons: a click on a button shows a warning in
Slack unless the app has a request URL for interactivity, which an incoming webhook need not have.

What is said comes from templates (texts.py); the form, the facts and the links are made here, within Slack's limits
whatever a template gives: https://docs.slack.dev/reference/block-kit/blocks. Slack also refuses messages whose
blocks have some 13,000 characters together (msg_blocks_too_long, in no document); those below stay under 11,000.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from slack_sdk.models.attachments import BlockAttachment
from slack_sdk.models.basic_objects import JsonObject
from slack_sdk.models.blocks import (
    Block,
    ContextBlock,
    HeaderBlock,
    MarkdownTextObject,
    PlainTextObject,
    SectionBlock,
)

from receiver.domain.incident import RESOLVED_BY_ALERT
from receiver.domain.notification import Notification, Template
from receiver.notifiers.facts import lasted, links
from receiver.notifiers.slack_text import (
    code,
    line,
    lines,
    link,
    moment,
    mrkdwn,
    shortened,
    size,
    unescape,
)
from receiver.notifiers.template_files import SLACK_PHONE, SLACK_TEXT, SLACK_TITLE, Part
from receiver.notifiers.texts import Wording, shipped_wording
from receiver.notifiers.view import TITLE

_COLOUR = {"critical": "#D0021B", "error": "#F5741D", "warning": "#F2C744", "info": "#3B88C3"}
_GOOD_COLOUR = "#2EB67D"
_UNKNOWN_COLOUR = "#8D8D8D"

_HEADER = 150
_FALLBACK = 300
_TEXT = 2900
_VALUE = 200
_LINKS = 3000
_UNCUT = 100_000
# Messages that are about no single incident.
_IDENTITIES: Mapping[Template, str] = {
    Template.TEST: "No incident belongs to it.",
    Template.BUNDLE: "Told together, because many came at once.",
}


class _Sound(JsonObject):
    """A part that does not check itself: nothing here is longer than Slack takes (tests ask the checks), and they cost
    a third of a message's price."""

    def validate_json(self) -> None:
        return


class _Header(_Sound, HeaderBlock):
    pass


class _Section(_Sound, SectionBlock):
    pass


class _Context(_Sound, ContextBlock):
    pass


class _Attachment(_Sound, BlockAttachment):
    pass


class _PlainText(_Sound, PlainTextObject):
    pass


class _Markdown(_Sound, MarkdownTextObject):
    pass


def payload(notification: Notification, wording: Wording | None = None) -> dict[str, Any]:
    """The JSON body to post for `notification`, with the texts of `wording`, by default the shipped ones."""
    wording = wording or shipped_wording(notification)
    blocks = [
        *_headline(wording, notification),
        *_text(wording),
        *_facts(_FACTS.get(notification.template, _situation)(notification)),
        *_links(notification),
    ]
    identity = _IDENTITIES.get(notification.template) or f"Incident {code(notification.incident_id, _VALUE)}"
    footer = _Attachment(color=_colour(notification), blocks=[_Context(elements=[_mrkdwn(identity)])])
    return {
        "text": _fitted(wording, SLACK_PHONE, notification, _FALLBACK),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": [block.to_dict() for block in blocks],
        "attachments": [footer.to_dict()],
    }


def _headline(wording: Wording, n: Notification) -> Iterator[Block]:
    """The header and, where that has not the whole title, the title below it."""
    header = _fitted(wording, SLACK_TITLE, n, _HEADER)
    yield _Header(text=_plain_text(header))
    title = line(n.title, TITLE)
    if title not in header and n.template not in _IDENTITIES:
        yield _Section(text=_plain_text(title))


def _fitted(wording: Wording, part: Part, n: Notification, limit: int) -> str:
    """One line of at most `limit`. Where it is longer, the title in it gives way, so that what follows it stays."""
    text = line(wording.render(part).text, _UNCUT)
    excess = size(text) - limit
    room = size(line(n.title, TITLE)) - excess
    if excess > 0 and room > 0:
        text = line(wording.render(part, title=shortened(n.title, room)).text, _UNCUT)
    return text if size(text) <= limit else line(unescape(text), limit)


def _text(wording: Wording) -> Iterator[Block]:
    found = wording.render(SLACK_TEXT)
    if found.format == "mrkdwn":
        text = mrkdwn(found.text, _TEXT)
        yield from [_Section(text=_mrkdwn(text))] if text else []
        return
    text = lines(found.text, _TEXT)
    yield from [_Section(text=_plain_text(text))] if text else []


def _resolution(n: Notification) -> list[tuple[str, str]]:
    return [
        ("Duration", lasted(n)),
        ("Resolved by", _resolver(n)),
        ("Severity", _severity(n)),
        ("Alerts", _alerts(n)),
        *_place(n),
        ("Acknowledged by", code(n.acknowledged_by, _VALUE)),
        ("Opened", moment(n.opened_at)),
        ("Resolved", moment(n.resolved_at) if n.resolved_at else ""),
    ]


def _going_on(n: Notification) -> list[tuple[str, str]]:
    return [*_situation(n), ("Last alert", moment(n.last_seen_at))]


def _nothing(_: Notification) -> list[tuple[str, str]]:
    return []


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


def _facts(facts: list[tuple[str, str]]) -> Iterator[Block]:
    """Pairs of name and value in two columns; what has no value is left out."""
    if facts:
        yield _Section(fields=[_mrkdwn(f"*{name}*\n{value}") for name, value in facts if value])


def _links(n: Notification) -> Iterator[Block]:
    text = ""
    for label, url in links(n) if n.template not in _IDENTITIES else ():
        found = link(url, label)
        longer = f"{text}  ·  {found}" if text else found or ""
        if found and size(longer) <= _LINKS:
            text = longer
    if text:
        yield _Section(text=_mrkdwn(text))


def _colour(n: Notification) -> str:
    if n.template in (Template.RESOLVED, Template.ACTION_COMPLETED):
        return _GOOD_COLOUR
    if n.template in _IDENTITIES:
        return _COLOUR["info"]
    return _COLOUR.get(n.severity, _UNKNOWN_COLOUR)


def _line(text: str, limit: int) -> str:
    """A word of our own that stands outside of a code span; a label's text where somebody's rules let one through."""
    return line("".join(c for c in text if c not in "*_~`"), limit) or "unknown"


def _plain_text(text: str) -> PlainTextObject:
    return _PlainText(text=text, emoji=False)  # `:fire:` in an alert is meant as it stands


def _mrkdwn(text: str) -> MarkdownTextObject:
    return _Markdown(text=text, verbatim=True)  # no guessing at addresses, channels and names


_FACTS: Mapping[Template, Callable[[Notification], list[tuple[str, str]]]] = {
    Template.UPDATED: _going_on,
    Template.REMINDER: _going_on,
    Template.RESOLVED: _resolution,
    Template.TEST: _nothing,
    Template.BUNDLE: _nothing,
}
