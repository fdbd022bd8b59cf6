
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_check_vacuum(patience interval, OUT component text, OUT severity text, OUT message text)
RETURNS SETOF record
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH kept AS (
        SELECT pg_tview_meta.tview::oid AS relation FROM @extschema@.pg_tview_meta
        UNION ALL SELECT 'tviews_internal.pg_tview_outbox'::regclass
        UNION ALL SELECT '@extschema@.pg_tview_frontier'::regclass
    )
    SELECT 'autovacuum', 'error', format('%s is off: the outbox and TVIEWs grow. ALTER SYSTEM RESET %s, then SELECT pg_reload_conf().', setting.name, setting.name)
    FROM pg_settings AS setting WHERE setting.name IN ('autovacuum', 'track_counts') AND setting.reset_val = 'off'
    UNION ALL
    SELECT 'autovacuum', 'warning', format('autovacuum is disabled for %s. ALTER TABLE %s RESET (autovacuum_enabled).', kept.relation::regclass, kept.relation::regclass)
    FROM kept JOIN pg_class ON pg_class.oid = kept.relation
    WHERE EXISTS (SELECT FROM pg_options_to_table(pg_class.reloptions) AS option
                  WHERE option.option_name = 'autovacuum_enabled' AND NOT option.option_value::boolean)
    UNION ALL
    SELECT 'autovacuum', 'warning',
           format('%s has %s dead rows beside %s live ones. VACUUM %s; look for what holds vacuum back.',
                  kept.relation::regclass, stat.dead, stat.live, kept.relation::regclass)
    FROM kept
    CROSS JOIN LATERAL (SELECT pg_stat_get_dead_tuples(kept.relation) AS dead, pg_stat_get_live_tuples(kept.relation) AS live) AS stat
    WHERE stat.dead > 100000 AND stat.dead > stat.live
    UNION ALL
    SELECT 'old snapshot', 'warning',
           format('Process %s (%s, %s) keeps a snapshot since %s: no vacuum removes what was deleted since. End its transaction, or SELECT pg_terminate_backend(%s).',
                  activity.pid, coalesce(nullif(activity.application_name, ''), activity.backend_type), coalesce(activity.state, 'running'),
                  activity.xact_start::timestamptz(0), activity.pid)
    FROM pg_stat_activity AS activity
    WHERE (activity.backend_xmin IS NOT NULL OR activity.backend_xid IS NOT NULL)
      AND activity.xact_start < now() - 10 * coalesce(patience, '0') AND activity.pid <> pg_backend_pid()
      AND activity.backend_type <> 'autovacuum worker' AND activity.datname = current_database()
    UNION ALL
    SELECT 'prepared transactions', 'warning',
           format('Transaction %L is prepared since %s: it holds back vacuum, that of the outbox too. COMMIT PREPARED %L or ROLLBACK PREPARED %L in database %I.',
                  prepared.gid, prepared.prepared::timestamptz(0), prepared.gid, prepared.gid, prepared.database)
    FROM pg_prepared_xacts AS prepared
    WHERE prepared.prepared < now() - coalesce(patience, '0')
    UNION ALL
    SELECT 'replication slots', 'warning',
           format('Replication slot %s holds back vacuum%s by %s transactions%s.',
                  slot.slot_name, CASE WHEN slot.xmin IS NULL THEN ' of catalogs' ELSE '' END,
                  greatest(age(slot.xmin), age(slot.catalog_xmin)),
                  CASE WHEN slot.active THEN '. Look why its receiver is slow, and end long queries there'
                       ELSE format(' and nobody reads it. Start its receiver, or SELECT pg_drop_replication_slot(%L)', slot.slot_name) END)
    FROM pg_replication_slots AS slot
    WHERE (NOT slot.active AND coalesce(slot.xmin, slot.catalog_xmin) IS NOT NULL)
       OR greatest(age(slot.xmin), age(slot.catalog_xmin)) > 1000000
    UNION ALL
    SELECT 'old snapshot', 'warning',
           format('Standby %s holds back vacuum by %s transactions through hot_standby_feedback. End long queries there.',
                  coalesce(nullif(replica.application_name, ''), replica.pid::text), age(replica.backend_xmin))
    FROM pg_stat_replication AS replica WHERE age(replica.backend_xmin) > 1000000;
END;
COMMENT ON FUNCTION @extschema@.pg_tviews_check_vacuum(interval) IS 'part of the health check: what keeps vacuum from the outbox and TVIEWs';

-- A TVIEW whose catalogs are damaged, or whose sources somebody locks, is for the other checks.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_check_indexes(OUT component text, OUT severity text, OUT message text)
RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '10ms'
AS $$
DECLARE
    name text;
    missing record;
    advised text[] := '{}';
    tviews CONSTANT bigint := (SELECT count(*) FROM @extschema@.pg_tview_meta);
BEGIN
    component := 'indexes';
    IF tviews > 200 THEN
        severity := 'info';
        message := format('Not looked for: there are %s TVIEWs. SELECT * FROM pg_tviews_suggest_indexes(entity).', tviews);
        RETURN NEXT;
        RETURN;
    END IF;
    FOR name IN
        SELECT format('%I.%I', pg_namespace.nspname, pg_class.relname)
        FROM @extschema@.pg_tview_meta JOIN pg_class ON pg_class.oid = pg_tview_meta.tview
        JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace ORDER BY 1
    LOOP
        BEGIN
            FOR missing IN SELECT * FROM @extschema@.pg_tviews_suggest_indexes(name) LOOP
                CONTINUE WHEN missing.index_suggestion = ANY (advised);
                advised := advised || missing.index_suggestion;
                severity := 'warning';
                message := format('For TVIEW %s, %s. %s', name, missing.reason, missing.index_suggestion);
                RETURN NEXT;
            END LOOP;
        EXCEPTION WHEN OTHERS THEN
            severity := CASE SQLSTATE WHEN '55P03' THEN 'info' ELSE 'warning' END;
            message := format('Indexes of TVIEW %s cannot be looked for: %s.', name, SQLERRM);
            RETURN NEXT;
        END;
    END LOOP;
END $$;
COMMENT ON FUNCTION @extschema@.pg_tviews_check_indexes() IS 'part of the health check: indexes that refreshes lack';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_health_check(patience interval DEFAULT '1 minute',
    OUT status text, OUT component text, OUT message text, OUT severity text)
RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
SET pg_tviews.read_consistency = 'eventual' -- it must answer where no applier does
AS $$
DECLARE
    sql_version CONSTANT text := (SELECT extversion FROM pg_extension WHERE extname = 'pg_tviews');
    library_version text;
BEGIN
    IF patience IS NULL THEN
        RAISE 'argument patience of pg_tviews_health_check must not be null'
            USING ERRCODE = '22004', HINT = 'Without an argument it is one minute.';
    END IF;
    -- Without the library nothing else can be asked.
    IF current_setting('pg_tviews.enabled', true) IS NULL THEN
        RETURN QUERY SELECT 'ERROR', 'library', 'pg_tviews is not loaded: source tables cannot be changed. Add it to shared_preload_libraries in postgresql.conf and restart.', 'error';
        RETURN;
    END IF;
    library_version := @extschema@.pg_tviews_version();
    IF library_version <> sql_version THEN
        RETURN QUERY SELECT 'ERROR', 'version', format('The library is of version %s, the extension of version %s. ALTER EXTENSION pg_tviews UPDATE, or install the other library and restart.', library_version, sql_version), 'error';
        RETURN;
    END IF;
    RETURN QUERY
    WITH found AS (
        SELECT * FROM @extschema@.pg_tviews_check_settings()
        UNION ALL SELECT * FROM @extschema@.pg_tviews_check_metadata()
        UNION ALL SELECT * FROM @extschema@.pg_tviews_check_triggers()
        UNION ALL SELECT * FROM @extschema@.pg_tviews_check_quarantine()
        UNION ALL SELECT * FROM @extschema@.pg_tviews_check_audit()
        UNION ALL SELECT * FROM @extschema@.pg_tviews_check_privileges()
        UNION ALL SELECT * FROM @extschema@.pg_tviews_check_indexes()
        UNION ALL SELECT * FROM @extschema@.pg_tviews_check_cost()
        UNION ALL SELECT * FROM @extschema@.pg_tviews_check_vacuum(patience)
        UNION ALL SELECT * FROM @extschema@.pg_tviews_check_workers(patience) WHERE NOT pg_is_in_recovery()
        UNION ALL SELECT * FROM @extschema@.pg_tviews_check_queue(patience) WHERE NOT pg_is_in_recovery()
        UNION ALL SELECT * FROM @extschema@.pg_tviews_check_waits()
        UNION ALL SELECT * FROM @extschema@.pg_tviews_check_lanes(patience) WHERE NOT pg_is_in_recovery()
        UNION ALL SELECT * FROM @extschema@.pg_tviews_check_feed()
    ), fine (place, component, message) AS (VALUES
        (1, 'version', format('Library and extension are of version %s.', library_version)),
        (2, 'library', 'Loaded at server start.'),
        (3, 'jsonb_delta', CASE WHEN @extschema@.pg_tviews_check_jsonb_delta() THEN 'Installed; documents are recomputed, not patched.'
                                ELSE 'Not installed, and not needed: documents are recomputed.' END),
        (4, 'settings', 'Settings are sane.'),
        (5, 'metadata', (SELECT CASE count(*) WHEN 1 THEN '1 TVIEW agrees' ELSE count(*) || ' TVIEWs agree' END || ' with the catalogs.' FROM @extschema@.pg_tview_meta)),
        (6, 'triggers', format('%s capture triggers are there and enabled.', (SELECT count(*) FROM @extschema@.pg_tviews_capture_trigger_state))),
        (7, 'workers', CASE WHEN pg_is_in_recovery() THEN 'None on a standby: TVIEWs are replicated from the primary.'
                            ELSE 'The launcher runs, and an applier where there is work.' END),
        (8, 'blocked applier', 'Nobody is in its way.'),
        (9, 'queue and lag', 'On a standby: as far as the primary''s.'),
        (10, 'spill', 'On a standby: as on the primary.'),
        (11, 'quarantine', 'Nothing is in quarantine.'),
        (12, 'indexes', 'No index is missing.'),
        (13, 'autovacuum', 'Vacuum keeps up with the outbox and TVIEWs.'),
        (14, 'old snapshot', 'No old snapshot holds back vacuum.'),
        (15, 'prepared transactions', 'No old prepared transaction.'),
        (16, 'replication slots', 'No replication slot holds back vacuum.'),
        (17, 'audit', CASE WHEN current_setting('pg_tviews.audit_rate') = '0' THEN 'Off: pg_tviews.audit_rate is 0.'
                           ELSE 'No difference was found.' END),
        (18, 'privileges', 'What is private is nobody else''s.'),
        (19, 'feed', 'Consumers of the change feed follow.'),
        (20, 'cost', 'No refresh is dear, and no large group is read for a change.')
    )
    SELECT CASE coalesce(found.severity, 'info') WHEN 'info' THEN 'OK' ELSE upper(found.severity) END,
           fine.component, coalesce(found.message, fine.message), coalesce(found.severity, 'info')
    FROM fine LEFT JOIN found ON found.component = fine.component
    ORDER BY array_position(ARRAY['error', 'warning', 'info'], coalesce(found.severity, 'info')), fine.place, 3;
END $$;
COMMENT ON FUNCTION @extschema@.pg_tviews_health_check(interval) IS 'what is not well, with its repair, and what is; delays up to patience are no finding';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_drop_orphans(OUT kind text, OUT object text) RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_drop_orphans';
COMMENT ON FUNCTION @extschema@.pg_tviews_drop_orphans() IS 'removes what is left of TVIEWs that are gone: metadata, capture triggers';

-- For those who watch the server. Findings name sessions and relations of others.
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_health_check(interval), @extschema@.pg_tviews_drop_orphans(),
    @extschema@.pg_tviews_server_state(), @extschema@.pg_tviews_check_settings(), @extschema@.pg_tviews_check_metadata(),
    @extschema@.pg_tviews_check_triggers(), @extschema@.pg_tviews_check_quarantine(), @extschema@.pg_tviews_check_indexes(),
    @extschema@.pg_tviews_check_vacuum(interval), @extschema@.pg_tviews_check_workers(interval),
    @extschema@.pg_tviews_check_queue(interval), @extschema@.pg_tviews_queue_entries(), @extschema@.pg_tviews_slots() FROM PUBLIC;
