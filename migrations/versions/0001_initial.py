"""The first schema: deliveries, alerts, incidents, episodes, events, jobs, notifications, and the triggers."""

from alembic import op
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    Enum,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

MYSQL = {
    "mysql_engine": "InnoDB",
    "mysql_default_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "mariadb_engine": "InnoDB",
    "mariadb_default_charset": "utf8mb4",
    "mariadb_collate": "utf8mb4_bin",
}
OPEN_KEY = "CASE WHEN status IN ('active','acknowledged') THEN RTRIM(incident_key) END"
UtcDateTime = DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def code(length):
    return String(length).with_variant(
        mysql.VARCHAR(length, charset="ascii", collation="ascii_bin"), "mysql", "mariadb"
    )


def exact(length):
    kind = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return String(length).with_variant(kind, "mysql", "mariadb")


def prose(length):
    kind = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_unicode_520_ci")
    return String(length).with_variant(kind, "mysql", "mariadb")


def long_text():
    return Text().with_variant(mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")


def exact_bytes():
    return LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")


def choice(*values):
    return Enum(*values, create_constraint=True, length=max(map(len, values)))


def big_id():
    return (
        BigInteger()
        .with_variant(mysql.BIGINT(unsigned=True), "mysql", "mariadb")
        .with_variant(Integer(), "sqlite")
    )


def count():
    return Integer().with_variant(mysql.INTEGER(unsigned=True), "mysql", "mariadb")


def database_now():
    if op.get_bind().dialect.name == "sqlite":
        return text("(strftime('%Y-%m-%d %H:%M:%f000','now'))")
    return text("CURRENT_TIMESTAMP(6)")


def upgrade() -> None:
    create_deliveries()
    create_incidents()
    create_grafana_alerts()
    create_alert_episodes()
    create_events()
    create_jobs()
    create_notifications()
    if op.get_bind().dialect.name == "sqlite":
        triggers = SQLITE_TRIGGERS
    else:
        # AUTO_INCREMENT on a column that is not the primary key is beyond create_table.
        op.execute("ALTER TABLE incidents MODIFY number BIGINT UNSIGNED NOT NULL AUTO_INCREMENT")
        triggers = MYSQL_TRIGGERS
    for statement in triggers:
        op.get_bind().exec_driver_sql(statement)


def create_deliveries() -> None:
    op.create_table(
        "deliveries",
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


def create_incidents() -> None:
    op.create_table(
        "incidents",
        Column("incident_id", code(40), nullable=False),
        # The database hands the number out: AUTO_INCREMENT on MySQL, trg_number_incident on SQLite.
        Column("number", big_id(), nullable=True),
        Column("incident_key", code(16), nullable=False),
        Column("status", choice("active", "acknowledged", "resolved", "closed"), nullable=False),
        Column(
            "mitigation",
            choice("none", "investigating", "mitigating", "succeeded", "failed"),
            nullable=False,
            server_default="none",
        ),
        Column("priority", choice("P0", "P1", "P2", "P3", "P4"), nullable=False),
        Column("severity", choice("critical", "error", "warning", "info"), nullable=False),
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
        **MYSQL,
    )


def create_grafana_alerts() -> None:
    op.create_table(
        "grafana_alerts",
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
        Column("status", choice("firing", "resolved")),
        Column(
            "disposition",
            choice(
                "opened",
                "attached",
                "repeated",
                "resolved",
                "late",
                "orphan",
                "suppressed",
                "ignored",
                "test",
                "rejected",
            ),
            nullable=False,
        ),
        Column("reason", exact(500)),
        Column("severity", choice("critical", "error", "warning", "info")),
        Column("cluster", exact(190), nullable=False),
        Column("namespace", exact(190), nullable=False),
        Column("service", exact(190), nullable=False),
        Column("phase", exact(190), nullable=False),
        Column("state_reason", exact(64)),
        Column("starts_at", UtcDateTime),
        Column("ends_at", UtcDateTime),
        Column("received_at", UtcDateTime, nullable=False),
        Column("labels", JSON, nullable=False),
        Column("annotations", JSON, nullable=False),
        Column("raw_payload", long_text()),
        PrimaryKeyConstraint("alert_id"),
        Index("idx_alerts_delivery", "delivery_id"),
        Index("idx_alerts_incident", "incident_id", "received_at"),
        Index("idx_alerts_received_rule", "received_at", "rule_uid"),
        **MYSQL,
    )


def create_alert_episodes() -> None:
    op.create_table(
        "alert_episodes",
        Column("episode_key", code(33), nullable=False),
        Column("incident_key", code(16), nullable=False),
        Column("source", code(32), nullable=False),
        Column("fingerprint", code(64), nullable=False),
        Column("status", choice("firing", "resolved"), nullable=False),
        Column("starts_at", UtcDateTime, nullable=False),
        Column("ended_at", UtcDateTime),
        Column("ended_by", choice("sender", "person")),
        Column("incident_id", code(40)),
        Column("last_seen_at", UtcDateTime, nullable=False),
        PrimaryKeyConstraint("episode_key"),
        Index("idx_episodes_incident", "incident_id", "status"),
        **MYSQL,
    )


def create_events() -> None:
    op.create_table(
        "events",
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
        **MYSQL,
    )


def create_jobs() -> None:
    op.create_table(
        "jobs",
        Column("job_id", big_id(), nullable=False, autoincrement=True),
        Column("queue", code(32), nullable=False),
        Column("kind", code(32), nullable=False),
        Column("idempotency_key", code(190), nullable=False),
        Column("payload", JSON, nullable=False),
        Column("incident_id", code(40)),
        Column(
            "state",
            choice("ready", "running", "done", "dead", "unknown"),
            nullable=False,
            server_default="ready",
        ),
        Column("attempt", count(), nullable=False, server_default=text("0")),
        Column("max_attempts", count(), nullable=False),
        Column("run_at", UtcDateTime, nullable=False, server_default=database_now()),
        Column("lease_until", UtcDateTime),
        Column("lease_token", code(32)),
        Column("worker", code(64)),
        Column("last_error", exact(1000)),
        Column("trace_id", code(32), nullable=False),
        Column("created_at", UtcDateTime, nullable=False, server_default=database_now()),
        Column("finished_at", UtcDateTime),
        PrimaryKeyConstraint("job_id"),
        UniqueConstraint("idempotency_key", name="uq_jobs_idempotency_key"),
        Index("idx_jobs_claim", "queue", "state", "run_at", "job_id"),
        Index("idx_jobs_lease", "state", "lease_until"),
        **MYSQL,
    )


def create_notifications() -> None:
    op.create_table(
        "notifications",
        Column("notification_id", big_id(), nullable=False, autoincrement=True),
        Column("incident_id", code(40), nullable=False),
        Column("channel", code(32), nullable=False),
        Column("template", choice("opened", "updated", "resolved", "test"), nullable=False),
        Column("sequence", count(), nullable=False),
        Column("state", choice("sent", "dead", "superseded"), nullable=False),
        Column("job_id", big_id(), nullable=False),
        Column("attempt", count(), nullable=False),
        Column("alert_count", count(), nullable=False),
        Column("severity", choice("critical", "error", "warning", "info"), nullable=False),
        Column("detail", exact(1000)),
        Column("provider_ref", exact(255)),
        Column("finished_at", UtcDateTime, nullable=False),
        PrimaryKeyConstraint("notification_id"),
        UniqueConstraint("incident_id", "channel", "template", "sequence", name="uq_notifications_once"),
        **MYSQL,
    )


MYSQL_TRIGGERS = (
    """
CREATE TRIGGER trg_update_alert_count_on_insert AFTER INSERT ON grafana_alerts FOR EACH ROW
BEGIN
  IF NEW.incident_id IS NOT NULL THEN
    UPDATE incidents
       SET alert_count = alert_count + 1, last_seen_at = GREATEST(last_seen_at, NEW.received_at)
     WHERE incident_id = NEW.incident_id;
  END IF;
END
""",
    """
CREATE TRIGGER trg_update_alert_count_on_delete AFTER DELETE ON grafana_alerts FOR EACH ROW
BEGIN
  IF OLD.incident_id IS NOT NULL THEN
    IF @receiver_retention = 1 THEN
      UPDATE incidents SET alerts_pruned = alerts_pruned + 1 WHERE incident_id = OLD.incident_id;
    ELSE
      UPDATE incidents SET alert_count = GREATEST(alert_count, 1) - 1 WHERE incident_id = OLD.incident_id;
    END IF;
  END IF;
END
""",
    """
CREATE TRIGGER trg_prevent_duplicate_open_incident BEFORE INSERT ON incidents FOR EACH ROW
BEGIN
  IF NEW.status IN ('active','acknowledged') AND EXISTS (SELECT 1 FROM incidents WHERE open_key = NEW.incident_key) THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'an open incident exists for this incident_key';
  END IF;
END
""",
)

SQLITE_TRIGGERS = (
    """
CREATE TRIGGER trg_update_alert_count_on_insert AFTER INSERT ON grafana_alerts WHEN NEW.incident_id IS NOT NULL
BEGIN
  UPDATE incidents
     SET alert_count = alert_count + 1, last_seen_at = MAX(last_seen_at, NEW.received_at)
   WHERE incident_id = NEW.incident_id;
END
""",
    """
CREATE TRIGGER trg_update_alert_count_on_delete AFTER DELETE ON grafana_alerts WHEN OLD.incident_id IS NOT NULL
BEGIN
  UPDATE incidents SET alert_count = MAX(alert_count, 1) - 1 WHERE incident_id = OLD.incident_id;
END
""",
    """
CREATE TRIGGER trg_prevent_duplicate_open_incident BEFORE INSERT ON incidents
WHEN NEW.status IN ('active','acknowledged') AND EXISTS (SELECT 1 FROM incidents WHERE open_key = NEW.incident_key)
BEGIN
  SELECT RAISE(ABORT, 'an open incident exists for this incident_key');
END
""",
    """
CREATE TRIGGER trg_number_incident AFTER INSERT ON incidents WHEN NEW.number IS NULL
BEGIN
  UPDATE incidents
     SET number = (SELECT COALESCE(MAX(number), 0) + 1 FROM incidents)
   WHERE incident_id = NEW.incident_id;
END
""",
)
