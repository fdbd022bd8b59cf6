-- pg_tviews 0.2.0 back to 0.1.0: what 0.1.0--0.2.0 did, undone in the opposite order.
\echo Use "ALTER EXTENSION pg_tviews UPDATE TO '0.1.0'" to load this file. \quit

-- First, as a batch reads it first: whoever waited for it with another of these tables would deadlock.
LOCK TABLE @extschema@.pg_tview_meta IN ACCESS EXCLUSIVE MODE;

-- 0.1.0 reads a key from its text. Where the text is no key (rows whose key is null, shortened texts)
-- the TVIEW counts as failing as a whole.
INSERT INTO tviews_internal.pg_tview_dead_letter AS letter (tview, sqlstate, error, first_seen, last_seen)
SELECT DISTINCT ON (tview) tview, sqlstate, error, first_seen, last_seen
FROM tviews_internal.pg_tview_dead_letter
WHERE key_hash = '' OR (key IS NOT NULL AND (key_image IS NULL OR octet_length(key) >= 1000))
ON CONFLICT (tview, (coalesce(key_hash, 'whole'::bytea))) DO NOTHING;
DELETE FROM tviews_internal.pg_tview_dead_letter
WHERE key_hash = '' OR (key IS NOT NULL AND (key_image IS NULL OR octet_length(key) >= 1000));
UPDATE @extschema@.pg_tview_meta SET state = 'quarantined'
WHERE tview IN (SELECT tview FROM tviews_internal.pg_tview_dead_letter WHERE key IS NULL);
DROP INDEX tviews_internal.pg_tview_dead_letter_key;
ALTER TABLE tviews_internal.pg_tview_dead_letter DROP COLUMN key_hash, DROP COLUMN key_image;
CREATE UNIQUE INDEX pg_tview_dead_letter_key
    ON tviews_internal.pg_tview_dead_letter (tview, (coalesce(key, '')), (key IS NULL));

DROP AGGREGATE @extschema@.pg_tviews_build_array(jsonb);
DROP FUNCTION @extschema@.pg_tviews_build_array_step(internal, jsonb);
DROP FUNCTION @extschema@.pg_tviews_build_array_end(internal);
DROP FUNCTION @extschema@.pg_tviews_build_object(VARIADIC "any");

DROP VIEW @extschema@.tviews;

-- 0.1.0 would not repair statement triggers. Taking them away locks every source, so it is not done here.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_trigger WHERE tgname = 'pg_tviews_updated') THEN
        RAISE 'some tables have statement triggers'
            USING HINT = 'Take them away first: SELECT pg_tviews_uninstall_stmt_triggers().';
    END IF;
END
$$;
DROP FUNCTION @extschema@.pg_tviews_uninstall_stmt_triggers(), @extschema@.pg_tviews_install_stmt_triggers();
DROP VIEW @extschema@.pg_tviews_cache_stats;
DROP FUNCTION @extschema@.pg_tviews_caches();
DROP VIEW @extschema@.pg_tviews_workers;
DROP FUNCTION @extschema@.pg_tviews_lane_slots();
CREATE VIEW @extschema@.pg_tviews_workers AS
SELECT slot.pid,
       'applier'::text AS kind,
       pg_database.datname AS database,
       slot.state,
       CASE WHEN pg_database.datname = current_database() THEN slot.tview::regclass END AS entity,
       slot.keys_done, slot.keys_total, slot.batch_started, slot.batches, slot.records,
       slot.rows_written, slot.rows_unchanged, slot.full_refreshes, slot.outbox_scans,
       slot.retries, slot.starts - 1 AS restarts, slot.last_batch_at, slot.last_batch_ms
FROM @extschema@.pg_tviews_slots() AS slot
LEFT JOIN pg_catalog.pg_database ON pg_database.oid = slot.database_oid
UNION ALL
SELECT pg_stat_activity.pid, 'launcher', NULL, 'running',
       NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM pg_catalog.pg_stat_activity
WHERE pg_stat_activity.backend_type = 'pg_tviews launcher';
COMMENT ON VIEW @extschema@.pg_tviews_workers IS 'the launcher, and the applier of each database that has a change queue';
REVOKE SELECT ON @extschema@.pg_tviews_queue_realtime FROM pg_monitor;
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_queue_entries(), @extschema@.pg_tviews_slots() FROM pg_monitor;
GRANT EXECUTE ON FUNCTION @extschema@.pg_tviews_queue_entries(), @extschema@.pg_tviews_slots() TO PUBLIC;
DROP FUNCTION @extschema@.pg_tviews_drop_orphans();
DROP FUNCTION @extschema@.pg_tviews_health_check(interval);
DROP FUNCTION @extschema@.pg_tviews_check_indexes();
DROP FUNCTION @extschema@.pg_tviews_check_vacuum(interval);
DROP FUNCTION @extschema@.pg_tviews_check_queue(interval);
DROP FUNCTION @extschema@.pg_tviews_check_workers(interval);
DROP FUNCTION @extschema@.pg_tviews_check_privileges();
DROP FUNCTION @extschema@.pg_tviews_check_settings();
DROP FUNCTION @extschema@.pg_tviews_check_quarantine();
DROP FUNCTION @extschema@.pg_tviews_check_metadata();
DROP VIEW @extschema@.pg_tviews_unseen;
DROP FUNCTION @extschema@.pg_tviews_check_triggers();
DROP VIEW @extschema@.pg_tviews_capture_trigger_state;
DROP FUNCTION @extschema@.pg_tviews_explain_ddl(text);
DROP FUNCTION @extschema@.pg_tviews_server_state();
DROP FUNCTION @extschema@.pg_tviews_check_lanes(interval), @extschema@.pg_tviews_check_waits();
DROP VIEW @extschema@.pg_tviews_lanes;
DROP VIEW @extschema@.pg_tviews_lag;
DROP VIEW @extschema@.pg_tviews_lane_targets;
DROP FUNCTION @extschema@.pg_tviews_lag_of_databases(), @extschema@.pg_tviews_lane_state(), @extschema@.pg_tviews_lane_debts();
DROP FUNCTION @extschema@.pg_tviews_pause(text), @extschema@.pg_tviews_resume(text);
DROP FUNCTION @extschema@.pg_tviews_wait(interval, text), @extschema@.pg_tviews_wait_for(xid8, interval, text);
CREATE FUNCTION @extschema@.pg_tviews_wait(timeout interval DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_wait';
COMMENT ON FUNCTION @extschema@.pg_tviews_wait(interval) IS 'returns when everything committed before the call is in the TVIEWs';
CREATE FUNCTION @extschema@.pg_tviews_wait_for(transaction_id xid8, timeout interval DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_wait_for';
COMMENT ON FUNCTION @extschema@.pg_tviews_wait_for(xid8, interval) IS 'returns when the TVIEWs contain the transaction';
DROP VIEW @extschema@.pg_tviews_waits, @extschema@.pg_tviews_waiting;
DROP FUNCTION @extschema@.pg_tviews_wait_counters(), @extschema@.pg_tviews_sessions_waiting();
DROP FUNCTION @extschema@.pg_tviews_check_audit();
DROP VIEW @extschema@.pg_tviews_audit_status;
DROP FUNCTION @extschema@.pg_tviews_audit_counters();

-- 0.1.0 would show what is half filled.
DO $$
BEGIN
    IF EXISTS (SELECT FROM tviews_internal.pg_tview_fill WHERE completed_by IS NULL) THEN
        RAISE 'TVIEWs are not populated: %', (SELECT string_agg(tview::text, ', ') FROM tviews_internal.pg_tview_fill WHERE completed_by IS NULL)
            USING HINT = 'Wait until they are filled, or drop them, and try again.';
    END IF;
END
$$;
-- Its rows are filled, perhaps; nobody would put them in place.
DO $$
BEGIN
    IF EXISTS (SELECT FROM tviews_internal.pg_tview_replacement) THEN
        RAISE 'TVIEWs are being replaced: %', (SELECT string_agg(tview::text, ', ') FROM tviews_internal.pg_tview_replacement)
            USING HINT = 'Finish or cancel it, and try again.';
    END IF;
END
$$;
DROP FUNCTION @extschema@.pg_tviews_replace(text, text, boolean, text), @extschema@.pg_tviews_replace_finish(text),
    @extschema@.pg_tviews_replace_cancel(text);
DROP VIEW @extschema@.pg_tviews_progress;
DROP TABLE tviews_internal.pg_tview_replacement;
DROP TABLE tviews_internal.pg_tview_fill;
DROP FUNCTION @extschema@.pg_tviews_work_in_progress();

-- What TVIEWs owe would be forgotten.
DO $$
BEGIN
    IF EXISTS (SELECT FROM @extschema@.pg_tview_behind) THEN
        RAISE 'TVIEWs are behind: %', (SELECT string_agg(tview::text, ', ') FROM @extschema@.pg_tview_behind)
            USING HINT = 'Let the transactions that lock what they need end, and try again.';
    END IF;
END
$$;
DO $$
BEGIN
    IF EXISTS (SELECT FROM @extschema@.pg_tview_meta WHERE options ->> 'lane' <> 'main')
       OR EXISTS (SELECT FROM tviews_internal.pg_tview_lane_owed) THEN
        RAISE 'TVIEWs are in other lanes than main: %', (SELECT string_agg(tview::text, ', ') FROM @extschema@.pg_tview_meta WHERE options ->> 'lane' <> 'main')
            USING HINT = 'ALTER TABLE ... RESET (pg_tviews.lane), SELECT pg_tviews_wait(), and try again.';
    END IF;
END
$$;
DROP TABLE tviews_internal.pg_tview_owed, @extschema@.pg_tview_behind, tviews_internal.pg_tview_lane_owed;
DO $$
BEGIN
    IF EXISTS (SELECT FROM @extschema@.pg_tview_meta WHERE cardinality(key_columns) > 1) THEN
        RAISE 'TVIEWs have keys of several columns: %', (SELECT string_agg(tview::text, ', ') FROM @extschema@.pg_tview_meta WHERE cardinality(key_columns) > 1)
            USING HINT = 'Drop them, and create them with a key of one column.';
    END IF;
END
$$;
ALTER TABLE @extschema@.pg_tview_meta DROP COLUMN view_rules, DROP COLUMN exchanged_by, DROP COLUMN key_columns;
ALTER TABLE @extschema@.pg_tview_lineage DROP COLUMN part;
ALTER TABLE @extschema@.pg_tview_lineage DROP COLUMN filters;

DROP FUNCTION @extschema@.pg_tviews_adopt();
DROP FUNCTION @extschema@.pg_tviews_restore_dropped(text, text);
ALTER FUNCTION @extschema@.pg_tviews_refresh(text) PARALLEL RESTRICTED;
ALTER FUNCTION @extschema@.pg_tviews_retry(text) PARALLEL RESTRICTED;
ALTER FUNCTION @extschema@.pg_tviews_pause() PARALLEL RESTRICTED;
ALTER FUNCTION @extschema@.pg_tviews_resume() PARALLEL RESTRICTED;
ALTER FUNCTION @extschema@.pg_tviews_queue_entries() PARALLEL RESTRICTED;
ALTER FUNCTION @extschema@.pg_tviews_graph(text) PARALLEL RESTRICTED;
ALTER FUNCTION @extschema@.pg_tviews_show_cascade_path(text) PARALLEL RESTRICTED;
ALTER FUNCTION @extschema@.pg_tviews_suggest_indexes(text) PARALLEL RESTRICTED;
ALTER FUNCTION @extschema@.pg_tviews_explain_query(text, text) PARALLEL SAFE;
DROP VIEW @extschema@.pg_tview_audit_log;
-- Version 0.1.0 knows no audit log. What was done stays readable, to superusers, and comes back with the update.
ALTER EXTENSION pg_tviews DROP TABLE tviews_internal.pg_tview_audit_log;
ALTER TABLE tviews_internal.pg_tview_audit_log SET SCHEMA @extschema@;
ALTER TABLE @extschema@.pg_tview_audit_log RENAME TO pg_tviews_saved_audit_log;
ALTER TABLE @extschema@.pg_tviews_saved_audit_log DROP CONSTRAINT pg_tview_audit_log_pkey;
DROP INDEX @extschema@.pg_tview_audit_log_entity, @extschema@.pg_tview_audit_log_time;
ALTER TABLE @extschema@.pg_tviews_saved_audit_log ALTER COLUMN log_id DROP IDENTITY;
REVOKE ALL ON @extschema@.pg_tviews_saved_audit_log FROM PUBLIC;
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_explain_lineage(entity text,
    OUT source regclass, OUT strategy text, OUT path text,
    OUT captured_columns text[], OUT relevant_columns text[], OUT lookup text)
RETURNS SETOF record
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT pg_tview_lineage.source,
           pg_tview_lineage.strategy,
           pg_tview_lineage.description,
           ARRAY(SELECT pg_attribute.attname::text
                 FROM unnest(pg_tview_lineage.captured) WITH ORDINALITY AS captured (number, place)
                 JOIN pg_catalog.pg_attribute
                   ON pg_attribute.attrelid = pg_tview_lineage.source
                  AND pg_attribute.attnum = captured.number
                 ORDER BY captured.place),
           ARRAY(SELECT coalesce(pg_attribute.attname::text, '*')
                 FROM unnest(pg_tview_lineage.relevant) WITH ORDINALITY AS relevant (number, place)
                 LEFT JOIN pg_catalog.pg_attribute
                   ON pg_attribute.attrelid = pg_tview_lineage.source
                  AND pg_attribute.attnum = relevant.number
                 ORDER BY relevant.place),
           pg_tview_lineage.lookup
    FROM @extschema@.pg_tview_lineage
    WHERE pg_tview_lineage.tview = @extschema@.pg_tviews_table(entity)
    ORDER BY pg_tview_lineage.source::text, pg_tview_lineage.path;
END;
DROP VIEW @extschema@.pg_tviews_group_states, @extschema@.pg_tviews_group_sources;
DROP FUNCTION @extschema@.pg_tviews_group_state_counters(), @extschema@.pg_tviews_suggest_group_states(text),
    @extschema@.pg_tviews_check_cost();
DROP TABLE tviews_internal.pg_tview_group_state, tviews_internal.pg_tview_group_built, tviews_internal.pg_tview_groups_int4,
    tviews_internal.pg_tview_groups_int8, tviews_internal.pg_tview_groups_text, tviews_internal.pg_tview_groups_uuid,
    tviews_internal.pg_tview_groups_keys, tviews_internal.pg_tview_group_source;

DROP FUNCTION @extschema@.pg_tviews_wait_for_publisher(name, pg_lsn, interval);
DROP FUNCTION @extschema@.pg_tviews_check_feed(), @extschema@.pg_tviews_feed_read(text, integer, bigint), @extschema@.pg_tviews_feed_end(),
    @extschema@.pg_tviews_feed_claim(text), @extschema@.pg_tviews_feed_ack(text, bigint), @extschema@.pg_tviews_feed_drop(text),
    @extschema@.pg_tviews_feed_register(text, bigint);
DROP VIEW @extschema@.pg_tviews_feed_consumers;
DROP TABLE tviews_internal.pg_tview_feed_consumer;
DROP VIEW @extschema@.pg_tviews_feed;
DROP TABLE @extschema@.pg_tview_feed_horizon, tviews_internal.pg_tview_feed;

DROP TABLE @extschema@.pg_tview_performance_log;
DROP FUNCTION @extschema@.pg_tviews_stats_reset(text);
DROP VIEW @extschema@.pg_tviews_performance_summary;
DROP FUNCTION @extschema@.pg_tviews_stats();
ALTER FUNCTION @extschema@.pg_tviews_version() IMMUTABLE;

DROP VIEW @extschema@.pg_tview_dead_letter;
ALTER TABLE tviews_internal.pg_tview_dead_letter SET SCHEMA @extschema@;
ALTER TABLE tviews_internal.pg_tview_outbox SET SCHEMA @extschema@;
COMMENT ON TABLE @extschema@.pg_tview_dead_letter IS 'keys in quarantine with the error that put them there';
DROP SCHEMA tviews_internal;
DROP FUNCTION @extschema@.pg_tviews_create(text, text, text, boolean), @extschema@.pg_tviews_convert_table(text, text);
CREATE FUNCTION @extschema@.pg_tviews_create(entity text, query text) RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'tviews_create';
COMMENT ON FUNCTION @extschema@.pg_tviews_create(text, text) IS 'creates the TVIEW tv_<entity> of a query and returns its name';
CREATE FUNCTION @extschema@.pg_tviews_convert_table(table_name text) RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'tviews_convert_table';
COMMENT ON FUNCTION @extschema@.pg_tviews_convert_table(text) IS 'makes a TVIEW of a table tv_x with the view v_x as its query; the next batch brings its rows up to date';
ALTER FUNCTION @extschema@.pg_tviews_drop(text, boolean) STRICT;
CREATE FUNCTION @extschema@.pg_tviews_replace(entity text, query text) RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'tviews_replace';
COMMENT ON FUNCTION @extschema@.pg_tviews_replace(text, text) IS 'gives a TVIEW another query with the same columns; the next batch brings its rows up to date';
ALTER FUNCTION @extschema@.pg_tviews_table(text) STRICT;
ALTER FUNCTION @extschema@.pg_tviews_verify(text) STRICT;
ALTER FUNCTION @extschema@.pg_tviews_explain_lineage(text) STRICT;
ALTER FUNCTION @extschema@.pg_tviews_explain_query(text, text) STRICT;
ALTER FUNCTION @extschema@.pg_tviews_graph(text) STRICT;
ALTER FUNCTION @extschema@.pg_tviews_show_cascade_path(text) STRICT;
ALTER FUNCTION @extschema@.pg_tviews_suggest_indexes(text) STRICT;
ALTER FUNCTION @extschema@.pg_tviews_explain_change(regclass, text) STRICT;
ALTER FUNCTION @extschema@.pg_tviews_explain_change(regclass, bigint) STRICT;
ALTER FUNCTION @extschema@.pg_tviews_analyze_cascade(text, text) STRICT;
ALTER FUNCTION @extschema@.pg_tviews_analyze_cascade(text, bigint) STRICT;
ALTER FUNCTION @extschema@.pg_tviews_cascade(oid, text) STRICT;
ALTER FUNCTION @extschema@.pg_tviews_cascade(oid, bigint) STRICT;
ALTER FUNCTION @extschema@.pg_tviews_refresh(text) STRICT;
ALTER FUNCTION @extschema@.pg_tviews_retry(text) STRICT;

-- 0.1.0 writes rows of exactly its columns: a dropped one would still be there.
ALTER TABLE @extschema@.pg_tview_frontier RENAME TO pg_tview_frontier_new;
ALTER TABLE @extschema@.pg_tview_frontier_new RENAME CONSTRAINT pg_tview_frontier_pkey TO pg_tview_frontier_new_pkey;
CREATE TABLE @extschema@.pg_tview_frontier (
    id             integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    snapshot       pg_snapshot,
    applied_at     timestamptz,
    batches        bigint NOT NULL DEFAULT 0,
    records        bigint NOT NULL DEFAULT 0,
    rows_inserted  bigint NOT NULL DEFAULT 0,
    rows_updated   bigint NOT NULL DEFAULT 0,
    rows_deleted   bigint NOT NULL DEFAULT 0,
    rows_unchanged bigint NOT NULL DEFAULT 0,
    full_refreshes bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
INSERT INTO @extschema@.pg_tview_frontier
SELECT id, snapshot, applied_at, batches, records, rows_inserted, rows_updated, rows_deleted, rows_unchanged, full_refreshes
FROM @extschema@.pg_tview_frontier_new WHERE lane = 'main';
DROP TABLE @extschema@.pg_tview_frontier_new;
COMMENT ON TABLE @extschema@.pg_tview_frontier IS 'the snapshot as of which all TVIEWs stand; a reader may join it in its own statement';
GRANT SELECT ON @extschema@.pg_tview_frontier TO PUBLIC;
