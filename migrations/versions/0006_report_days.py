"""Days that were counted beforehand, so that reports over months read few rows; and wider indexes on actions.

The previous release may go on while this runs. What it changes in incidents of days that a worker of this release has
counted already is counted some hours later, when each day is counted again (services/report_days.py).
"""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    statements = SQLITE if op.get_bind().dialect.name == "sqlite" else MYSQL
    for statement in statements:
        op.get_bind().exec_driver_sql(statement)


# Each can be done again: MySQL keeps what was done before a later one failed.
MYSQL = (
    """
CREATE TABLE IF NOT EXISTS report_days (
  day      DATETIME(6) NOT NULL,
  subject  VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  numbers  LONGTEXT    CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  times    LONGBLOB    NOT NULL,
  is_right BOOL        NOT NULL,
  made_at  DATETIME(6) NOT NULL,
  PRIMARY KEY (day, subject)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
""",
    """
ALTER TABLE remediation_actions DROP KEY idx_actions_requested, DROP KEY idx_actions_state,
  ADD KEY idx_actions_requested (requested_at, type, is_dry_run, state),
  ADD KEY idx_actions_state (state, requested_at, is_dry_run, incident_id),
  ALGORITHM=INPLACE, LOCK=NONE
""",
)

SQLITE = (
    """
CREATE TABLE report_days (
  day DATETIME NOT NULL,
  subject VARCHAR(16) NOT NULL,
  numbers TEXT NOT NULL,
  times BLOB NOT NULL,
  is_right BOOLEAN NOT NULL,
  made_at DATETIME NOT NULL,
  PRIMARY KEY (day, subject)
)
""",
    "DROP INDEX idx_actions_requested",
    "CREATE INDEX idx_actions_requested ON remediation_actions (requested_at, type, is_dry_run, state)",
    "DROP INDEX idx_actions_state",
    "CREATE INDEX idx_actions_state ON remediation_actions (state, requested_at, is_dry_run, incident_id)",
)
