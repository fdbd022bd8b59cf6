-- Who may do what. Every GRANT of the extension is here, after what default privileges have given is
-- taken away; a function that is not for everybody revokes EXECUTE from PUBLIC where it is created.

-- Default privileges of the role that runs this script have reached what it created. Only what is
-- granted below counts, and nothing on what is private.
DO $$
DECLARE
    statement text;
BEGIN
    FOR statement IN
        WITH object (class, id, kind, schema, owner, acl) AS (
            SELECT 'pg_catalog.pg_class'::regclass::oid, oid, CASE relkind WHEN 'S' THEN 'S' ELSE 'r' END, relnamespace, relowner, relacl
            FROM pg_catalog.pg_class
            UNION ALL SELECT 'pg_catalog.pg_proc'::regclass::oid, oid, 'f', pronamespace, proowner, proacl FROM pg_catalog.pg_proc
            UNION ALL SELECT 'pg_catalog.pg_namespace'::regclass::oid, oid, 'n', oid, nspowner, nspacl FROM pg_catalog.pg_namespace
        )
        SELECT DISTINCT pg_catalog.format('REVOKE ALL ON %s %s FROM %s CASCADE',
               CASE object.kind WHEN 'r' THEN 'TABLE' WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'ROUTINE' ELSE 'SCHEMA' END,
               (pg_catalog.pg_identify_object(object.class, object.id, 0)).identity,
               CASE WHEN given.grantee <> 0 THEN pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(given.grantee)::text) ELSE 'PUBLIC' END)
        FROM pg_catalog.pg_depend
        JOIN pg_catalog.pg_extension ON pg_extension.oid = pg_depend.refobjid
        JOIN object ON object.class = pg_depend.classid AND object.id = pg_depend.objid
        CROSS JOIN LATERAL pg_catalog.aclexplode(object.acl) AS given
        WHERE pg_depend.refclassid = 'pg_catalog.pg_extension'::regclass AND pg_depend.deptype = 'e'
          AND pg_extension.extname = 'pg_tviews' AND given.grantee <> object.owner
          AND (object.schema = 'tviews_internal'::regnamespace
               OR (given.grantee <> 0 OR object.kind <> 'f') AND EXISTS (
                   SELECT FROM pg_catalog.pg_default_acl AS standing
                   CROSS JOIN LATERAL pg_catalog.aclexplode(standing.defaclacl) AS taken
                   WHERE standing.defaclrole = object.owner AND standing.defaclobjtype::text = object.kind
                     AND taken.grantee = given.grantee))
    LOOP
        EXECUTE statement;
    END LOOP;
END $$;

-- What describes TVIEWs is as public as the system catalogs are: definitions, lineage, frontier.
GRANT SELECT ON @extschema@.pg_tview_meta, @extschema@.pg_tview_lineage,
    @extschema@.pg_tview_helpers, @extschema@.pg_tview_frontier TO PUBLIC;
GRANT SELECT ON @extschema@.pg_tview_behind, @extschema@.pg_tviews_feed, @extschema@.pg_tview_feed_horizon,
    @extschema@.pg_tviews_feed_consumers TO PUBLIC;
-- As public as pg_stat_all_tables is.
GRANT SELECT ON @extschema@.pg_tviews_performance_summary, @extschema@.pg_tview_performance_log,
    @extschema@.pg_tviews_progress, @extschema@.pg_tviews_cache_stats, @extschema@.pg_tviews_lag,
    @extschema@.pg_tviews_audit_status, @extschema@.pg_tviews_waits, @extschema@.pg_tviews_waiting,
    @extschema@.pg_tviews_lanes, @extschema@.pg_tviews_lane_targets, @extschema@.pg_tviews_group_states, @extschema@.pg_tviews_group_sources, @extschema@.tviews TO PUBLIC;

-- For those who watch the server.
GRANT SELECT ON @extschema@.pg_tview_audit_log, @extschema@.pg_tviews_queue_realtime, @extschema@.pg_tviews_workers TO pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.pg_tviews_health_check(interval), @extschema@.pg_tviews_queue_entries(),
    @extschema@.pg_tviews_slots(), @extschema@.pg_tviews_lane_slots(), @extschema@.pg_tviews_server_state() TO pg_monitor;

-- Whoever pauses the applier keeps every TVIEW of the database from changing.
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_pause(), @extschema@.pg_tviews_resume(),
    @extschema@.pg_tviews_pause(text), @extschema@.pg_tviews_resume(text) FROM PUBLIC;
