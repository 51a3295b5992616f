"""Whether a text is a name in Kubernetes: asked of everything that could come from an alert, before any call. Pure.

https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from receiver.remediation.base import shown

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL.pattern}(?:\.{_LABEL.pattern})*")
_LETTERS = "begins and ends with a-z or 0-9, with - between"


def label_flaw(what: str, text: str) -> str | None:
    """Why `text` cannot name a `what` of which the name is a DNS label; None if it can."""
    if _LABEL.fullmatch(text):
        return None
    return f"{shown(text)} is no name of a {what}: such a name has 1 to 63 characters and {_LETTERS}"


def subdomain_flaw(what: str, text: str) -> str | None:
    """The same for names that are DNS subdomains."""
    if _SUBDOMAIN.fullmatch(text):
        return None
    return (
        f"{shown(text)} is no name of a {what}: such a name has 1 to 253 characters, and each part of it between dots"
        f" has 63 at most and {_LETTERS}"
    )


# What the keys of targets name. Jobs and cron jobs name pods and labels after themselves: hence 63.
FLAWS: Mapping[str, Callable[[str], str | None]] = {
    "namespace": lambda text: label_flaw("namespace", text),
    "deployment": lambda text: subdomain_flaw("deployment", text),
    "pod": lambda text: subdomain_flaw("pod", text),
    "node": lambda text: subdomain_flaw("node", text),
    "hpa": lambda text: subdomain_flaw("HorizontalPodAutoscaler", text),
    "job": lambda text: label_flaw("job", text),
    "cronjob": lambda text: label_flaw("cron job", text),
}


def flaws_of(target: Mapping[str, object]) -> list[str]:
    """What is wrong with the names in a target, a line for each."""
    found = (
        (key, FLAWS[key](text))
        for key, text in target.items()
        if key in FLAWS and isinstance(text, str) and text
    )
    return [f"target.{key}: {flaw}" for key, flaw in found if flaw]
