"""Roll-ups for reports: alerts by hour and day, the facts of incidents, and how far both are; and four indexes.

The previous release may go on while this runs: it knows nothing of the new tables, and has no need to.
"""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    statements = SQLITE if op.get_bind().dialect.name == "sqlite" else MYSQL
    for statement in statements:
        op.get_bind().exec_driver_sql(statement)


# An index is built while others write: a server that would rather lock the table refuses.
MYSQL = (
    """
ALTER TABLE incidents ADD KEY idx_incidents_service_opened (service, opened_at, incident_id),
  ALGORITHM=INPLACE, LOCK=NONE
""",
    """
ALTER TABLE jobs ADD KEY idx_jobs_incident (incident_id),
  ALGORITHM=INPLACE, LOCK=NONE
""",
    """
ALTER TABLE notifications ADD KEY idx_notifications_finished (finished_at, channel, template, state),
  ALGORITHM=INPLACE, LOCK=NONE
""",
    """
ALTER TABLE remediation_actions ADD KEY idx_actions_requested (requested_at),
  ALGORITHM=INPLACE, LOCK=NONE
""",
    """
CREATE TABLE alert_facets (
  facet_id  BIGINT UNSIGNED NOT NULL,
  rule_uid  VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  cluster   VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  namespace VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  service   VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  name      VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  PRIMARY KEY (facet_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
""",
    """
CREATE TABLE alert_hours (
  hour       DATETIME(6)     NOT NULL,
  facet_id    BIGINT UNSIGNED NOT NULL,
  severity    ENUM('critical','error','warning','info','unknown') NOT NULL,
  disposition ENUM('opened','attached','repeated','resolved','late','orphan','suppressed','ignored','test',
                   'rejected') NOT NULL,
  alerts      INT UNSIGNED    NOT NULL,
  PRIMARY KEY (hour, facet_id, severity, disposition)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
""",
    """
CREATE TABLE alert_days (
  day        DATETIME(6)     NOT NULL,
  facet_id   BIGINT UNSIGNED NOT NULL,
  alerts     INT UNSIGNED    NOT NULL,
  opened     INT UNSIGNED    NOT NULL,
  attached   INT UNSIGNED    NOT NULL,
  repeated   INT UNSIGNED    NOT NULL,
  resolved   INT UNSIGNED    NOT NULL,
  late       INT UNSIGNED    NOT NULL,
  orphan     INT UNSIGNED    NOT NULL,
  suppressed INT UNSIGNED    NOT NULL,
  ignored    INT UNSIGNED    NOT NULL,
  test       INT UNSIGNED    NOT NULL,
  rejected   INT UNSIGNED    NOT NULL,
  PRIMARY KEY (day, facet_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
""",
    """
CREATE TABLE incident_facts (
  opened_at       DATETIME(6)     NOT NULL,
  number          BIGINT UNSIGNED NOT NULL,
  incident_id     VARCHAR(40)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  incident_key    VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  facet_id        BIGINT UNSIGNED NOT NULL,
  status          ENUM('active','acknowledged','resolved','closed') NOT NULL,
  priority        ENUM('P0','P1','P2','P3','P4') NOT NULL,
  severity        ENUM('critical','error','warning','info') NOT NULL,
  ack_seconds     INT UNSIGNED,
  resolve_seconds INT UNSIGNED,
  calm_seconds    INT UNSIGNED,
  owner           VARCHAR(190)    CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci,
  acknowledged_by VARCHAR(190)    CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci,
  resolved_by     VARCHAR(190)    CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci,
  resolved_at     DATETIME(6),
  PRIMARY KEY (opened_at, number),
  UNIQUE KEY uq_facts_incident (incident_key, incident_id),
  KEY idx_facts_facet (facet_id, opened_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
""",
    """
CREATE TABLE rollup_slices (
  stream     VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  from_id    VARCHAR(26)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  until_id   VARCHAR(26)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  tally      LONGTEXT     CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  version    INT UNSIGNED NOT NULL,
  is_open    BOOL         NOT NULL,
  checks     INT UNSIGNED NOT NULL,
  begun_at   DATETIME(6)  NOT NULL,
  due_at     DATETIME(6)  NOT NULL,
  PRIMARY KEY (stream, from_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
""",
)

SQLITE = (
    "CREATE INDEX idx_incidents_service_opened ON incidents (service, opened_at, incident_id)",
    "CREATE INDEX idx_jobs_incident ON jobs (incident_id)",
    "CREATE INDEX idx_notifications_finished ON notifications (finished_at, channel, template, state)",
    "CREATE INDEX idx_actions_requested ON remediation_actions (requested_at)",
    """
CREATE TABLE alert_facets (
  facet_id INTEGER NOT NULL,
  rule_uid VARCHAR(190) NOT NULL,
  cluster VARCHAR(190) NOT NULL,
  namespace VARCHAR(190) NOT NULL,
  service VARCHAR(190) NOT NULL,
  name VARCHAR(190) NOT NULL,
  PRIMARY KEY (facet_id)
)
""",
    """
CREATE TABLE alert_hours (
  hour DATETIME NOT NULL,
  facet_id INTEGER NOT NULL,
  severity VARCHAR(8) NOT NULL,
  disposition VARCHAR(10) NOT NULL,
  alerts INTEGER NOT NULL,
  PRIMARY KEY (hour, facet_id, severity, disposition),
  CHECK (severity IN ('critical', 'error', 'warning', 'info', 'unknown')),
  CHECK (disposition IN ('opened', 'attached', 'repeated', 'resolved', 'late', 'orphan',
    'suppressed', 'ignored', 'test', 'rejected'))
)
""",
    """
CREATE TABLE alert_days (
  day DATETIME NOT NULL,
  facet_id INTEGER NOT NULL,
  alerts INTEGER NOT NULL,
  opened INTEGER NOT NULL,
  attached INTEGER NOT NULL,
  repeated INTEGER NOT NULL,
  resolved INTEGER NOT NULL,
  late INTEGER NOT NULL,
  orphan INTEGER NOT NULL,
  suppressed INTEGER NOT NULL,
  ignored INTEGER NOT NULL,
  test INTEGER NOT NULL,
  rejected INTEGER NOT NULL,
  PRIMARY KEY (day, facet_id)
)
""",
    """
CREATE TABLE incident_facts (
  opened_at DATETIME NOT NULL,
  number INTEGER NOT NULL,
  incident_id VARCHAR(40) NOT NULL,
  incident_key VARCHAR(16) NOT NULL,
  facet_id INTEGER NOT NULL,
  status VARCHAR(12) NOT NULL,
  priority VARCHAR(2) NOT NULL,
  severity VARCHAR(8) NOT NULL,
  ack_seconds INTEGER,
  resolve_seconds INTEGER,
  calm_seconds INTEGER,
  owner VARCHAR(190),
  acknowledged_by VARCHAR(190),
  resolved_by VARCHAR(190),
  resolved_at DATETIME,
  PRIMARY KEY (opened_at, number),
  CONSTRAINT uq_facts_incident UNIQUE (incident_key, incident_id),
  CHECK (status IN ('active', 'acknowledged', 'resolved', 'closed')),
  CHECK (priority IN ('P0', 'P1', 'P2', 'P3', 'P4')),
  CHECK (severity IN ('critical', 'error', 'warning', 'info'))
)
""",
    "CREATE INDEX idx_facts_facet ON incident_facts (facet_id, opened_at)",
    """
CREATE TABLE rollup_slices (
  stream VARCHAR(16) NOT NULL,
  from_id VARCHAR(26) NOT NULL,
  until_id VARCHAR(26) NOT NULL,
  tally TEXT NOT NULL,
  version INTEGER NOT NULL,
  is_open BOOLEAN NOT NULL,
  checks INTEGER NOT NULL,
  begun_at DATETIME NOT NULL,
  due_at DATETIME NOT NULL,
  PRIMARY KEY (stream, from_id)
)
""",
)
