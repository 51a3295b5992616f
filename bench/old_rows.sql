-- Old rows for bench/prune.py. NUMBERS is a stretch of numbers called seq; the comment before each statement says for how
-- many alerts there is one row. Numbers give ids of the year 1970, below all that are made now. Ten alerts make an
-- incident, two came with each delivery, and every fifth has no incident.

-- per 2
INSERT INTO deliveries (delivery_id, source, received_at, body, body_bytes, content_type, headers, credential,
  signature_verified, outcome, alerts_received, alerts_truncated, trace_id)
SELECT LPAD(seq, 26, '0'), 'alertmanager', :at, :body, LENGTH(:body), 'application/json', '{}', 'none', 0, 'processed', 2, 0,
  REPEAT('0', 32) FROM NUMBERS;

-- per 10
INSERT INTO incidents (incident_id, incident_key, status, priority, severity, title, summary, rule_uid, cluster,
  namespace, service, phase, labels, links, opened_at, resolved_at, resolved_by, last_seen_at, trace_id)
SELECT CONCAT('INC-20200101000000-', LPAD(HEX(seq), 16, '0')), LPAD(HEX(seq), 16, '0'), 'resolved', 'P2', 'warning', 'Old',
  'It was.', 'am:Old', 'prod', 'shop', 'web', '', '{}', '{}', TIMESTAMPADD(SECOND, seq, :at),
  TIMESTAMPADD(SECOND, seq + 60, :at), 'alertmanager', :at, REPEAT('0', 32) FROM NUMBERS;

-- per 1
INSERT INTO grafana_alerts (alert_id, delivery_id, incident_id, incident_key, rule_uid, alertname, fingerprint, status,
  disposition, severity, cluster, namespace, service, phase, starts_at, received_at, labels, annotations, raw_payload)
SELECT LPAD(seq, 26, '0'), LPAD((seq + 1) DIV 2, 26, '0'),
  IF(seq MOD 5, CONCAT('INC-20200101000000-', LPAD(HEX((seq + 9) DIV 10), 16, '0')), NULL),
  LPAD(HEX((seq + 9) DIV 10), 16, '0'), 'am:Old', 'Old', LPAD(HEX(seq), 16, '0'), 'firing',
  IF(seq MOD 5, 'attached', 'ignored'), 'warning', 'prod', 'shop', 'web', '', :at, :at, :labels, :labels, :raw
  FROM NUMBERS;

-- per 10
INSERT INTO alert_episodes (episode_key, incident_key, source, fingerprint, status, starts_at, ended_at, incident_id,
  last_seen_at)
SELECT LPAD(HEX(seq), 33, '0'), LPAD(HEX(seq), 16, '0'), 'alertmanager', LPAD(HEX(seq), 16, '0'), 'resolved', :at, :at,
  CONCAT('INC-20200101000000-', LPAD(HEX(seq), 16, '0')), :at FROM NUMBERS;

-- per 10
INSERT INTO notifications (incident_id, channel, template, sequence, state, job_id, attempt, alert_count, severity,
  finished_at)
SELECT CONCAT('INC-20200101000000-', LPAD(HEX(seq), 16, '0')), 'slack', 'opened', 0, 'sent', 1, 1, 1, 'warning', :at
  FROM NUMBERS;

-- per 2
INSERT INTO events (type, incident_id, actor, trace_id, payload, created_at, published_at)
SELECT 'incident.updated', CONCAT('INC-20200101000000-', LPAD(HEX((seq + 4) DIV 5), 16, '0')), 'alertmanager',
  REPEAT('0', 32), '{}', :at, :at FROM NUMBERS;
