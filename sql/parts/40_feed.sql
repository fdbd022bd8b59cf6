-- What a reader may see: changes of TVIEWs whose rows it may read. security_barrier: the reader's own
-- functions meet no other rows.
CREATE OR REPLACE VIEW @extschema@.pg_tviews_feed WITH (security_barrier) AS
SELECT pg_tview_feed.position, pg_tview_feed.tview, pg_tview_feed.entity, pg_tview_feed.key,
       pg_tview_feed.id, pg_tview_feed.operation, pg_tview_feed.frontier, pg_tview_feed.changed_at,
       pg_tview_feed.old_data, pg_tview_feed.new_data
FROM tviews_internal.pg_tview_feed
WHERE EXISTS (SELECT FROM @extschema@.pg_tview_meta
              WHERE pg_tview_meta.tview = pg_tview_feed.tview
                AND pg_catalog.has_table_privilege(pg_tview_meta.tview::oid, 'SELECT')
                AND NOT pg_catalog.row_security_active(pg_tview_meta.tview::oid));
COMMENT ON VIEW @extschema@.pg_tviews_feed IS 'the durable change feed of the TVIEWs that the reader may read';
