-- The triggers of MariaDB and MySQL. They record and guard; they never parse and never decide.
-- Load after schema.sql with the mysql client. With the binary log on, the account that loads them needs SUPER,
-- or the server needs log_bin_trust_function_creators=1 (error 1419 otherwise).
DELIMITER //

-- Invariant I3: alert_count is the number of the incident's rows in grafana_alerts, whoever inserts them. A row counts
-- for itself, unless it says for how many: who inserts many of one incident lets one count for all, and the others for 0.
CREATE TRIGGER trg_update_alert_count_on_insert AFTER INSERT ON grafana_alerts FOR EACH ROW
BEGIN
  IF NEW.counts_for > 0 AND NEW.incident_id IS NOT NULL THEN
    UPDATE incidents
       SET alert_count = alert_count + NEW.counts_for, last_seen_at = GREATEST(last_seen_at, NEW.received_at)
     WHERE incident_id = NEW.incident_id;
  END IF;
END//

-- Retention (SET @receiver_retention = 1) keeps the life-time count and books the difference in alerts_pruned;
-- rows deleted by hand lower the count.
CREATE TRIGGER trg_update_alert_count_on_delete AFTER DELETE ON grafana_alerts FOR EACH ROW
BEGIN
  IF OLD.incident_id IS NOT NULL THEN
    IF @receiver_retention = 1 THEN
      UPDATE incidents SET alerts_pruned = alerts_pruned + 1 WHERE incident_id = OLD.incident_id;
    ELSE
      UPDATE incidents SET alert_count = GREATEST(alert_count, 1) - 1 WHERE incident_id = OLD.incident_id;
    END IF;
  END IF;
END//

-- Invariant I2, second line of defence with a readable message. Under concurrency only uq_incidents_open_key is safe:
-- a trigger cannot see what another transaction has not committed.
CREATE TRIGGER trg_prevent_duplicate_open_incident BEFORE INSERT ON incidents FOR EACH ROW
BEGIN
  IF NEW.status IN ('active','acknowledged') AND EXISTS (SELECT 1 FROM incidents WHERE open_key = NEW.incident_key) THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'an open incident exists for this incident_key';
  END IF;
END//

DELIMITER ;
