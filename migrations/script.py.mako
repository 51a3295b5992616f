"""${message}

Rules for a migration, because the previous release may still be running while this one runs:
- Add, never rename or drop, what the previous release uses; drop in the release after.
- New columns are nullable or have a default; new indexes on grafana_alerts are built online (ALGORITHM=INPLACE).
- Nothing is imported from receiver: a migration must mean the same in five years.
- Change sql/schema.sql, sql/triggers.sql, sql/sqlite/ and receiver/storage/tables.py in the same commit; tests compare them.
"""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
