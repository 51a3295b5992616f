"""What a message looks like as a mail: text and HTML, and the headers that make one thread of an incident. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from receiver.clock import as_utc
from receiver.domain.notification import Notification, Template
from receiver.notifiers.plain_text import one_line, paragraph
from receiver.notifiers.template_files import EMAIL_HTML, EMAIL_SUBJECT, EMAIL_TEXT
from receiver.notifiers.texts import Wording, shipped_wording

SENDER_NAME = "Alert receiver"
_SUBJECT = 250
_TEXT = 20_000
# Each of these begins a thread of its own; any other does so where no mail of the incident was sent before.
_FIRST = frozenset({Template.OPENED, Template.TEST, Template.BUNDLE})

_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,500}>")

# 7-bit, so that no server has to offer 8BITMIME; the policy refuses line breaks in headers, besides.
_POLICY = SMTP.clone(cte_type="7bit")


def compose(
    n: Notification, sender: str, recipients: Sequence[str], now: datetime, wording: Wording | None = None
) -> EmailMessage:
    """The mail for `n`, from and to bare addresses, with the texts of `wording`, by default the shipped ones.

    Composed again, it has the same Message-ID.

    Auto-Submitted: https://www.rfc-editor.org/rfc/rfc3834#section-5; the other header is Exchange's word for it.
    """
    wording = wording or shipped_wording(n)
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = Address(SENDER_NAME, addr_spec=sender)
    mail["To"] = [Address(addr_spec=recipient) for recipient in recipients]
    mail["Subject"] = subject(n, wording)
    mail["Date"] = format_datetime(as_utc(now))
    domain = sender.rpartition("@")[2]
    mail["Message-ID"] = message_id(n, domain)
    if _is_reply(n):
        first = n.thread_ref
        mail["In-Reply-To"] = first
        mail["References"] = first
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(paragraph(wording.render(EMAIL_TEXT).text, _TEXT) + "\n")
    mail.add_alternative(wording.render(EMAIL_HTML).text, subtype="html")
    return mail


def subject(n: Notification, wording: Wording) -> str:
    """The same for all mails of an incident but for `Re:`, because some programs thread by it; and but for how an
    action ended, which people must not have to open a mail for."""
    text = one_line(wording.render(EMAIL_SUBJECT).text, _SUBJECT)
    return f"Re: {text}" if _is_reply(n) else text


def _is_reply(n: Notification) -> bool:
    return n.template not in _FIRST and _MESSAGE_ID.fullmatch(n.thread_ref) is not None


def message_id(n: Notification, domain: str) -> str:
    """The mail's name in the world: deterministic, so that a mail that was sent twice shows once."""
    if n.template is Template.TEST:  # each test is another message
        return _message_id(n.incident_id, n.template, int(as_utc(n.opened_at).timestamp() * 1000), domain)
    return _message_id(n.incident_id, n.template, n.sequence, domain)


def _message_id(incident_id: str, template: Template, sequence: int, domain: str) -> str:
    return f"<{incident_id}.{template.value}.{sequence}@{domain}>"
