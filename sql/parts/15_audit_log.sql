-- What was done to TVIEWs, by whom: written by the extension in the transaction that does it.
CREATE TABLE tviews_internal.pg_tview_audit_log (
    log_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    operation    text NOT NULL,
    entity       text,                        -- NULL: all of them
    performed_by text NOT NULL DEFAULT session_user,
    performed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    details      jsonb NOT NULL,
    client_addr  inet DEFAULT inet_client_addr(),
    client_port  integer DEFAULT inet_client_port()
);
CREATE INDEX pg_tview_audit_log_entity ON tviews_internal.pg_tview_audit_log (entity, log_id);
CREATE INDEX pg_tview_audit_log_time ON tviews_internal.pg_tview_audit_log (performed_at);
COMMENT ON TABLE tviews_internal.pg_tview_audit_log IS 'what was done to TVIEWs; readers use the view of the same name';
COMMENT ON SEQUENCE tviews_internal.pg_tview_audit_log_log_id_seq IS 'the order of pg_tview_audit_log';
