"""What responding needs: remediation actions with their approvals, breakers, switches and audit log; more occasions for
messages; and two indexes, for the relay of events and for the count of a channel's messages.

The previous release may go on while this runs: it writes none of the new values, and reads those of its own only.
"""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    statements = SQLITE if op.get_bind().dialect.name == "sqlite" else MYSQL
    for statement in statements:
        op.get_bind().exec_driver_sql(statement)


# Values at the end of an ENUM change the description only, and an index is built while others write: a server that
# would rather copy a table, or lock it, refuses.
MYSQL = (
    """
ALTER TABLE notifications
 MODIFY template ENUM('opened','updated','resolved','test','acknowledged','escalated','action_failed',
  'action_completed','approval_needed','diagnosed','reminder','bundle') NOT NULL,
 MODIFY state ENUM('sent','dead','superseded','bundled') NOT NULL, ALGORITHM=INSTANT
""",
    """
ALTER TABLE notifications ADD KEY idx_notifications_channel (channel, finished_at), ALGORITHM=INPLACE, LOCK=NONE
""",
    """
ALTER TABLE events ADD KEY idx_events_unpublished (published_at, event_id), ALGORITHM=INPLACE, LOCK=NONE
""",
    """
CREATE TABLE remediation_actions (
  action_id    VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  incident_id  VARCHAR(40)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  ordinal      INT UNSIGNED  NOT NULL,
  type         VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  target       VARCHAR(255)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  parameters   JSON          NOT NULL,
  options      JSON          NOT NULL,
  from_state   JSON,
  to_state     JSON,
  requested_by VARCHAR(190)  CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci NOT NULL,
  reason       VARCHAR(500)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  state        ENUM('requested','awaiting_approval','running','verifying','completed','failed','refused',
                    'expired','unknown') NOT NULL,
  is_dry_run   BOOL          NOT NULL,
  attempt      INT UNSIGNED  NOT NULL DEFAULT 0,
  lease_token  VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin,
  output       LONGTEXT      CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  error        VARCHAR(1000) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  requested_at DATETIME(6)   NOT NULL,
  expires_at   DATETIME(6),
  started_at   DATETIME(6),
  finished_at  DATETIME(6),
  trace_id     VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (action_id),
  UNIQUE KEY uq_actions_ordinal (incident_id, ordinal),
  KEY idx_actions_budget (type, target, started_at),
  KEY idx_actions_state (state, requested_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
""",
    """
CREATE TABLE approvals (
  approval_id  BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  action_id    VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state        ENUM('pending','approved','rejected','expired') NOT NULL,
  requested_at DATETIME(6)  NOT NULL,
  expires_at   DATETIME(6),
  decided_at   DATETIME(6),
  decided_by   VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci,
  note         VARCHAR(500) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci,
  PRIMARY KEY (approval_id),
  UNIQUE KEY uq_approvals_action (action_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
""",
    """
CREATE TABLE circuit_breakers (
  target_system VARCHAR(190) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state         ENUM('closed','open','half_open') NOT NULL,
  failures      INT UNSIGNED NOT NULL,
  opened_at     DATETIME(6),
  probe_until   DATETIME(6),
  changed_at    DATETIME(6)  NOT NULL,
  PRIMARY KEY (target_system)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
""",
    """
CREATE TABLE controls (
  name       VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  value      JSON         NOT NULL,
  changed_by VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci NOT NULL,
  changed_at DATETIME(6)  NOT NULL,
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
""",
    """
CREATE TABLE audit_log (
  audit_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  at       DATETIME(6)  NOT NULL,
  actor    VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci NOT NULL,
  action   VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  target   VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  detail   JSON         NOT NULL,
  trace_id VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (audit_id),
  KEY idx_audit_at (at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
""",
)

# SQLite cannot change a CHECK: see 0002.
SQLITE = (
    "ALTER TABLE notifications RENAME TO notifications_0002",
    """
CREATE TABLE notifications (
  notification_id INTEGER NOT NULL,
  incident_id VARCHAR(40) NOT NULL,
  channel VARCHAR(32) NOT NULL,
  template VARCHAR(16) NOT NULL,
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
  CHECK (template IN ('opened', 'updated', 'resolved', 'test', 'acknowledged', 'escalated',
    'action_failed', 'action_completed', 'approval_needed', 'diagnosed', 'reminder', 'bundle')),
  CHECK (state IN ('sent', 'dead', 'superseded', 'bundled')),
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
  FROM notifications_0002
""",
    "DROP TABLE notifications_0002",
    "CREATE INDEX idx_notifications_channel ON notifications (channel, finished_at)",
    "CREATE INDEX idx_events_unpublished ON events (published_at, event_id)",
    """
CREATE TABLE remediation_actions (
  action_id VARCHAR(64) NOT NULL,
  incident_id VARCHAR(40) NOT NULL,
  ordinal INTEGER NOT NULL,
  type VARCHAR(64) NOT NULL,
  target VARCHAR(255) NOT NULL,
  parameters JSON NOT NULL,
  options JSON NOT NULL,
  from_state JSON,
  to_state JSON,
  requested_by VARCHAR(190) NOT NULL,
  reason VARCHAR(500) NOT NULL,
  state VARCHAR(17) NOT NULL,
  is_dry_run BOOLEAN NOT NULL,
  attempt INTEGER DEFAULT 0 NOT NULL,
  lease_token VARCHAR(32),
  output TEXT,
  error VARCHAR(1000),
  requested_at DATETIME NOT NULL,
  expires_at DATETIME,
  started_at DATETIME,
  finished_at DATETIME,
  trace_id VARCHAR(32) NOT NULL,
  PRIMARY KEY (action_id),
  CONSTRAINT uq_actions_ordinal UNIQUE (incident_id, ordinal),
  CHECK (state IN ('requested', 'awaiting_approval', 'running', 'verifying', 'completed', 'failed', 'refused',
    'expired', 'unknown'))
)
""",
    "CREATE INDEX idx_actions_budget ON remediation_actions (type, target, started_at)",
    "CREATE INDEX idx_actions_state ON remediation_actions (state, requested_at)",
    """
CREATE TABLE approvals (
  approval_id INTEGER NOT NULL,
  action_id VARCHAR(64) NOT NULL,
  state VARCHAR(8) NOT NULL,
  requested_at DATETIME NOT NULL,
  expires_at DATETIME,
  decided_at DATETIME,
  decided_by VARCHAR(190),
  note VARCHAR(500),
  PRIMARY KEY (approval_id),
  CONSTRAINT uq_approvals_action UNIQUE (action_id),
  CHECK (state IN ('pending', 'approved', 'rejected', 'expired'))
)
""",
    """
CREATE TABLE circuit_breakers (
  target_system VARCHAR(190) NOT NULL,
  state VARCHAR(9) NOT NULL,
  failures INTEGER NOT NULL,
  opened_at DATETIME,
  probe_until DATETIME,
  changed_at DATETIME NOT NULL,
  PRIMARY KEY (target_system),
  CHECK (state IN ('closed', 'open', 'half_open'))
)
""",
    """
CREATE TABLE controls (
  name VARCHAR(64) NOT NULL,
  value JSON NOT NULL,
  changed_by VARCHAR(190) NOT NULL,
  changed_at DATETIME NOT NULL,
  PRIMARY KEY (name)
)
""",
    """
CREATE TABLE audit_log (
  audit_id INTEGER NOT NULL,
  at DATETIME NOT NULL,
  actor VARCHAR(190) NOT NULL,
  action VARCHAR(64) NOT NULL,
  target VARCHAR(255) NOT NULL,
  detail JSON NOT NULL,
  trace_id VARCHAR(32) NOT NULL,
  PRIMARY KEY (audit_id)
)
""",
    "CREATE INDEX idx_audit_at ON audit_log (at)",
)
