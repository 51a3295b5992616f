"""Text from alerts made safe for Slack: cleaned, escaped, cut to Slack's limits, never able to format, link or ping.

Slack takes `&`, `<` and `>` for control characters in every text object and decodes their entities:
https://docs.slack.dev/messaging/formatting-message-text#escaping
`*`, `_`, `~` and `` ` `` cannot be escaped; they are harmless in plain_text objects and inside a code span.
"""

from __future__ import annotations

import re
from datetime import datetime

from receiver.clock import as_utc
from receiver.notifiers.plain_text import clean, is_web_link

_UNIT = re.compile(r"&(?:amp|lt|gt);|.", re.DOTALL)
# What cannot be cut in two in Slack's own notation: a link, a mention, a date.
_MRKDWN_UNIT = re.compile(r"<[^<>\n]*>|&(?:amp|lt|gt);|.", re.DOTALL)


def escape(text: str) -> str:
    """`text` with Slack's three control characters as entities."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def unescape(text: str) -> str:
    """What `escape` was given."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def size(text: str) -> int:
    """The length as Slack may count it at worst: in UTF-16 units, where an emoji is two."""
    if text.isascii() or max(text) <= "\uffff":
        return len(text)
    return len(text) + sum(c > "\uffff" for c in text)


def lines(text: str, limit: int) -> str:
    """Cleaned, escaped, and cut to `limit`, with its line breaks; for a plain_text object."""
    return _cut(clean(text), limit)


def line(text: str, limit: int) -> str:
    """The same in one line."""
    return _cut(" ".join(clean(text).split()), limit)


def shortened(text: str, limit: int) -> str:
    """One line, not escaped, but cut so that it is no longer than `limit` once it is."""
    return unescape(line(text, limit))


def mrkdwn(text: str, limit: int) -> str:
    """Text in Slack's own notation, cleaned and cut to `limit` without breaking a link or an entity."""
    cleaned = clean(text)
    return cleaned if size(cleaned) <= limit else _kept(_MRKDWN_UNIT, cleaned, limit)


def code(text: str, limit: int) -> str:
    """One line as a code span for a mrkdwn object: there nothing in it formats. Empty where nothing is left."""
    inner = line(text.replace("`", "'"), limit - 2)
    return f"`{inner}`" if inner else ""


def link(url: str, label: str) -> str | None:
    """A mrkdwn link with our own `label`; None unless `url` is an absolute http(s) address that is fit to be shown."""
    # These two would end the address within Slack's own form of a link.
    return f"<{escape(url)}|{label}>" if is_web_link(url) and not set("|`") & set(url) else None


def moment(when: datetime) -> str:
    """A time that Slack shows in each reader's own zone; elsewhere UTC.

    https://docs.slack.dev/messaging/formatting-message-text#date-formatting
    """
    utc = as_utc(when)
    return f"<!date^{int(utc.timestamp())}^{{date_short_pretty}} {{time}}|{utc:%Y-%m-%d %H:%M} UTC>"


def _cut(text: str, limit: int) -> str:
    """`text` escaped, in at most `limit` units, without half an entity at its end; `…` tells that something is gone."""
    escaped = escape(text[: limit + 1])  # longer than the limit already when something is left behind here
    return escaped if size(escaped) <= limit else _kept(_UNIT, escaped, limit)


def _kept(units: re.Pattern[str], text: str, limit: int) -> str:
    kept, room = [], limit - 1
    for unit in units.finditer(text):
        room -= size(unit[0])
        if room < 0:
            break
        kept.append(unit[0])
    return "".join(kept).rstrip(" \n\u200c\u200d\ufe0f") + "…"
