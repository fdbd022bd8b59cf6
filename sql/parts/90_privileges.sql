-- What describes TVIEWs is as public as the system catalogs are: definitions, lineage, frontier.
GRANT SELECT ON @extschema@.pg_tview_meta, @extschema@.pg_tview_lineage,
    @extschema@.pg_tview_helpers, @extschema@.pg_tview_frontier TO PUBLIC;

-- These hold values of users' rows: keys in the outbox, keys and error messages in quarantine.
REVOKE ALL ON @extschema@.pg_tview_outbox, @extschema@.pg_tview_dead_letter FROM PUBLIC;

-- Whoever pauses the applier keeps every TVIEW of the database from changing.
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_pause(), @extschema@.pg_tviews_resume() FROM PUBLIC;
