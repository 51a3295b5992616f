"""Settings, from the environment only. This is the one module that reads it.

Each field of `Settings` is one variable, `RECEIVER_` plus the field's name in capitals. Every variable can also be
given as a file (`RECEIVER_..._FILE`), which is how secrets should come. An empty value counts as not set.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from receiver.domain.loopback import is_loopback
from receiver.domain.mail_server import MailServer, parse_mail_server, parse_mailbox, parse_mailboxes
from receiver.domain.severity import DEFAULT_PRIORITIES, Priority, Severity
from receiver.domain.signing_key import parse_signing_key
from receiver.errors import SettingsError

PREFIX = "RECEIVER_"
FILE_SUFFIX = "_FILE"
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
ROLES = ("viewer", "responder", "admin")


@dataclass(frozen=True, slots=True)
class HostPort:
    """A listening address."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A credential for the API: who it is, what that one may do, and the secret itself."""

    name: str
    role: str
    token: str = dataclasses.field(repr=False)


def _host_port(text: str) -> HostPort:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ValueError("must be host:port, for example 127.0.0.1:8080")
    return HostPort(host.strip("[]"), int(port))


def _database_url(text: str) -> str:
    try:
        url = make_url(text)
    except ArgumentError:
        raise ValueError(
            "must be a SQLAlchemy URL, for example mysql+pymysql://user:password@host/name"
        ) from None
    if url.get_backend_name() not in ("sqlite", "mysql", "mariadb"):
        raise ValueError("must begin with sqlite:///, mysql+pymysql:// or mariadb+pymysql://")
    return text


def _web_url(text: str) -> str:
    if not text.startswith(("http://", "https://")) or any(c.isspace() for c in text):
        raise ValueError("must be an http:// or https:// address")
    return text.rstrip("/")


def _secrets(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in text.split(","))))


def _signing_secrets(text: str) -> tuple[str, ...]:
    secrets = _secrets(text)
    for secret in secrets:
        parse_signing_key(secret)
    return secrets


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part) for part in _secrets(text))
    except ValueError:
        raise ValueError("must be networks, comma-separated, for example 10.1.0.0/16,fd00::/8") from None


def _names(text: str) -> tuple[str, ...]:
    names = _secrets(text)
    if not names:
        raise ValueError("must be label names, comma-separated")
    return names


def _basic(text: str) -> tuple[str, ...]:
    pairs = _secrets(text)
    if any(not all(pair.partition(":")[::2]) for pair in pairs):
        raise ValueError("must be user:password (several: comma-separated)")
    return pairs


def _api_tokens(text: str) -> tuple[ApiToken, ...]:
    tokens = []
    for entry in _secrets(text):
        name, role, token = (*entry.split(":", 2), "", "")[:3]
        if not name or role not in ROLES or not token:
            raise ValueError(f"must be name:role:token, ..., with a role of {', '.join(ROLES)}")
        tokens.append(ApiToken(name, role, token))
    return tuple(tokens)


def _priorities(text: str) -> Mapping[str, str]:
    table = dict(DEFAULT_PRIORITIES)
    for entry in _secrets(text):
        severity, _, priority = entry.partition("=")
        if not severity or priority.upper() not in Priority.__members__:
            raise ValueError("must be severity=priority, ..., for example critical=P0,warning=P3")
        table[severity.strip().lower()] = priority.upper()
    return table


def _severity(text: str) -> Severity:
    try:
        return Severity(text.lower())
    except ValueError:
        raise ValueError(f"must be one of {', '.join(Severity)}") from None


def _positive_int(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ValueError("must be a whole number of at least 1")
    return int(text)


def _positive_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9:
        raise ValueError("must be a number of seconds above 0")
    return seconds


def _switch(text: str) -> bool:
    if text.lower() not in ("on", "off"):
        raise ValueError("must be on or off")
    return text.lower() == "on"


def _level(text: str) -> str:
    if text.upper() not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise ValueError("must be DEBUG, INFO, WARNING or ERROR")
    return text.upper()


# What an unset variable without a default gives; None for all others.
_NOTHING: Mapping[Any, Any] = dict.fromkeys(
    (_secrets, _basic, _api_tokens, _signing_secrets, _networks, parse_mailboxes), ()
)


def _setting(parse: Any, default: str | None, help_text: str, *, secret: bool = False) -> Any:
    # `default` is text, parsed like a given value, so the documented default is the real one.
    return dataclasses.field(
        metadata={"parse": parse, "default": default, "help": help_text, "secret": secret}
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, parsed and checked. Build it with `load`."""

    database_url: str = _setting(
        _database_url, "sqlite:///var/receiver.db", "Where everything is kept (SQLAlchemy URL).", secret=True
    )
    bind: HostPort = _setting(_host_port, "127.0.0.1:8080", "Address the receiver listens on.")
    public_url: str | None = _setting(
        _web_url, None, "Address of this receiver as people reach it; used in links."
    )
    auth: bool = _setting(_switch, "on", "`off` allows an address beyond loopback without any credential.")
    webhook_token: tuple[str, ...] = _setting(
        _secrets,
        None,
        "Bearer tokens that senders may use; several, comma-separated, for rotation.",
        secret=True,
    )
    webhook_basic: tuple[str, ...] = _setting(
        _basic, None, "user:password that senders may use; several, comma-separated.", secret=True
    )
    webhook_hmac_secret: tuple[str, ...] = _setting(
        _secrets, None, "Secrets of Grafana's HMAC signature; several, comma-separated.", secret=True
    )
    webhook_hmac_header: str = _setting(
        str,
        "X-Grafana-Alerting-Signature",
        "Header with the signature; Grafana's older default name is taken too.",
    )
    webhook_hmac_timestamp_header: str | None = _setting(
        str, None, "Header with the signed time; when set it is required and may be 5 minutes off."
    )
    api_tokens: tuple[ApiToken, ...] = _setting(
        _api_tokens, None, "name:role:token, ... for the API; roles viewer, responder, admin.", secret=True
    )
    slack_webhook_url: str | None = _setting(_web_url, None, "Slack incoming webhook.", secret=True)
    pagerduty_routing_key: str | None = _setting(
        str, None, "Integration key of a PagerDuty service (Events API v2).", secret=True
    )
    pagerduty_events_url: str = _setting(
        _web_url, "https://events.pagerduty.com", "Where PagerDuty takes events."
    )
    smtp_url: MailServer | None = _setting(
        parse_mail_server, None, "smtp://user:password@host:587 or smtps://... for e-mail.", secret=True
    )
    smtp_from: str | None = _setting(parse_mailbox, None, "Address that e-mail comes from.")
    smtp_to: tuple[str, ...] = _setting(
        parse_mailboxes, None, "Addresses that e-mail goes to, comma-separated."
    )
    webhook_out_url: str | None = _setting(
        _web_url, None, "Where to post messages as signed JSON.", secret=True
    )
    webhook_out_secret: tuple[str, ...] = _setting(
        _signing_secrets,
        None,
        "What signs them, whsec_...; several, comma-separated, for rotation.",
        secret=True,
    )
    webhook_out_allow: tuple[Network, ...] = _setting(
        _networks, None, "Networks it may reach although they are not public, comma-separated."
    )
    rules: Path | None = _setting(Path, None, "YAML file with the rules; unset: the default ones.")
    update_interval_seconds: float = _setting(
        _positive_seconds, "1800", "While alerts keep coming, a channel hears of it at most this often."
    )
    resolve_holds_seconds: float = _setting(
        _positive_seconds, "900", "How long a person's resolve stands against an alert that keeps firing."
    )
    labels_cluster: tuple[str, ...] = _setting(
        _names, "cluster", "Labels that give the cluster, first one set wins."
    )
    labels_namespace: tuple[str, ...] = _setting(_names, "namespace", "Labels that give the namespace.")
    labels_service: tuple[str, ...] = _setting(_names, "service,app,job", "Labels that give the service.")
    labels_phase: tuple[str, ...] = _setting(_names, "phase", "Labels that give the phase.")
    labels_severity: tuple[str, ...] = _setting(_names, "severity,priority", "Labels that give the severity.")
    default_severity: Severity = _setting(_severity, "warning", "Severity of an alert that names none.")
    priorities: Mapping[str, str] = _setting(
        _priorities, "critical=P0,page=P0,error=P1,high=P1,warning=P2,info=P3,debug=P4,none=P4",
        "Priority of each severity; entries given here change the table.",
    )  # fmt: skip
    web_workers: int = _setting(_positive_int, "2", "gunicorn processes.")
    web_threads: int = _setting(_positive_int, "16", "Threads in each of them.")
    worker_threads: int = _setting(
        _positive_int, "4", "Jobs of one queue that a worker process runs side by side."
    )
    worker_poll_seconds: float = _setting(
        _positive_seconds, "0.5", "How often an idle worker looks for jobs."
    )
    worker_lease_seconds: float = _setting(
        _positive_seconds, "60", "How long a worker owns a job between heartbeats."
    )
    worker_drain_seconds: float = _setting(
        _positive_seconds, "25", "How long a stopping worker waits for its jobs."
    )
    worker_metrics_bind: HostPort | None = _setting(
        _host_port, None, "Where a worker that runs by itself serves /metrics."
    )
    metrics_dir: Path = _setting(
        Path, "var/metrics", "Directory through which processes share their metrics."
    )
    log_level: str = _setting(_level, "INFO", "DEBUG, INFO, WARNING or ERROR.")

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the notification channels that are configured."""
        configured = {
            "slack": self.slack_webhook_url,
            "pagerduty": self.pagerduty_routing_key,
            "email": self.smtp_url,
            "webhook": self.webhook_out_url,
        }
        return tuple(name for name, setting in configured.items() if setting)

    @property
    def has_webhook_credential(self) -> bool:
        """Whether senders must show one."""
        return bool(self.webhook_token or self.webhook_basic or self.webhook_hmac_secret)

    def secrets(self) -> tuple[str, ...]:
        """Every secret text, for the log filter that keeps them out."""
        password = make_url(self.database_url).password
        found = [*self.webhook_token, *self.webhook_hmac_secret, *(entry.token for entry in self.api_tokens)]
        found += [pair.partition(":")[2] for pair in self.webhook_basic]
        found += [str(password)] if password else []
        found += [self.smtp_url.password] if self.smtp_url else []
        found += [self.slack_webhook_url or "", self.pagerduty_routing_key or "", self.webhook_out_url or ""]
        return tuple(filter(None, (*found, *self.webhook_out_secret)))


@dataclass(frozen=True, slots=True)
class Setting:
    """One documented setting: the variable's name, its default as text, and what it is for."""

    name: str
    default: str | None
    help: str
    secret: bool


SETTINGS: tuple[Setting, ...] = tuple(
    Setting(PREFIX + f.name.upper(), f.metadata["default"], f.metadata["help"], f.metadata["secret"])
    for f in dataclasses.fields(Settings)
)


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from `environ` (default: the process's environment).

    Raises SettingsError with one line per wrong or unknown variable, all at once.
    """
    given = dict(os.environ if environ is None else environ)
    problems = _unknown(given)
    texts, unreadable = _texts(given)
    problems += unreadable
    values: dict[str, Any] = {}
    for field in dataclasses.fields(Settings):
        name, parse = PREFIX + field.name.upper(), field.metadata["parse"]
        text = texts.get(name, field.metadata["default"])
        try:
            values[field.name] = parse(text) if text is not None else _NOTHING.get(parse)
        except ValueError as error:
            problems.append(f"{name}: {error}")  # the parsers never quote the value: it may be a secret
    if problems:
        raise SettingsError(sorted(problems))
    return _checked(Settings(**values))


def _texts(given: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The text of each setting that is given, directly or as a file; and what could not be read."""
    texts: dict[str, str] = {}
    problems: list[str] = []
    for setting in SETTINGS:
        text, file = given.get(setting.name, ""), given.get(setting.name + FILE_SUFFIX, "")
        if file:
            try:
                text = Path(file).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                problems.append(f"{setting.name}{FILE_SUFFIX}: cannot read the file ({type(error).__name__})")
        if text.strip():
            texts[setting.name] = text.strip()
    return texts, problems


def _unknown(given: Mapping[str, str]) -> list[str]:
    known = {setting.name for setting in SETTINGS}
    known |= {name + FILE_SUFFIX for name in known}
    # Variables of the test suite share the prefix; they are not settings.
    strangers = (name for name in given if name.startswith(PREFIX) and not name.startswith(PREFIX + "TEST_"))
    return [f"{name}: there is no such setting" for name in strangers if name not in known]


def _checked(settings: Settings) -> Settings:
    problems = []
    exposed = not settings.bind.is_loopback and settings.auth
    if exposed and not settings.has_webhook_credential and not settings.api_tokens:
        problems.append(
            f"RECEIVER_BIND: {settings.bind} can be reached from other machines and no credential is set; set"
            " RECEIVER_WEBHOOK_TOKEN and RECEIVER_API_TOKENS, or RECEIVER_AUTH=off if something else protects it"
        )
    for first, second in (
        ("smtp_url", "smtp_from"),
        ("smtp_url", "smtp_to"),
        ("webhook_out_url", "webhook_out_secret"),
    ):
        if getattr(settings, first) and not getattr(settings, second):
            names = [PREFIX + name.upper() for name in (second, first)]
            problems.append(f"{names[0]}: must be set, because {names[1]} is")
    if problems:
        raise SettingsError(sorted(problems))
    return settings
