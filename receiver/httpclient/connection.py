"""Connections that end at a deadline: what requests and urllib3 cannot do, put underneath them."""

from __future__ import annotations

import errno
import logging
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Any, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.poolmanager import ProxyManager

from receiver.httpclient.address_guard import AddressGuard
from receiver.httpclient.alarm import Alarm

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
        self._acknowledged = 0  # bytes of ours, on a kept connection, when the request began
        self._is_reset = False
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._token = _DEADLINE.set(self)
        self._alarm = Alarm(self.seconds, self._expire)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.let_go()
        _DEADLINE.reset(self._token)

    def let_go(self) -> bool:
        """The request is over: from now on no connection is cut because of it. Whether none has been."""
        self._alarm.cancel()
        with self._lock:
            while self._sockets:
                self._sockets.pop().close()
            return not self.expired

    def watch(self, sock: socket.socket) -> None:
        """Cut this connection too when the time is over, at once if it is over already."""
        with self._lock:
            self._sockets.append(sock.dup())
            if self.expired:
                self._cut()

    def resume(self, sock: socket.socket) -> None:
        """The request goes over this connection, which was made for an earlier one."""
        self.watch(sock)
        _, self._acknowledged = _tcp_info(sock)
        self.connected = True

    @contextmanager
    def noting_resets(self) -> Iterator[None]:
        """Notice a reset here: urllib3 goes on after one, to see whether there is an answer all the same."""
        try:
            yield
        except OSError as error:
            self._is_reset = self._is_reset or error.errno == errno.ECONNRESET
            raise

    @property
    def is_in_vain(self) -> bool:
        """Whether the request went over a kept connection that the other side had closed before: nobody has seen it.

        To be asked when the connection has failed, before the `with` ends. A goodbye (FIN) tells what had arrived when
        it was said, and who says it answers nothing that comes later: https://www.rfc-editor.org/rfc/rfc9112#name-tear-down
        A reset may come instead of telling. False where our system keeps no count.
        """
        with self._lock:
            if not self._acknowledged or self.expired or self._is_reset:
                return False
            state, acknowledged = _tcp_info(self._sockets[-1])
            return state in _ENDED_BY_PEER and acknowledged == self._acknowledged

    def begin_again(self) -> None:
        """What was done in vain is tried once more, within the same time."""
        self._acknowledged, self._is_reset, self.connected = 0, False, False

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
    """A session whose connections obey the Deadline around them, and that knows no redirects and no cookies.

    For one request at a time, and all of them to one place.
    """

    def __init__(self) -> None:
        super().__init__()
        self.opened_at = time.monotonic()
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self._settings: Any = None
        for scheme in ("https://", "http://"):
            self.mount(scheme, _Adapter(pool_connections=1, pool_maxsize=1))

    def merge_environment_settings(self, *asked: Any) -> Any:
        """Proxies and authorities. The environment is the same for all requests of a session: it is read once."""
        if self._settings is None:
            self._settings = super().merge_environment_settings(*asked)
        return self._settings

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: else requests reads a redirect's whole body, of any size, although it is not followed."""
        return


# Of struct tcp_info, Linux 4.1 and later: the state, and how much of what was sent the other side's system has
# acknowledged. https://man7.org/linux/man-pages/man7/tcp.7.html, linux/tcp.h
_TCP_INFO_BYTES = 192
_BYTES_ACKED_AT = 120
_ENDED_BY_PEER = (7, 8)  # TCP_CLOSE, TCP_CLOSE_WAIT


def _tcp_info(sock: socket.socket) -> tuple[int, int]:
    """The connection's state, and how many bytes of ours the other side's system has got; 0 if nobody counts."""
    try:
        told = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
        return told[0], int(struct.unpack_from("=Q", told, _BYTES_ACKED_AT)[0])
    except (OSError, AttributeError, IndexError, struct.error):
        return 0, 0


class _Connection(HTTPConnection):
    _raw: socket.socket | None = None  # below TLS, and as long as this connection

    def _new_conn(self) -> socket.socket:
        deadline = _DEADLINE.get()
        sock = super()._new_conn() if deadline.guard is None else self._guarded_conn(deadline.guard)
        deadline.watch(sock)
        self._raw = sock.dup()
        return sock

    def request(self, *arguments: Any, **options: Any) -> None:
        deadline = _DEADLINE.get()
        if self._raw is not None and not deadline.connected:
            deadline.resume(self._raw)
        with deadline.noting_resets():
            super().request(*arguments, **options)

    def getresponse(self) -> Any:
        # On a connection that has been used before the system waits 40 ms with its acknowledgements, and a server that
        # sends head and body of an answer separately may wait for the first one.
        if self._raw is not None and hasattr(socket, "TCP_QUICKACK"):
            self._raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        with _DEADLINE.get().noting_resets():
            return super().getresponse()

    def close(self) -> None:
        super().close()
        raw, self._raw = self._raw, None
        if raw is not None:
            raw.close()

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
