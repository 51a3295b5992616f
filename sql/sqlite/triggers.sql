-- The triggers of the embedded SQLite database; the same promises as ../triggers.sql.

CREATE TRIGGER trg_update_alert_count_on_insert AFTER INSERT ON grafana_alerts
WHEN NEW.counts_for > 0 AND NEW.incident_id IS NOT NULL
BEGIN
  UPDATE incidents
     SET alert_count = alert_count + NEW.counts_for, last_seen_at = MAX(last_seen_at, NEW.received_at)
   WHERE incident_id = NEW.incident_id;
END;

-- SQLite has no session variables: retention deletes the rows and then moves the difference to alerts_pruned itself.
CREATE TRIGGER trg_update_alert_count_on_delete AFTER DELETE ON grafana_alerts WHEN OLD.incident_id IS NOT NULL
BEGIN
  UPDATE incidents SET alert_count = MAX(alert_count, 1) - 1 WHERE incident_id = OLD.incident_id;
END;

CREATE TRIGGER trg_prevent_duplicate_open_incident BEFORE INSERT ON incidents
WHEN NEW.status IN ('active','acknowledged') AND EXISTS (SELECT 1 FROM incidents WHERE open_key = NEW.incident_key)
BEGIN
  SELECT RAISE(ABORT, 'an open incident exists for this incident_key');
END;

-- SQLite numbers only a table's primary key by itself; the short number of an incident comes from here.
CREATE TRIGGER trg_number_incident AFTER INSERT ON incidents WHEN NEW.number IS NULL
BEGIN
  UPDATE incidents
     SET number = (SELECT COALESCE(MAX(number), 0) + 1 FROM incidents)
   WHERE incident_id = NEW.incident_id;
END;
