"""Everything else by Apprise (Teams, Telegram, SMS providers ...), which is an extra: its 130 services, our promises.

https://appriseit.com. What it sends goes through its own code, so the address is not guarded and no proxy setting of
ours counts; the time limit and the silence about addresses are kept here.
"""

from __future__ import annotations

import ast
import logging
import re
import threading
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import Any

from receiver.domain.notification import Notification, Receipt, Template
from receiver.errors import DeliveryFailed, SettingsError
from receiver.httpclient import private_parts, quote
from receiver.notifiers.plain_text import one_line, paragraph
from receiver.notifiers.template_files import APPRISE_BODY, APPRISE_TITLE
from receiver.notifiers.texts import SHIPPED_TEXTS, Texts

_TITLE, _BODY = 250, 4000
# A service that drips its answer holds a thread until it ends; with so many, the channel takes no more for a while.
_MOST_LEFT = 4

# What its plug-ins log about a failure, of which Apprise itself says no more than that it failed.
_STATUS = re.compile(r"error=(\d{3})\b")
_WORDS = re.compile(r"Response Details:\s*(b'[^\n]*'|b\"[^\n]*\")$", re.MULTILINE)
_NOT_SENT = re.compile(
    r"refused|NewConnectionError|NameResolutionError|ConnectTimeout|Name or service not known|getaddrinfo"
)
_CUT_OFF = re.compile(r"Connection error|Socket Exception|timed out|RemoteDisconnected", re.IGNORECASE)


class Apprise:
    """One service of Apprise's, at `url`, which is a secret. `limits`: seconds to connect, to read, altogether."""

    templates = frozenset(Template) - {Template.TEST, Template.ACKNOWLEDGED}

    def __init__(
        self, name: str, url: str, limits: tuple[float, float, float], texts: Texts = SHIPPED_TEXTS
    ) -> None:
        if find_spec("apprise") is None:
            raise SettingsError(
                ["RECEIVER_APPRISE_URLS: needs a package: pip install 'alert-receiver[apprise]'"]
            )
        self.name = name
        self._url = url
        self._limits = limits
        self._texts = texts
        self._left: list[_Attempt] = []

    def send(self, notification: Notification) -> Receipt:
        """Send one message. What the service makes of a repeat is its own affair.

        Raises DeliveryFailed.
        """
        wording = self._texts.of(notification)
        title = one_line(wording.render(APPRISE_TITLE).text, _TITLE)
        body = paragraph(wording.render(APPRISE_BODY).text, _BODY) or title
        service = self.check()
        self._left = [one for one in self._left if one.is_alive()]
        if len(self._left) >= _MOST_LEFT:
            raise DeliveryFailed("earlier messages to this channel have not come to an end yet")
        attempt = _Attempt(service, title, body)
        attempt.start()
        total = self._limits[2]
        attempt.join(total)
        if attempt.is_alive():
            self._left.append(attempt)
            raise DeliveryFailed(f"no complete answer within {total:g} s", outcome_unknown=True)
        if not attempt.is_taken:
            raise failure_of_log(attempt.told, private_parts(self._url, {}), self._limits)
        return Receipt(detail=wording.receipt(f"{service.service_name} took it"))

    def check(self) -> Any:
        """The plug-in for the address, made anew for each message: they keep state, and one is no thread's own.

        Raises DeliveryFailed if Apprise cannot make anything of the address. Sends nothing.
        """
        # Its log lines name hosts and tokens. Silenced before it is loaded, because that tells the first of them.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        import apprise  # here, because only who sends needs it: it brings a plug-in for each of its services

        asset = apprise.AppriseAsset(async_mode=False, app_id="Alert receiver", app_desc="", app_url="")
        service = apprise.Apprise.instantiate(self._url, asset=asset)
        if service is None:
            raise DeliveryFailed(
                f"Apprise does not understand the address of {self.name} in RECEIVER_APPRISE_URLS; `apprise --details`"
                " lists what it knows, and some services need a package of their own",
                permanent=True,
            )
        for setting, attribute, seconds in (
            ("cto", "socket_connect_timeout", self._limits[0]),
            ("rto", "socket_read_timeout", self._limits[1]),
        ):
            if f"{setting}=" not in self._url:
                setattr(service, attribute, seconds)
        return service


def _bytes(literal: str) -> bytes:
    """The bytes that a line of the log shows as Python writes them."""
    try:
        found = ast.literal_eval(literal)
    except (ValueError, SyntaxError):
        return b""
    return found if isinstance(found, bytes) else b""


class _Attempt(threading.Thread):
    """One call of Apprise in a thread that can be left behind: nothing else bounds the whole of it."""

    def __init__(self, service: Any, title: str, body: str) -> None:
        super().__init__(name="apprise", daemon=True)
        self._service = service
        self._title = title
        self._body = body
        self._told = _Ear()
        service.logger = self._told.logger  # its class's own otherwise, which is everybody's
        self.is_taken = False

    @property
    def told(self) -> Sequence[str]:
        """What the plug-in logged on the way."""
        return self._told.lines

    def run(self) -> None:
        """Send; whatever a plug-in raises, Apprise makes a failure of it."""
        import apprise

        sender = apprise.Apprise(asset=self._service.asset)
        sender.add(self._service)
        self.is_taken = bool(sender.notify(title=self._title, body=self._body, body_format="text"))


class _Ear(logging.Handler):
    """Hears what is told to `logger`, which no other handler does: nothing of it goes anywhere else."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.logger = logging.Logger("apprise.message", logging.DEBUG)  # noqa: LOG001 - known to nobody but us
        self.logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line."""
        self.lines.append(record.getMessage())


def failure_of_log(
    told: Iterable[str], private: Sequence[str], limits: tuple[float, float, float]
) -> DeliveryFailed:
    """Why a plug-in could not send, from what it logged. None of that is shown but the service's status and words."""
    text = "\n".join(told)
    status = _STATUS.search(text)
    if status is not None:
        code = int(status[1])
        found = _WORDS.search(text)
        words = quote(_bytes(found[1]).decode(errors="replace"), private) if found else ""
        return DeliveryFailed(
            f"the service answered HTTP {code}" + (f": {words}" if words else ""),
            permanent=400 <= code < 500 and code not in (408, 425, 429),
            outcome_unknown=code in (502, 504),
            http_status=code,
        )
    if _NOT_SENT.search(text):
        return DeliveryFailed("no connection: it was refused, or the host is not known")
    if _CUT_OFF.search(text):
        reason = f"no answer within {limits[1]:g} s, or the connection was cut before it came"
        return DeliveryFailed(reason, outcome_unknown=True)
    return DeliveryFailed("Apprise could not send it, and does not say why")
