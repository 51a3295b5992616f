"""What flaps and what was not worth a message: docs/reports.md."""

from __future__ import annotations

REOPENED_SECONDS = 3600
BRIEF_SECONDS = 300
