-- What was done to TVIEWs, by whom: written by the extension in the transaction that does it.
CREATE TABLE @extschema@.pg_tview_audit_log (
    log_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    operation    text NOT NULL,
    entity       text,                        -- NULL: all of them
    performed_by text NOT NULL DEFAULT session_user,
    performed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    details      jsonb NOT NULL,
    client_addr  inet DEFAULT inet_client_addr(),
    client_port  integer DEFAULT inet_client_port()
);
CREATE INDEX pg_tview_audit_log_entity ON @extschema@.pg_tview_audit_log (entity, log_id);
COMMENT ON TABLE @extschema@.pg_tview_audit_log IS 'DDL and operators'' actions that concerned TVIEWs';

-- It shows addresses of clients, as pg_stat_activity shows them to the same role.
REVOKE ALL ON @extschema@.pg_tview_audit_log FROM PUBLIC;
GRANT SELECT ON @extschema@.pg_tview_audit_log TO pg_monitor;
