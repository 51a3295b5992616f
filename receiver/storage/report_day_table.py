"""The table of days that were counted beforehand; a module of its own only because tables.py is long."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, PrimaryKeyConstraint, Table

from receiver.storage.tables import MYSQL, metadata
from receiver.storage.types import UtcDateTime, code, exact_bytes, long_text

report_days = Table(
    "report_days",
    metadata,
    Column("day", UtcDateTime, nullable=False),
    Column("subject", code(16), nullable=False),
    Column("numbers", long_text(), nullable=False),
    Column("times", exact_bytes(), nullable=False),
    Column("is_right", Boolean, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("day", "subject"),
    **MYSQL,
)
