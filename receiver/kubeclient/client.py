"""KubeClient: one request to the API server, and what it answered as a dict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol
from urllib.parse import urlencode

from receiver.errors import DeliveryFailed
from receiver.httpclient import HttpClient, Response
from receiver.kubeclient.access import Access, KubernetesSettings, access_of
from receiver.kubeclient.failure import failure_of_answer

# A list of a hundred pods is some 2 MB.
LARGEST_ANSWER_BYTES = 16 * 1024 * 1024
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


class Reader(Protocol):
    """What only looks needs of a cluster."""

    def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        """See KubeClient.get."""


class KubeClient:
    """Sends requests to one API server. One object serves all threads.

    Paths begin with /api or /apis; names in them have been checked (remediation/names.py). A DeliveryFailed has
    `http_status` where there was an answer; after a request that was to change something, its `outcome_unknown` tells
    that it may have done so.
    """

    def __init__(self, access: Access, http: HttpClient) -> None:
        self._access = access
        self._http = http.trusting(access.authority, access.certificate)

    def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        """What is there. Raises DeliveryFailed, never with an unknown outcome: looking changes nothing."""
        failure = None
        try:
            return self._ask("GET", path, params)
        except DeliveryFailed as failed:
            failure = failed
        raise DeliveryFailed(
            failure.reason,
            permanent=failure.permanent,
            retry_after_seconds=failure.retry_after_seconds,
            http_status=failure.http_status,
        )

    def create(self, path: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """POST: the object as it was made. Raises DeliveryFailed."""
        return self._ask("POST", path, None, payload)

    def replace(self, path: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """PUT: the object as it is now. Raises DeliveryFailed."""
        return self._ask("PUT", path, None, payload)

    def merge(self, path: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """PATCH with what is to be different (RFC 7386): the object as it is now. Raises DeliveryFailed."""
        return self._ask("PATCH", path, None, payload, MERGE_PATCH)

    def patch(self, path: str, steps: list[dict[str, Any]]) -> dict[str, Any]:
        """PATCH with steps (RFC 6902): the object as it is now. Raises DeliveryFailed."""
        return self._ask("PATCH", path, None, steps, JSON_PATCH)

    def delete(self, path: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """DELETE with DeleteOptions: the object, or a Status. Raises DeliveryFailed."""
        return self._ask("DELETE", path, None, options)

    def _ask(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        payload: Any = None,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        headers = {"Accept": "application/json"}
        token = self._access.bearer()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if payload is not None:
            headers["Content-Type"] = content_type
        query = f"?{urlencode(params)}" if params else ""
        response = self._http.request(
            method,
            f"{self._access.url}{path}{query}",
            payload=payload,
            headers=headers,
            largest_body_bytes=LARGEST_ANSWER_BYTES,
        )
        failure = failure_of_answer(response, changes=method != "GET", secret=token)
        if failure is not None:
            raise failure
        return _object(response, changes=method != "GET")


def _object(response: Response, *, changes: bool) -> dict[str, Any]:
    found: Any = None
    with suppress(ValueError, RecursionError):
        found = json.loads(response.text)
    if not isinstance(found, dict):
        raise DeliveryFailed(
            "the answer is not one of a Kubernetes API server: is RECEIVER_KUBERNETES_URL right?",
            permanent=True,
            outcome_unknown=changes,
            http_status=response.status,
        )
    return found


def build_kubeclient(settings: KubernetesSettings, http: HttpClient | None = None) -> KubeClient | None:
    """The client for the cluster that the settings lead to, None if they lead to none. Raises SettingsError."""
    access = access_of(settings)
    return KubeClient(access, http or HttpClient()) if access else None
