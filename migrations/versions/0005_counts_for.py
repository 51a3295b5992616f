"""One row of `grafana_alerts` may count for several of its transaction: the trigger then updates the incident once.

The previous release may go on while this runs: each of its rows counts for itself, which is the column's default.
"""

from alembic import op
from sqlalchemy import Connection

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        for statement in (SQLITE_COLUMN, DROP_TRIGGER, SQLITE_TRIGGER):
            connection.exec_driver_sql(statement)
        return
    # MySQL keeps what was done before a later step failed: each can be done again.
    if not connection.exec_driver_sql(HAS_COLUMN).scalar_one():
        connection.exec_driver_sql(COLUMN)
    if "mariadb" in connection.exec_driver_sql("SELECT VERSION()").scalar_one().lower():
        connection.exec_driver_sql(f"CREATE OR REPLACE {TRIGGER}")
    else:
        _replace_on_mysql(connection)


def _replace_on_mysql(connection: Connection) -> None:
    """MySQL cannot replace a trigger, so nobody inserts between DROP and CREATE.

    The lock needs LOCK TABLES. The trial shows beforehand that the account may create triggers at all (error 1419).
    """
    connection.exec_driver_sql(DROP_TRIAL)
    connection.exec_driver_sql(TRIAL)
    connection.exec_driver_sql(DROP_TRIAL)
    connection.exec_driver_sql("LOCK TABLES grafana_alerts WRITE, incidents WRITE")
    try:
        connection.exec_driver_sql(DROP_TRIGGER)
        connection.exec_driver_sql(f"CREATE {TRIGGER}")
    finally:
        connection.exec_driver_sql("UNLOCK TABLES")


HAS_COLUMN = (
    "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()"
    " AND table_name = 'grafana_alerts' AND column_name = 'counts_for'"
)
# The description changes, no row is written; a server that would rather copy the table refuses.
COLUMN = "ALTER TABLE grafana_alerts ADD COLUMN counts_for INT UNSIGNED NOT NULL DEFAULT 1, ALGORITHM=INSTANT"
SQLITE_COLUMN = "ALTER TABLE grafana_alerts ADD COLUMN counts_for INTEGER NOT NULL DEFAULT 1"
TRIAL = "CREATE TRIGGER trg_trial AFTER INSERT ON grafana_alerts FOR EACH ROW BEGIN END"
DROP_TRIAL = "DROP TRIGGER IF EXISTS trg_trial"
DROP_TRIGGER = "DROP TRIGGER IF EXISTS trg_update_alert_count_on_insert"

TRIGGER = """
TRIGGER trg_update_alert_count_on_insert AFTER INSERT ON grafana_alerts FOR EACH ROW
BEGIN
  IF NEW.counts_for > 0 AND NEW.incident_id IS NOT NULL THEN
    UPDATE incidents
       SET alert_count = alert_count + NEW.counts_for, last_seen_at = GREATEST(last_seen_at, NEW.received_at)
     WHERE incident_id = NEW.incident_id;
  END IF;
END
"""

SQLITE_TRIGGER = """
CREATE TRIGGER trg_update_alert_count_on_insert AFTER INSERT ON grafana_alerts
WHEN NEW.counts_for > 0 AND NEW.incident_id IS NOT NULL
BEGIN
  UPDATE incidents
     SET alert_count = alert_count + NEW.counts_for, last_seen_at = MAX(last_seen_at, NEW.received_at)
   WHERE incident_id = NEW.incident_id;
END
"""
