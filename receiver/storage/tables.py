"""The tables as SQLAlchemy Core sees them. sql/schema.sql says what each is for; tests hold the two equal."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Computed,
    ForeignKey,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
)

from receiver.domain.action_state import ActionState, ApprovalState, BreakerState
from receiver.domain.alert import AlertStatus, Disposition
from receiver.domain.incident import Mitigation, Status
from receiver.domain.jobs import JobState
from receiver.domain.ledger import EndedBy
from receiver.domain.notification import NotificationState, Template
from receiver.domain.severity import Priority, Severity
from receiver.storage.types import (
    DatabaseNow,
    UtcDateTime,
    big_id,
    choice,
    code,
    count,
    exact,
    exact_bytes,
    long_text,
    prose,
)

metadata = MetaData()

MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_default_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mariadb_engine": "InnoDB",
    "mariadb_default_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
}
OPEN_KEY = "CASE WHEN status IN ('active','acknowledged') THEN RTRIM(incident_key) END"

deliveries = Table(
    "deliveries",
    metadata,
    Column("delivery_id", code(26), nullable=False),
    Column("source", code(32), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("body", exact_bytes(), nullable=False),
    Column("body_bytes", count(), nullable=False),
    Column("content_type", exact(255), nullable=False),
    Column("headers", JSON, nullable=False),
    Column("credential", code(16), nullable=False),
    Column("signature_verified", Boolean, nullable=False),
    Column("outcome", choice("processed", "quarantined"), nullable=False),
    Column("reason", exact(500)),
    Column("alerts_received", count(), nullable=False),
    Column("alerts_truncated", count(), nullable=False),
    Column("alerts_pruned", count(), nullable=False, server_default=text("0")),
    Column("trace_id", code(32), nullable=False),
    PrimaryKeyConstraint("delivery_id"),
    Index("idx_deliveries_received", "received_at"),
    **MYSQL,
)

incidents = Table(
    "incidents",
    metadata,
    Column("incident_id", code(40), nullable=False),
    # The database hands the number out: AUTO_INCREMENT on MySQL, trg_number_incident on SQLite.
    Column("number", big_id(), nullable=True),
    Column("incident_key", code(16), nullable=False),
    Column("status", choice(*Status), nullable=False),
    Column("mitigation", choice(*Mitigation), nullable=False, server_default="none"),
    Column("priority", choice(*Priority), nullable=False),
    Column("severity", choice(*Severity), nullable=False),
    Column("title", prose(255), nullable=False),
    Column("summary", prose(2000), nullable=False),
    Column("rule_uid", exact(190), nullable=False),
    Column("cluster", exact(190), nullable=False),
    Column("namespace", exact(190), nullable=False),
    Column("service", exact(190), nullable=False),
    Column("phase", exact(190), nullable=False),
    Column("labels", JSON, nullable=False),
    Column("links", JSON, nullable=False),
    Column("owner", prose(190)),
    Column("alert_count", count(), nullable=False, server_default=text("0")),
    Column("alerts_pruned", count(), nullable=False, server_default=text("0")),
    Column("firing_count", count(), nullable=False, server_default=text("0")),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("acknowledged_at", UtcDateTime),
    Column("acknowledged_by", prose(190)),
    Column("resolved_at", UtcDateTime),
    Column("resolved_by", prose(190)),
    Column("closed_at", UtcDateTime),
    Column("closed_by", prose(190)),
    Column("last_seen_at", UtcDateTime, nullable=False),
    Column("last_notified_at", UtcDateTime),
    Column("diagnostics", JSON(none_as_null=True)),
    Column("trace_id", code(32), nullable=False),
    # RTRIM: MariaDB refuses an expression over CHAR columns that depends on PAD_CHAR_TO_FULL_LENGTH (error 1901).
    Column("open_key", code(16), Computed(OPEN_KEY, persisted=True)),
    PrimaryKeyConstraint("incident_id"),
    UniqueConstraint("number", name="uq_incidents_number"),
    UniqueConstraint("open_key", name="uq_incidents_open_key"),
    Index("idx_incident_key_status_last_seen", "incident_key", "status", "last_seen_at"),
    Index("idx_incidents_opened", "opened_at", "incident_id"),
    Index("idx_incidents_status_opened", "status", "opened_at", "incident_id"),
    Index("idx_incidents_service_opened", "service", "opened_at", "incident_id"),
    **MYSQL,
)

grafana_alerts = Table(
    "grafana_alerts",
    metadata,
    Column("alert_id", code(26), nullable=False),
    Column(
        "delivery_id",
        code(26),
        ForeignKey("deliveries.delivery_id", name="fk_alerts_delivery"),
        nullable=False,
    ),
    Column("incident_id", code(40), ForeignKey("incidents.incident_id", name="fk_alerts_incident")),
    Column("incident_key", code(16)),
    Column("rule_uid", exact(190), nullable=False),
    Column("alertname", exact(190), nullable=False),
    Column("fingerprint", code(64), nullable=False),
    Column("status", choice(*AlertStatus)),
    Column("disposition", choice(*Disposition), nullable=False),
    Column("reason", exact(500)),
    Column("severity", choice(*Severity)),
    *(Column(name, exact(190), nullable=False) for name in ("cluster", "namespace", "service", "phase")),
    Column("state_reason", exact(64)),
    Column("starts_at", UtcDateTime),
    Column("ends_at", UtcDateTime),
    Column("received_at", UtcDateTime, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("annotations", JSON, nullable=False),
    Column("raw_payload", long_text()),
    # For how many rows of its incident and transaction this one's trigger counts.
    Column("counts_for", count(), nullable=False, server_default=text("1")),
    PrimaryKeyConstraint("alert_id"),
    Index("idx_alerts_delivery", "delivery_id"),
    Index("idx_alerts_incident", "incident_id", "received_at"),
    Index("idx_alerts_received_rule", "received_at", "rule_uid"),
    **MYSQL,
)

alert_episodes = Table(
    "alert_episodes",
    metadata,
    Column("episode_key", code(33), nullable=False),
    Column("incident_key", code(16), nullable=False),
    Column("source", code(32), nullable=False),
    Column("fingerprint", code(64), nullable=False),
    Column("status", choice(*AlertStatus), nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("ended_by", choice(*EndedBy)),
    Column("incident_id", code(40)),
    Column("last_seen_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("episode_key"),
    Index("idx_episodes_incident", "incident_id", "status"),
    **MYSQL,
)

events = Table(
    "events",
    metadata,
    Column("event_id", big_id(), nullable=False, autoincrement=True),
    Column("type", code(40), nullable=False),
    Column("incident_id", code(40)),
    Column("alert_id", code(26)),
    Column("action_id", code(64)),
    Column("actor", prose(190), nullable=False),
    Column("trace_id", code(32), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("published_at", UtcDateTime),
    PrimaryKeyConstraint("event_id"),
    Index("idx_events_incident", "incident_id", "event_id"),
    Index("idx_events_unpublished", "published_at", "event_id"),
    **MYSQL,
)

# Due times come from the database, so that a host whose clock is off neither rushes a job nor holds it back.
jobs = Table(
    "jobs",
    metadata,
    Column("job_id", big_id(), nullable=False, autoincrement=True),
    Column("queue", code(32), nullable=False),
    Column("kind", code(32), nullable=False),
    Column("idempotency_key", code(190), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("incident_id", code(40)),
    Column("state", choice(*JobState), nullable=False, server_default="ready"),
    Column("attempt", count(), nullable=False, server_default=text("0")),
    Column("max_attempts", count(), nullable=False),
    Column("run_at", UtcDateTime, nullable=False, server_default=DatabaseNow()),
    Column("lease_until", UtcDateTime),
    Column("lease_token", code(32)),
    Column("worker", code(64)),
    Column("last_error", exact(1000)),
    Column("trace_id", code(32), nullable=False),
    Column("created_at", UtcDateTime, nullable=False, server_default=DatabaseNow()),
    Column("finished_at", UtcDateTime),
    PrimaryKeyConstraint("job_id"),
    UniqueConstraint("idempotency_key", name="uq_jobs_idempotency_key"),
    Index("idx_jobs_claim", "queue", "state", "run_at", "job_id"),
    Index("idx_jobs_lease", "state", "lease_until"),
    Index("idx_jobs_incident", "incident_id"),
    **MYSQL,
)

notifications = Table(
    "notifications",
    metadata,
    Column("notification_id", big_id(), nullable=False, autoincrement=True),
    Column("incident_id", code(40), nullable=False),
    Column("channel", code(32), nullable=False),
    Column("template", choice(*Template), nullable=False),
    Column("sequence", count(), nullable=False),
    Column("state", choice(*NotificationState), nullable=False),
    Column("job_id", big_id(), nullable=False),
    Column("attempt", count(), nullable=False),
    Column("alert_count", count(), nullable=False),
    Column("severity", choice(*Severity), nullable=False),
    Column("detail", exact(1000)),
    Column("provider_ref", exact(255)),
    Column("finished_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("notification_id"),
    UniqueConstraint("incident_id", "channel", "template", "sequence", name="uq_notifications_once"),
    Index("idx_notifications_channel", "channel", "finished_at"),
    Index("idx_notifications_finished", "finished_at", "channel", "template", "state"),
    **MYSQL,
)

remediation_actions = Table(
    "remediation_actions",
    metadata,
    Column("action_id", code(64), nullable=False),
    Column("incident_id", code(40), nullable=False),
    Column("ordinal", count(), nullable=False),
    Column("type", code(64), nullable=False),
    Column("target", exact(255), nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("options", JSON, nullable=False),
    Column("from_state", JSON(none_as_null=True)),
    Column("to_state", JSON(none_as_null=True)),
    Column("requested_by", prose(190), nullable=False),
    Column("reason", exact(500), nullable=False),
    Column("state", choice(*ActionState), nullable=False),
    Column("is_dry_run", Boolean, nullable=False),
    Column("attempt", count(), nullable=False, server_default=text("0")),
    Column("lease_token", code(32)),
    Column("output", long_text()),
    Column("error", exact(1000)),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("trace_id", code(32), nullable=False),
    PrimaryKeyConstraint("action_id"),
    UniqueConstraint("incident_id", "ordinal", name="uq_actions_ordinal"),
    Index("idx_actions_budget", "type", "target", "started_at"),
    Index("idx_actions_state", "state", "requested_at", "is_dry_run", "incident_id"),
    Index("idx_actions_requested", "requested_at", "type", "is_dry_run", "state"),
    **MYSQL,
)

approvals = Table(
    "approvals",
    metadata,
    Column("approval_id", big_id(), nullable=False, autoincrement=True),
    Column("action_id", code(64), nullable=False),
    Column("state", choice(*ApprovalState), nullable=False),
    Column("requested_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("decided_at", UtcDateTime),
    Column("decided_by", prose(190)),
    Column("note", prose(500)),
    PrimaryKeyConstraint("approval_id"),
    UniqueConstraint("action_id", name="uq_approvals_action"),
    **MYSQL,
)

circuit_breakers = Table(
    "circuit_breakers",
    metadata,
    Column("target_system", code(190), nullable=False),
    Column("state", choice(*BreakerState), nullable=False),
    Column("failures", count(), nullable=False),
    Column("opened_at", UtcDateTime),
    Column("probe_until", UtcDateTime),
    Column("changed_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("target_system"),
    **MYSQL,
)

controls = Table(
    "controls",
    metadata,
    Column("name", code(64), nullable=False),
    Column("value", JSON, nullable=False),
    Column("changed_by", prose(190), nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("name"),
    **MYSQL,
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("audit_id", big_id(), nullable=False, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", prose(190), nullable=False),
    Column("action", code(64), nullable=False),
    Column("target", exact(255), nullable=False),
    Column("detail", JSON, nullable=False),
    Column("trace_id", code(32), nullable=False),
    PrimaryKeyConstraint("audit_id"),
    Index("idx_audit_at", "at"),
    **MYSQL,
)

alert_facets = Table(
    "alert_facets",
    metadata,
    Column("facet_id", big_id(), nullable=False, autoincrement=False),
    *(
        Column(name, exact(190), nullable=False)
        for name in ("rule_uid", "cluster", "namespace", "service", "name")
    ),
    PrimaryKeyConstraint("facet_id"),
    **MYSQL,
)
alert_hours = Table(
    "alert_hours",
    metadata,
    Column("hour", UtcDateTime, nullable=False),
    Column("facet_id", big_id(), nullable=False),
    Column("severity", choice(*Severity, "unknown"), nullable=False),
    Column("disposition", choice(*Disposition), nullable=False),
    Column("alerts", count(), nullable=False),
    PrimaryKeyConstraint("hour", "facet_id", "severity", "disposition"),
    **MYSQL,
)

alert_days = Table(
    "alert_days",
    metadata,
    Column("day", UtcDateTime, nullable=False),
    Column("facet_id", big_id(), nullable=False),
    *(Column(name, count(), nullable=False) for name in ("alerts", *Disposition)),
    PrimaryKeyConstraint("day", "facet_id"),
    **MYSQL,
)

incident_facts = Table(
    "incident_facts",
    metadata,
    Column("opened_at", UtcDateTime, nullable=False),
    Column("number", big_id(), nullable=False),
    *(Column(name, code(size), nullable=False) for name, size in (("incident_id", 40), ("incident_key", 16))),
    Column("facet_id", big_id(), nullable=False),
    Column("status", choice(*Status), nullable=False),
    Column("priority", choice(*Priority), nullable=False),
    Column("severity", choice(*Severity), nullable=False),
    *(Column(name, count()) for name in ("ack_seconds", "resolve_seconds", "calm_seconds")),
    *(Column(name, prose(190)) for name in ("owner", "acknowledged_by", "resolved_by")),
    Column("resolved_at", UtcDateTime),
    PrimaryKeyConstraint("opened_at", "number"),
    UniqueConstraint("incident_key", "incident_id", name="uq_facts_incident"),
    Index("idx_facts_facet", "facet_id", "opened_at"),
    **MYSQL,
)

rollup_slices = Table(
    "rollup_slices",
    metadata,
    *(Column(name, code(length), nullable=False) for name, length in (("stream", 16), ("from_id", 26))),
    Column("until_id", code(26), nullable=False),
    Column("tally", long_text(), nullable=False),
    *(Column(name, count(), nullable=False) for name in ("version", "checks")),
    Column("is_open", Boolean, nullable=False),
    *(Column(name, UtcDateTime, nullable=False) for name in ("begun_at", "due_at")),
    PrimaryKeyConstraint("stream", "from_id"),
    **MYSQL,
)
