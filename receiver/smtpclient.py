"""The other way out: hands one mail to an SMTP server in bounded time, with TLS as demanded, and tells no secret.

Certificate authorities are the system's; SSL_CERT_FILE in the environment, as OpenSSL reads it, names others.
"""

from __future__ import annotations

import base64
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from receiver.domain.mail_server import MailServer, Security
from receiver.errors import DeliveryFailed
from receiver.httpclient.connection import Deadline
from receiver.httpclient.response import SHORTEST_SECRET, quote

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Submission:
    """What the server answered to a mail that it took, and its words for each recipient that it refused."""

    reply: str
    refused: tuple[str, ...] = ()


class SmtpClient:
    """Sends mails. One object serves all threads; each mail has a connection of its own.

    `connect_timeout_seconds` bounds the connection to each address of the host, `read_timeout_seconds` each silence of
    the server, `total_timeout_seconds` everything together but the look-up of the host's name.
    """

    def __init__(
        self,
        connect_timeout_seconds: float = 5,
        read_timeout_seconds: float = 20,
        total_timeout_seconds: float = 40,
    ) -> None:
        self._timeouts = (connect_timeout_seconds, read_timeout_seconds)
        self._total_seconds = total_timeout_seconds

    def send(self, server: MailServer, sender: str, recipients: Sequence[str], message: bytes) -> Submission:
        """Hand `message` (7-bit, with its headers) in for `recipients`; done as soon as one of them is accepted.

        Raises DeliveryFailed: a 4xx of the server is transient, a 5xx permanent.
        """
        return self._talk(server, sender, lambda smtp: smtp.submit(sender, recipients, message))

    def check(self, server: MailServer, sender: str) -> None:
        """Connect and sign in as for a mail from `sender`, and send none. Raises DeliveryFailed."""
        self._talk(server, sender, _Smtp.greet)

    def _talk(self, server: MailServer, sender: str, talk: Callable[[_Smtp], T]) -> T:
        outcome = self._attempt(server, sender, talk)
        if isinstance(outcome, DeliveryFailed):
            # Raised here and not in an `except`: the library's exception may quote what was sent.
            raise outcome
        return outcome

    def _attempt(self, server: MailServer, sender: str, talk: Callable[[_Smtp], T]) -> T | DeliveryFailed:
        with Deadline(self._total_seconds) as deadline:
            try:
                smtp = _Smtp(server, self._timeouts, deadline, sender.rpartition("@")[2])
                try:
                    return talk(smtp)
                finally:
                    smtp.close()
            # smtplib's own errors are OSErrors; a UnicodeError is a host's name or a text that SMTP cannot say.
            except (OSError, UnicodeError) as error:
                return _failure(error, deadline, self._timeouts, _private_parts(server))


class _Smtp(smtplib.SMTP):
    """A conversation with a server; `deadline.connected` is set when the mail may be there although no answer came."""

    def __init__(
        self, server: MailServer, timeouts: tuple[float, float], deadline: Deadline, name: str
    ) -> None:
        self._server = server
        self._seconds = timeouts
        self._deadline = deadline
        # Our name in EHLO is the sender's domain: the machine's own would have to be looked up, and tells too much.
        super().__init__(server.host, server.port, local_hostname=name)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        """What smtplib calls to connect; TLS from the first byte where it is asked for."""
        sock = socket.create_connection((host, port), self._seconds[0])
        sock.settimeout(self._seconds[1])
        self._deadline.watch(sock)
        if self._server.security is Security.TLS:
            return ssl.create_default_context().wrap_socket(sock, server_hostname=host)
        return sock

    def greet(self) -> None:
        """Say hello, with TLS and a password as the settings ask for it."""
        self.ehlo_or_helo_if_needed()
        if self._server.security is Security.STARTTLS:
            _expect(220, self.starttls(context=ssl.create_default_context()))
            self.ehlo()
        if self._server.password:
            self.login(self._server.user, self._server.password)

    def submit(self, sender: str, recipients: Sequence[str], message: bytes) -> Submission:
        """Hand the mail in, from the greeting to the goodbye."""
        self.greet()
        _expect(250, self.mail(sender))
        refused = [reply for reply in map(self.rcpt, recipients) if reply[0] not in (250, 251)]
        if len(refused) == len(recipients):
            # One that may be accepted later is reason enough to come again.
            raise smtplib.SMTPResponseException(*min(refused, key=lambda reply: reply[0]))
        self._deadline.connected = True
        reply = _expect(250, self.data(message))
        with suppress(OSError):  # it is done: whether the server says goodbye does not matter
            self.quit()
        private = _private_parts(self._server)
        return Submission(_words(reply, private), tuple(_words(one, private) for one in refused))


def _expect(code: int, reply: tuple[int, bytes]) -> tuple[int, bytes]:
    if reply[0] != code:
        raise smtplib.SMTPResponseException(*reply)
    return reply


def _words(reply: tuple[int, bytes | str], private: Sequence[str]) -> str:
    code, text = reply
    words = text.decode(errors="replace") if isinstance(text, bytes) else text
    return quote(f"{code} {words}", private)


def _failure(
    error: Exception, deadline: Deadline, timeouts: tuple[float, float], private: Sequence[str]
) -> DeliveryFailed:
    if deadline.expired:
        reason = f"no complete answer within {deadline.seconds:g} s"
        return DeliveryFailed(reason, outcome_unknown=deadline.connected)
    if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code > 0:
        # What is no 4xx or 5xx where it should not be is no SMTP, or not for long: try again.
        reason = f"the mail server says {_words((error.smtp_code, error.smtp_error), private)}"
        return DeliveryFailed(reason, permanent=500 <= error.smtp_code < 600)
    causes = tuple(_causes(error))
    if deadline.connected:
        slow = any(isinstance(cause, TimeoutError) for cause in causes)
        reason = (
            f"no answer within {timeouts[1]:g} s" if slow else "the connection was cut before an answer came"
        )
        return DeliveryFailed(reason, outcome_unknown=True)
    return DeliveryFailed(_why_not(error, causes, timeouts), permanent=isinstance(error, UnicodeError))


def _why_not(error: Exception, causes: Sequence[BaseException], timeouts: tuple[float, float]) -> str:
    """Why the conversation did not come to the mail. All of it is transient: people mend servers and certificates."""
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            what = cause.verify_message.partition(",")[0]  # after the comma stands the host's name
            return f"TLS: certificate not accepted ({what}); a CA of your own goes into SSL_CERT_FILE"
    kinds: tuple[tuple[type[BaseException], str], ...] = (
        (ssl.SSLError, "TLS: the handshake failed; smtps:// is for port 465, smtp:// with STARTTLS for 587"),
        (smtplib.SMTPResponseException, "what answers there does not speak SMTP"),
        (
            smtplib.SMTPNotSupportedError,
            "the server does not offer what is needed (STARTTLS, or AUTH over TLS)",
        ),
        (UnicodeError, "the host's name or a text of the conversation cannot be said in SMTP"),
        (socket.gaierror, "the host's name could not be resolved"),
        (ConnectionRefusedError, "connection refused"),
        (TimeoutError, f"no connection within {timeouts[0]:g} s, or no answer within {timeouts[1]:g} s"),
        (smtplib.SMTPServerDisconnected, "the connection was cut before the mail was handed over"),
    )
    for kind, reason in kinds:
        if any(isinstance(cause, kind) for cause in causes):
            return reason
    if isinstance(error, smtplib.SMTPException):
        return "the server and this receiver have no way of signing in (AUTH) in common"
    return f"no connection ({type(error).__name__})"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """`error` and what is behind it: smtplib turns a timeout into a disconnection."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _private_parts(server: MailServer) -> tuple[str, ...]:
    """What a server might repeat and nobody may read in a log: the credentials, also as they are sent, and the host."""
    user, password = server.user, server.password
    sent = [password, f"\0{user}\0{password}"] if password else []
    encoded = [base64.b64encode(text.encode()).decode() for text in sent]
    parts = {password, *encoded, *(text for text in (user, server.host) if len(text) >= SHORTEST_SECRET)}
    return tuple(sorted(filter(None, parts), key=len, reverse=True))
