-- TVIEWs that batches have to leave aside, because a relation that they need is locked by a session, or because their
-- refresh fails or takes more than it may.
-- Written by the applier only, in the transaction of the batch that leaves them aside or catches up.
CREATE TABLE @extschema@.pg_tview_behind (
    tview    regclass PRIMARY KEY,
    snapshot pg_snapshot,                     -- as of which it stands; NULL: not filled yet
    reason   text NOT NULL,
    since    timestamptz NOT NULL,
    batches  bigint NOT NULL DEFAULT 1,       -- that changed its sources meanwhile
    retry_at timestamptz                      -- when it is tried again; NULL: as soon as the lock is to be had
);
COMMENT ON TABLE @extschema@.pg_tview_behind IS 'TVIEWs that do not stand at the frontier: a relation that they need is locked, or their refresh fails';

-- What happened to their sources meanwhile: one change record per batch.
CREATE TABLE tviews_internal.pg_tview_owed (
    tview   regclass NOT NULL,
    id      bigint GENERATED ALWAYS AS IDENTITY,
    payload bytea NOT NULL,
    PRIMARY KEY (tview, id)
);
ALTER TABLE tviews_internal.pg_tview_owed ALTER COLUMN payload SET STORAGE EXTERNAL;
COMMENT ON TABLE tviews_internal.pg_tview_owed IS 'changes that TVIEWs in pg_tview_behind do not contain yet';
COMMENT ON SEQUENCE tviews_internal.pg_tview_owed_id_seq IS 'the order of pg_tview_owed';
