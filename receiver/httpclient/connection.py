"""Connections that end at a deadline: what requests and urllib3 cannot do, put underneath them."""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import suppress
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.poolmanager import ProxyManager

from receiver.httpclient.address_guard import AddressGuard

# Its debug lines quote the path of every request, its warnings the whole address.
logging.getLogger("urllib3").setLevel(logging.CRITICAL)


class Deadline:
    """The time limit of the one request that is sent within its `with`, and how far that request came.

    A socket's timeout bounds each wait, not their sum: a server that sends one byte a second would hold a job for
    ever, in TLS, headers or body. Shutting down a duplicate of the socket wakes the waiting thread in all of them.
    """

    def __init__(self, seconds: float, guard: AddressGuard | None = None) -> None:
        self.seconds = seconds
        self.guard = guard  # what decides where its connections may go, if anything does
        self.connected = False  # TCP, proxy and TLS stand; before that nothing of the request was sent
        self.expired = False
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._token = _DEADLINE.set(self)
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        _DEADLINE.reset(self._token)
        with self._lock:
            while self._sockets:
                self._sockets.pop().close()

    def watch(self, sock: socket.socket) -> None:
        """Cut this connection too when the time is over, at once if it is over already."""
        with self._lock:
            self._sockets.append(sock.dup())
            if self.expired:
                self._cut()

    def _expire(self) -> None:
        with self._lock:
            self.expired = True
            self._cut()

    def _cut(self) -> None:
        for duplicate in self._sockets:
            with suppress(OSError):  # the other side has closed it already
                duplicate.shutdown(socket.SHUT_RDWR)


# How a connection, which the library makes, finds the request that it is made for.
_DEADLINE: ContextVar[Deadline] = ContextVar("deadline")


class Session(requests.Session):
    """A session whose connections obey the Deadline around them, and that knows no redirects. For one request."""

    def __init__(self) -> None:
        super().__init__()
        self.mount("https://", _Adapter())
        self.mount("http://", _Adapter())

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: else requests reads a redirect's whole body, of any size, although it is not followed."""
        return


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        deadline = _DEADLINE.get()
        sock = super()._new_conn() if deadline.guard is None else self._guarded_conn(deadline.guard)
        deadline.watch(sock)
        return sock

    def _guarded_conn(self, guard: AddressGuard) -> socket.socket:
        """Look the name up once, and connect to what was found and permitted: it may say something else next time."""
        name, last = self._dns_host, None
        try:
            for address in guard.permitted(name, self.port):
                self._dns_host = address
                try:
                    return super()._new_conn()
                except (OSError, HTTPError) as error:
                    last = error
        finally:
            self._dns_host = name  # what TLS checks the certificate for
        assert last is not None, "permitted() gives at least one address"
        raise last

    def connect(self) -> None:
        super().connect()
        _DEADLINE.get().connected = True


class _TLSConnection(_Connection, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


_POOLS = {"http": _Pool, "https": _TLSPool}


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> ProxyManager:
        manager: ProxyManager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager
