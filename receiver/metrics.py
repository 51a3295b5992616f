"""Metrics that the code counts as it goes. Those that live in the database are read when /metrics is asked for.

prometheus_client picks its multi-process mode when it is first imported, from PROMETHEUS_MULTIPROC_DIR: the commands
`serve`, `worker` and `up` set that before they import this module.
"""

from __future__ import annotations

from prometheus_client import Counter, Histogram

DELIVERIES = Counter("receiver_deliveries_total", "Accepted webhook requests.", ["source", "outcome"])
ALERTS = Counter("receiver_alerts_total", "Received alerts by what became of them.", ["disposition"])
REFUSALS = Counter("receiver_requests_refused_total", "Webhook requests that got a 4xx or 5xx.", ["status"])
INTAKE_SECONDS = Histogram(
    "receiver_intake_seconds",
    "From a webhook's last byte to its COMMIT.",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0),
)
BATCH_SIZE = Histogram(
    "receiver_intake_batch_deliveries",
    "Deliveries that were committed in one transaction.",
    buckets=(1, 2, 4, 8, 16, 32, 64),
)
RETRIES = Counter(
    "receiver_transaction_retries_total", "Transactions that were rolled back and run again.", ["code"]
)
JOBS = Counter("receiver_jobs_total", "Finished attempts of jobs.", ["kind", "outcome"])
JOB_SECONDS = Histogram(
    "receiver_job_seconds",
    "How long one attempt of a job took.",
    ["kind"],
    buckets=(0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0),
)
NOTIFICATIONS = Counter(
    "receiver_notifications_total", "Notifications by how they ended.", ["channel", "outcome"]
)
EVENTS_PUBLISHED = Counter(
    "receiver_events_published_total",
    "Events that were to go out to the broker, by how that ended.",
    ["outcome"],
)
PRUNED = Counter("receiver_pruned_rows_total", "Rows that retention has removed or emptied.", ["table"])
ACTIONS = Counter("receiver_actions_total", "Remediation actions by how they ended.", ["action", "outcome"])
ACTION_REFUSALS = Counter(
    "receiver_action_refusals_total", "Remediation actions that were not carried out, by reason.", ["reason"]
)
