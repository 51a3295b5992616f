"""Which rule an alert comes from: Grafana's rule UID, from wherever in the body it can be had.

The places are from Grafana's sources: templates/template_data.go of github.com/grafana/alerting, and below
pkg/services/ngalert of github.com/grafana/grafana: state/compat.go and sender/sender.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

from receiver.sources.wire_alert import WireAlert

PRIVATE_LABEL = "__alert_rule_uid__"
OPERATORS_NAME = "rule_uid"
_MATCHER = f"{PRIVATE_LABEL}="
_LONGEST_OPERATORS_UID = 190

# pkg/util/shortid_generator.go. Case counts.
_is_uid = re.compile(r"[a-zA-Z0-9_-]{1,40}").fullmatch
# Only the path counts, and only its end: what stands in the query or the fragment is not Grafana's.
_rule_page = re.compile(r"[^?#]*/alerting/(?:grafana/([^/?#]+)/view|([^/?#]+)/edit)(?:[?#]|$)").match


def rule_uid_of(alert: WireAlert, group_uid: str | None, stand_in: str) -> str:
    """The alert's rule UID: the first place that has one, else `stand_in`.

    The places that only Grafana fills come first, so that no label can pass an alert off as another rule's.
    `group_uid` is the one in the body's group labels, or None.
    """
    labels = alert.labels
    uid = _checked(alert.rule_uid) or _checked(labels.get(PRIVATE_LABEL))
    return (
        uid
        or _from_rule_page(alert.generator_url)
        or _from_silence_page(alert.silence_url)
        or group_uid
        or _operators(labels)
        or _operators(alert.annotations)
        or stand_in
    )


def group_uid_of(group_labels: Mapping[str, str] | None) -> str | None:
    """The UID in a body's group labels: there only if the notification policy groups by it."""
    return _checked(group_labels.get(PRIVATE_LABEL)) if group_labels else None


def _checked(text: str | None) -> str | None:
    return text if text and _is_uid(text) else None


def _from_rule_page(address: str | None) -> str | None:
    if not address or "/alerting/" not in address:
        return None
    page = _rule_page(address)
    return _checked(unquote(page[1] or page[2])) if page else None


def _from_silence_page(address: str | None) -> str | None:
    if not address or PRIVATE_LABEL not in address:
        return None
    try:
        query = urlsplit(address).query
    except ValueError:  # an address with a broken host
        return None
    for name, value in parse_qsl(query):
        if name == "matcher" and value.startswith(_MATCHER):
            uid = _checked(value.removeprefix(_MATCHER))
            if uid:
                return uid
    return None


def _operators(texts: Mapping[str, str] | None) -> str | None:
    """The UID that operators gave their rule, as a label or an annotation: any text that is not too long."""
    text = texts.get(OPERATORS_NAME) if texts else None
    return text if text and len(text) <= _LONGEST_OPERATORS_UID and not text.isspace() else None
