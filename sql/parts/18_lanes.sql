-- What other lanes than the main one do not contain yet, of what the main one has taken out of the
-- outbox: one change record per lane and batch, and the snapshot of that batch. Written by the main
-- applier in the batch's transaction, deleted by the lane's in its own.
CREATE TABLE tviews_internal.pg_tview_lane_owed (
    lane       text NOT NULL,
    id         bigint GENERATED ALWAYS AS IDENTITY,
    snapshot   pg_snapshot NOT NULL,
    payload    bytea NOT NULL,
    written_at timestamptz NOT NULL,          -- the oldest of these changes
    PRIMARY KEY (lane, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
        autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 10000);
ALTER TABLE tviews_internal.pg_tview_lane_owed ALTER COLUMN payload SET STORAGE EXTERNAL;
COMMENT ON TABLE tviews_internal.pg_tview_lane_owed IS 'changes that lanes do not contain yet';
COMMENT ON SEQUENCE tviews_internal.pg_tview_lane_owed_id_seq IS 'the order of pg_tview_lane_owed';
