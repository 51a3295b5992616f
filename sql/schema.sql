-- Today's whole schema for MariaDB 10.11+ and MySQL 8.4+, for reading and for DBAs who install by hand:
--   mysql NAME < schema.sql && mysql NAME < triggers.sql
-- `receiver db upgrade` gets there from any release (migrations/); tests hold both and receiver/storage/tables.py equal.
-- Times are UTC. Keys and codes are ascii_bin; texts from labels utf8mb4_bin, because two rules whose names differ in
-- one accent are two rules; texts for people utf8mb4_unicode_520_ci.

-- One row per accepted webhook request, with the exact bytes of its body, whatever they are.
CREATE TABLE deliveries (
  delivery_id        VARCHAR(26)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- ULID: sorts by time
  source             VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- grafana, alertmanager, grafana_legacy, unknown
  received_at        DATETIME(6)  NOT NULL,
  body               LONGBLOB     NOT NULL,
  body_bytes         INT UNSIGNED NOT NULL,
  content_type       VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  headers            JSON         NOT NULL,  -- a short list of harmless ones, never credentials
  credential         VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- bearer, basic, hmac or none
  signature_verified BOOL         NOT NULL,
  outcome            ENUM('processed','quarantined') NOT NULL,
  reason             VARCHAR(500) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,       -- why it is quarantined
  alerts_received    INT UNSIGNED NOT NULL,
  alerts_truncated   INT UNSIGNED NOT NULL,            -- how many the sender says it cut off
  alerts_pruned      INT UNSIGNED NOT NULL DEFAULT 0,  -- rows that retention removed
  trace_id           VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  PRIMARY KEY (delivery_id),
  KEY idx_deliveries_received (received_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What people handle. At most one open incident per incident_key (invariant I2): open_key is NULL once it is over.
CREATE TABLE incidents (
  incident_id      VARCHAR(40)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- INC-{YYYYMMDDHHMMSS}-{incident_key}
  number           BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,                         -- the short name, INC-123
  incident_key     VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  status           ENUM('active','acknowledged','resolved','closed') NOT NULL,
  mitigation       ENUM('none','investigating','mitigating','succeeded','failed') NOT NULL DEFAULT 'none',
  priority         ENUM('P0','P1','P2','P3','P4') NOT NULL,
  severity         ENUM('critical','error','warning','info') NOT NULL,
  title            VARCHAR(255)    CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci NOT NULL,
  summary          VARCHAR(2000)   CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci NOT NULL,
  rule_uid         VARCHAR(190)    CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  cluster          VARCHAR(190)    CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  namespace        VARCHAR(190)    CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  service          VARCHAR(190)    CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  phase            VARCHAR(190)    CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  labels           JSON            NOT NULL,  -- of the alert that opened it
  links            JSON            NOT NULL,  -- runbook, dashboard, panel, silence, source
  owner            VARCHAR(190)    CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci,
  alert_count      INT UNSIGNED    NOT NULL DEFAULT 0,  -- kept by triggers (invariant I3); life-time count
  alerts_pruned    INT UNSIGNED    NOT NULL DEFAULT 0,  -- of these, rows that retention removed
  firing_count     INT UNSIGNED    NOT NULL DEFAULT 0,  -- episodes that fire now
  opened_at        DATETIME(6)     NOT NULL,
  acknowledged_at  DATETIME(6),
  acknowledged_by  VARCHAR(190)    CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci,
  resolved_at      DATETIME(6),
  resolved_by      VARCHAR(190)    CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci,  -- `alert`, or who said so
  closed_at        DATETIME(6),
  closed_by        VARCHAR(190)    CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci,
  last_seen_at     DATETIME(6)     NOT NULL,            -- of its newest alert; kept by the trigger
  last_notified_at DATETIME(6),
  diagnostics      JSON,
  trace_id         VARCHAR(32)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  -- RTRIM: MariaDB refuses an expression that depends on the sql_mode PAD_CHAR_TO_FULL_LENGTH (error 1901).
  open_key         VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin
                   GENERATED ALWAYS AS (CASE WHEN status IN ('active','acknowledged') THEN RTRIM(incident_key) END) STORED,
  PRIMARY KEY (incident_id),
  UNIQUE KEY uq_incidents_number (number),
  UNIQUE KEY uq_incidents_open_key (open_key),
  KEY idx_incident_key_status_last_seen (incident_key, status, last_seen_at),
  KEY idx_incidents_opened (opened_at, incident_id),
  KEY idx_incidents_status_opened (status, opened_at, incident_id),
  KEY idx_incidents_service_opened (service, opened_at, incident_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- One row per alert received, always, whatever became of it (invariant I4: exactly one disposition each).
-- incident_id is set only while that incident is open; late, orphan, test and rejected alerts belong to none.
CREATE TABLE grafana_alerts (
  alert_id     VARCHAR(26)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- ULID
  delivery_id  VARCHAR(26)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  incident_id  VARCHAR(40)  CHARACTER SET ascii COLLATE ascii_bin,
  incident_key VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin,           -- NULL only for rejected ones
  rule_uid     VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  alertname    VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  fingerprint  VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  status       ENUM('firing','resolved'),
  disposition  ENUM('opened','attached','repeated','resolved','late','orphan','suppressed','ignored','test','rejected') NOT NULL,
  reason       VARCHAR(500) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,       -- why it was rejected
  severity     ENUM('critical','error','warning','info'),
  cluster      VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  namespace    VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  service      VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  phase        VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  state_reason VARCHAR(64)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,       -- NoData, Error, MissingSeries, ...
  starts_at    DATETIME(6),
  ends_at      DATETIME(6),
  received_at  DATETIME(6)  NOT NULL,
  labels       JSON         NOT NULL,
  annotations  JSON         NOT NULL,
  raw_payload  LONGTEXT     CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,       -- this alert's own JSON text as it came
  counts_for   INT UNSIGNED NOT NULL DEFAULT 1,                              -- rows of its transaction and incident
  PRIMARY KEY (alert_id),
  KEY idx_alerts_delivery (delivery_id),
  KEY idx_alerts_incident (incident_id, received_at),
  KEY idx_alerts_received_rule (received_at, rule_uid),
  CONSTRAINT fk_alerts_delivery FOREIGN KEY (delivery_id) REFERENCES deliveries (delivery_id),
  CONSTRAINT fk_alerts_incident FOREIGN KEY (incident_id) REFERENCES incidents (incident_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- For each member (source and fingerprint) of an incident key its current episode: tells a repeat from a new firing,
-- and when the last member of an incident is over.
CREATE TABLE alert_episodes (
  episode_key  VARCHAR(33) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- {incident_key}-{hash of source and fingerprint}
  incident_key VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  source       VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  fingerprint  VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  status       ENUM('firing','resolved') NOT NULL,
  starts_at    DATETIME(6) NOT NULL,
  ended_at     DATETIME(6),
  ended_by     ENUM('sender','person'),
  incident_id  VARCHAR(40) CHARACTER SET ascii COLLATE ascii_bin,
  last_seen_at DATETIME(6) NOT NULL,
  PRIMARY KEY (episode_key),
  KEY idx_episodes_incident (incident_id, status)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Append-only: the timeline of incidents and the outbox in one. event_id rises in commit order per incident, because it
-- is handed out under the incident's lock; across incidents it does not: never page by "greater than the last seen".
CREATE TABLE events (
  event_id     BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  type         VARCHAR(40)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  incident_id  VARCHAR(40)  CHARACTER SET ascii COLLATE ascii_bin,
  alert_id     VARCHAR(26)  CHARACTER SET ascii COLLATE ascii_bin,
  action_id    VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin,
  actor        VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci NOT NULL,
  trace_id     VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  payload      JSON         NOT NULL,
  created_at   DATETIME(6)  NOT NULL,
  published_at DATETIME(6),
  PRIMARY KEY (event_id),
  KEY idx_events_incident (incident_id, event_id),
  KEY idx_events_unpublished (published_at, event_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Follow-up work that workers poll. Due times and leases are on the database's clock, the one clock all hosts share.
CREATE TABLE jobs (
  job_id          BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  queue           VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,   -- the bulkhead, e.g. notify-slack
  kind            VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  idempotency_key VARCHAR(190)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,   -- one job per key, for ever
  payload         JSON          NOT NULL,
  incident_id     VARCHAR(40)   CHARACTER SET ascii COLLATE ascii_bin,
  state           ENUM('ready','running','done','dead','unknown') NOT NULL DEFAULT 'ready',
  attempt         INT UNSIGNED  NOT NULL DEFAULT 0,
  max_attempts    INT UNSIGNED  NOT NULL,
  run_at          DATETIME(6)   NOT NULL DEFAULT CURRENT_TIMESTAMP(6),            -- sessions run in UTC
  lease_until     DATETIME(6),
  lease_token     VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin,            -- fences: a late finish is refused
  worker          VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin,
  last_error      VARCHAR(1000) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  trace_id        VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  created_at      DATETIME(6)   NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  finished_at     DATETIME(6),
  PRIMARY KEY (job_id),
  UNIQUE KEY uq_jobs_idempotency_key (idempotency_key),
  KEY idx_jobs_claim (queue, state, run_at, job_id),  -- gives the claim its order: a filesort would lock every row
  KEY idx_jobs_lease (state, lease_until),
  KEY idx_jobs_incident (incident_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- How each notification ended (invariant I6). What was asked for is in jobs and events.
CREATE TABLE notifications (
  notification_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  incident_id     VARCHAR(40)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  channel         VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  template        ENUM('opened','updated','resolved','test','acknowledged','escalated','action_failed','action_completed','approval_needed','diagnosed','reminder','bundle') NOT NULL,
  sequence        INT UNSIGNED  NOT NULL,
  state           ENUM('sent','dead','superseded','bundled') NOT NULL,
  job_id          BIGINT UNSIGNED NOT NULL,
  attempt         INT UNSIGNED  NOT NULL,
  alert_count     INT UNSIGNED  NOT NULL,  -- what the message said, so that the next one can tell what is new
  severity        ENUM('critical','error','warning','info') NOT NULL,
  detail          VARCHAR(1000) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  provider_ref    VARCHAR(255)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  finished_at     DATETIME(6)   NOT NULL,
  PRIMARY KEY (notification_id),
  UNIQUE KEY uq_notifications_once (incident_id, channel, template, sequence),
  KEY idx_notifications_channel (channel, finished_at),  -- how many there were in the last minute
  KEY idx_notifications_finished (finished_at, channel, template, state)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- One row per action_id, whatever became of it (invariant I5). `running` is written before the call: whoever finds it
-- under another lease token than his own knows that the call may have been made.
CREATE TABLE remediation_actions (
  action_id    VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,     -- from incident, rule and cause: asked twice, one row
  incident_id  VARCHAR(40)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  ordinal      INT UNSIGNED  NOT NULL,                                           -- 1, 2, ... within the incident
  type         VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,     -- kubernetes.scale, ...
  target       VARCHAR(255)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, -- kubernetes:shop/deployment/svc-a
  parameters   JSON          NOT NULL,
  options      JSON          NOT NULL,                                           -- rule, cause, how it is verified, ...
  from_state   JSON,                                                             -- what was found
  to_state     JSON,                                                             -- what was asked for
  requested_by VARCHAR(190)  CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci NOT NULL,
  reason       VARCHAR(500)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  state        ENUM('requested','awaiting_approval','running','verifying','completed','failed','refused','expired','unknown') NOT NULL,
  is_dry_run   BOOL          NOT NULL,
  attempt      INT UNSIGNED  NOT NULL DEFAULT 0,
  lease_token  VARCHAR(32)   CHARACTER SET ascii COLLATE ascii_bin,              -- of the job's claim that made the call
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
  KEY idx_actions_state (state, requested_at, is_dry_run, incident_id),
  KEY idx_actions_requested (requested_at, type, is_dry_run, state)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What people said to the actions that need their word.
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
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Whether a target system is asked at all. All workers lock its row before an action, which also makes them count
-- the executions of the last hour one after the other.
CREATE TABLE circuit_breakers (
  target_system VARCHAR(190) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  state         ENUM('closed','open','half_open') NOT NULL,
  failures      INT UNSIGNED NOT NULL,
  opened_at     DATETIME(6),
  probe_until   DATETIME(6),
  changed_at    DATETIME(6)  NOT NULL,
  PRIMARY KEY (target_system)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Switches that all processes obey, the kill switch of remediation for one.
CREATE TABLE controls (
  name       VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  value      JSON         NOT NULL,
  changed_by VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci NOT NULL,
  changed_at DATETIME(6)  NOT NULL,
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What people changed that belongs to no incident.
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
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Where alerts and incidents come from, one row per place: what alert_hours, alert_days and incident_facts count by.
-- These roll-ups are the interface for reports and dashboards (docs/reports.md). A worker keeps them up to date; they
-- keep life-time counts: retention removes nothing from them.
CREATE TABLE alert_facets (
  facet_id  BIGINT UNSIGNED NOT NULL,                                  -- a hash of the next four
  rule_uid  VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  cluster   VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  namespace VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  service   VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  name      VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,  -- how people call the rule: the alertname when it was first counted
  PRIMARY KEY (facet_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- How many alerts came in each hour (UTC, by received_at).
CREATE TABLE alert_hours (
  hour       DATETIME(6)     NOT NULL,
  facet_id    BIGINT UNSIGNED NOT NULL,
  severity    ENUM('critical','error','warning','info','unknown') NOT NULL,  -- unknown: of rejected alerts
  disposition ENUM('opened','attached','repeated','resolved','late','orphan','suppressed','ignored','test',
                   'rejected') NOT NULL,
  alerts      INT UNSIGNED    NOT NULL,
  PRIMARY KEY (hour, facet_id, severity, disposition)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- The same for each day (UTC), with a column for each disposition: few rows for a month.
CREATE TABLE alert_days (
  day        DATETIME(6)     NOT NULL,
  facet_id   BIGINT UNSIGNED NOT NULL,
  alerts     INT UNSIGNED    NOT NULL,  -- the sum of the rest, each of which is a disposition
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
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What reports ask of an incident, in few bytes and in the order of opening; stays when retention removes the incident.
CREATE TABLE incident_facts (
  opened_at       DATETIME(6)     NOT NULL,
  number          BIGINT UNSIGNED NOT NULL,
  incident_id     VARCHAR(40)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  incident_key    VARCHAR(16)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  facet_id        BIGINT UNSIGNED NOT NULL,
  status          ENUM('active','acknowledged','resolved','closed') NOT NULL,
  priority        ENUM('P0','P1','P2','P3','P4') NOT NULL,
  severity        ENUM('critical','error','warning','info') NOT NULL,
  ack_seconds     INT UNSIGNED,  -- from opened_at to acknowledged_at, whole seconds; NULL: not acknowledged
  resolve_seconds INT UNSIGNED,  -- from opened_at to resolved_at; NULL: not resolved
  calm_seconds    INT UNSIGNED,  -- from resolved_at of the incident before it (same key) to opened_at; NULL: it is the first
  owner           VARCHAR(190)    CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci,
  acknowledged_by VARCHAR(190)    CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci,
  resolved_by     VARCHAR(190)    CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci,
  resolved_at     DATETIME(6),
  PRIMARY KEY (opened_at, number),
  UNIQUE KEY uq_facts_incident (incident_key, incident_id),
  KEY idx_facts_facet (facet_id, opened_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- How far the roll-ups are, and what they have counted of each recent stretch of ids: rows commit out of order, so each
-- stretch is counted again, later and later, until nothing more can come (receiver/services/rollup.py).
CREATE TABLE rollup_slices (
  stream     VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- alerts or events
  from_id    VARCHAR(26)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- included; empty: all that is counted for good
  until_id   VARCHAR(26)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- not included
  tally      LONGTEXT     CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,  -- what was counted, as JSON
  version    INT UNSIGNED NOT NULL,
  is_open    BOOL         NOT NULL,      -- it is the newest one, and may still be made longer
  checks     INT UNSIGNED NOT NULL,      -- how often it was counted since it was closed
  begun_at   DATETIME(6)  NOT NULL,
  due_at     DATETIME(6)  NOT NULL,      -- when to close it, or to count it again
  PRIMARY KEY (stream, from_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- Whole days as reports ask of them, counted beforehand from the tables above (services/report_days.py). Only a shorter
-- way: whoever changes what a day was counted from sets is_right to 0, and until it is counted again reports read the
-- rows. For queries of your own take the tables above.
CREATE TABLE report_days (
  day      DATETIME(6) NOT NULL,
  subject  VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,       -- by what it is counted: service, rule, ...
  numbers  LONGTEXT    CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,   -- JSON: keys, and in their order each number
  times    LONGBLOB    NOT NULL,  -- seconds to acknowledge and to resolve, of each key in ascending order, four bytes each
  is_right BOOL        NOT NULL,
  made_at  DATETIME(6) NOT NULL,
  PRIMARY KEY (day, subject)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;
