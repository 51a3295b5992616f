"""Text from alerts made fit for people, before a channel escapes it: visible, cut, and without links that deceive."""

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
# A text of these only, without a blank at either end, is clean as it is; most are.
_CLEAN = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?")
_UNFIT_FOR_A_LINK = re.compile(r"[\s<>\"\\]")

LONGEST_LINK = 2000


def clean(text: str) -> str:
    """`text` without invisible characters; lines end in a single newline, and not more than one of them is empty."""
    if _CLEAN.fullmatch(text):
        return text
    text = _INVISIBLE.sub("", _LINE_BREAK.sub("\n", text)).replace("\t", " ")
    # Split, not matched: a pattern for spaces before a line's end takes quadratic time on a text of spaces.
    text = "\n".join(part.rstrip(" ") for part in text.split("\n"))
    return re.sub("\n{3,}", "\n\n", text).strip()


def one_line(text: str, limit: int) -> str:
    """`text` cleaned, in one line, and cut to `limit` characters; `…` tells that something is gone."""
    return _cut(" ".join(clean(text).split()), limit)


def paragraph(text: str, limit: int) -> str:
    """The same with its line breaks."""
    return _cut(clean(text), limit)


def is_web_link(url: str) -> bool:
    """Whether `url` is an absolute http(s) address that is fit to be shown to people."""
    if len(url) > LONGEST_LINK or _UNFIT_FOR_A_LINK.search(url) or _INVISIBLE.search(url):
        return False
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    # Credentials do not belong in a channel, and `https://known.example@evil.example` only looks like the first.
    return usable and "@" not in parts.netloc


def moment(when: datetime) -> str:
    """A time in UTC, for people."""
    return f"{as_utc(when):%Y-%m-%d %H:%M} UTC"


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
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
