-- The plain views that TVIEWs read, and by which TVIEWs.
CREATE OR REPLACE VIEW @extschema@.pg_tview_helpers AS
SELECT helper.oid::regclass AS helper,
       array_agg(pg_tview_meta.tview ORDER BY pg_tview_meta.tview::oid) AS used_by
FROM @extschema@.pg_tview_meta
CROSS JOIN LATERAL unnest(pg_tview_meta.nested_views) AS helper (oid)
GROUP BY helper.oid;
COMMENT ON VIEW @extschema@.pg_tview_helpers IS 'plain views that backing views read, and the TVIEWs that use them';
