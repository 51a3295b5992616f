"""The other side of each channel, all with the same few levers, for the tests that every channel has to pass."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol, Self

from tests.fakes.mail_server import DROP as DROP_MAIL
from tests.fakes.mail_server import HANG as HANG_MAIL
from tests.fakes.mail_server import MailServer
from tests.fakes.raw_http import Conversation
from tests.fakes.slack import DROP, OK, PATH, Answer, SlackServer, hang
from tests.fakes.slack_web import CHANNEL, TOKEN, SlackWeb, refusal

ROUTING_KEY = "0123456789abcdef0123456789abcdef"
HOOK = "/hooks/secret-of-the-hook"
SIGNING_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
APPRISE_PATH = "secret-of-the-service"
MAIL_USER, MAIL_PASSWORD = "receiver-user", "s3cr3t-of-the-mail"


class Counterpart(Protocol):
    """A service that takes messages, with the settings (names without RECEIVER_) that lead to it."""

    secrets: tuple[str, ...]

    @property
    def channel(self) -> str:
        """The name of the channel that the settings make."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""

    def settings(self, port: int) -> dict[str, str]:
        """The settings for such a service at another port."""

    def refuse(self, words: str) -> None:
        """The next message is refused for ever."""

    def put_off(self, words: str) -> None:
        """The next message is refused for now."""

    def hang(self) -> None:
        """The next message gets no answer."""

    def drop(self) -> None:
        """The next message gets a closed connection."""

    def attempts(self) -> int:
        """How many messages came, the refused ones included."""

    def texts(self) -> list[str]:
        """The messages that were taken, as text."""

    def drip(self, client: Conversation) -> None:
        """An answer that never ends, for a RawServer."""


class HttpCounterpart:
    """A channel that posts JSON. `settings` holds `{}` where the address of the service belongs, `[]` for host:port."""

    def __init__(
        self,
        channel: str,
        settings: dict[str, str],
        taken: Answer,
        secrets: tuple[str, ...],
        server: SlackServer | None = None,
    ) -> None:
        self._channel = channel
        self._settings = settings
        self._server = server or SlackServer()
        self._server.answer_always(taken)
        self.secrets = secrets

    @property
    def channel(self) -> str:
        return self._channel

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()

    @property
    def server(self) -> SlackServer:
        """The server, which records and answers at any path."""
        return self._server

    @property
    def port(self) -> int:
        return int(self._server.base_url.rpartition(":")[2])

    def settings(self, port: int) -> dict[str, str]:
        address = f"127.0.0.1:{port}"
        return {
            name: text.replace("{}", f"http://{address}").replace("[]", address)
            for name, text in self._settings.items()
        }

    def refuse(self, words: str) -> None:
        self._server.answer(Answer(400, words))

    def put_off(self, words: str) -> None:
        self._server.answer(Answer(503, words))

    def hang(self) -> None:
        self._server.answer(hang(30))

    def drop(self) -> None:
        self._server.answer(DROP)

    def attempts(self) -> int:
        return len(self._server.messages())

    def texts(self) -> list[str]:
        taken = [one for one in self._server.messages() if one.status and one.status < 300]
        return [json.dumps(message.json, ensure_ascii=False) for message in taken]

    def drip(self, client: Conversation) -> None:
        client.read_request()
        client.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"o")


class BotCounterpart(HttpCounterpart):
    """Slack's Web API, which refuses with 200 and a word."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.web = SlackWeb(clock)
        settings = {"SLACK_BOT_TOKEN": TOKEN, "SLACK_CHANNEL": CHANNEL, "SLACK_API_URL": "{}/api"}
        super().__init__("slack", settings, OK, (TOKEN,), self.web)

    def refuse(self, words: str) -> None:
        self.web.answer(refusal(words))

    def attempts(self) -> int:
        return len(self.web.calls("chat."))

    def texts(self) -> list[str]:
        return [json.dumps(message, ensure_ascii=False) for message in self.web.posted()]


class MailCounterpart:
    """E-mail: a server that wants a password."""

    channel = "email"
    secrets: tuple[str, ...] = (MAIL_PASSWORD, MAIL_USER)

    def __init__(self) -> None:
        self._server = MailServer(credentials=(MAIL_USER, MAIL_PASSWORD))

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.__exit__(kind, error, trace)

    @property
    def port(self) -> int:
        return self._server.port

    def settings(self, port: int) -> dict[str, str]:
        return {
            "SMTP_URL": f"smtp://{MAIL_USER}:{MAIL_PASSWORD}@127.0.0.1:{port}",
            "SMTP_FROM": "alerts@example.org",
            "SMTP_TO": "ops@example.org,boss@example.org",
        }

    def refuse(self, words: str) -> None:
        self._server.answer(f"554 5.7.1 {words}")

    def put_off(self, words: str) -> None:
        self._server.answer(f"451 4.3.0 {words}")

    def hang(self) -> None:
        self._server.answer(HANG_MAIL)

    def drop(self) -> None:
        self._server.answer(DROP_MAIL)

    def attempts(self) -> int:
        return self._server.attempts

    def texts(self) -> list[str]:
        return [f"{mail.message['Subject']}\n{mail.part('plain')}" for mail in self._server.mails]

    def drip(self, client: Conversation) -> None:
        client.drip(b"220", b"-")


def slack() -> HttpCounterpart:
    """Slack's incoming webhooks."""
    return HttpCounterpart("slack", {"SLACK_WEBHOOK_URL": "{}" + PATH}, OK, (PATH, PATH.rpartition("/")[2]))


def pagerduty() -> HttpCounterpart:
    """PagerDuty's Events API v2."""
    answer = {"status": "success", "message": "Event processed", "dedup_key": "x"}
    return HttpCounterpart(
        "pagerduty",
        {"PAGERDUTY_ROUTING_KEY": ROUTING_KEY, "PAGERDUTY_EVENTS_URL": "{}"},
        Answer(202, json.dumps(answer)),
        (ROUTING_KEY,),
    )


def webhook() -> HttpCounterpart:
    """A service of the user's own."""
    settings = {
        "WEBHOOK_OUT_URL": "{}" + HOOK,
        "WEBHOOK_OUT_SECRET": SIGNING_SECRET,
        "WEBHOOK_OUT_ALLOW": "127.0.0.0/8",
    }
    return HttpCounterpart(
        "webhook", settings, Answer(204, ""), (HOOK, HOOK.rpartition("/")[2], SIGNING_SECRET)
    )


def apprise() -> HttpCounterpart:
    """A service of Apprise's: its plug-in for JSON."""
    settings = {"APPRISE_URLS": "teams=json://[]/" + APPRISE_PATH}
    return HttpCounterpart("teams", settings, Answer(200, "taken"), (APPRISE_PATH,))


# Those whose names make channels that can all be configured at once.
TOGETHER = ("slack", "pagerduty", "webhook", "email", "apprise")
HTTP: Mapping[str, Callable[[], HttpCounterpart]] = {
    "slack": slack,
    "slack-bot": BotCounterpart,
    "pagerduty": pagerduty,
    "webhook": webhook,
}
ALL: Mapping[str, Callable[[], Counterpart]] = {**HTTP, "apprise": apprise, "email": MailCounterpart}
