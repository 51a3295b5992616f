"""E-mail against a real SMTP server: TLS as demanded, signing in, recipients that are refused, and the mail itself."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from receiver.config import load
from receiver.domain.channel import ChannelSpec, Kind
from receiver.domain.notification import Template
from receiver.errors import DeliveryFailed
from receiver.notifiers.base import Notifier
from receiver.notifiers.registry import build_notifiers
from receiver.smtpclient import SmtpClient
from tests.builders.notifications import BY_TEMPLATE, FIRING, HOSTILE
from tests.fakes.certificate import self_signed
from tests.fakes.leaks import told
from tests.fakes.mail_server import DROP, MailServer
from tests.fakes.raw_http import Conversation, RawServer

USER, PASSWORD = "receiver-user", "s3cr3t-of-the-mail"
HASTY = SmtpClient(connect_timeout_seconds=1, read_timeout_seconds=0.4, total_timeout_seconds=5)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    return self_signed(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def trusted(certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's context with a certificate that this process trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    return certificate[1]


def email(
    url: str, to: str = "ops@example.org,boss@example.org", client: SmtpClient | None = None
) -> Notifier:
    settings = {"RECEIVER_SMTP_URL": url, "RECEIVER_SMTP_FROM": "alerts@example.org", "RECEIVER_SMTP_TO": to}
    return build_notifiers(load(settings), smtp=client)["email"]


def url_of(
    server: MailServer | RawServer, scheme: str = "smtp", host: str = "127.0.0.1", query: str = ""
) -> str:
    return f"{scheme}://{USER}:{PASSWORD}@{host}:{server.port}{query}"


def failure(notifier: Notifier) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as caught:
        notifier.send(FIRING)
    text = told(caught.value)
    assert PASSWORD not in text
    assert USER not in text
    return caught.value


def test_starttls_comes_before_the_password(trusted):
    with MailServer(credentials=(USER, PASSWORD), starttls=trusted) as server:
        email(url_of(server, query="?starttls=required")).send(FIRING)
        (mail,) = server.mails
    assert (mail.is_encrypted, mail.is_authenticated) == (True, True)
    assert mail.sender == "alerts@example.org"
    assert mail.recipients == ("ops@example.org", "boss@example.org")


def test_tls_from_the_first_byte(trusted):
    with MailServer(credentials=(USER, PASSWORD), tls=trusted) as server:
        assert email(url_of(server, "smtps", "localhost")).send(FIRING).detail.startswith("250")
        assert len(server.mails) == 1


def test_a_server_without_starttls_gets_neither_password_nor_mail():
    with MailServer(credentials=(USER, PASSWORD)) as server:
        error = failure(email(url_of(server, query="?starttls=required")))
        assert server.attempts == 0
    assert "STARTTLS" in error.reason
    assert (error.permanent, error.outcome_unknown) == (False, False)


@pytest.mark.parametrize("mode", ["tls", "starttls"])
def test_a_certificate_that_nobody_vouches_for_is_not_accepted(certificate, mode):
    scheme, query = ("smtps", "") if mode == "tls" else ("smtp", "?starttls=required")
    with MailServer(credentials=(USER, PASSWORD), **{mode: certificate[1]}) as server:
        error = failure(email(url_of(server, scheme, query=query)))
        assert server.attempts == 0
    assert "certificate not accepted (self-signed certificate)" in error.reason
    assert "SSL_CERT_FILE" in error.reason
    assert (error.permanent, error.outcome_unknown) == (False, False)


def test_a_certificate_for_another_name_is_not_accepted(tmp_path, monkeypatch):
    file, tls = self_signed(tmp_path, [x509.DNSName("mail.example")])
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with MailServer(tls=tls) as server:
        error = failure(email(url_of(server, "smtps")))
    assert "certificate not accepted (IP address mismatch" in error.reason
    assert "127.0.0.1" not in error.reason


def test_plain_smtp_where_tls_is_expected_is_named():
    with MailServer() as server:
        assert "TLS: the handshake failed" in failure(email(url_of(server, "smtps"))).reason


def test_a_wrong_password_is_permanent():
    with MailServer(credentials=(USER, "another password")) as server:
        error = failure(email(url_of(server)))
        assert server.attempts == 0
    assert error.permanent
    assert "535" in error.reason


def test_a_server_that_wants_a_password_and_gets_none_says_so():
    with MailServer(credentials=(USER, PASSWORD)) as server:
        error = failure(email(f"smtp://127.0.0.1:{server.port}"))
    assert error.permanent
    assert "530 5.7.0 sign in first" in error.reason


def test_one_refused_recipient_does_not_keep_the_mail_from_the_others():
    with MailServer(refused={"boss@example.org": "550 5.1.1 no such user"}) as server:
        receipt = email(f"smtp://127.0.0.1:{server.port}").send(FIRING)
        (mail,) = server.mails
    assert mail.recipients == ("ops@example.org",)
    assert "1 of 2 recipients refused: 550 5.1.1 no such user" in receipt.detail


@pytest.mark.parametrize(
    ("answers", "permanent"),
    [
        (("550 5.1.1 no such user", "550 5.1.1 no such user"), True),
        (("550 5.1.1 no such user", "450 4.2.1 greylisted"), False),
        (("450 4.2.1 greylisted", "450 4.2.1 greylisted"), False),
    ],
)
def test_a_mail_that_nobody_may_get_is_not_sent(answers, permanent):
    refused = dict(zip(("ops@example.org", "boss@example.org"), answers, strict=True))
    with MailServer(refused=refused) as server:
        error = failure(email(f"smtp://127.0.0.1:{server.port}"))
        assert server.attempts == 0
    assert (error.permanent, error.outcome_unknown) == (permanent, False)
    assert error.reason == f"the mail server says {min(answers)}"


def test_a_busy_server_is_tried_again_later():
    def busy(client: Conversation) -> None:
        client.send(b"421 4.3.2 too many connections\r\n")

    with RawServer(busy) as server:
        error = failure(email(url_of(server)))
    assert error.reason == "the mail server says 421 4.3.2 too many connections"
    assert not error.permanent


def test_a_server_that_says_nothing_holds_nobody_and_got_nothing():
    with RawServer(lambda client: client.hold()) as server:
        error = failure(email(url_of(server), client=HASTY))
    assert "no answer within 0.4 s" in error.reason
    assert (error.permanent, error.outcome_unknown) == (False, False)


def test_what_is_no_mail_server_is_no_mail_server():
    with RawServer(lambda client: client.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server:
        error = failure(email(url_of(server), client=HASTY))
    assert error.reason == "what answers there does not speak SMTP"
    assert (error.permanent, error.outcome_unknown) == (False, False)


def test_a_repeat_after_a_lost_answer_folds():
    with MailServer() as server:
        notifier = email(f"smtp://127.0.0.1:{server.port}")
        server.answer("250 taken")
        first = notifier.send(FIRING)
        server.answer(DROP)
        assert failure(notifier).outcome_unknown
        assert notifier.send(FIRING).provider_ref == first.provider_ref
        names = {mail.message["Message-ID"] for mail in server.mails}
    assert names == {first.provider_ref}


def test_an_incident_is_one_thread_at_the_server():
    with MailServer() as server:
        notifier = email(f"smtp://127.0.0.1:{server.port}")
        first = notifier.send(BY_TEMPLATE[Template.OPENED])
        for template in (Template.UPDATED, Template.RESOLVED):
            notifier.send(replace(BY_TEMPLATE[template], thread_ref=first.provider_ref))
        opened, *others = [mail.message for mail in server.mails]
    assert {other["References"] for other in others} == {opened["Message-ID"]}


def test_a_title_adds_no_header_and_no_recipient():
    with MailServer() as server:
        email(f"smtp://127.0.0.1:{server.port}").send(HOSTILE)
        (mail,) = server.mails
    assert mail.recipients == ("ops@example.org", "boss@example.org")
    assert mail.message["Bcc"] is None
    assert "Bcc: mallory@evil.example" in mail.message["Subject"]


def test_a_line_that_begins_with_a_dot_arrives_whole():
    with MailServer() as server:
        email(f"smtp://127.0.0.1:{server.port}").send(replace(FIRING, summary="first\n.\n..last"))
        (mail,) = server.mails
    assert "first\n.\n..last" in mail.part("plain").replace("\r\n", "\n")


def test_a_channel_of_the_rules_file_has_recipients_of_its_own_and_the_same_thread():
    with MailServer() as server:
        settings = {
            "RECEIVER_SMTP_URL": f"smtp://127.0.0.1:{server.port}",
            "RECEIVER_SMTP_FROM": "alerts@example.org",
            "RECEIVER_SMTP_TO": "ops@example.org",
        }
        named = {"managers": ChannelSpec("managers", Kind.EMAIL, ("boss@example.org", "vp@example.org"))}
        for notifier in build_notifiers(load(settings), named=named).values():
            notifier.send(FIRING)
        first, second = server.mails
    assert (first.recipients, second.recipients) == (
        ("ops@example.org",),
        ("boss@example.org", "vp@example.org"),
    )
    assert first.message["Message-ID"] == second.message["Message-ID"]
    assert second.message["To"] == "boss@example.org, vp@example.org"
