-- Today's schema of the embedded SQLite database; what each table is for stands in ../schema.sql.
-- It is what `receiver db upgrade` makes; tests hold the two equal.

CREATE TABLE deliveries (
  delivery_id VARCHAR(26) NOT NULL,
  source VARCHAR(32) NOT NULL,
  received_at DATETIME NOT NULL,
  body BLOB NOT NULL,
  body_bytes INTEGER NOT NULL,
  content_type VARCHAR(255) NOT NULL,
  headers JSON NOT NULL,
  credential VARCHAR(16) NOT NULL,
  signature_verified BOOLEAN NOT NULL,
  outcome VARCHAR(11) NOT NULL,
  reason VARCHAR(500),
  alerts_received INTEGER NOT NULL,
  alerts_truncated INTEGER NOT NULL,
  alerts_pruned INTEGER DEFAULT 0 NOT NULL,
  trace_id VARCHAR(32) NOT NULL,
  PRIMARY KEY (delivery_id),
  CHECK (outcome IN ('processed', 'quarantined'))
);

CREATE INDEX idx_deliveries_received ON deliveries (received_at);

CREATE TABLE incidents (
  incident_id VARCHAR(40) NOT NULL,
  number INTEGER,
  incident_key VARCHAR(16) NOT NULL,
  status VARCHAR(12) NOT NULL,
  mitigation VARCHAR(13) DEFAULT 'none' NOT NULL,
  priority VARCHAR(2) NOT NULL,
  severity VARCHAR(8) NOT NULL,
  title VARCHAR(255) NOT NULL,
  summary VARCHAR(2000) NOT NULL,
  rule_uid VARCHAR(190) NOT NULL,
  cluster VARCHAR(190) NOT NULL,
  namespace VARCHAR(190) NOT NULL,
  service VARCHAR(190) NOT NULL,
  phase VARCHAR(190) NOT NULL,
  labels JSON NOT NULL,
  links JSON NOT NULL,
  owner VARCHAR(190),
  alert_count INTEGER DEFAULT 0 NOT NULL,
  alerts_pruned INTEGER DEFAULT 0 NOT NULL,
  firing_count INTEGER DEFAULT 0 NOT NULL,
  opened_at DATETIME NOT NULL,
  acknowledged_at DATETIME,
  acknowledged_by VARCHAR(190),
  resolved_at DATETIME,
  resolved_by VARCHAR(190),
  closed_at DATETIME,
  closed_by VARCHAR(190),
  last_seen_at DATETIME NOT NULL,
  last_notified_at DATETIME,
  diagnostics JSON,
  trace_id VARCHAR(32) NOT NULL,
  open_key VARCHAR(16) GENERATED ALWAYS AS (CASE WHEN status IN ('active','acknowledged') THEN RTRIM(incident_key) END) STORED,
  PRIMARY KEY (incident_id),
  CONSTRAINT uq_incidents_number UNIQUE (number),
  CONSTRAINT uq_incidents_open_key UNIQUE (open_key),
  CHECK (status IN ('active', 'acknowledged', 'resolved', 'closed')),
  CHECK (mitigation IN ('none', 'investigating', 'mitigating', 'succeeded', 'failed')),
  CHECK (priority IN ('P0', 'P1', 'P2', 'P3', 'P4')),
  CHECK (severity IN ('critical', 'error', 'warning', 'info'))
);

CREATE INDEX idx_incidents_opened ON incidents (opened_at, incident_id);

CREATE INDEX idx_incidents_status_opened ON incidents (status, opened_at, incident_id);

CREATE INDEX idx_incidents_service_opened ON incidents (service, opened_at, incident_id);

CREATE INDEX idx_incident_key_status_last_seen ON incidents (incident_key, status, last_seen_at);

CREATE TABLE grafana_alerts (
  alert_id VARCHAR(26) NOT NULL,
  delivery_id VARCHAR(26) NOT NULL,
  incident_id VARCHAR(40),
  incident_key VARCHAR(16),
  rule_uid VARCHAR(190) NOT NULL,
  alertname VARCHAR(190) NOT NULL,
  fingerprint VARCHAR(64) NOT NULL,
  status VARCHAR(8),
  disposition VARCHAR(10) NOT NULL,
  reason VARCHAR(500),
  severity VARCHAR(8),
  cluster VARCHAR(190) NOT NULL,
  namespace VARCHAR(190) NOT NULL,
  service VARCHAR(190) NOT NULL,
  phase VARCHAR(190) NOT NULL,
  state_reason VARCHAR(64),
  starts_at DATETIME,
  ends_at DATETIME,
  received_at DATETIME NOT NULL,
  labels JSON NOT NULL,
  annotations JSON NOT NULL,
  raw_payload TEXT,
  counts_for INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY (alert_id),
  CONSTRAINT fk_alerts_delivery FOREIGN KEY(delivery_id) REFERENCES deliveries (delivery_id),
  CONSTRAINT fk_alerts_incident FOREIGN KEY(incident_id) REFERENCES incidents (incident_id),
  CHECK (status IN ('firing', 'resolved')),
  CHECK (disposition IN ('opened', 'attached', 'repeated', 'resolved', 'late', 'orphan', 'suppressed', 'ignored', 'test', 'rejected')),
  CHECK (severity IN ('critical', 'error', 'warning', 'info'))
);

CREATE INDEX idx_alerts_received_rule ON grafana_alerts (received_at, rule_uid);

CREATE INDEX idx_alerts_delivery ON grafana_alerts (delivery_id);

CREATE INDEX idx_alerts_incident ON grafana_alerts (incident_id, received_at);

CREATE TABLE alert_episodes (
  episode_key VARCHAR(33) NOT NULL,
  incident_key VARCHAR(16) NOT NULL,
  source VARCHAR(32) NOT NULL,
  fingerprint VARCHAR(64) NOT NULL,
  status VARCHAR(8) NOT NULL,
  starts_at DATETIME NOT NULL,
  ended_at DATETIME,
  ended_by VARCHAR(6),
  incident_id VARCHAR(40),
  last_seen_at DATETIME NOT NULL,
  PRIMARY KEY (episode_key),
  CHECK (status IN ('firing', 'resolved')),
  CHECK (ended_by IN ('sender', 'person'))
);

CREATE INDEX idx_episodes_incident ON alert_episodes (incident_id, status);

CREATE TABLE events (
  event_id INTEGER NOT NULL,
  type VARCHAR(40) NOT NULL,
  incident_id VARCHAR(40),
  alert_id VARCHAR(26),
  action_id VARCHAR(64),
  actor VARCHAR(190) NOT NULL,
  trace_id VARCHAR(32) NOT NULL,
  payload JSON NOT NULL,
  created_at DATETIME NOT NULL,
  published_at DATETIME,
  PRIMARY KEY (event_id)
);

CREATE INDEX idx_events_incident ON events (incident_id, event_id);

CREATE INDEX idx_events_unpublished ON events (published_at, event_id);

CREATE TABLE jobs (
  job_id INTEGER NOT NULL,
  queue VARCHAR(32) NOT NULL,
  kind VARCHAR(32) NOT NULL,
  idempotency_key VARCHAR(190) NOT NULL,
  payload JSON NOT NULL,
  incident_id VARCHAR(40),
  state VARCHAR(7) DEFAULT 'ready' NOT NULL,
  attempt INTEGER DEFAULT 0 NOT NULL,
  max_attempts INTEGER NOT NULL,
  run_at DATETIME DEFAULT (strftime('%Y-%m-%d %H:%M:%f000','now')) NOT NULL,
  lease_until DATETIME,
  lease_token VARCHAR(32),
  worker VARCHAR(64),
  last_error VARCHAR(1000),
  trace_id VARCHAR(32) NOT NULL,
  created_at DATETIME DEFAULT (strftime('%Y-%m-%d %H:%M:%f000','now')) NOT NULL,
  finished_at DATETIME,
  PRIMARY KEY (job_id),
  CONSTRAINT uq_jobs_idempotency_key UNIQUE (idempotency_key),
  CHECK (state IN ('ready', 'running', 'done', 'dead', 'unknown'))
);

CREATE INDEX idx_jobs_lease ON jobs (state, lease_until);

CREATE INDEX idx_jobs_claim ON jobs (queue, state, run_at, job_id);

CREATE INDEX idx_jobs_incident ON jobs (incident_id);

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
  CHECK (template IN ('opened', 'updated', 'resolved', 'test', 'acknowledged', 'escalated', 'action_failed', 'action_completed', 'approval_needed', 'diagnosed', 'reminder', 'bundle')),
  CHECK (state IN ('sent', 'dead', 'superseded', 'bundled')),
  CHECK (severity IN ('critical', 'error', 'warning', 'info'))
);

CREATE INDEX idx_notifications_channel ON notifications (channel, finished_at);

CREATE INDEX idx_notifications_finished ON notifications (finished_at, channel, template, state);

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
  CHECK (state IN ('requested', 'awaiting_approval', 'running', 'verifying', 'completed', 'failed', 'refused', 'expired', 'unknown'))
);

CREATE INDEX idx_actions_budget ON remediation_actions (type, target, started_at);

CREATE INDEX idx_actions_state ON remediation_actions (state, requested_at, is_dry_run, incident_id);

CREATE INDEX idx_actions_requested ON remediation_actions (requested_at, type, is_dry_run, state);

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
);

CREATE TABLE circuit_breakers (
  target_system VARCHAR(190) NOT NULL,
  state VARCHAR(9) NOT NULL,
  failures INTEGER NOT NULL,
  opened_at DATETIME,
  probe_until DATETIME,
  changed_at DATETIME NOT NULL,
  PRIMARY KEY (target_system),
  CHECK (state IN ('closed', 'open', 'half_open'))
);

CREATE TABLE controls (
  name VARCHAR(64) NOT NULL,
  value JSON NOT NULL,
  changed_by VARCHAR(190) NOT NULL,
  changed_at DATETIME NOT NULL,
  PRIMARY KEY (name)
);

CREATE TABLE audit_log (
  audit_id INTEGER NOT NULL,
  at DATETIME NOT NULL,
  actor VARCHAR(190) NOT NULL,
  action VARCHAR(64) NOT NULL,
  target VARCHAR(255) NOT NULL,
  detail JSON NOT NULL,
  trace_id VARCHAR(32) NOT NULL,
  PRIMARY KEY (audit_id)
);

CREATE INDEX idx_audit_at ON audit_log (at);

CREATE TABLE alert_facets (
  facet_id INTEGER NOT NULL,
  rule_uid VARCHAR(190) NOT NULL,
  cluster VARCHAR(190) NOT NULL,
  namespace VARCHAR(190) NOT NULL,
  service VARCHAR(190) NOT NULL,
  name VARCHAR(190) NOT NULL,
  PRIMARY KEY (facet_id)
);

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
);

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
);

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
);

CREATE INDEX idx_facts_facet ON incident_facts (facet_id, opened_at);

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
);

CREATE TABLE report_days (
  day DATETIME NOT NULL,
  subject VARCHAR(16) NOT NULL,
  numbers TEXT NOT NULL,
  times BLOB NOT NULL,
  is_right BOOLEAN NOT NULL,
  made_at DATETIME NOT NULL,
  PRIMARY KEY (day, subject)
);
