"""Links for people, made of what an alert says. Nothing but plain http(s) addresses gets through."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote, urlsplit

from receiver.domain.alert import Alert

LONGEST_LINK = 2000

# What stands in nearly every filter. quote() looks at each character: half the price of an incident's links.
_USUAL_CODES = tuple((mark, quote(mark, safe="")) for mark in '%"=, {}/:')
_is_quoted = re.compile(r"[A-Za-z0-9_.~%-]*").fullmatch


def links_of(alert: Alert) -> dict[str, str]:
    """The alert's links by kind: runbook, dashboard, panel, silence, source, as far as there are good ones.

    Costs more than all else about an alert together: to be called when people will see them, not for every alert.
    """
    urls, annotations = alert.urls, alert.annotations
    candidates = {
        "runbook": (annotations.get("runbook_url"), annotations.get("runbook")),
        "dashboard": (urls.get("dashboard"), annotations.get("dashboard_url")),
        "panel": (urls.get("panel"),),
        "silence": (urls.get("silence"),),
        "source": (urls.get("source"),),
    }
    found = {kind: next(filter(is_link, addresses), None) for kind, addresses in candidates.items()}
    found["silence"] = found["silence"] or _new_silence(urls.get("alertmanager"), alert.labels)
    return {kind: address for kind, address in found.items() if address}


@lru_cache(maxsize=1024)  # the same runbooks and sources again and again; taking one apart is dear
def is_link(address: str | None) -> bool:
    """Whether `address` is absolute, http(s), of sane length, without blanks, control or invisible characters."""
    if not address or len(address) > LONGEST_LINK or not address.isprintable() or " " in address:
        return False
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:  # a broken host, for example an unclosed [
        return False


def _new_silence(alertmanager: str | None, labels: Mapping[str, str]) -> str | None:
    """Alertmanager's page for a new silence, filled in with the labels; `filter` is written as its own UI does."""
    if not alertmanager or not is_link(alertmanager):
        return None
    matchers = ", ".join(f"{_name(name)}={_quoted(value)}" for name, value in sorted(labels.items()))
    # As good a link as the address before it: what comes behind is ours, and no two are the same to is_link's memory.
    link = f"{alertmanager.rstrip('/')}/#/silences/new?filter={_percent_encoded(f'{{{matchers}}}')}"
    return link if len(link) <= LONGEST_LINK else None


def _name(name: str) -> str:
    # Names beyond the classic ones are quoted, as Prometheus 3 and Alertmanager 0.27 write them.
    return name if name.isascii() and name.isidentifier() else _quoted(name)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _percent_encoded(text: str) -> str:
    encoded = text
    for mark, code in _USUAL_CODES:  # the per cent sign first
        encoded = encoded.replace(mark, code)
    return encoded if _is_quoted(encoded) else quote(text, safe="")
