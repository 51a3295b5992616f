"""Which jobs have not ended."""

from __future__ import annotations

# Why a job may wait all the same: it looks again at its interval, it waits for people or for a newer release.
WAITING = r"""
SELECT job_id, kind, queue, state, attempt, COALESCE(last_error, '') FROM jobs
WHERE state IN ('ready', 'running')
  AND idempotency_key NOT LIKE '%\:standing'
  AND kind <> 'escalate'
  AND NOT (state = 'ready' AND idempotency_key LIKE '%\:updated%')
  AND NOT (state = 'ready' AND COALESCE(last_error, '') LIKE 'no handler for this kind%')
LIMIT 20
"""
