-- The durable change feed: one row per document that a batch changed, written by the applier in the
-- batch's transaction, for TVIEWs with pg_tviews.feed = 'keys' or 'data'. Positions ascend in the
-- order in which batches commit; gaps are batches that were tried again.
CREATE TABLE tviews_internal.pg_tview_feed (
    position   bigint PRIMARY KEY,
    tview      regclass NOT NULL,
    entity     text NOT NULL,
    key        text NOT NULL,
    id         text,                          -- where the TVIEW has a column id
    operation  text NOT NULL CHECK (operation IN ('insert', 'update', 'delete')),
    frontier   pg_snapshot NOT NULL,          -- of the batch
    changed_at timestamptz NOT NULL,          -- when the batch began
    old_data   jsonb,                         -- with pg_tviews.feed = 'data'
    new_data   jsonb
) WITH (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE tviews_internal.pg_tview_feed IS 'one row per changed document of TVIEWs with a durable feed; readers use pg_tviews_feed';

CREATE SEQUENCE tviews_internal.pg_tview_feed_position OWNED BY tviews_internal.pg_tview_feed.position;
COMMENT ON SEQUENCE tviews_internal.pg_tview_feed_position IS 'positions of pg_tview_feed';

-- Up to where retention has removed rows: a consumer that stands before it has missed some.
CREATE TABLE @extschema@.pg_tview_feed_horizon (
    id              integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    removed_through bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
INSERT INTO @extschema@.pg_tview_feed_horizon (id) VALUES (1);
COMMENT ON TABLE @extschema@.pg_tview_feed_horizon IS 'the highest position that retention has removed from pg_tview_feed';

-- Consumers of the durable change feed and how far each has come. Whoever reads the feed without one sees what
-- pg_tviews.feed_retention leaves; for these, rows stay longer.
CREATE TABLE tviews_internal.pg_tview_feed_consumer (
    consumer        text PRIMARY KEY CHECK (consumer <> ''),
    owner           regrole NOT NULL,
    position        bigint NOT NULL CHECK (position >= 0),
    registered_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    acknowledged_at timestamptz
) WITH (fillfactor = 10);
COMMENT ON TABLE tviews_internal.pg_tview_feed_consumer IS 'consumers of pg_tview_feed, and how far each has come; readers use pg_tviews_feed_consumers';
