
-- What pg_tviews_health_check() puts together. Each check returns what it found, with the repair,
-- or, as severity info, that all is well. They are run as the extension's owner, because they look
-- at what only that one may see; no row value of a user's table is in a message.

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_server_state(
    OUT launcher_pid integer, OUT launches_failed bigint, OUT slots_used integer, OUT slots integer,
    OUT last_turned_away timestamptz, OUT stats_evicted bigint, OUT quiet_failures bigint)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_server_state';
COMMENT ON FUNCTION @extschema@.pg_tviews_server_state() IS 'what shared memory knows about the server as a whole';

-- Every table that capture concerns: is each trigger there, enabled, and needed?
CREATE OR REPLACE VIEW @extschema@.pg_tviews_capture_trigger_state AS
WITH RECURSIVE captured (relation) AS (
    SELECT pg_tview_lineage.source::oid
    FROM @extschema@.pg_tview_lineage
    WHERE pg_tview_lineage.source::oid NOT IN (SELECT pg_tview_meta.tview::oid FROM @extschema@.pg_tview_meta)
    UNION
    SELECT pg_inherits.inhrelid FROM pg_catalog.pg_inherits JOIN captured ON captured.relation = pg_inherits.inhparent
), wanted AS (
    SELECT captured.relation, wanted.trigger
    FROM captured
    JOIN pg_catalog.pg_class ON pg_class.oid = captured.relation AND pg_class.relkind IN ('r', 'p')
    CROSS JOIN (VALUES ('pg_tviews_capture'::name), ('pg_tviews_truncate')) AS wanted (trigger)
), found AS (
    -- In every respect as the extension creates them: 29 is AFTER INSERT OR UPDATE OR DELETE FOR EACH ROW.
    SELECT pg_trigger.tgrelid AS relation, pg_trigger.tgname AS trigger, pg_trigger.tgenabled, pg_trigger.tgparentid,
           pg_trigger.tgfoid = '@extschema@.pg_tviews_capture()'::regprocedure AS is_ours,
           pg_trigger.tgfoid = '@extschema@.pg_tviews_capture()'::regprocedure AND pg_trigger.tgqual IS NULL
           AND pg_trigger.tgnargs = 0 AND pg_trigger.tgattr::text = '' AND NOT pg_trigger.tgdeferrable
           AND pg_trigger.tgconstraint = 0 AND coalesce(pg_trigger.tgtype = expected.type, false)
           AND (pg_trigger.tgnewtable IS NOT NULL) = coalesce(expected.type IN (4, 16), false)
           AND (pg_trigger.tgoldtable IS NOT NULL) = coalesce(expected.type IN (16, 8), false) AS is_exact,
           EXISTS (SELECT FROM pg_catalog.pg_depend
                   WHERE pg_depend.classid = 'pg_trigger'::regclass AND pg_depend.objid = pg_trigger.oid
                     AND pg_depend.deptype = 'x') AS hangs_on_extension
    FROM pg_catalog.pg_trigger
    LEFT JOIN (VALUES ('pg_tviews_capture'::name, 29), ('pg_tviews_truncate', 32), ('pg_tviews_inserted', 4),
                      ('pg_tviews_updated', 16), ('pg_tviews_deleted', 8)) AS expected (name, type) ON expected.name = pg_trigger.tgname
    WHERE pg_trigger.tgfoid = '@extschema@.pg_tviews_capture()'::regprocedure
       OR expected.name IS NOT NULL AND pg_trigger.tgrelid IN (SELECT captured.relation FROM captured)
), by_statement AS (
    SELECT found.relation FROM found
    WHERE found.is_exact AND found.tgenabled IN ('O', 'A')
      AND found.trigger IN ('pg_tviews_inserted', 'pg_tviews_updated', 'pg_tviews_deleted')
    GROUP BY found.relation HAVING count(*) = 3
)
SELECT coalesce(wanted.relation, found.relation) AS relation,
       coalesce(wanted.trigger, found.trigger) AS trigger,
       found.relation IS NULL AS is_missing,
       coalesce(found.tgenabled = 'D' OR found.tgenabled = 'R' AND wanted.relation IS NOT NULL
                AND (wanted.trigger <> 'pg_tviews_capture' OR by_statement.relation IS NULL), false) AS is_disabled,
       coalesce(found.tgenabled = 'O' AND wanted.relation IS NOT NULL, false) AS misses_replication,
       coalesce(found.is_ours AND found.tgparentid = 0 AND NOT EXISTS (
           SELECT FROM captured WHERE captured.relation = found.relation), false) AS is_orphan,
       coalesce((NOT found.is_exact OR found.hangs_on_extension)
                AND found.relation IN (SELECT captured.relation FROM captured), false) AS is_altered
FROM wanted
FULL JOIN found ON found.relation = wanted.relation AND found.trigger = wanted.trigger
LEFT JOIN by_statement ON by_statement.relation = found.relation;
COMMENT ON VIEW @extschema@.pg_tviews_capture_trigger_state IS 'capture triggers that are there or should be';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_check_triggers(OUT component text, OUT severity text, OUT message text)
RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 'triggers',
           CASE WHEN state.is_orphan THEN 'warning' ELSE 'error' END,
           CASE WHEN state.is_missing THEN format('Trigger %s on %s is missing: changes are not noted. SELECT pg_tviews_reinstall_triggers(), then pg_tviews_refresh() of the TVIEWs that read it.', state.trigger, state.relation::regclass)
                WHEN state.is_altered THEN format('Trigger %s on %s is not as pg_tviews creates it: changes may not be noted. DROP TRIGGER if it is somebody else''s; SELECT pg_tviews_reinstall_triggers(), then pg_tviews_refresh() of the TVIEWs that read it.', state.trigger, state.relation::regclass)
                WHEN state.is_disabled THEN format('Trigger %s on %s is disabled: changes are not noted. SELECT pg_tviews_reinstall_triggers(), then pg_tviews_refresh() of the TVIEWs that read it.', state.trigger, state.relation::regclass)
                WHEN state.is_orphan AND EXISTS (
                    SELECT FROM pg_seclabel
                    WHERE pg_seclabel.provider = 'pg_tviews' AND pg_seclabel.classoid = 'pg_class'::regclass
                      AND NOT EXISTS (SELECT FROM @extschema@.pg_tview_meta AS meta WHERE meta.tview::oid = pg_seclabel.objoid))
                THEN format('Trigger %s on %s captures for no TVIEW yet: a table that came with a dump is not adopted. SELECT * FROM pg_tviews_adopt().', state.trigger, state.relation::regclass)
                WHEN state.is_orphan THEN format('Trigger %s on %s captures for no TVIEW. SELECT pg_tviews_drop_orphans().', state.trigger, state.relation::regclass)
                ELSE format('Trigger %s on %s does not fire for replicated changes. SELECT pg_tviews_reinstall_triggers().', state.trigger, state.relation::regclass) END
    FROM @extschema@.pg_tviews_capture_trigger_state AS state
    WHERE state.is_missing OR state.is_altered OR state.is_disabled OR state.misses_replication OR state.is_orphan
    ORDER BY 3;
END;
COMMENT ON FUNCTION @extschema@.pg_tviews_check_triggers() IS 'part of the health check: capture triggers that are missing, disabled or altered';

-- What TVIEWs of before these things were refused depend on, and nobody notices.
CREATE OR REPLACE VIEW @extschema@.pg_tviews_unseen AS
SELECT meta.tview, format('TVIEW %s uses the clock, and its rows keep the time of their last refresh. ALTER TABLE %s SET (pg_tviews.clock_period = ''1 minute'').', meta.entity, meta.tview) AS message
FROM @extschema@.pg_tview_meta AS meta
WHERE NOT meta.options ? 'clock' AND EXISTS (
    SELECT FROM pg_rewrite
    WHERE (pg_rewrite.ev_class = meta.backing_view::oid OR pg_rewrite.ev_class = ANY (meta.nested_views))
      AND pg_rewrite.ev_action::text ~ '[{]SQLVALUEFUNCTION :op [0-8] |:funcid (1299|2647|2648|1386|2059) ')
UNION ALL
SELECT meta.tview, format('TVIEW %s calls %s, and nobody knows what that reads: changes of it may not be seen. ALTER TABLE %s SET (pg_tviews.function_reads = ''table, ...''), or ''none''.',
                          meta.entity, string_agg(DISTINCT pg_proc.oid::regprocedure::text, ', '), meta.tview)
FROM @extschema@.pg_tview_meta AS meta
JOIN pg_rewrite ON pg_rewrite.ev_class = meta.backing_view::oid OR pg_rewrite.ev_class = ANY (meta.nested_views)
JOIN pg_depend ON pg_depend.classid = 'pg_rewrite'::regclass AND pg_depend.objid = pg_rewrite.oid
  OR pg_depend.classid = 'pg_class'::regclass AND pg_depend.objid = meta.backing_view::oid
JOIN pg_proc ON pg_depend.refclassid = 'pg_proc'::regclass AND pg_depend.refobjid = pg_proc.oid AND pg_proc.provolatile = 's'
JOIN pg_language ON pg_language.oid = pg_proc.prolang AND pg_language.lanname <> 'sql'
WHERE NOT meta.options ? 'function_reads'
  AND NOT EXISTS (SELECT FROM pg_depend AS member WHERE member.classid = 'pg_proc'::regclass AND member.objid = pg_proc.oid AND member.deptype = 'e')
GROUP BY meta.tview, meta.entity
UNION ALL
SELECT meta.tview, format('TVIEW %s calls functions in SQL, and changes of what they read are not seen, because it is from version 0.1.0. SELECT pg_tviews_replace(%L, meta.definition) FROM pg_tview_meta AS meta WHERE meta.entity = %L has them followed.',
                          meta.entity, quote_ident(meta.entity), meta.entity)
FROM @extschema@.pg_tview_meta AS meta WHERE meta.options ? 'reads_unknown';
COMMENT ON VIEW @extschema@.pg_tviews_unseen IS 'what TVIEWs depend on that nobody notices: the clock and functions that were accepted before';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_check_metadata(OUT component text, OUT severity text, OUT message text)
RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 'metadata', 'error', problem.text
    FROM @extschema@.pg_tview_meta AS meta
    LEFT JOIN pg_class AS tview ON tview.oid = meta.tview
    LEFT JOIN pg_class AS view ON view.oid = meta.backing_view
    CROSS JOIN LATERAL (
        SELECT format('TVIEW %s is listed, its table does not exist. SELECT pg_tviews_drop_orphans().', meta.entity)
        WHERE tview.oid IS NULL
        UNION ALL
        SELECT format('TVIEW %s has lost its backing view. DROP TABLE %s and create it again.', meta.entity, meta.tview)
        WHERE tview.oid IS NOT NULL AND view.oid IS NULL
        UNION ALL
        SELECT format('TVIEW %s has lost a source. DROP TABLE %s and create it again.', meta.entity, meta.tview)
        WHERE tview.oid IS NOT NULL AND EXISTS (
            SELECT FROM unnest(meta.dependencies) AS source (oid)
            WHERE NOT EXISTS (SELECT FROM pg_class WHERE pg_class.oid = source.oid))
        UNION ALL
        SELECT format('TVIEW %s has other columns than its backing view %s. DROP TABLE %s and create it again.', meta.entity, meta.backing_view, meta.tview)
        WHERE tview.oid IS NOT NULL AND view.oid IS NOT NULL
          AND ARRAY(SELECT (pg_attribute.attname, pg_attribute.atttypid)::text FROM pg_attribute
                    WHERE pg_attribute.attrelid = meta.tview AND pg_attribute.attnum > 0 AND NOT pg_attribute.attisdropped ORDER BY 1)
              IS DISTINCT FROM
              ARRAY(SELECT (pg_attribute.attname, pg_attribute.atttypid)::text FROM pg_attribute
                    WHERE pg_attribute.attrelid = meta.backing_view AND pg_attribute.attnum > 0 AND NOT pg_attribute.attisdropped ORDER BY 1)
        UNION ALL
        SELECT format('TVIEW %s has no unique index on its key. ALTER TABLE %s ADD PRIMARY KEY (%s).', meta.entity, meta.tview,
                      (SELECT string_agg(quote_ident(part.name), ', ' ORDER BY part.place)
                       FROM unnest(meta.key_columns) WITH ORDINALITY AS part (name, place)))
        WHERE tview.oid IS NOT NULL AND NOT EXISTS (
            SELECT FROM pg_index
            WHERE pg_index.indrelid = meta.tview AND pg_index.indisunique AND pg_index.indisvalid
              AND pg_index.indpred IS NULL AND pg_index.indnkeyatts = cardinality(meta.key_columns)
              AND cardinality(meta.key_columns) = (
                  SELECT count(*) FROM pg_attribute
                  WHERE pg_attribute.attrelid = meta.tview AND pg_attribute.attname = ANY (meta.key_columns)
                    AND pg_attribute.attnum = ANY ((pg_index.indkey::smallint[])[0 : pg_index.indnkeyatts - 1])))
        UNION ALL
        SELECT format('TVIEW %s reads views that were replaced while the extension was not loaded. SELECT pg_tviews_replace(%L, meta.definition) FROM pg_tview_meta AS meta WHERE meta.entity = %L.', meta.entity, quote_ident(meta.entity), meta.entity)
        WHERE tview.oid IS NOT NULL AND view.oid IS NOT NULL AND meta.view_rules IS NOT NULL AND meta.view_rules <> (
            SELECT md5(string_agg(pg_rewrite.ev_action::text, '' ORDER BY pg_rewrite.ev_class)) FROM pg_rewrite
            WHERE pg_rewrite.ev_type = '1' AND (pg_rewrite.ev_class = meta.backing_view OR pg_rewrite.ev_class = ANY (meta.nested_views)))
        UNION ALL
        SELECT format('TVIEW %s was copied from another database and does not follow changes yet%s. The applier adopts it; if it does not, SELECT * FROM pg_tviews_adopt().', meta.entity,
                      (SELECT ': ' || split_part(letter.error, E'\n', 1) FROM tviews_internal.pg_tview_dead_letter AS letter WHERE letter.tview = meta.tview AND letter.key IS NULL))
        WHERE tview.oid IS NOT NULL AND meta.database_oid <> (SELECT pg_database.oid FROM pg_database WHERE pg_database.datname = current_database())
    ) AS problem (text)
    UNION ALL
    SELECT 'metadata', 'error', 'The row of pg_tview_frontier is missing: no batch can be applied. INSERT INTO pg_tview_frontier (id) VALUES (1).'
    WHERE NOT EXISTS (SELECT FROM @extschema@.pg_tview_frontier WHERE pg_tview_frontier.lane = 'main')
    UNION ALL
    SELECT 'metadata', 'warning', format('The clock of the server has been set back: TVIEWs that use it show %s until it is that late again.', pg_tview_frontier.clock)
    FROM @extschema@.pg_tview_frontier
    WHERE pg_tview_frontier.clock > clock_timestamp() AND EXISTS (SELECT FROM @extschema@.pg_tview_meta AS meta WHERE meta.options ? 'clock')
    UNION ALL
    SELECT 'metadata', 'warning', unseen.message FROM @extschema@.pg_tviews_unseen AS unseen
    UNION ALL
    SELECT 'metadata', 'warning', format('Lineage or dead letters of relation %s, which is no TVIEW. SELECT pg_tviews_drop_orphans().', stray.tview)
    FROM (SELECT pg_tview_lineage.tview::oid FROM @extschema@.pg_tview_lineage
          UNION SELECT pg_tview_dead_letter.tview::oid FROM tviews_internal.pg_tview_dead_letter
          EXCEPT SELECT pg_tview_meta.tview::oid FROM @extschema@.pg_tview_meta) AS stray
    WHERE NOT EXISTS (SELECT FROM pg_seclabel WHERE pg_seclabel.provider = 'pg_tviews' AND pg_seclabel.objoid = stray.tview)
    UNION ALL
    SELECT 'metadata', 'warning',
           format('Table %s has come with a dump, or has lost its metadata, and does not follow its query yet: %s. It is tried again; SELECT * FROM pg_tviews_adopt().',
                  pg_seclabel.objoid::regclass, coalesce(split_part(letter.error, E'\n', 1), 'nobody has tried'))
    FROM pg_seclabel
    LEFT JOIN tviews_internal.pg_tview_dead_letter AS letter ON letter.tview::oid = pg_seclabel.objoid AND letter.key IS NULL
    WHERE pg_seclabel.provider = 'pg_tviews' AND pg_seclabel.classoid = 'pg_class'::regclass
      AND NOT EXISTS (SELECT FROM @extschema@.pg_tview_meta AS meta WHERE meta.tview::oid = pg_seclabel.objoid)
    UNION ALL
    SELECT 'metadata', 'warning',
           format('TVIEW %s was dropped by CASCADE (%s by %s, %s). SELECT pg_tviews_restore_dropped(%L) brings it back.',
                  entry.entity, entry.details ->> 'command', entry.performed_by, entry.performed_at::timestamptz(0),
                  coalesce(quote_ident(entry.details -> 'restore' ->> 'schema') || '.', '') || quote_ident(entry.entity))
    FROM tviews_internal.pg_tview_audit_log AS entry
    WHERE entry.operation = 'DROP' AND entry.details ->> 'cascade' = 'true' AND entry.performed_at > now() - interval '1 day'
      AND NOT EXISTS (SELECT FROM tviews_internal.pg_tview_audit_log AS later
                      WHERE later.entity = entry.entity AND later.details ->> 'table' = entry.details ->> 'table' AND later.log_id > entry.log_id AND later.operation IN ('CREATE', 'CONVERT', 'ADOPT', 'DROP'))
    UNION ALL
    SELECT 'metadata', 'warning',
           format('Table %s and view %s look like a TVIEW that has lost its security label (pg_dump --no-security-labels): the table does not follow the query. SELECT pg_tviews_convert_table(%L), or rename one of them.',
                  pair.t, pair.v, pair.t::text)
    FROM (SELECT t.oid::regclass AS t, v.oid::regclass AS v
          FROM pg_class AS t
          JOIN pg_class AS v ON v.relnamespace = t.relnamespace AND v.relkind = 'v' AND v.relname = 'v_' || substr(t.relname, 4)
          WHERE t.relkind = 'r' AND t.relname LIKE 'tv\_%' AND t.relpersistence = 'p'
            AND NOT EXISTS (SELECT FROM @extschema@.pg_tview_meta AS meta WHERE meta.tview::oid = t.oid)
            AND NOT EXISTS (SELECT FROM pg_seclabel WHERE pg_seclabel.provider = 'pg_tviews' AND pg_seclabel.objoid = t.oid)
            AND ARRAY(SELECT (pg_attribute.attname, pg_attribute.atttypid)::text FROM pg_attribute
                      WHERE pg_attribute.attrelid = t.oid AND pg_attribute.attnum > 0 AND NOT pg_attribute.attisdropped ORDER BY 1)
              = ARRAY(SELECT (pg_attribute.attname, pg_attribute.atttypid)::text FROM pg_attribute
                      WHERE pg_attribute.attrelid = v.oid AND pg_attribute.attnum > 0 AND NOT pg_attribute.attisdropped ORDER BY 1)) AS pair
    ORDER BY 3;
END;
COMMENT ON FUNCTION @extschema@.pg_tviews_check_metadata() IS 'part of the health check: metadata that does not fit the catalogs';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_check_quarantine(OUT component text, OUT severity text, OUT message text)
RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 'quarantine', 'error',
           format('TVIEW %s as a whole is in quarantine (%s: %s) and does not follow changes. Remove the cause, then SELECT * FROM pg_tviews_retry(%L).',
                  meta.entity, letter.sqlstate, split_part(letter.error, E'\n', 1), quote_ident(meta.entity))
    FROM @extschema@.pg_tview_meta AS meta
    LEFT JOIN tviews_internal.pg_tview_dead_letter AS letter ON letter.tview = meta.tview AND letter.key IS NULL
    WHERE meta.state = 'quarantined'
    UNION ALL
    SELECT 'quarantine', 'warning',
           format('%s of TVIEW %s in quarantine since %s at the latest. See pg_tview_dead_letter; correct the source rows, or SELECT * FROM pg_tviews_retry(%L).',
                  CASE count(*) WHEN 1 THEN '1 key' ELSE count(*) || ' keys' END,
                  meta.entity || CASE count(*) WHEN 1 THEN ' is' ELSE ' are' END, min(letter.first_seen)::timestamptz(0), quote_ident(meta.entity))
    FROM tviews_internal.pg_tview_dead_letter AS letter
    JOIN @extschema@.pg_tview_meta AS meta ON meta.tview = letter.tview
    WHERE letter.key IS NOT NULL
    GROUP BY meta.entity
    ORDER BY 3;
END;
COMMENT ON FUNCTION @extschema@.pg_tviews_check_quarantine() IS 'part of the health check: TVIEWs and keys in quarantine';
