"""What an answer of the API server means for the one who asked. Pure."""

from __future__ import annotations

import json

from receiver.errors import DeliveryFailed
from receiver.httpclient import Response, quote

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
_STATUS = "Status"
_SOONER_OR_LATER = (408, 409, 429, 503)


def failure_of_answer(
    response: Response, *, changes: bool, secret: str | None = None
) -> DeliveryFailed | None:
    """None for 2xx, else the failure. `changes`: the request was to change something; `secret`: our token.

    409 and 429 come before anything is changed, and so does a 503 that the API server itself has written. Whatever
    else begins with 5 may come after: from a proxy, from etcd, from a webhook of the cluster.
    """
    if response.is_success:
        return None
    status, (reason, message) = response.status, _status_of(response)
    # The path, which excerpts leave out elsewhere, is no secret here: people must read which object it is about.
    words = ": ".join(filter(None, (reason, message)))
    said = quote(words, (secret,) if secret else ()) if words else response.excerpt()
    transient = status in _SOONER_OR_LATER or status >= 500
    own_word = status != 503 or reason != ""
    return DeliveryFailed(
        f"Kubernetes says HTTP {status}{f': {said}' if said else ''}",
        permanent=not transient,
        retry_after_seconds=response.retry_after_seconds if transient else None,
        outcome_unknown=changes and status >= 500 and not (status == 503 and own_word),
        http_status=status,
    )


def _status_of(response: Response) -> tuple[str, str]:
    """The reason and the message of the Status object in the answer, empty if it has none."""
    try:
        body = json.loads(response.text)
    except (ValueError, RecursionError):
        return "", ""
    if not isinstance(body, dict) or body.get("kind") != _STATUS:
        return "", ""
    reason, message = body.get("reason"), body.get("message")
    return (reason if isinstance(reason, str) else "Unknown", message if isinstance(message, str) else "")
