"""Why no answer came: the exceptions of requests, urllib3 and the system as a DeliveryFailed with a reason for people.

All of them are transient but an unusable address. What decides whether the outcome is known is not the exception but
how far the connection came (Deadline.connected).
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import requests
from requests.exceptions import InvalidHeader, InvalidProxyURL, ProxyError
from urllib3.exceptions import NameResolutionError

from receiver.errors import DeliveryFailed
from receiver.httpclient.connection import Deadline

_TIMEOUTS = (TimeoutError, requests.Timeout)


def transport_failure(error: Exception, deadline: Deadline, timeouts: tuple[float, float]) -> DeliveryFailed:
    """The failure to report for `error`; `timeouts` are the limits for connecting and reading, in seconds."""
    causes = tuple(_causes(error))
    if deadline.expired:
        reason = f"no complete answer within {deadline.seconds:g} s"
        return DeliveryFailed(reason, outcome_unknown=deadline.connected)
    if isinstance(error, ValueError):
        return DeliveryFailed(_why_unusable(error), permanent=True)
    if not deadline.connected:
        return DeliveryFailed(_why_unconnected(causes, timeouts[0]))
    if _has(causes, *_TIMEOUTS):
        return DeliveryFailed(f"no answer within {timeouts[1]:g} s", outcome_unknown=True)
    return DeliveryFailed("the connection was cut before an answer came", outcome_unknown=True)


def _why_unusable(error: ValueError) -> str:
    if isinstance(error, InvalidHeader):
        return "a header has a value that cannot be sent"
    if isinstance(error, InvalidProxyURL):
        return "the proxy's address in the environment is not a usable URL"
    return "the address is not a usable http:// or https:// URL"


def _why_unconnected(causes: tuple[BaseException, ...], connect_timeout_seconds: float) -> str:
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            # Transient: people mend clocks, expired certificates and missing authorities, and nothing was sent.
            what = cause.verify_message.partition(",")[0]  # after the comma stands the host's name
            return f"TLS: certificate not accepted ({what}); a CA of your own goes into REQUESTS_CA_BUNDLE"
    if _has(causes, ProxyError):
        return "the proxy could not be reached or did not connect"
    if _has(causes, NameResolutionError, socket.gaierror):
        return "the host's name could not be resolved"
    if _has(causes, ConnectionRefusedError):
        return "connection refused"
    if _has(causes, *_TIMEOUTS):
        return f"no connection within {connect_timeout_seconds:g} s"
    if _has(causes, ssl.SSLError):
        return "TLS: the handshake failed; does the server speak https:// on this port?"
    kinds = [type(cause).__name__ for cause in causes if type(cause).__module__ == "builtins"]
    return f"no connection ({kinds[-1] if kinds else 'unknown cause'})"


def _has(causes: tuple[BaseException, ...], *kinds: type[BaseException]) -> bool:
    return any(isinstance(cause, kinds) for cause in causes)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """`error` and what is behind it; requests and urllib3 hide that in `reason`, in `args` or in the chain."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        cause = waiting.pop(0)
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            waiting += [getattr(cause, "reason", None), *cause.args, cause.__cause__, cause.__context__]
