"""A mail server on 127.0.0.1: it keeps the mails that it takes, and answers as it is told. aiosmtpd does the SMTP."""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import TracebackType
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.fakes.ports import free_port

logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # it warns of whatever these tests provoke
HANG = "hang"
DROP = "drop"
TAKEN = "250 2.0.0 taken as 4711"


@dataclass(frozen=True)
class Mail:
    """A mail that was handed in: its envelope, and whether the connection had TLS and a signed-in user."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    is_encrypted: bool
    is_authenticated: bool

    @property
    def message(self) -> EmailMessage:
        """Headers and parts as a mail program reads them."""
        parsed = message_from_bytes(self.raw, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    def part(self, kind: str) -> str:
        """The text of the `plain` or `html` part."""
        found = self.message.get_body((kind,))
        assert found is not None
        return str(found.get_content())


class MailServer:
    """Runs within its `with`. `refused` has an answer for each recipient that is not taken; `credentials` who may
    sign in, if anybody must; `tls` speaks TLS at once, or after STARTTLS."""

    def __init__(
        self,
        *,
        credentials: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        starttls: ssl.SSLContext | None = None,
        refused: Mapping[str, str] | None = None,
    ) -> None:
        self.refused = dict(refused or {})
        self.mails: list[Mail] = []
        self.attempts = 0
        self._credentials = credentials
        self._answers: deque[str] = deque()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        options: dict[str, Any] = {"tls_context": starttls, "auth_require_tls": False}
        if credentials:
            options |= {"authenticator": self._authenticate}  # auth_required would warn; handle_RCPT asks
        self._controller = Controller(
            self, hostname="127.0.0.1", port=free_port(), ssl_context=tls, **options
        )

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._controller.stop()

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return int(self._controller.port)

    def answer(self, *answers: str) -> None:
        """The next mails get these answers, one each: an SMTP reply, HANG or DROP. Those after them are taken."""
        with self._lock:
            self._answers.extend(answers)

    async def handle_RCPT(  # noqa: N802 - the name is aiosmtpd's, and so are the other handle_s
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Takes a recipient, or not."""
        if self._credentials and not session.authenticated:
            return "530 5.7.0 sign in first"
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 known here"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        """Takes a mail, or does what was told."""
        with self._lock:
            self.attempts += 1
            answer = self._answers.popleft() if self._answers else TAKEN
            if answer.startswith("250"):
                content = envelope.content
                assert isinstance(content, bytes)
                self.mails.append(
                    Mail(
                        envelope.mail_from or "",
                        tuple(envelope.rcpt_tos),
                        content,
                        session.ssl is not None,
                        bool(session.authenticated),
                    )
                )
        while answer == HANG and not self._stopping.is_set():
            await asyncio.sleep(0.02)
        if answer in (HANG, DROP):
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
        return answer

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        given = (data.login.decode(), data.password.decode()) if isinstance(data, LoginPassword) else None
        return AuthResult(success=given == self._credentials, handled=False)
