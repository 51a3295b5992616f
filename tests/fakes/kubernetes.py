"""The API server of a Kubernetes cluster, played by an HTTP(S) server on 127.0.0.1.

It knows deployments (with their scale and ReplicaSets), pods, events, nodes, jobs, cron jobs and HPAs; checks versions,
the token and, if told, RBAC rules; journals each request; and fails as a test says, before or after it has done what
was asked (see Fault). Objects: tests/fakes/kube_objects.py. Use:

    with KubernetesServer() as cluster:
        cluster.put("shop", deployment("svc-a"))
        settings = cluster.settings                    # RECEIVER_KUBERNETES_URL and _TOKEN, without the prefix
        cluster.fail(Fault(503), Fault(hang=True, done=True))
        ...
        assert cluster.replicas("shop", "svc-a") == 2
        assert [one.path for one in cluster.changes()] == [...]
"""

from __future__ import annotations

import json
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.fakes.kube_answers import (
    CHANGES,
    Fault,
    Reply,
    failed,
    patched,
    permits,
    place_of,
    scale_of,
    status_object,
    verb_of,
)
from tests.fakes.kube_store import KINDS, Object, Place, Refused, Store, merged

__all__ = ["Fault", "KubernetesServer", "Request"]

TOKEN = "token-of-the-service-account"


@dataclass(frozen=True)
class Request:
    """One request as it arrived. `status`: what it was answered, None for nothing; `applied`: it changed something."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    content_type: str
    verb: str
    group: str
    resource: str
    status: int | None
    applied: bool = False


class KubernetesServer:
    """The server; runs from construction to stop(). Everything here may be called from any thread."""

    def __init__(self, tls: ssl.SSLContext | None = None, token: str = TOKEN) -> None:
        self.token = token
        self._scheme = "https" if tls else "http"
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._store = Store()
        self.before_change: Callable[[], object] = lambda: None  # called before a request changes something
        self._journal: list[Request] = []
        self._faults: deque[Fault] = deque()
        self._always: Fault | None = None
        self._rules: list[Mapping[str, Any]] | None = None
        self._stopping = threading.Event()
        self._server = _Server(self)
        if tls:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Closes the port; whoever still hangs on an answer loses the connection. May be called again."""
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    @property
    def settings(self) -> dict[str, str]:
        """For a receiver that is to use this cluster; names without RECEIVER_."""
        return {"KUBERNETES_URL": self.url, "KUBERNETES_TOKEN": self.token}

    # What is in the cluster

    def put(self, namespace: str, *objects: Object) -> None:
        """Puts objects into a namespace ("" for nodes); a name that is there already is replaced."""
        resources = {kind: resource for resource, kind in KINDS.items()}
        with self._lock:
            for one in objects:
                self._store.put(place_of(resources[one["kind"]], namespace, one["metadata"]["name"]), one)

    def read(self, resource: str, namespace: str, name: str) -> Object:
        """An object as it is now; KeyError if there is none."""
        with self._lock:
            try:
                return self._store.get(place_of(resource, namespace, name))
            except Refused as refused:
                raise KeyError(refused.message) from None

    def names(self, resource: str, namespace: str = "") -> list[str]:
        """All of a kind, in the order in which they were made."""
        with self._lock:
            items = self._store.list(place_of(resource, namespace), "", "", 0)["items"]
        return [one["metadata"]["name"] for one in items]

    def replicas(self, namespace: str, name: str) -> int:
        return int(self.read("deployments", namespace, name)["spec"]["replicas"])

    def release(self, namespace: str, name: str, image: str) -> None:
        """Rolls out another image, as a person would."""
        with self._lock:
            changed = self.read("deployments", namespace, name)
            changed["spec"]["template"]["spec"]["containers"][0]["image"] = image
            self._store.update(place_of("deployments", namespace, name), changed)

    def touch(self, resource: str, namespace: str, name: str) -> None:
        """Somebody else changes the object: its version is another one now."""
        with self._lock:
            self._store.touch(place_of(resource, namespace, name))

    # How it behaves

    def fail(self, *faults: Fault) -> None:
        """The next requests that these are for fail so, one each in this order."""
        with self._lock:
            self._faults.extend(faults)

    def fail_always(self, fault: Fault | None) -> None:
        """From now on all requests that it is for fail so; None: none does."""
        with self._lock:
            self._always = fault

    def allow_only(self, rules: Iterable[Mapping[str, Any]]) -> None:
        """RBAC: whatever these rules (as in a ClusterRole) do not allow is answered 403."""
        with self._lock:
            self._rules = list(rules)

    # What was asked

    def journal(self) -> list[Request]:
        """All requests so far, in the order in which they arrived."""
        with self._lock:
            return list(self._journal)

    def changes(self) -> list[Request]:
        """The requests that have changed something, answered or not: what must not be there twice."""
        return [one for one in self.journal() if one.applied]

    def wait_for(self, count: int, method: str = "", timeout: float = 10) -> list[Request]:
        """The requests (of a method), as soon as there are `count`; AssertionError after `timeout` seconds."""

        def found() -> list[Request]:
            return [one for one in self._journal if method in ("", one.method)]

        with self._changed:
            if not self._changed.wait_for(lambda: len(found()) >= count, timeout):
                raise AssertionError(
                    f"{len(found())} of {count} {method} requests arrived within {timeout:g} s"
                )
            return found()

    def _take(
        self, method: str, target: str, headers: Mapping[str, str], raw: bytes
    ) -> tuple[Fault | None, Reply]:
        """Journals a request, does what it asks unless a fault is before that, and gives the answer."""
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        body = json.loads(raw) if raw else None
        kind = headers.get("Content-Type", "").partition(";")[0]
        if method in CHANGES:
            self.before_change()
        with self._changed:
            fault = self._fault_for(method, parts.path)
            place, verb, applied = None, "", False
            try:
                place = Place.of(parts.path)
                verb = verb_of(method, place)
                self._admit(headers, place, verb)
                if fault is None or fault.done:
                    reply = Reply(
                        201 if method == "POST" else 200, self._do(method, place, query, body, kind)
                    )
                    applied = method in CHANGES
                if fault is not None:
                    reply = failed(fault)
            except Refused as refused:
                fault = None
                reply = Reply(refused.status, status_object(refused.status, refused.reason, refused.message))
            silent = fault is not None and (fault.hang or fault.drop)
            self._journal.append(
                Request(
                    method=method,
                    path=parts.path,
                    query=query,
                    body=body,
                    content_type=kind,
                    verb=verb,
                    group=place.group if place else "",
                    resource=place.rule_name if place else "",
                    status=None if silent else reply.status,
                    applied=applied,
                )
            )
            self._changed.notify_all()
            return fault, reply

    def _fault_for(self, method: str, path: str) -> Fault | None:
        for fault in self._faults:
            if fault.is_for(method, path):
                self._faults.remove(fault)
                return fault
        return self._always if self._always and self._always.is_for(method, path) else None

    def _admit(self, headers: Mapping[str, str], place: Place, verb: str) -> None:
        if headers.get("Authorization") != f"Bearer {self.token}":
            raise Refused(401, "Unauthorized", "Unauthorized")
        if self._rules is not None and not any(permits(rule, place, verb) for rule in self._rules):
            raise Refused(
                403,
                "Forbidden",
                f'{place.resource} "{place.name}" is forbidden: User "system:serviceaccount:receiver:receiver" cannot'
                f' {verb} resource "{place.rule_name}" in API group "{place.group}" in the namespace'
                f' "{place.namespace}"',
            )

    def _do(self, method: str, place: Place, query: Mapping[str, str], body: Any, kind: str) -> Object:
        if place.subresource == "scale":
            return self._scale(method, place, body)
        match method:
            case "GET" if place.name:
                return self._store.get(place)
            case "GET":
                selectors = query.get("labelSelector", ""), query.get("fieldSelector", "")
                return self._store.list(place, *selectors, int(query.get("limit", 0)))
            case "POST":
                return self._store.create(place, body)
            case "PUT":
                return self._store.update(place, body)
            case "PATCH":
                old = self._store.get(place)
                return self._store.update(place, patched(old, body, kind))
            case "DELETE":
                return self._store.delete(place, body or {})
        raise Refused(405, "MethodNotAllowed", f"the server does not allow {method}")

    def _scale(self, method: str, place: Place, body: Any) -> Object:
        deployment = self._store.get(place)
        if method == "GET":
            return scale_of(deployment)
        if method not in ("PUT", "PATCH"):
            raise Refused(405, "MethodNotAllowed", f"the server does not allow {method}")
        wanted = body if method == "PUT" else merged(scale_of(deployment), body)
        deployment["spec"]["replicas"] = wanted["spec"].get("replicas", 0)
        asked = wanted["metadata"].get("resourceVersion")
        if asked:
            deployment["metadata"]["resourceVersion"] = asked
        return scale_of(self._store.update(place, deployment))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a handler that hangs must not hold stop() back
    request_queue_size = 128

    def __init__(self, cluster: KubernetesServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.cluster = cluster

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that went away is part of the game."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault, reply = self.server.cluster._take(self.command, self.path, dict(self.headers), raw)
        if fault is not None and fault.hang:
            self.server.cluster._stopping.wait()
        if fault is not None and (fault.hang or fault.drop):
            self.close_connection = True
            return
        body = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - the names that the base class looks for

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the requests are journalled."""
