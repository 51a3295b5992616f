"""Every setting: its name, how its text is read, its default, what it is for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sqlalchemy.engine import make_url

from receiver.config import parsers as read
from receiver.config.parsers import ApiToken, HostPort, Network
from receiver.domain.mail_server import MailServer, parse_mail_server, parse_mailbox, parse_mailboxes
from receiver.domain.severity import Severity

PREFIX = "RECEIVER_"


# What an unset variable without a default gives; None for all others.
NOTHING: Mapping[Any, Any] = dict.fromkeys(
    (
        read.secrets,
        read.basic,
        read.api_tokens,
        read.signing_secrets,
        read.networks,
        read.paths,
        parse_mailboxes,
    ),
    (),
) | {read.named_urls: {}, read.database_urls: {}}


def _setting(parse: Any, default: str | None, help_text: str, *, secret: bool = False) -> Any:
    # `default` is text, parsed like a given value, so the documented default is the real one.
    return dataclasses.field(
        metadata={"parse": parse, "default": default, "help": help_text, "secret": secret}
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, parsed and checked. Build it with `load`."""

    database_url: str = _setting(
        read.database_url,
        "sqlite:///var/receiver.db",
        "Where everything is kept (SQLAlchemy URL).",
        secret=True,
    )
    bind: HostPort = _setting(read.host_port, "127.0.0.1:8080", "Address the receiver listens on.")
    public_url: str | None = _setting(
        read.web_url, None, "Address of this receiver as people reach it; used in links."
    )
    auth: bool = _setting(
        read.switch, "on", "`off` allows an address beyond loopback without any credential."
    )
    webhook_token: tuple[str, ...] = _setting(
        read.secrets,
        None,
        "Bearer tokens that senders may use; several, comma-separated, for rotation.",
        secret=True,
    )
    webhook_basic: tuple[str, ...] = _setting(
        read.basic, None, "user:password that senders may use; several, comma-separated.", secret=True
    )
    webhook_hmac_secret: tuple[str, ...] = _setting(
        read.secrets, None, "Secrets of Grafana's HMAC signature; several, comma-separated.", secret=True
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
        read.api_tokens,
        None,
        "name:role:token, ... for the API; roles viewer, responder, admin.",
        secret=True,
    )
    slack_webhook_url: str | None = _setting(read.web_url, None, "Slack incoming webhook.", secret=True)
    slack_bot_token: str | None = _setting(
        str, None, "Token of a Slack app (xoxb-...); takes the place of the incoming webhook.", secret=True
    )
    slack_channel: str | None = _setting(
        read.slack_channel, None, "Where the app posts: a channel's id, or #name."
    )
    slack_api_url: str = _setting(read.web_url, "https://slack.com/api", "Where Slack's Web API is.")
    pagerduty_routing_key: str | None = _setting(
        str, None, "Integration key of a PagerDuty service (Events API v2).", secret=True
    )
    pagerduty_events_url: str = _setting(
        read.web_url, "https://events.pagerduty.com", "Where PagerDuty takes events."
    )
    smtp_url: MailServer | None = _setting(
        parse_mail_server, None, "smtp://user:password@host:587 or smtps://... for e-mail.", secret=True
    )
    smtp_from: str | None = _setting(parse_mailbox, None, "Address that e-mail comes from.")
    smtp_to: tuple[str, ...] = _setting(
        parse_mailboxes, None, "Addresses that e-mail goes to, comma-separated."
    )
    webhook_out_url: str | None = _setting(
        read.web_url, None, "Where to post messages as signed JSON.", secret=True
    )
    webhook_out_secret: tuple[str, ...] = _setting(
        read.signing_secrets,
        None,
        "What signs them, whsec_...; several, comma-separated, for rotation.",
        secret=True,
    )
    webhook_out_allow: tuple[Network, ...] = _setting(
        read.networks, None, "Networks it may reach although they are not public, comma-separated."
    )
    apprise_urls: Mapping[str, str] = _setting(
        read.named_urls, None, "name=url, ...: channels through Apprise (extra `apprise`).", secret=True
    )
    templates_dir: Path | None = _setting(
        Path, None, "Folder with templates of yours that take the place of the shipped ones."
    )
    notify_per_minute: int = _setting(
        read.positive_int,
        "20",
        "Messages a minute in one channel; above it, opening incidents are told together.",
    )
    remind_interval_seconds: float = _setting(
        read.positive_seconds, "1800", "How often a failed mitigation is told again until somebody acts."
    )
    acknowledge_timeout_seconds: float | None = _setting(
        read.positive_seconds, None, "How long an acknowledgement stands; unset: until the incident is over."
    )
    rules: Path | None = _setting(Path, None, "YAML file with the rules; unset: the default ones.")
    update_interval_seconds: float = _setting(
        read.positive_seconds, "1800", "While alerts keep coming, a channel hears of it at most this often."
    )
    resolve_holds_seconds: float = _setting(
        read.positive_seconds, "900", "How long a person's resolve stands against an alert that keeps firing."
    )
    prometheus_url: str | None = _setting(read.web_url, None, "Prometheus that diagnoses and checks ask.")
    prometheus_token: str | None = _setting(str, None, "Bearer token for Prometheus.", secret=True)
    kubernetes_url: str | None = _setting(
        read.web_url,
        None,
        "Kubernetes API server; unset: the cluster that the worker runs in, or RECEIVER_KUBERNETES_CONFIG.",
    )
    kubernetes_token: str | None = _setting(str, None, "Bearer token for the API server.", secret=True)
    kubernetes_ca: Path | None = _setting(Path, None, "File with the API server's certificate authority.")
    kubernetes_config: Path | None = _setting(Path, None, "A kubeconfig file, whose current context is used.")
    remediation: str = _setting(
        read.remediation_mode,
        "on",
        "on, off or dry-run; off and dry-run here win over `receiver remediation on`.",
    )
    remediation_allow: tuple[str, ...] = _setting(
        read.action_globs,
        "kubernetes.scale,kubernetes.rollout_restart",
        "Actions that may run, comma-separated; kubernetes.* means all of these, none no action at all.",
    )
    remediation_approval: tuple[str, ...] = _setting(
        read.action_globs,
        "kubernetes.rollback,kubernetes.cordon,mysql.kill_connections,postgresql.kill_connections,command.run",
        "Actions that a person must approve first; none: no action.",
    )
    remediation_per_hour: int = _setting(
        read.positive_int,
        "3",
        "How often an hour one action may run on one target, and for one incident.",
    )
    remediation_commands: Path | None = _setting(
        Path, None, "YAML file with the commands that command.run may run."
    )
    remediation_paths: tuple[Path, ...] = _setting(
        read.paths, None, "Folders that disk.cleanup may clean, comma-separated."
    )
    remediation_http_allow: tuple[Network, ...] = _setting(
        read.networks, None, "Networks that http.call may reach although they are not public."
    )
    remediation_databases: Mapping[str, str] = _setting(
        read.database_urls,
        None,
        "name=url, ...: databases that actions may name (mysql://, postgresql://, redis://).",
        secret=True,
    )
    breaker_failures: int = _setting(
        read.positive_int, "5", "Failures in a row after which a target system is left alone."
    )
    breaker_seconds: float = _setting(
        read.positive_seconds, "60", "How long it is left alone before one action probes it."
    )
    broker_url: str | None = _setting(
        read.broker_url, None, "nats://, tls:// or kafka:// broker that events go out to.", secret=True
    )
    broker_prefix: str = _setting(
        read.topic_prefix, "receiver", "What stands before the topics' names; the stream's name on NATS."
    )
    labels_cluster: tuple[str, ...] = _setting(
        read.names, "cluster", "Labels that give the cluster, first one set wins."
    )
    labels_namespace: tuple[str, ...] = _setting(read.names, "namespace", "Labels that give the namespace.")
    labels_service: tuple[str, ...] = _setting(read.names, "service,app,job", "Labels that give the service.")
    labels_phase: tuple[str, ...] = _setting(read.names, "phase", "Labels that give the phase.")
    labels_severity: tuple[str, ...] = _setting(
        read.names, "severity,priority", "Labels that give the severity."
    )
    default_severity: Severity = _setting(read.severity, "warning", "Severity of an alert that names none.")
    priorities: Mapping[str, str] = _setting(
        read.priorities, "critical=P0,page=P0,error=P1,high=P1,warning=P2,info=P3,debug=P4,none=P4",
        "Priority of each severity; entries given here change the table.",
    )  # fmt: skip
    web_workers: int = _setting(read.positive_int, "2", "gunicorn processes.")
    web_connections: int = _setting(
        read.positive_int, "512", "Connections that each of them serves at once; more wait to be accepted."
    )
    web_database_connections: int = _setting(
        read.positive_int, "16", "Database connections of each of them, at most; one takes all webhooks."
    )
    worker_processes: int = _setting(read.positive_int, "1", "Worker processes of `receiver up`.")
    worker_threads: int = _setting(
        read.positive_int, "4", "Jobs of one queue that a worker process runs side by side."
    )
    worker_poll_seconds: float = _setting(
        read.positive_seconds, "0.5", "How often an idle worker looks for jobs."
    )
    worker_lease_seconds: float = _setting(
        read.positive_seconds, "60", "How long a worker owns a job between heartbeats."
    )
    worker_drain_seconds: float = _setting(
        read.positive_seconds, "25", "How long a stopping worker waits for its jobs."
    )
    worker_metrics_bind: HostPort | None = _setting(
        read.host_port, None, "Where a worker that runs by itself serves /metrics."
    )
    metrics_dir: Path = _setting(
        Path, "var/metrics", "Directory through which processes share their metrics."
    )
    spool_dir: Path = _setting(
        Path, "var/spool", "Directory on a local disk for what the database cannot take just now."
    )
    spool_max_megabytes: int = _setting(read.positive_int, "1024", "How large the spool may become.")
    intake_budget_seconds: float = _setting(
        read.positive_seconds, "1", "How long a sender waits for the database before its body is spooled."
    )
    keep_bodies_days: int | None = _setting(
        read.positive_int,
        None,
        "How many days the exact bodies of webhook requests are kept; unset: for ever.",
    )
    keep_alerts_days: int | None = _setting(
        read.positive_int,
        None,
        "How many days alerts of no incident are kept, and deliveries; unset: for ever.",
    )
    keep_incidents_days: int | None = _setting(
        read.positive_int,
        None,
        "How many days after their end incidents are kept, with all of theirs; unset: for ever.",
    )
    keep_jobs_days: int = _setting(read.positive_int, "7", "For how many days jobs are kept that are done.")
    archive_dir: Path | None = _setting(
        Path, None, "Folder into whose files what is older is written before it is removed."
    )
    housekeeping_hours: int = _setting(read.positive_int, "6", "How often a worker removes what is older.")
    log_level: str = _setting(read.level, "INFO", "DEBUG, INFO, WARNING or ERROR.")

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the notification channels that are configured."""
        configured = {
            "slack": self.slack_bot_token or self.slack_webhook_url,
            "pagerduty": self.pagerduty_routing_key,
            "email": self.smtp_url,
            "webhook": self.webhook_out_url,
        }
        return (*(name for name, setting in configured.items() if setting), *self.apprise_urls)

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
        found += [self.slack_bot_token or "", self.prometheus_token or "", self.kubernetes_token or ""]
        found += [*self.apprise_urls.values(), *_passwords(self.remediation_databases.values())]
        found += _passwords(filter(None, [self.broker_url]))
        return tuple(filter(None, (*found, *self.webhook_out_secret)))


@dataclass(frozen=True, slots=True)
class Setting:
    """One documented setting: the variable's name, its default as text, and what it is for."""

    name: str
    default: str | None
    help: str
    secret: bool


def _passwords(urls: Iterable[str]) -> list[str]:
    """What stands between user and host of each address, as it is written and as it is meant."""
    written = [url.partition("://")[2].rpartition("@")[0].partition(":")[2] for url in urls]
    return [*written, *map(unquote, written)]


SETTINGS: tuple[Setting, ...] = tuple(
    Setting(PREFIX + f.name.upper(), f.metadata["default"], f.metadata["help"], f.metadata["secret"])
    for f in dataclasses.fields(Settings)
)
