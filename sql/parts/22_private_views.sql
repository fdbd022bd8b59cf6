-- What people see of the tables in tviews_internal: each row for those whom it concerns. security_barrier:
-- the reader's own functions meet no other rows. pg_tviews_feed is the third.

-- Those of one's own TVIEWs, and all of them for those who watch the server: an error may quote a
-- value of a source table. Nobody is granted it: SELECT alone, as GRANT ON ALL TABLES gives it, shows
-- nothing of others.
CREATE OR REPLACE VIEW @extschema@.pg_tview_dead_letter WITH (security_barrier) AS
SELECT letter.tview, letter.key, letter.sqlstate, letter.error, letter.attempts, letter.first_seen, letter.last_seen
FROM tviews_internal.pg_tview_dead_letter AS letter
WHERE pg_catalog.pg_has_role('pg_monitor', 'USAGE')
   OR EXISTS (SELECT FROM pg_catalog.pg_class
              WHERE pg_class.oid = letter.tview::oid AND pg_catalog.pg_has_role(pg_class.relowner, 'USAGE'));
COMMENT ON VIEW @extschema@.pg_tview_dead_letter IS 'keys in quarantine with the error that put them there';

-- It shows addresses of clients and commands, as pg_stat_activity shows them to the same role.
CREATE OR REPLACE VIEW @extschema@.pg_tview_audit_log WITH (security_barrier) AS
SELECT log.log_id, log.operation, log.entity, log.performed_by, log.performed_at, log.details, log.client_addr, log.client_port
FROM tviews_internal.pg_tview_audit_log AS log
WHERE pg_catalog.pg_has_role('pg_monitor', 'USAGE');
COMMENT ON VIEW @extschema@.pg_tview_audit_log IS 'DDL and operators'' actions that concerned TVIEWs';
