"""An answer, and what its status means for the caller. Pure but for reading the body."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote, urlsplit

import requests
from urllib3.exceptions import HTTPError

from receiver.clock import as_utc
from receiver.errors import DeliveryFailed

LONGEST_BODY_BYTES = 64 * 1024
LONGEST_EXCERPT = 200
LONGEST_RETRY_AFTER_SECONDS = 3600.0
# Shorter parts of an address (`v1`, `api`) are no secrets, and an excerpt without them would be unreadable.
SHORTEST_SECRET = 6


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. `text` is its body as UTF-8, cut where it was too long; `private` what no excerpt must repeat."""

    status: int
    headers: Mapping[str, str]
    text: str
    retry_after_seconds: float | None = None
    private: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def excerpt(self) -> str:
        """At most 200 printable characters of the body, for an error text, without any part of our own request."""
        if re.match(r"\s*<(!doctype html|html)", self.text, re.IGNORECASE):
            return "(a web page)"  # of some proxy; its markup tells nobody anything
        return self.quote(self.text)

    def quote(self, words: str) -> str:
        """`words` of the answer as an error text may have them: likewise cut and without our own request."""
        return quote(words, self.private)


def quote(words: str, private: Sequence[str]) -> str:
    """At most 200 printable characters of `words`, in one line, with `[...]` for each text that is `private`."""
    for part in private:
        words = re.sub(re.escape(part), "[...]", words, flags=re.IGNORECASE)
    words = "".join(c if c.isprintable() else " " for c in words)
    return " ".join(words.split())[:LONGEST_EXCERPT]


Judge = Callable[[Response], DeliveryFailed | None]


def failure_of(response: Response) -> DeliveryFailed | None:
    """What the status of an answer means; None for 2xx.

    408, 429 and 5xx are transient; everything else is permanent, because the same request would get the same answer.
    502 and 504 come from something in between: the service behind it may have done what was asked.
    """
    status = response.status
    if response.is_success:
        return None
    if 300 <= status < 400:
        reason = f"HTTP {status}: redirects are not followed; set the address that this one leads to"
        return DeliveryFailed(reason, permanent=True, http_status=status)
    transient = status in (408, 429) or status >= 500
    excerpt = response.excerpt()
    return DeliveryFailed(
        f"HTTP {status}: {excerpt}" if excerpt else f"HTTP {status}",
        permanent=not transient,
        retry_after_seconds=response.retry_after_seconds if transient else None,
        outcome_unknown=status in (502, 504),
        http_status=status,
    )


def private_parts(url: str, headers: Mapping[str, str], secrets: Sequence[str] = ()) -> tuple[str, ...]:
    """What an answer might repeat of a request and nobody may read in a log, longest first.

    That is the address, the values of the headers, and `secrets`, which stand in the body.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # such an address is never asked
        return (url,)
    found = {url, parts.netloc, parts.path, parts.query, parts.hostname or "", *re.split(r"[/?&=:@#]", url)}
    found.update(secrets)
    for value in headers.values():
        found.update((value, *value.split()))
    found |= {unquote(part) for part in found}
    return tuple(sorted((part for part in found if len(part) >= SHORTEST_SECRET), key=len, reverse=True))


def read_text(answer: requests.Response, longest_bytes: int = LONGEST_BODY_BYTES) -> tuple[str, bool]:
    """The body as UTF-8, cut to `longest_bytes`, and whether it reached its end, or the cut, in good order."""
    body, whole = b"", True
    try:
        while len(body) < longest_bytes:
            chunk = answer.raw.read(longest_bytes - len(body), decode_content=False)
            if not chunk:
                break
            body += chunk
    except (OSError, HTTPError):
        whole = False
    return body.decode(errors="replace"), whole


def retry_after(value: str, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for, an hour at most; None where it says nothing that can be understood.

    It holds seconds or a date: https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
    """
    text = value.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:10])
    else:
        try:
            seconds = (as_utc(parsedate_to_datetime(text)) - now).total_seconds()
        except (ValueError, OverflowError):
            return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS)
