"""Slack, PagerDuty and Kubernetes as witnesses: stand-ins that journal each request outside of the system."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from faults.history import Journal
from faults.secrets import KUBERNETES_TOKEN
from tests.fakes.kube_objects import deployment
from tests.fakes.kubernetes import KubernetesServer
from tests.fakes.slack import Answer, SlackServer

_INCIDENT = re.compile(r"INC-\d{14}-[0-9a-f]{16}")
_RESOLVED_COLOUR = "#2EB67D"
TAKEN_BY_PAGERDUTY = Answer(202, json.dumps({"status": "success", "message": "Event processed"}))


class Channel(SlackServer):
    """A channel that journals what it was told of which incident, and how it answered.

    `on_request` is called when a request has come, before it is answered; `on_answer` when it has been.
    """

    on_request: Callable[[], None] | None = None

    def __init__(self, name: str, file: Path, name_of: Callable[[Any], tuple[str, str]]) -> None:
        self.name = name
        self.journal = Journal(file)
        self._name_of = name_of
        super().__init__()

    def stop(self) -> None:
        """Close the port, and the journal."""
        super().stop()
        self.journal.close()

    def _take(self, verb: str, path: str, headers: Mapping[str, str], raw: bytes) -> Answer:
        at = time.time()
        answer = super()._take(verb, path, headers, raw)
        incident, what = self._name_of(json.loads(raw))
        taken = answer.status < 300 and (not answer.drop or answer.stored)
        # A client that waits for an answer longer than its patience does not know either.
        is_known = not answer.drop and answer.delay < 5
        self.journal.write(
            channel=self.name,
            incident=incident,
            what=what,
            status=answer.status,
            taken=taken,
            known=is_known,
            came=at,
            digest=hashlib.sha256(raw).hexdigest()[:12],
        )
        if self.on_request is not None:
            self.on_request()
        return answer


def slack(file: Path) -> Channel:
    """Slack's incoming webhook."""
    return Channel("slack", file, _of_slack)


def pagerduty(file: Path) -> Channel:
    """PagerDuty's Events API."""
    made = Channel("pagerduty", file, lambda event: (event["dedup_key"], event["event_action"]))
    made.answer_always(TAKEN_BY_PAGERDUTY)
    return made


def _of_slack(message: Any) -> tuple[str, str]:
    text = json.dumps(message)
    found = _INCIDENT.search(text)
    colours = {one.get("color") for one in message.get("attachments", [])}
    return (found[0] if found else ""), ("resolve" if _RESOLVED_COLOUR in colours else "trigger")


class Cluster(KubernetesServer):
    """The cluster, which journals each change that it made."""

    on_change: Callable[[], None] | None = None

    def __init__(self, file: Path) -> None:
        self.changes_made = Journal(file)
        super().__init__(token=KUBERNETES_TOKEN)

    def stop(self) -> None:
        """Close the port, and the journal."""
        super().stop()
        self.changes_made.close()

    def add(self, services: list[str]) -> None:
        """Deployments of these names, each with one replica."""
        self.put("shop", *(deployment(name) for name in services))

    def _take(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Any:
        taken = super()._take(method, target, headers, raw)
        if method != "GET":
            last = next(one for one in reversed(self.journal()) if one.method == method)
            self.changes_made.write(
                method=method, target=target, applied=last.applied, status=last.status, came=time.time()
            )
            if self.on_change is not None:
                self.on_change()
        return taken
