"""Text from alerts made safe for Slack: cleaned, escaped, cut to Slack's limits, never able to format, link or ping.

Slack takes `&`, `<` and `>` for control characters in every text object and decodes their entities:
https://docs.slack.dev/messaging/formatting-message-text#escaping
`*`, `_`, `~` and `` ` `` cannot be escaped; they are harmless in plain_text objects and inside a code span.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from receiver.clock import as_utc

# What a reader cannot see or what turns the text around: controls, zero-width characters (but those that join
# letters and emoji), bidirectional marks and overrides, invisible tags; and what has no UTF-8 form or meaning at all.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)
_LINE_BREAK = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_UNIT = re.compile(r"&(?:amp|lt|gt);|.", re.DOTALL)
_UNFIT_FOR_A_LINK = re.compile(r"[\s|<>\"`\\]")

LONGEST_LINK = 2000


def clean(text: str) -> str:
    """`text` without invisible characters; lines end in a single newline, and not more than one of them is empty."""
    text = _INVISIBLE.sub("", _LINE_BREAK.sub("\n", text)).replace("\t", " ")
    # Split, not matched: a pattern for spaces before a line's end takes quadratic time on a text of spaces.
    text = "\n".join(part.rstrip(" ") for part in text.split("\n"))
    return re.sub("\n{3,}", "\n\n", text).strip()


def escape(text: str) -> str:
    """`text` with Slack's three control characters as entities."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def size(text: str) -> int:
    """The length as Slack may count it at worst: in UTF-16 units, where an emoji is two."""
    return len(text) + sum(c > "\uffff" for c in text)


def lines(text: str, limit: int) -> str:
    """Cleaned, escaped, and cut to `limit`, with its line breaks; for a plain_text object."""
    return _cut(clean(text), limit)


def line(text: str, limit: int) -> str:
    """The same in one line."""
    return _cut(" ".join(clean(text).split()), limit)


def code(text: str, limit: int) -> str:
    """One line as a code span for a mrkdwn object: there nothing in it formats. Empty where nothing is left."""
    inner = line(text.replace("`", "'"), limit - 2)
    return f"`{inner}`" if inner else ""


def link(url: str, label: str) -> str | None:
    """A mrkdwn link with our own `label`; None unless `url` is an absolute http(s) address that is fit to be shown."""
    if len(url) > LONGEST_LINK or _UNFIT_FOR_A_LINK.search(url) or _INVISIBLE.search(url):
        return None
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    # Credentials do not belong in a channel, and `https://known.example@evil.example` only looks like the first.
    return f"<{escape(url)}|{label}>" if usable and "@" not in parts.netloc else None


def moment(when: datetime) -> str:
    """A time that Slack shows in each reader's own zone; elsewhere UTC.

    https://docs.slack.dev/messaging/formatting-message-text#date-formatting
    """
    utc = as_utc(when)
    return f"<!date^{int(utc.timestamp())}^{{date_short_pretty}} {{time}}|{utc:%Y-%m-%d %H:%M} UTC>"


def duration(span: timedelta) -> str:
    """A time span in its two largest units: `45 s`, `12 min 30 s`, `3 h 5 min`, `2 d 4 h`."""
    seconds = max(int(span.total_seconds()), 0)
    parts = [
        (seconds // 86400, "d"),
        (seconds // 3600 % 24, "h"),
        (seconds // 60 % 60, "min"),
        (seconds % 60, "s"),
    ]
    first = next((index for index, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count) or "0 s"


def _cut(text: str, limit: int) -> str:
    """`text` escaped, in at most `limit` units, without half an entity at its end; `…` tells that something is gone."""
    escaped = escape(text[: limit + 1])  # longer than the limit already when something is left behind here
    if size(escaped) <= limit:
        return escaped
    kept, room = [], limit - 1
    for unit in _UNIT.findall(escaped):
        room -= size(unit)
        if room < 0:
            break
        kept.append(unit)
    return "".join(kept).rstrip(" \n\u200c\u200d\ufe0f") + "…"
