"""E-mail by SMTP: hands the mail to a server and understands what it says."""

from __future__ import annotations

from collections.abc import Sequence

from receiver.clock import Clock, utc_now
from receiver.domain.channel import Kind
from receiver.domain.mail_server import MailServer
from receiver.domain.notification import Notification, Receipt, Template
from receiver.notifiers.email_message import compose
from receiver.notifiers.texts import SHIPPED_TEXTS, Texts
from receiver.smtpclient import SmtpClient


class Email:
    """Sends one mail to all `recipients`."""

    name: str = Kind.EMAIL
    # No acknowledgements: mail is read late, and whoever acknowledged knows it.
    templates = frozenset(Template) - {Template.TEST, Template.ACKNOWLEDGED}

    def __init__(
        self,
        server: MailServer,
        sender: str,
        recipients: Sequence[str],
        client: SmtpClient,
        clock: Clock = utc_now,
        name: str = Kind.EMAIL,
        texts: Texts = SHIPPED_TEXTS,
    ) -> None:
        self.name = str(name)
        self._texts = texts
        self._server = server
        self._sender = sender
        self._recipients = tuple(recipients)
        self._client = client
        self._clock = clock

    def send(self, notification: Notification) -> Receipt:
        """Send one mail. It counts as sent when the server takes it for at least one recipient: a second one to all
        would tell those twice. A repeat has the same Message-ID.

        Raises DeliveryFailed.
        """
        wording = self._texts.of(notification)
        mail = compose(notification, self._sender, self._recipients, self._clock(), wording)
        taken = self._client.send(self._server, self._sender, self._recipients, mail.as_bytes())
        detail = taken.reply
        if taken.refused:
            detail += (
                f"; {len(taken.refused)} of {len(self._recipients)} recipients refused: {taken.refused[0]}"
            )
        return Receipt(detail=wording.receipt(detail), provider_ref=str(mail["Message-ID"]))
