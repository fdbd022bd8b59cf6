-- Written by the applier in the batch's own transaction. No identifying key, because rows are never
-- addressed: retention deletes by time.
CREATE TABLE @extschema@.pg_tview_performance_log (
    logged_at           timestamptz NOT NULL,
    entity              text NOT NULL,
    tview               regclass NOT NULL,
    refresh_duration_ms double precision NOT NULL,
    keys                bigint NOT NULL,
    rows_inserted       bigint NOT NULL,
    rows_updated        bigint NOT NULL,
    rows_deleted        bigint NOT NULL,
    rows_unchanged      bigint NOT NULL,
    full_refresh        boolean NOT NULL,
    errors              bigint NOT NULL,
    lag_ms              double precision        -- NULL: somebody asked for the refresh
);
CREATE INDEX pg_tview_performance_log_time ON @extschema@.pg_tview_performance_log (logged_at);
ALTER TABLE @extschema@.pg_tview_performance_log REPLICA IDENTITY FULL;
COMMENT ON TABLE @extschema@.pg_tview_performance_log IS 'slow refreshes, and a sample of the others';
