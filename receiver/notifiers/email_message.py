"""What a message looks like as a mail: text and HTML, and the headers that make one thread of an incident. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from markupsafe import Markup

from receiver.clock import as_utc
from receiver.domain.notification import Notification, Template
from receiver.notifiers.facts import facts, headline, links, number, title
from receiver.notifiers.plain_text import clean, one_line, paragraph

SENDER_NAME = "Alert receiver"
_SUBJECT_TITLE = 150
_TITLE = 500
_SUMMARY = 4000
_CHANGES, _CHANGE = 8, 150
_COLOUR = {"critical": "#D0021B", "error": "#F5741D", "warning": "#F2C744", "info": "#3B88C3"}
_RESOLVED_COLOUR = "#2EB67D"

# 7-bit, so that no server has to offer 8BITMIME; the policy refuses line breaks in headers, besides.
_POLICY = SMTP.clone(cte_type="7bit")


def compose(n: Notification, sender: str, recipients: Sequence[str], now: datetime) -> EmailMessage:
    """The mail for `n`, from and to bare addresses. Composed again, it has the same Message-ID.

    Auto-Submitted: https://www.rfc-editor.org/rfc/rfc3834#section-5; the other header is Exchange's word for it.
    """
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = Address(SENDER_NAME, addr_spec=sender)
    mail["To"] = [Address(addr_spec=recipient) for recipient in recipients]
    mail["Subject"] = subject(n)
    mail["Date"] = format_datetime(as_utc(now))
    domain = sender.rpartition("@")[2]
    mail["Message-ID"] = message_id(n, domain)
    if n.template not in (Template.OPENED, Template.TEST):
        first = _message_id(n.incident_id, Template.OPENED, 0, domain)
        mail["In-Reply-To"] = first
        mail["References"] = first
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(_text(n))
    mail.add_alternative(_html(n), subtype="html")
    return mail


def subject(n: Notification) -> str:
    """`[P0] INC-12 title`; the same for all mails of an incident, because some programs thread by it."""
    if n.template is Template.TEST:
        return headline(n)
    text = f"[{one_line(n.priority, 10)}] {number(n)} {title(n, _SUBJECT_TITLE)}"
    return text if n.template is Template.OPENED else f"Re: {text}"


def message_id(n: Notification, domain: str) -> str:
    """The mail's name in the world: deterministic, so that a mail that was sent twice shows once."""
    if n.template is Template.TEST:  # each test is another message
        return _message_id(n.incident_id, n.template, int(as_utc(n.opened_at).timestamp() * 1000), domain)
    return _message_id(n.incident_id, n.template, n.sequence, domain)


def _message_id(incident_id: str, template: Template, sequence: int, domain: str) -> str:
    return f"<{incident_id}.{template.value}.{sequence}@{domain}>"


def _changes(n: Notification) -> list[str]:
    return [one_line(change, _CHANGE) for change in n.changes[:_CHANGES] if clean(change)]


def _summary(n: Notification) -> str:
    return "" if clean(n.summary) == clean(n.title) else paragraph(n.summary, _SUMMARY)


def _text(n: Notification) -> str:
    parts = [
        f"{headline(n)}\n{title(n, _TITLE)}",
        "\n".join(f"- {change}" for change in _changes(n)),
        _summary(n),
        "\n".join(f"{name}: {value}" for name, value in facts(n)),
        "\n".join(f"{label}: {url}" for label, url in links(n)),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _html(n: Notification) -> str:
    """HTML as mail programs take it: inline styles, tables, nothing from elsewhere. Markup escapes what it is given."""
    over = n.template is Template.RESOLVED
    colour = _RESOLVED_COLOUR if over else _COLOUR.get(n.severity, "#8D8D8D")
    rows = Markup().join(
        Markup('<tr><td style="color:#666;padding:2px 12px 2px 0">{}</td><td>{}</td></tr>').format(*fact)
        for fact in facts(n)
    )
    news = Markup().join(Markup("<li>{}</li>").format(change) for change in _changes(n))
    found = Markup(" &middot; ").join(
        Markup('<a href="{}">{}</a>').format(url, label) for label, url in links(n)
    )
    return Markup(
        '<!DOCTYPE html><html><head><meta charset="utf-8"></head><body style="font-family:sans-serif">'
        '<div style="border-left:4px solid {};padding-left:12px">'
        '<p style="margin:0;color:#666">{}</p><h2 style="margin:4px 0 12px">{}</h2>{}{}<table>{}</table><p>{}</p>'
        "</div></body></html>\n"
    ).format(
        colour,
        headline(n),
        title(n, _TITLE),
        Markup("<ul>{}</ul>").format(news) if news else "",
        Markup('<p style="white-space:pre-line">{}</p>').format(_summary(n)) if _summary(n) else "",
        rows,
        found,
    )
