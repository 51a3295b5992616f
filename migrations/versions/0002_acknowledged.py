"""Messages tell of acknowledgements: one more value of notifications.template.

The previous release may go on while this runs: it writes the other values, and reads those of its own channels only.
"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    statements = SQLITE if op.get_bind().dialect.name == "sqlite" else MYSQL
    for statement in statements:
        op.get_bind().exec_driver_sql(statement)


# A value at the end of an ENUM changes the description only. A server that would rather copy the table refuses this.
MYSQL = (
    """
ALTER TABLE notifications
 MODIFY template ENUM('opened','updated','resolved','test','acknowledged') NOT NULL, ALGORITHM=INSTANT
""",
)

# SQLite cannot change a CHECK: the table is written anew. The old one steps aside, so that the new one is created under
# its own name (a renamed table is quoted in sqlite_master). One transaction: nobody sees the state in between.
SQLITE = (
    "ALTER TABLE notifications RENAME TO notifications_0001",
    """
CREATE TABLE notifications (
  notification_id INTEGER NOT NULL,
  incident_id VARCHAR(40) NOT NULL,
  channel VARCHAR(32) NOT NULL,
  template VARCHAR(12) NOT NULL,
  sequence INTEGER NOT NULL,
  state VARCHAR(10) NOT NULL,
  job_id INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  alert_count INTEGER NOT NULL,
  severity VARCHAR(8) NOT NULL,
  detail VARCHAR(1000),
  provider_ref VARCHAR(255),
  finished_at DATETIME NOT NULL,
  PRIMARY KEY (notification_id),
  CONSTRAINT uq_notifications_once UNIQUE (incident_id, channel, template, sequence),
  CHECK (template IN ('opened', 'updated', 'resolved', 'test', 'acknowledged')),
  CHECK (state IN ('sent', 'dead', 'superseded')),
  CHECK (severity IN ('critical', 'error', 'warning', 'info'))
)
""",
    """
INSERT INTO notifications (
  notification_id, incident_id, channel, template, sequence, state, job_id, attempt, alert_count, severity, detail,
  provider_ref, finished_at
)
SELECT notification_id, incident_id, channel, template, sequence, state, job_id, attempt, alert_count, severity, detail,
  provider_ref, finished_at
  FROM notifications_0001
""",
    "DROP TABLE notifications_0001",
)
