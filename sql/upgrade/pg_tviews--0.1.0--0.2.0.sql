-- pg_tviews 0.1.0 to 0.2.0. What is new here is, word for word, in sql/parts; a test compares.
\echo Use "ALTER EXTENSION pg_tviews UPDATE TO '0.2.0'" to load this file. \quit

-- The library changes under a database: what it answers is no constant.
ALTER FUNCTION @extschema@.pg_tviews_version() STABLE;

-- How far TVIEWs are behind their sources. VOLATILE: it reads shared memory.
CREATE FUNCTION @extschema@.pg_tviews_lag_of_databases(
    OUT database_oid oid, OUT oldest_transaction xid8, OUT oldest_commit timestamptz,
    OUT records bigint, OUT keys bigint, OUT bytes bigint, OUT spilled_records bigint,
    OUT tviews_behind integer, OUT last_batch_at timestamptz, OUT last_batch_records bigint,
    OUT last_batch_ms double precision, OUT last_batch_rows bigint)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_lag';
COMMENT ON FUNCTION @extschema@.pg_tviews_lag_of_databases() IS 'what waits in the change queue of each database, and the last batch';

CREATE VIEW @extschema@.pg_tviews_lag AS
SELECT pg_database.datname AS database,
       lag.oldest_transaction,
       lag.oldest_commit,
       clock_timestamp() - lag.oldest_commit AS age,
       lag.records, lag.keys, lag.bytes, lag.spilled_records, lag.tviews_behind,
       lag.last_batch_at, lag.last_batch_records, lag.last_batch_ms, lag.last_batch_rows
FROM @extschema@.pg_tviews_lag_of_databases() AS lag
LEFT JOIN pg_catalog.pg_database ON pg_database.oid = lag.database_oid;
COMMENT ON VIEW @extschema@.pg_tviews_lag IS 'committed changes that no batch has applied yet, and the last batch, of each database that has a change queue';
GRANT SELECT ON @extschema@.pg_tviews_lag TO PUBLIC;

-- TVIEWs that came with a dump or in a copy of a database. The applier calls it by itself. VOLATILE:
-- it writes metadata. The short lock_timeout lets a restore that meets it go first.
CREATE FUNCTION @extschema@.pg_tviews_adopt(OUT adopted integer, OUT pending integer)
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET lock_timeout = '10ms'
AS 'MODULE_PATHNAME', 'tviews_adopt';
COMMENT ON FUNCTION @extschema@.pg_tviews_adopt() IS 'makes TVIEWs of restored tables and of those of a copied database; done by the applier too';
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_adopt() FROM PUBLIC;
-- How long refreshes take, and how far TVIEWs are behind.
CREATE FUNCTION @extschema@.pg_tviews_stats(
    OUT tview oid, OUT total_refreshes bigint, OUT full_refreshes bigint, OUT errors bigint,
    OUT keys bigint, OUT rows_inserted bigint, OUT rows_updated bigint, OUT rows_deleted bigint,
    OUT rows_unchanged bigint, OUT avg_refresh_ms double precision,
    OUT min_refresh_ms double precision, OUT max_refresh_ms double precision,
    OUT p50_refresh_ms double precision, OUT p95_refresh_ms double precision,
    OUT p99_refresh_ms double precision, OUT avg_lag_ms double precision,
    OUT max_lag_ms double precision, OUT p50_lag_ms double precision,
    OUT p95_lag_ms double precision, OUT p99_lag_ms double precision,
    OUT last_refresh timestamptz, OUT stats_since timestamptz)
RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_stats';
COMMENT ON FUNCTION @extschema@.pg_tviews_stats() IS 'what shared memory counts for each TVIEW of this database';

-- A TVIEW that no batch has refreshed since counting began has zeros.
CREATE VIEW @extschema@.pg_tviews_performance_summary AS
SELECT pg_tview_meta.entity,
       pg_tview_meta.tview,
       coalesce(stats.total_refreshes, 0) AS total_refreshes,
       stats.avg_refresh_ms,
       stats.last_refresh,
       stats.min_refresh_ms,
       stats.max_refresh_ms,
       stats.p50_refresh_ms,
       stats.p95_refresh_ms,
       stats.p99_refresh_ms,
       stats.avg_lag_ms,
       stats.max_lag_ms,
       stats.p50_lag_ms,
       stats.p95_lag_ms,
       stats.p99_lag_ms,
       coalesce(stats.keys, 0) AS keys,
       coalesce(stats.rows_inserted, 0) AS rows_inserted,
       coalesce(stats.rows_updated, 0) AS rows_updated,
       coalesce(stats.rows_deleted, 0) AS rows_deleted,
       coalesce(stats.rows_unchanged, 0) AS rows_unchanged,
       coalesce(stats.full_refreshes, 0) AS full_refreshes,
       coalesce(stats.errors, 0) AS errors,
       pg_stat_get_tuples_hot_updated(pg_tview_meta.tview)::double precision
           / nullif(pg_stat_get_tuples_updated(pg_tview_meta.tview), 0) AS hot_share,
       stats.stats_since
FROM @extschema@.pg_tview_meta
LEFT JOIN @extschema@.pg_tviews_stats() AS stats ON stats.tview = pg_tview_meta.tview;
COMMENT ON VIEW @extschema@.pg_tviews_performance_summary IS 'what refreshing each TVIEW costs, and how long changes take to become visible';

-- No SET search_path: the entity is looked up in the caller's.
CREATE FUNCTION @extschema@.pg_tviews_stats_reset(entity text DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'tviews_stats_reset';
COMMENT ON FUNCTION @extschema@.pg_tviews_stats_reset(text) IS 'begins the statistics of one TVIEW, or of all of this database, again';
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_stats_reset(text) FROM PUBLIC;

-- Written by the applier in the batch's own transaction. No identifying key, because rows are never
-- addressed: retention deletes by time.
CREATE TABLE @extschema@.pg_tview_performance_log (
    logged_at           timestamptz NOT NULL,
    entity              text NOT NULL,
    tview               regclass NOT NULL,
    refresh_duration_ms double precision NOT NULL,
    keys                bigint NOT NULL,
    rows_inserted       bigint NOT NULL,
    rows_updated        bigint NOT NULL,
    rows_deleted        bigint NOT NULL,
    rows_unchanged      bigint NOT NULL,
    full_refresh        boolean NOT NULL,
    errors              bigint NOT NULL,
    lag_ms              double precision        -- NULL: somebody asked for the refresh
);
CREATE INDEX pg_tview_performance_log_time ON @extschema@.pg_tview_performance_log (logged_at);
ALTER TABLE @extschema@.pg_tview_performance_log REPLICA IDENTITY FULL;
COMMENT ON TABLE @extschema@.pg_tview_performance_log IS 'slow refreshes, and a sample of the others';

-- As public as pg_stat_all_tables is.
GRANT SELECT ON @extschema@.pg_tviews_performance_summary, @extschema@.pg_tview_performance_log TO PUBLIC;

-- What takes long. Public, as pg_stat_progress_create_index is: of other databases only the name of
-- a TVIEW that is being created.
CREATE FUNCTION @extschema@.pg_tviews_work_in_progress(
    OUT pid integer, OUT database_oid oid, OUT tview oid, OUT entity text, OUT operation text,
    OUT phase text, OUT rows_done bigint, OUT rows_total bigint, OUT started_at timestamptz)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_progress';
COMMENT ON FUNCTION @extschema@.pg_tviews_work_in_progress() IS 'TVIEWs that are being created or refreshed now, in all databases';

CREATE VIEW @extschema@.pg_tviews_progress AS
SELECT work.pid,
       pg_database.datname AS database,
       coalesce(work.entity, pg_tview_meta.entity) AS entity,
       work.operation,
       work.phase,
       work.rows_done,
       coalesce(work.rows_total, pg_class.reltuples::bigint) AS rows_total,
       least(100, 100.0 * work.rows_done
           / nullif(greatest(coalesce(work.rows_total, pg_class.reltuples::bigint), 0), 0))::numeric(5, 2) AS percent,
       work.started_at
FROM @extschema@.pg_tviews_work_in_progress() AS work
LEFT JOIN pg_catalog.pg_database ON pg_database.oid = work.database_oid
LEFT JOIN @extschema@.pg_tview_meta
       ON pg_tview_meta.tview = work.tview AND pg_database.datname = current_database()
LEFT JOIN pg_catalog.pg_class ON pg_class.oid = pg_tview_meta.tview AND pg_class.reltuples >= 0;
COMMENT ON VIEW @extschema@.pg_tviews_progress IS 'how far the creation or the refresh of a TVIEW is; totals of creations and full refreshes are estimates';
GRANT SELECT ON @extschema@.pg_tviews_progress TO PUBLIC;

-- TVIEWs that batches have to leave aside, because a relation that they need is locked by a session.
-- Written by the applier only, in the transaction of the batch that leaves them aside or catches up.
CREATE TABLE @extschema@.pg_tview_behind (
    tview    regclass PRIMARY KEY,
    snapshot pg_snapshot,                     -- as of which it stands; NULL: not filled yet
    reason   text NOT NULL,
    since    timestamptz NOT NULL,
    batches  bigint NOT NULL DEFAULT 1        -- that changed its sources meanwhile
);
COMMENT ON TABLE @extschema@.pg_tview_behind IS 'TVIEWs that do not stand at the frontier, because a relation that they need is locked';

-- What happened to their sources meanwhile: one change record per batch.
CREATE TABLE @extschema@.pg_tview_owed (
    tview   regclass NOT NULL,
    id      bigint GENERATED ALWAYS AS IDENTITY,
    payload bytea NOT NULL,
    PRIMARY KEY (tview, id)
);
ALTER TABLE @extschema@.pg_tview_owed ALTER COLUMN payload SET STORAGE EXTERNAL;
COMMENT ON TABLE @extschema@.pg_tview_owed IS 'changes that TVIEWs in pg_tview_behind do not contain yet';

GRANT SELECT ON @extschema@.pg_tview_behind TO PUBLIC;
-- Keys of users' rows.
REVOKE ALL ON @extschema@.pg_tview_owed FROM PUBLIC;

-- Statement triggers instead of row triggers. Not for everybody: they lock every source.
CREATE FUNCTION @extschema@.pg_tviews_install_stmt_triggers() RETURNS integer
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_install_statement_triggers';
COMMENT ON FUNCTION @extschema@.pg_tviews_install_stmt_triggers() IS 'captures changes by statement where a source has neither partitions nor children; returns the number of such sources';
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_install_stmt_triggers() FROM PUBLIC;

CREATE FUNCTION @extschema@.pg_tviews_uninstall_stmt_triggers() RETURNS integer
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_uninstall_statement_triggers';
COMMENT ON FUNCTION @extschema@.pg_tviews_uninstall_stmt_triggers() IS 'captures changes by row again; returns the number of sources that had statement triggers';
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_uninstall_stmt_triggers() FROM PUBLIC;
-- What the auditor has done (pg_tviews.audit_rate).
CREATE FUNCTION @extschema@.pg_tviews_audit_counters(
    OUT tview oid, OUT keys_checked bigint, OUT differences bigint, OUT rounds bigint,
    OUT given_up bigint, OUT last_difference timestamptz)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_audit_counters';
COMMENT ON FUNCTION @extschema@.pg_tviews_audit_counters() IS 'what shared memory counts of the audit of each TVIEW of this database';

CREATE VIEW @extschema@.pg_tviews_audit_status AS
SELECT pg_tview_meta.entity,
       pg_tview_meta.tview,
       NOT pg_tview_meta.options ? 'undetermined' AND pg_tview_meta.state <> 'quarantined' AS is_audited,
       coalesce(counters.keys_checked, 0) AS keys_checked,
       coalesce(counters.differences, 0) AS differences,
       counters.last_difference,
       coalesce(counters.rounds, 0) AS rounds,
       coalesce(counters.given_up, 0) AS given_up
FROM @extschema@.pg_tview_meta
LEFT JOIN @extschema@.pg_tviews_audit_counters() AS counters ON counters.tview = pg_tview_meta.tview;
COMMENT ON VIEW @extschema@.pg_tviews_audit_status IS 'how much of each TVIEW the auditor has compared with its query, and rows that it repaired';
GRANT SELECT ON @extschema@.pg_tviews_audit_status TO PUBLIC;

CREATE FUNCTION @extschema@.pg_tviews_check_audit(OUT component text, OUT severity text, OUT message text)
RETURNS SETOF record
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 'audit', 'warning',
           format('The auditor repaired %s rows of TVIEW %s that differed from its query, the last at %s. Find who wrote them with pg_tviews.protect off, or what capture missed; SELECT * FROM pg_tviews_refresh(%L), then SELECT pg_tviews_stats_reset(%L).',
                  status.differences, status.entity, status.last_difference::timestamptz(0), status.entity, status.entity)
    FROM @extschema@.pg_tviews_audit_status AS status
    WHERE status.differences > 0
    UNION ALL
    SELECT 'audit', 'info',
           format('TVIEW %s is not audited in fact: %s steps were given up, mostly because its query takes more than 250 ms for 100 keys. SELECT * FROM pg_tviews_verify(%L) now and then.',
                  status.entity, status.given_up, status.entity)
    FROM @extschema@.pg_tviews_audit_status AS status
    WHERE status.is_audited AND status.given_up >= 3 AND status.given_up > status.keys_checked
    ORDER BY 3;
END;
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_check_audit() FROM PUBLIC;

-- What pg_tviews_health_check() puts together. Each check returns what it found, with the repair,
-- or, as severity info, that all is well. They are run as the extension's owner, because they look
-- at what only that one may see; no row value of a user's table is in a message.

CREATE FUNCTION @extschema@.pg_tviews_server_state(
    OUT launcher_pid integer, OUT launches_failed bigint, OUT slots_used integer, OUT slots integer,
    OUT last_turned_away timestamptz, OUT stats_evicted bigint, OUT quiet_failures bigint)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_server_state';
COMMENT ON FUNCTION @extschema@.pg_tviews_server_state() IS 'what shared memory knows about the server as a whole';

-- Every table that capture concerns: is each trigger there, enabled, and needed?
CREATE VIEW @extschema@.pg_tviews_capture_trigger_state AS
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
    SELECT pg_trigger.tgrelid AS relation, pg_trigger.tgname AS trigger, pg_trigger.tgenabled, pg_trigger.tgparentid
    FROM pg_catalog.pg_trigger
    WHERE pg_trigger.tgfoid = '@extschema@.pg_tviews_capture()'::regprocedure
)
SELECT coalesce(wanted.relation, found.relation) AS relation,
       coalesce(wanted.trigger, found.trigger) AS trigger,
       found.relation IS NULL AS is_missing,
       coalesce(found.tgenabled = 'D', false) AS is_disabled,
       coalesce(found.tgenabled = 'O' AND wanted.relation IS NOT NULL, false) AS misses_replication,
       found.tgparentid = 0 AND NOT EXISTS (
           SELECT FROM captured WHERE captured.relation = found.relation) AS is_orphan
FROM wanted
FULL JOIN found ON found.relation = wanted.relation AND found.trigger = wanted.trigger;
COMMENT ON VIEW @extschema@.pg_tviews_capture_trigger_state IS 'capture triggers that are there or should be';

CREATE FUNCTION @extschema@.pg_tviews_check_triggers(OUT component text, OUT severity text, OUT message text)
RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 'triggers',
           CASE WHEN state.is_orphan THEN 'warning' ELSE 'error' END,
           CASE WHEN state.is_missing THEN format('Trigger %s on %s is missing: changes are not noted. SELECT pg_tviews_reinstall_triggers(), then pg_tviews_refresh() of the TVIEWs that read it.', state.trigger, state.relation::regclass)
                WHEN state.is_disabled THEN format('Trigger %s on %s is disabled: changes are not noted. SELECT pg_tviews_reinstall_triggers(), then pg_tviews_refresh() of the TVIEWs that read it.', state.trigger, state.relation::regclass)
                WHEN state.is_orphan THEN format('Trigger %s on %s captures for no TVIEW. SELECT pg_tviews_drop_orphans().', state.trigger, state.relation::regclass)
                ELSE format('Trigger %s on %s does not fire for replicated changes. SELECT pg_tviews_reinstall_triggers().', state.trigger, state.relation::regclass) END
    FROM @extschema@.pg_tviews_capture_trigger_state AS state
    WHERE state.is_missing OR state.is_disabled OR state.misses_replication OR state.is_orphan
    ORDER BY 3;
END;

CREATE FUNCTION @extschema@.pg_tviews_check_metadata(OUT component text, OUT severity text, OUT message text)
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
        SELECT format('TVIEW %s has no unique index on its key. ALTER TABLE %s ADD PRIMARY KEY (%I).', meta.entity, meta.tview, meta.key_column)
        WHERE tview.oid IS NOT NULL AND NOT EXISTS (
            SELECT FROM pg_index
            JOIN pg_attribute ON pg_attribute.attrelid = meta.tview AND pg_attribute.attname = meta.key_column
            WHERE pg_index.indrelid = meta.tview AND pg_index.indisunique AND pg_index.indisvalid
              AND pg_index.indpred IS NULL AND pg_index.indnkeyatts = 1 AND pg_index.indkey[0] = pg_attribute.attnum)
        UNION ALL
        SELECT format('TVIEW %s was copied from another database and does not follow changes yet. The applier adopts it; if it does not, SELECT * FROM pg_tviews_adopt().', meta.entity)
        WHERE tview.oid IS NOT NULL AND meta.database_oid <> (SELECT pg_database.oid FROM pg_database WHERE pg_database.datname = current_database())
    ) AS problem (text)
    UNION ALL
    SELECT 'metadata', 'error', 'The row of pg_tview_frontier is missing: no batch can be applied. INSERT INTO pg_tview_frontier (id) VALUES (1).'
    WHERE NOT EXISTS (SELECT FROM @extschema@.pg_tview_frontier)
    UNION ALL
    SELECT 'metadata', 'warning', format('Lineage or dead letters of relation %s, which is no TVIEW. SELECT pg_tviews_drop_orphans().', stray.tview)
    FROM (SELECT pg_tview_lineage.tview::oid FROM @extschema@.pg_tview_lineage
          UNION SELECT pg_tview_dead_letter.tview::oid FROM @extschema@.pg_tview_dead_letter
          EXCEPT SELECT pg_tview_meta.tview::oid FROM @extschema@.pg_tview_meta) AS stray
    ORDER BY 3;
END;

CREATE FUNCTION @extschema@.pg_tviews_check_quarantine(OUT component text, OUT severity text, OUT message text)
RETURNS SETOF record
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 'quarantine', 'error',
           format('TVIEW %s as a whole is in quarantine (%s: %s) and does not follow changes. Remove the cause, then SELECT * FROM pg_tviews_retry(''%s'').',
                  meta.entity, letter.sqlstate, split_part(letter.error, E'\n', 1), meta.entity)
    FROM @extschema@.pg_tview_meta AS meta
    LEFT JOIN @extschema@.pg_tview_dead_letter AS letter ON letter.tview = meta.tview AND letter.key IS NULL
    WHERE meta.state = 'quarantined'
    UNION ALL
    SELECT 'quarantine', 'warning',
           format('%s keys of TVIEW %s are in quarantine since %s at the latest. See pg_tview_dead_letter; correct the source rows, or SELECT * FROM pg_tviews_retry(''%s'').',
                  count(*), meta.entity, min(letter.first_seen)::timestamptz(0), meta.entity)
    FROM @extschema@.pg_tview_dead_letter AS letter
    JOIN @extschema@.pg_tview_meta AS meta ON meta.tview = letter.tview
    WHERE letter.key IS NOT NULL
    GROUP BY meta.entity
    ORDER BY 3;
END;

CREATE FUNCTION @extschema@.pg_tviews_check_settings(OUT component text, OUT severity text, OUT message text)
RETURNS SETOF record
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 'settings', finding.severity, finding.message
    FROM @extschema@.pg_tviews_server_state() AS server
    CROSS JOIN LATERAL (
        SELECT sum(slot.outbox_scans) AS scans, sum(slot.batches) AS batches FROM @extschema@.pg_tviews_slots() AS slot
    ) AS work
    CROSS JOIN LATERAL (VALUES
        (current_setting('pg_tviews.enabled') = 'off', 'error',
         'pg_tviews.enabled is off: changes wait in the outbox. ALTER SYSTEM RESET pg_tviews.enabled, then SELECT pg_reload_conf().'),
        (current_setting('max_worker_processes')::int < current_setting('pg_tviews.max_workers')::int + 1, 'warning',
         format('max_worker_processes (%s) has no room for the launcher and pg_tviews.max_workers (%s). ALTER SYSTEM SET max_worker_processes = %s, then restart.',
                current_setting('max_worker_processes'), current_setting('pg_tviews.max_workers'), current_setting('pg_tviews.max_workers')::int + 9)),
        (server.launches_failed > 0, 'warning',
         format('%s times no background worker was free for an applier since the server started. Raise max_worker_processes (%s), then restart.',
                server.launches_failed, current_setting('max_worker_processes'))),
        (coalesce(server.last_turned_away > now() - interval '1 hour', false), 'warning',
         format('Databases took turns within the last hour: %s of %s queues and at most %s workers were in use. Raise pg_tviews.max_databases and pg_tviews.max_workers, then restart.',
                server.slots_used, server.slots, current_setting('pg_tviews.max_workers'))),
        (work.batches > 100 AND work.scans > work.batches / 10, 'warning',
         format('%s of %s batches had to read the outbox. Raise pg_tviews.queue_size (%s), then restart.',
                work.scans, work.batches, current_setting('pg_tviews.queue_size'))),
        (EXISTS (SELECT FROM pg_settings WHERE pg_settings.name = 'pg_tviews.protect' AND pg_settings.reset_val = 'off'), 'warning',
         'pg_tviews.protect is off for everybody: anybody with privileges can spoil TVIEWs. Reset it, then SELECT pg_reload_conf().'),
        (EXISTS (SELECT FROM pg_settings WHERE pg_settings.name = 'pg_tviews.pause_at' AND pg_settings.reset_val <> ''), 'warning',
         'pg_tviews.pause_at is set: processes may stop for tests. Reset it, then SELECT pg_reload_conf().'),
        (server.stats_evicted > 0, 'warning',
         format('%s times a TVIEW lost its statistics to another one. Raise pg_tviews.stats_tviews (%s), then restart.',
                server.stats_evicted, current_setting('pg_tviews.stats_tviews'))),
        (server.quiet_failures > 0, 'warning',
         format('%s times a process was out of memory while it committed, aborted or heard of DDL, since the server started. Give it memory, restart, then SELECT * FROM pg_tviews_verify(entity) of each TVIEW.',
                server.quiet_failures))
    ) AS finding (is_found, severity, message)
    WHERE finding.is_found;
END;

-- Who holds what a batch needs, or is in the way of it.
CREATE FUNCTION @extschema@.pg_tviews_check_workers(patience interval, OUT component text, OUT severity text, OUT message text)
RETURNS SETOF record
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH slot AS (
        SELECT * FROM @extschema@.pg_tviews_slots() AS slots
        WHERE slots.database_oid = (SELECT pg_database.oid FROM pg_database WHERE pg_database.datname = current_database())
    ), waiting AS (
        SELECT min(queue.last_enqueued) AS since FROM @extschema@.pg_tviews_queue_realtime AS queue
        WHERE queue.database = current_database() AND queue.state IN ('waiting', 'applying', 'spilled')
    ), needed AS (
        SELECT pg_tview_meta.tview::oid AS relation,
               ARRAY['ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'] AS conflicts
        FROM @extschema@.pg_tview_meta
        UNION
        SELECT pg_tview_lineage.source::oid, ARRAY['AccessExclusiveLock'] FROM @extschema@.pg_tview_lineage
        UNION
        SELECT pg_tview_meta.backing_view::oid, ARRAY['AccessExclusiveLock'] FROM @extschema@.pg_tview_meta
    ), blocker AS (
        SELECT pg_locks.pid, string_agg(DISTINCT pg_locks.relation::regclass::text, ', ') AS relations
        FROM pg_locks JOIN needed ON needed.relation = pg_locks.relation
        WHERE pg_locks.granted AND pg_locks.mode = ANY (needed.conflicts)
          AND pg_locks.database = (SELECT pg_database.oid FROM pg_database WHERE pg_database.datname = current_database())
        GROUP BY pg_locks.pid
        UNION
        SELECT blocking.pid, NULL FROM slot
        CROSS JOIN LATERAL unnest(pg_blocking_pids(slot.pid)) AS blocking (pid) WHERE slot.pid IS NOT NULL
    )
    SELECT 'workers', 'error',
           'The launcher does not run. It is started again after 5 seconds: see the server log for why it ends, and whether max_worker_processes has room.'
    FROM @extschema@.pg_tviews_server_state() AS server WHERE server.launcher_pid IS NULL
    UNION ALL
    SELECT 'workers', 'error',
           format('No applier runs here and records wait since %s. See the server log; check pg_tviews.enabled, max_worker_processes, pg_tviews.max_workers.', waiting.since::timestamptz(0))
    FROM waiting WHERE waiting.since < now() - patience AND NOT EXISTS (SELECT FROM slot WHERE slot.pid IS NOT NULL)
    UNION ALL
    SELECT 'workers', 'warning', 'The applier of this database is paused. SELECT pg_tviews_resume().'
    FROM slot WHERE slot.state = 'paused'
    UNION ALL
    SELECT 'blocked applier', 'warning',
           format('Process %s (%s, %s, in its transaction since %s) holds %s, which the applier needs. End the transaction, or SELECT pg_terminate_backend(%s).',
                  blocker.pid, coalesce(nullif(activity.application_name, ''), activity.backend_type, 'a prepared transaction'),
                  coalesce(activity.state, 'prepared'), coalesce(activity.xact_start::timestamptz(0)::text, 'an unknown time'),
                  coalesce(string_agg(DISTINCT blocker.relations, ', '), 'a lock'), blocker.pid)
    FROM blocker
    CROSS JOIN waiting
    LEFT JOIN pg_stat_activity AS activity ON activity.pid = blocker.pid
    WHERE (waiting.since < now() - patience
           OR EXISTS (SELECT FROM @extschema@.pg_tview_behind AS behind WHERE behind.since < now() - patience))
      AND blocker.pid IS DISTINCT FROM (SELECT slot.pid FROM slot)
    GROUP BY blocker.pid, activity.application_name, activity.backend_type, activity.state, activity.xact_start
    UNION ALL
    SELECT 'workers', 'warning',
           format('Batches fail and are repeated (%s times since the queue exists). See the server log, and below for who blocks.', slot.retries)
    FROM slot CROSS JOIN waiting WHERE slot.state = 'backing off' AND waiting.since < now() - patience;
END;

CREATE FUNCTION @extschema@.pg_tviews_check_queue(patience interval, OUT component text, OUT severity text, OUT message text)
RETURNS SETOF record
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH queue AS (
        SELECT count(*) FILTER (WHERE entry.state <> 'spilled') AS waiting, min(entry.last_enqueued) AS since,
               coalesce(sum(CASE WHEN entry.state <> 'spilled' THEN 0
                                 WHEN entry.transaction_id IS NULL THEN entry.queue_size ELSE 1 END), 0) AS spilled
        FROM @extschema@.pg_tviews_queue_realtime AS entry
        WHERE entry.database = current_database() AND entry.state IN ('waiting', 'applying', 'spilled')
    )
    SELECT 'queue and lag',
           CASE WHEN queue.since < now() - 10 * patience THEN 'error' WHEN queue.since < now() - patience THEN 'warning' ELSE 'info' END,
           CASE WHEN queue.since < now() - patience
                THEN format('TVIEWs are behind since %s: %s records wait, %s more are in the outbox only. See pg_tviews_workers and pg_tviews_progress for what the applier does; pg_tview_performance_log for what is slow.',
                            queue.since::timestamptz(0), queue.waiting, queue.spilled)
                ELSE format('%s records wait, the oldest for %s ms.', queue.waiting + queue.spilled,
                            coalesce(round(extract(epoch FROM clock_timestamp() - queue.since) * 1000), 0)) END
    FROM queue
    UNION ALL
    SELECT 'queue and lag', 'warning',
           format('TVIEW %s is behind the others since %s: %s. It catches up when the lock is released; see who blocks.',
                  behind.tview, behind.since::timestamptz(0), behind.reason)
    FROM @extschema@.pg_tview_behind AS behind WHERE behind.since < now() - patience
    UNION ALL
    SELECT 'spill', CASE WHEN queue.spilled > 0 THEN 'warning' ELSE 'info' END,
           CASE WHEN queue.spilled > 0
                THEN format('%s records found no room in the queue and are read from the outbox. Nothing is lost; if it happens often, raise pg_tviews.queue_size (%s) and restart.',
                            queue.spilled, current_setting('pg_tviews.queue_size'))
                ELSE 'Nothing is in the outbox only.' END
    FROM queue;
END;

CREATE FUNCTION @extschema@.pg_tviews_check_vacuum(patience interval, OUT component text, OUT severity text, OUT message text)
RETURNS SETOF record
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH kept AS (
        SELECT pg_tview_meta.tview::oid AS relation FROM @extschema@.pg_tview_meta
        UNION ALL SELECT '@extschema@.pg_tview_outbox'::regclass
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
      AND activity.xact_start < now() - 10 * patience AND activity.pid <> pg_backend_pid()
      AND activity.backend_type <> 'autovacuum worker' AND activity.datname = current_database()
    UNION ALL
    SELECT 'prepared transactions', 'warning',
           format('Transaction %L is prepared since %s: it holds back vacuum, that of the outbox too. COMMIT PREPARED %L or ROLLBACK PREPARED %L in database %I.',
                  prepared.gid, prepared.prepared::timestamptz(0), prepared.gid, prepared.gid, prepared.database)
    FROM pg_prepared_xacts AS prepared
    WHERE prepared.prepared < now() - patience
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

-- A TVIEW whose catalogs are damaged, or whose sources somebody locks, is for the other checks.
CREATE FUNCTION @extschema@.pg_tviews_check_indexes(OUT component text, OUT severity text, OUT message text)
RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '10ms'
AS $$
DECLARE
    name text;
    missing record;
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

CREATE FUNCTION @extschema@.pg_tviews_health_check(patience interval DEFAULT '1 minute',
    OUT status text, OUT component text, OUT message text, OUT severity text)
RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off
SET pg_tviews.read_consistency = 'eventual' -- it must answer where no applier does
AS $$
DECLARE
    sql_version CONSTANT text := (SELECT extversion FROM pg_extension WHERE extname = 'pg_tviews');
    library_version text;
BEGIN
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
        UNION ALL SELECT * FROM @extschema@.pg_tviews_check_indexes()
        UNION ALL SELECT * FROM @extschema@.pg_tviews_check_vacuum(patience)
        UNION ALL SELECT * FROM @extschema@.pg_tviews_check_workers(patience) WHERE NOT pg_is_in_recovery()
        UNION ALL SELECT * FROM @extschema@.pg_tviews_check_queue(patience) WHERE NOT pg_is_in_recovery()
    ), fine (place, component, message) AS (VALUES
        (1, 'version', format('Library and extension are of version %s.', library_version)),
        (2, 'library', 'Loaded at server start.'),
        (3, 'jsonb_delta', CASE WHEN @extschema@.pg_tviews_check_jsonb_delta() THEN 'Installed; documents are recomputed, not patched.'
                                ELSE 'Not installed, and not needed: documents are recomputed.' END),
        (4, 'settings', 'Settings are sane.'),
        (5, 'metadata', format('%s TVIEWs agree with the catalogs.', (SELECT count(*) FROM @extschema@.pg_tview_meta))),
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
                           ELSE 'No difference was found.' END)
    )
    SELECT CASE coalesce(found.severity, 'info') WHEN 'info' THEN 'OK' ELSE upper(found.severity) END,
           fine.component, coalesce(found.message, fine.message), coalesce(found.severity, 'info')
    FROM fine LEFT JOIN found ON found.component = fine.component
    ORDER BY array_position(ARRAY['error', 'warning', 'info'], coalesce(found.severity, 'info')), fine.place, 3;
END $$;
COMMENT ON FUNCTION @extschema@.pg_tviews_health_check(interval) IS 'what is not well, with its repair, and what is; delays up to patience are no finding';

CREATE FUNCTION @extschema@.pg_tviews_drop_orphans(OUT kind text, OUT object text) RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_drop_orphans';
COMMENT ON FUNCTION @extschema@.pg_tviews_drop_orphans() IS 'removes what is left of TVIEWs that are gone: metadata, capture triggers';

-- For those who watch the server. Findings name sessions and relations of others.
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_health_check(interval), @extschema@.pg_tviews_drop_orphans(),
    @extschema@.pg_tviews_server_state(), @extschema@.pg_tviews_check_settings(), @extschema@.pg_tviews_check_metadata(),
    @extschema@.pg_tviews_check_triggers(), @extschema@.pg_tviews_check_quarantine(), @extschema@.pg_tviews_check_indexes(),
    @extschema@.pg_tviews_check_vacuum(interval), @extschema@.pg_tviews_check_workers(interval),
    @extschema@.pg_tviews_check_queue(interval), @extschema@.pg_tviews_queue_entries(), @extschema@.pg_tviews_slots() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION @extschema@.pg_tviews_health_check(interval), @extschema@.pg_tviews_queue_entries(),
    @extschema@.pg_tviews_slots(), @extschema@.pg_tviews_server_state() TO pg_monitor;
GRANT SELECT ON @extschema@.pg_tviews_queue_realtime, @extschema@.pg_tviews_workers TO pg_monitor;

-- The durable change feed: one row per document that a batch changed, written by the applier in the
-- batch's transaction, for TVIEWs with pg_tviews.feed = 'keys' or 'data'. Positions ascend in the
-- order in which batches commit; gaps are batches that were tried again.
CREATE TABLE @extschema@.pg_tview_feed (
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
COMMENT ON TABLE @extschema@.pg_tview_feed IS 'one row per changed document of TVIEWs with a durable feed; readers use pg_tviews_feed';

CREATE SEQUENCE @extschema@.pg_tview_feed_position OWNED BY @extschema@.pg_tview_feed.position;
COMMENT ON SEQUENCE @extschema@.pg_tview_feed_position IS 'positions of pg_tview_feed';

-- Up to where retention has removed rows: a consumer that stands before it has missed some.
CREATE TABLE @extschema@.pg_tview_feed_horizon (
    id              integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    removed_through bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
INSERT INTO @extschema@.pg_tview_feed_horizon (id) VALUES (1);
COMMENT ON TABLE @extschema@.pg_tview_feed_horizon IS 'the highest position that retention has removed from pg_tview_feed';

-- What a reader may see: changes of TVIEWs whose rows it may read. security_barrier: the reader's own
-- functions meet no other rows.
CREATE VIEW @extschema@.pg_tviews_feed WITH (security_barrier) AS
SELECT pg_tview_feed.position, pg_tview_feed.tview, pg_tview_feed.entity, pg_tview_feed.key,
       pg_tview_feed.id, pg_tview_feed.operation, pg_tview_feed.frontier, pg_tview_feed.changed_at,
       pg_tview_feed.old_data, pg_tview_feed.new_data
FROM @extschema@.pg_tview_feed
WHERE EXISTS (SELECT FROM @extschema@.pg_tview_meta
              WHERE pg_tview_meta.tview = pg_tview_feed.tview
                AND pg_catalog.has_table_privilege(pg_tview_meta.tview::oid, 'SELECT')
                AND NOT pg_catalog.row_security_active(pg_tview_meta.tview::oid));
COMMENT ON VIEW @extschema@.pg_tviews_feed IS 'the durable change feed of the TVIEWs that the reader may read';

REVOKE ALL ON @extschema@.pg_tview_feed, @extschema@.pg_tview_feed_position FROM PUBLIC;
GRANT SELECT ON @extschema@.pg_tviews_feed, @extschema@.pg_tview_feed_horizon TO PUBLIC;

-- What was done to TVIEWs, by whom: written by the extension in the transaction that does it.
CREATE TABLE @extschema@.pg_tview_audit_log (
    log_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    operation    text NOT NULL,
    entity       text,                        -- NULL: all of them
    performed_by text NOT NULL DEFAULT session_user,
    performed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    details      jsonb NOT NULL,
    client_addr  inet DEFAULT inet_client_addr(),
    client_port  integer DEFAULT inet_client_port()
);
CREATE INDEX pg_tview_audit_log_entity ON @extschema@.pg_tview_audit_log (entity, log_id);
COMMENT ON TABLE @extschema@.pg_tview_audit_log IS 'DDL and operators'' actions that concerned TVIEWs';

-- It shows addresses of clients, as pg_stat_activity shows them to the same role.
REVOKE ALL ON @extschema@.pg_tview_audit_log FROM PUBLIC;
GRANT SELECT ON @extschema@.pg_tview_audit_log TO pg_monitor;

-- They write the audit log.
ALTER FUNCTION @extschema@.pg_tviews_refresh(text) PARALLEL UNSAFE;
ALTER FUNCTION @extschema@.pg_tviews_retry(text) PARALLEL UNSAFE;
ALTER FUNCTION @extschema@.pg_tviews_pause() PARALLEL UNSAFE;
ALTER FUNCTION @extschema@.pg_tviews_resume() PARALLEL UNSAFE;
-- Sums over the processes of all databases.
CREATE FUNCTION @extschema@.pg_tviews_caches(
    OUT cache_type text, OUT process_kind text, OUT entries bigint, OUT estimated_size bigint,
    OUT hits bigint, OUT misses bigint, OUT evictions bigint)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_caches';
COMMENT ON FUNCTION @extschema@.pg_tviews_caches() IS 'what the caches of living processes hold, and how often they helped since the server started';

CREATE VIEW @extschema@.pg_tviews_cache_stats AS
SELECT cache.cache_type, cache.process_kind, cache.entries, cache.estimated_size, cache.hits, cache.misses, cache.evictions
FROM @extschema@.pg_tviews_caches() AS cache;
COMMENT ON VIEW @extschema@.pg_tviews_cache_stats IS 'caches by kind of process; sizes in bytes';
GRANT SELECT ON @extschema@.pg_tviews_cache_stats TO PUBLIC;

-- What documents are built with when they are computed. Everybody's: they read nothing.

CREATE FUNCTION @extschema@.pg_tviews_build_object(VARIADIC "any") RETURNS jsonb
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'tviews_build_object';
COMMENT ON FUNCTION @extschema@.pg_tviews_build_object(VARIADIC "any") IS 'jsonb_build_object, for many rows of the same query';

CREATE FUNCTION @extschema@.pg_tviews_build_array_step(internal, jsonb) RETURNS internal
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'tviews_build_array_step';
COMMENT ON FUNCTION @extschema@.pg_tviews_build_array_step(internal, jsonb) IS 'part of the aggregate pg_tviews_build_array';

CREATE FUNCTION @extschema@.pg_tviews_build_array_end(internal) RETURNS jsonb
LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'tviews_build_array_end';
COMMENT ON FUNCTION @extschema@.pg_tviews_build_array_end(internal) IS 'part of the aggregate pg_tviews_build_array';

CREATE AGGREGATE @extschema@.pg_tviews_build_array(jsonb) (
    SFUNC = @extschema@.pg_tviews_build_array_step,
    STYPE = internal,
    FINALFUNC = @extschema@.pg_tviews_build_array_end,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE @extschema@.pg_tviews_build_array(jsonb) IS 'jsonb_agg of jsonb values';
