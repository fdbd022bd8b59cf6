-- TVIEWs that were created without data, and how far the applier has filled them. The row stays when the fill is complete:
-- an older snapshot must not take what it sees of the TVIEW for all of it.
-- Written by the applier only, in the transaction of the batch that computes a slice, once creation has made the row.
CREATE TABLE tviews_internal.pg_tview_fill (
    tview         regclass PRIMARY KEY,
    in_one_go     boolean NOT NULL,            -- its query cannot be computed for a range of keys
    mark          bytea,                       -- the last key of the last slice; NULL: none is done
    mark_types    oid[],                       -- of its columns
    rows_done     bigint NOT NULL DEFAULT 0,
    rows_expected bigint,                      -- as the planner sees it
    slices        bigint NOT NULL DEFAULT 0,
    restarts      integer NOT NULL DEFAULT 0,  -- because all rows could have changed meanwhile
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at    timestamptz,
    completed_at  timestamptz,
    completed_by  xid8                         -- the transaction that has completed it
) WITH (fillfactor = 10);
COMMENT ON TABLE tviews_internal.pg_tview_fill IS 'TVIEWs that were created without data, and how far the applier has filled them';

-- TVIEWs that are replaced online: the shadow is a TVIEW of the new query, which batches fill and keep up to date until its rows are put in
-- the place of the other's. After the exchange the row stays until a batch has seen it: what an earlier one has left aside of the shadow,
-- the TVIEW owes. Written by sessions; by the applier only what an exchange leaves.
CREATE TABLE tviews_internal.pg_tview_replacement (
    shadow       regclass PRIMARY KEY,
    tview        regclass NOT NULL,
    begun_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    exchanged_at timestamptz
) WITH (fillfactor = 10);
CREATE UNIQUE INDEX pg_tview_replacement_pending ON tviews_internal.pg_tview_replacement (tview) WHERE exchanged_at IS NULL;
COMMENT ON TABLE tviews_internal.pg_tview_replacement IS 'TVIEWs that are replaced online, and the hidden ones that are filled for it';
