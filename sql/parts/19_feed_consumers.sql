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
