"""Rows of `audit_log`: what operators and safety devices did that is no event of an incident. Append-only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from receiver.storage.tables import audit_log

_insert = insert(audit_log)


def write(
    connection: Connection,
    *,
    actor: str,
    action: str,
    target: str,
    at: datetime,
    trace_id: str,
    detail: Mapping[str, Any],
) -> None:
    """Append who did what to what."""
    connection.execute(
        _insert,
        {
            "at": at,
            "actor": actor[:190],
            "action": action,
            "target": target[:255],
            "detail": dict(detail),
            "trace_id": trace_id,
        },
    )
