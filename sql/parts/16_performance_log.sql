-- Written by the applier in the batch's own transaction. Rows are never addressed: the key is for
-- tools that replicate whole schemas.
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
    lag_ms              double precision,       -- NULL: somebody asked for the refresh
    id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY
);
CREATE INDEX pg_tview_performance_log_time ON @extschema@.pg_tview_performance_log (logged_at);
COMMENT ON TABLE @extschema@.pg_tview_performance_log IS 'slow refreshes, and a sample of the others';
COMMENT ON SEQUENCE @extschema@.pg_tview_performance_log_id_seq IS 'the key of pg_tview_performance_log';
