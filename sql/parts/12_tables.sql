-- One row per TVIEW. Written by the extension only.
CREATE TABLE @extschema@.pg_tview_meta (
    tview             regclass PRIMARY KEY,
    entity            text NOT NULL,          -- without the tv_ prefix
    backing_view      regclass NOT NULL,
    key_column        name NOT NULL,
    definition        text NOT NULL,          -- the defining query as it was given
    dependencies      oid[] NOT NULL,         -- the source relations, TVIEWs included
    dependency_paths  text[] NOT NULL,        -- how each of them leads to the key, for people
    nested_views      oid[] NOT NULL,         -- plain views that the backing view reads
    key_is_not_null   boolean NOT NULL,       -- proved by the analysis
    state             text NOT NULL DEFAULT 'active'
                      CHECK (state IN ('active', 'quarantined')),
    fill_snapshot     pg_snapshot,            -- until the first batch that sees the TVIEW
    fill_creator      xid8,
    system_identifier bigint NOT NULL,        -- cluster and database for which OIDs and
    database_oid      oid NOT NULL,           -- snapshots above mean something
    options           jsonb NOT NULL DEFAULT '{}',
    created_at        timestamptz NOT NULL DEFAULT now(),
    view_rules        text,                   -- a hash of what the views say, since 0.2.0
    exchanged_by      xid8,                   -- who has last written all rows anew, since 0.2.0
    key_columns       name[] NOT NULL         -- of the key, in order; key_column is the first
);
COMMENT ON TABLE @extschema@.pg_tview_meta IS 'one row per TVIEW';

-- How a change of a source names the affected keys: one row per path.
CREATE TABLE @extschema@.pg_tview_lineage (
    tview       regclass NOT NULL,
    source      regclass NOT NULL,
    path        integer NOT NULL,             -- numbered from 1 per source
    strategy    text NOT NULL CHECK (strategy IN ('direct', 'lookup', 'full')),
    captured    smallint[] NOT NULL,          -- attribute numbers that the path starts from
    relevant    smallint[] NOT NULL,          -- attribute numbers that the TVIEW reads; 0: whole row
    lookup      text,                         -- over the relation pg_tviews_delta; lookup paths only
    description text NOT NULL,
    part        smallint[],                   -- which of the key's columns it leads to, from 0; NULL: all
    filters     text[],                       -- versions of a row that meet none of these count for nobody; NULL: all count
    PRIMARY KEY (tview, source, path)
);
CREATE INDEX pg_tview_lineage_source ON @extschema@.pg_tview_lineage (source);
COMMENT ON TABLE @extschema@.pg_tview_lineage IS 'how a change of a source names the affected keys of a TVIEW';

-- One row per transaction that changed a source and has not been applied yet. No index: rows are
-- found by ctid or by a scan. EXTERNAL: compressing the payload costs more than storing it.
-- vacuum_truncate is off because truncation takes an ACCESS EXCLUSIVE lock that writers would meet.
CREATE TABLE tviews_internal.pg_tview_outbox (
    payload bytea NOT NULL
) WITH (vacuum_truncate = off, toast.vacuum_truncate = off,
        autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
        autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 10000);
ALTER TABLE tviews_internal.pg_tview_outbox ALTER COLUMN payload SET STORAGE EXTERNAL;
COMMENT ON TABLE tviews_internal.pg_tview_outbox IS 'change records of committed transactions that no batch has applied yet';

-- The snapshot as of which every TVIEW of a lane stands, and cumulative counters.
CREATE TABLE @extschema@.pg_tview_frontier (
    id             integer NOT NULL DEFAULT 1,
    snapshot       pg_snapshot,
    applied_at     timestamptz,
    batches        bigint NOT NULL DEFAULT 0,
    records        bigint NOT NULL DEFAULT 0,
    rows_inserted  bigint NOT NULL DEFAULT 0,
    rows_updated   bigint NOT NULL DEFAULT 0,
    rows_deleted   bigint NOT NULL DEFAULT 0,
    rows_unchanged bigint NOT NULL DEFAULT 0,
    full_refreshes bigint NOT NULL DEFAULT 0,
    clock          timestamptz,               -- what now() is in definitions, up to their period
    lane           text PRIMARY KEY DEFAULT 'main'
) WITH (fillfactor = 10);
INSERT INTO @extschema@.pg_tview_frontier (id) VALUES (1);
COMMENT ON TABLE @extschema@.pg_tview_frontier IS 'the snapshot as of which all TVIEWs of a lane stand; a reader may join it in its own statement';

-- Keys whose documents could not be computed. A key is known by its value's bytes, which any type has
-- and no renaming changes; its text is for people.
CREATE TABLE tviews_internal.pg_tview_dead_letter (
    tview      regclass NOT NULL,
    key        text,                          -- shortened; NULL: the TVIEW as a whole
    sqlstate   text NOT NULL,
    error      text NOT NULL,
    attempts   bigint NOT NULL DEFAULT 1,
    first_seen timestamptz NOT NULL,
    last_seen  timestamptz NOT NULL,
    key_hash   bytea,                         -- SHA-256 of the bytes; empty: rows whose key is null
    key_image  bytea                          -- the bytes; NULL: too long to be kept
);
CREATE UNIQUE INDEX pg_tview_dead_letter_key
    ON tviews_internal.pg_tview_dead_letter (tview, (coalesce(key_hash, 'whole'::bytea)));
-- Its key is an expression, which cannot identify rows for a publication FOR ALL TABLES.
ALTER TABLE tviews_internal.pg_tview_dead_letter REPLICA IDENTITY FULL;
COMMENT ON TABLE tviews_internal.pg_tview_dead_letter IS 'keys in quarantine; readers use the view of the same name';
