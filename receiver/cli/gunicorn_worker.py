"""gunicorn's worker process: one thread, in which each connection is a greenlet.

With a thread for each request, threads that handed requests to each other took a third of the CPU, and sixteen slow
senders held up everybody. A greenlet that waits, for its sender or for the database, costs next to nothing.
"""

from __future__ import annotations

import gc
import signal
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import gevent
from gevent.monkey import MonkeyPatchWarning
from gevent.pool import Pool
from gevent.server import StreamServer
from gevent.socket import SHUT_RD, socket
from gunicorn.workers.ggevent import GeventWorker

from receiver.cli.paced_socket import PacedSocket
from receiver.cli.unread_request import unread

_LOOK_SECONDS = 0.1
_BEAT_SECONDS = 1.0
_YIELD_SECONDS = 0.001
_LONGEST_YIELD_SECONDS = 0.005
# With so many connections each process has enough to do, and whoever is yet to be let in would only wait.
_ENOUGH = 32
# From here on, as a share of the connections that a process serves, nobody keeps one: who has to wait for a place would
# else wait until those who have one go away, and they need not.
_CROWDED = 0.75
_OBJECTS_BETWEEN_COLLECTIONS = 10_000


class ReceiverWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """Serves until gunicorn's master says to stop, then finishes the requests under way."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._clients: dict[gevent.Greenlet, PacedSocket] = {}
        self._idle: set[PacedSocket] = set()
        self._servers: list[_FairServer] = []

    def init_process(self) -> None:
        """Become a process of our own, right after the fork."""
        signal.signal(
            signal.SIGTERM, self.handle_exit
        )  # until init_signals it would be the master's, who is not here
        super().init_process()

    def patch(self) -> None:
        """Make waiting for sockets, locks and time wait for greenlets instead."""
        with warnings.catch_warnings():
            # That ssl was imported before matters to who took classes out of it: urllib3, which nobody calls from here
            # (no call to the outside world inside a request). PyMySQL asks the module anew for each connection.
            warnings.simplefilter("ignore", MonkeyPatchWarning)
            super().patch()

    def init_signals(self) -> None:
        """A terminal's Ctrl-C reaches this process too: the master tells it when to stop."""
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def run(self) -> None:
        """Accept and serve; called once the application is loaded."""
        servers = self._servers = [
            _FairServer(listener, partial(self.handle, listener), spawn=Pool(self.worker_connections))
            for listener in self.sockets
        ]
        self._settle_down()
        for server in servers:
            server.start()
        beat = 0.0
        while self.alive:
            looked_at = time.monotonic()
            if looked_at >= beat:
                self.notify()
                beat = looked_at + _BEAT_SECONDS
            if self._is_crowded():
                self._make_room()
            gevent.sleep(_LOOK_SECONDS)
        for server in servers:
            server.close()
        self._drain(servers)

    def _settle_down(self) -> None:
        """Nothing of what was loaded, and no setting, changes from here on."""
        # gunicorn asks for a dozen settings in each request, and each answer takes two calls.
        self.cfg.__dict__.update({name: setting.get() for name, setting in self.cfg.settings.items()})
        # Looking through all that was loaded, for garbage that is not there, was a twentieth of the CPU in a storm.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, 10, 10)

    def handle(self, listener: socket, client: socket, address: Any) -> None:
        """Serve one connection, request after request, until its end."""
        me = gevent.getcurrent()
        self._clients[me] = paced = PacedSocket(client, self.cfg.keepalive)
        try:
            super().handle(listener, paced, address)
        finally:
            del self._clients[me]

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Serve one request."""
        if self._is_crowded():
            req.force_close()
        super().handle_request(listener_name, req, sock, addr)

    @contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Around the wait for the next request of a connection and the reading of its head."""
        client = self._clients[gevent.getcurrent()]
        self._idle.add(client)
        try:
            client.await_request()
            yield
        except TimeoutError:
            client.refuse_late_head()  # gunicorn then finds no request, and closes
        finally:
            self._idle.discard(client)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that could not be read. What was sent stays out of the answer and out of the log."""
        found = unread(exc)
        if found is None or not isinstance(client, PacedSocket):
            super().handle_error(req, client, addr, exc)
            return
        self.log.warning(
            "Invalid request from ip=%s", addr[0] if addr else "", extra={"reason": type(exc).__name__}
        )
        client.say_last(found.answer())

    def _is_crowded(self) -> bool:
        return any(server.connections >= _CROWDED * server.pool.size for server in self._servers)

    def _make_room(self) -> None:
        """Close the connections on which nothing has come for a while."""
        for client in list(self._idle):
            if client.idle_seconds >= _BEAT_SECONDS:
                _stop_reading(client)

    def _drain(self, servers: list[_FairServer]) -> None:
        """Wait for what is under way, as long as gunicorn allows; connections that only wait are closed now."""
        deadline = time.monotonic() + self.cfg.graceful_timeout
        while any(server.connections for server in servers) and time.monotonic() < deadline:
            for client in list(self._idle):
                # Only what comes from here on is lost: a request that has arrived is read, and answered.
                _stop_reading(client)
            self.notify()
            gevent.sleep(_LOOK_SECONDS)
        for server in servers:
            server.stop(timeout=1)


class _FairServer(StreamServer):  # type: ignore[misc]  # gevent has no types
    """Shares the listening socket with other processes, so that each gets about as many connections.

    Whoever has many waits a moment before it takes the next one. Without that, the process that woke up first took all
    of the few connections that an Alertmanager keeps, and the other cores had nothing to do.
    """

    max_accept = 1

    @property
    def connections(self) -> int:
        """How many it serves now."""
        return int(self.pool.size - self.pool.free_count())

    def do_handle(self, *args: Any) -> None:
        """Serve a connection that was just accepted."""
        super().do_handle(*args)
        if self.connections > _ENOUGH:
            return
        self.stop_accepting()
        pause = min(_LONGEST_YIELD_SECONDS, _YIELD_SECONDS * self.connections)
        gevent.spawn_later(pause, self._accept_again)

    def _accept_again(self) -> None:
        if self.started:
            self.start_accepting()


def _stop_reading(client: PacedSocket) -> None:
    try:
        client.shutdown(SHUT_RD)
    except OSError:
        return  # it is closed already
