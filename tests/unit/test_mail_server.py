"""What RECEIVER_SMTP_URL, _FROM and _TO say."""

from __future__ import annotations

import pytest

from receiver.domain.mail_server import (
    MailServer,
    Security,
    parse_mail_server,
    parse_mailbox,
    parse_mailboxes,
)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example", MailServer("mail.example", 587, Security.STARTTLS)),
        ("smtp://mail.example:25?starttls=off", MailServer("mail.example", 25, Security.NONE)),
        ("smtps://mail.example", MailServer("mail.example", 465, Security.TLS)),
        ("smtp://127.0.0.1:25", MailServer("127.0.0.1", 25, Security.NONE)),
        ("smtp://localhost:25/", MailServer("localhost", 25, Security.NONE)),
        ("smtp://[::1]:25?starttls=required", MailServer("::1", 25, Security.STARTTLS)),
        (
            "smtp://ops%40example.org:p%3A%2Fw@mail.example:2525?starttls=required",
            MailServer("mail.example", 2525, Security.STARTTLS, "ops@example.org", "p:/w"),
        ),
    ],
)
def test_an_address_says_where_and_how(url, server):
    assert parse_mail_server(url) == server


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mail.example:25", "must be smtp://"),
        ("http://mail.example", "must be smtp://"),
        ("smtp://", "must be smtp://"),
        ("smtp://mail.example:port", "must be smtp://"),
        ("smtp://mail.example:0", "must be smtp://"),
        ("smtp://mail.example/inbox", "must be smtp://"),
        ("smtp://[::1", "must be smtp://"),
        ("smtp://mail.example?starttls=maybe", "?starttls=required"),
        ("smtp://mail.example?tls=off", "?starttls=required"),
        ("smtps://mail.example?starttls=off", "?starttls=required"),
        ("smtp://user@mail.example", "both user and password"),
        ("smtp://user:passwörd@mail.example", "ASCII"),
        ("smtp://user:password@mail.example?starttls=off", "without TLS"),
    ],
)
def test_a_wrong_address_is_refused_in_words_without_quoting_it(url, words):
    with pytest.raises(ValueError, match=r"must|can") as caught:
        parse_mail_server(url)
    assert words in str(caught.value)
    assert "mail.example" not in str(caught.value)


def test_a_password_is_not_shown():
    assert "s3cret" not in repr(parse_mail_server("smtp://user:s3cret@mail.example"))


def test_several_addresses_are_taken_once_each():
    assert parse_mailboxes("a@example.org, b@example.org ,a@example.org,") == (
        "a@example.org",
        "b@example.org",
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ops",
        "@example.org",
        "ops@",
        "Ops <ops@example.org>",
        "ops@example.org\nBcc: x@y.z",
        "ö@example.org",
    ],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match="must be"):
        parse_mailbox(text)
    with pytest.raises(ValueError, match="must be"):
        parse_mailboxes(text)
