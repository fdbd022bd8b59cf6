-- pg_tviews: tables of JSON documents that stay equal to their defining query.
\echo Use "CREATE EXTENSION pg_tviews" to load this file. \quit

-- One row per TVIEW. Written by the extension only.
CREATE TABLE @extschema@.pg_tview_meta (
    tview             regclass PRIMARY KEY,
    entity            text NOT NULL,          -- without the tv_ prefix
    backing_view      regclass NOT NULL,
    key_column        name NOT NULL,
    definition        text NOT NULL,          -- the defining query as it was given
    dependencies      oid[] NOT NULL,         -- the source relations, TVIEWs included
    dependency_paths  text[] NOT NULL,        -- how each of them leads to the key, for people
    nested_views      oid[] NOT NULL,         -- plain views that the backing view reads
    key_is_not_null   boolean NOT NULL,       -- proved by the analysis
    state             text NOT NULL DEFAULT 'active'
                      CHECK (state IN ('active', 'quarantined')),
    fill_snapshot     pg_snapshot,            -- until the first batch that sees the TVIEW
    fill_creator      xid8,
    system_identifier bigint NOT NULL,        -- cluster and database for which OIDs and
    database_oid      oid NOT NULL,           -- snapshots above mean something
    options           jsonb NOT NULL DEFAULT '{}',
    created_at        timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE @extschema@.pg_tview_meta IS 'one row per TVIEW';

-- How a change of a source names the affected keys: one row per path.
CREATE TABLE @extschema@.pg_tview_lineage (
    tview       regclass NOT NULL,
    source      regclass NOT NULL,
    path        integer NOT NULL,             -- numbered from 1 per source
    strategy    text NOT NULL CHECK (strategy IN ('direct', 'lookup', 'full')),
    captured    smallint[] NOT NULL,          -- attribute numbers that the path starts from
    relevant    smallint[] NOT NULL,          -- attribute numbers that the TVIEW reads; 0: whole row
    lookup      text,                         -- over the relation pg_tviews_delta; lookup paths only
    description text NOT NULL,
    PRIMARY KEY (tview, source, path)
);
CREATE INDEX pg_tview_lineage_source ON @extschema@.pg_tview_lineage (source);
COMMENT ON TABLE @extschema@.pg_tview_lineage IS 'how a change of a source names the affected keys of a TVIEW';

-- The plain views that TVIEWs read, and by which TVIEWs.
CREATE VIEW @extschema@.pg_tview_helpers AS
SELECT helper.oid::regclass AS helper,
       array_agg(pg_tview_meta.tview ORDER BY pg_tview_meta.tview::oid) AS used_by
FROM @extschema@.pg_tview_meta
CROSS JOIN LATERAL unnest(pg_tview_meta.nested_views) AS helper (oid)
GROUP BY helper.oid;
COMMENT ON VIEW @extschema@.pg_tview_helpers IS 'plain views that backing views read, and the TVIEWs that use them';

-- One row per transaction that changed a source and has not been applied yet. No index: rows are
-- found by ctid or by a scan. EXTERNAL: compressing the payload costs more than storing it.
-- vacuum_truncate is off because truncation takes an ACCESS EXCLUSIVE lock that writers would meet.
CREATE TABLE @extschema@.pg_tview_outbox (
    payload bytea NOT NULL
) WITH (vacuum_truncate = off, toast.vacuum_truncate = off,
        autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
        autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 10000);
ALTER TABLE @extschema@.pg_tview_outbox ALTER COLUMN payload SET STORAGE EXTERNAL;
COMMENT ON TABLE @extschema@.pg_tview_outbox IS 'change records of committed transactions that no batch has applied yet';

-- The snapshot as of which every TVIEW of the database stands, and cumulative counters.
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
INSERT INTO @extschema@.pg_tview_frontier (id) VALUES (1);
COMMENT ON TABLE @extschema@.pg_tview_frontier IS 'the snapshot as of which all TVIEWs stand; a reader may join it in its own statement';

-- Keys whose documents could not be computed.
CREATE TABLE @extschema@.pg_tview_dead_letter (
    tview      regclass NOT NULL,
    key        text,                          -- NULL: the TVIEW as a whole
    sqlstate   text NOT NULL,
    error      text NOT NULL,
    attempts   bigint NOT NULL DEFAULT 1,
    first_seen timestamptz NOT NULL,
    last_seen  timestamptz NOT NULL
);
CREATE UNIQUE INDEX pg_tview_dead_letter_key
    ON @extschema@.pg_tview_dead_letter (tview, (coalesce(key, '')), (key IS NULL));
-- Its key is an expression, which cannot identify rows for a publication FOR ALL TABLES.
ALTER TABLE @extschema@.pg_tview_dead_letter REPLICA IDENTITY FULL;
COMMENT ON TABLE @extschema@.pg_tview_dead_letter IS 'keys in quarantine with the error that put them there';

-- The trigger of source tables. EXECUTE stays with PUBLIC: it is checked when a trigger is created,
-- not when it fires, and whoever puts the trigger on a table of theirs captures nothing until a
-- TVIEW reads it. No SET search_path: the function looks no name up, and the setting would cost more
-- than the call.
CREATE FUNCTION @extschema@.pg_tviews_capture() RETURNS trigger
    LANGUAGE c VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'tviews_capture';
COMMENT ON FUNCTION @extschema@.pg_tviews_capture() IS 'notes which rows of a source table a transaction changed';
-- Functions of a session. Those whose argument is a TVIEW's name resolve it along the caller's
-- search path, and pg_tviews_create() reads the caller's query: these have no SET search_path of
-- their own. What they execute runs as the TVIEW's owner with search_path = pg_catalog, pg_temp.
-- EXECUTE stays with PUBLIC: each checks the caller's rights on the relations concerned.

CREATE FUNCTION @extschema@.pg_tviews_version() RETURNS text
LANGUAGE c IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_version';
COMMENT ON FUNCTION @extschema@.pg_tviews_version() IS 'version of the pg_tviews module that is loaded';

CREATE FUNCTION @extschema@.pg_tviews_create(entity text, query text) RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_create';
COMMENT ON FUNCTION @extschema@.pg_tviews_create(text, text) IS 'creates the TVIEW tv_<entity> of a query and returns its name';

CREATE FUNCTION @extschema@.pg_tviews_drop(entity text, if_exists boolean DEFAULT false) RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_drop';
COMMENT ON FUNCTION @extschema@.pg_tviews_drop(text, boolean) IS 'drops a TVIEW with its backing view and returns its name';

CREATE FUNCTION @extschema@.pg_tviews_replace(entity text, query text) RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_replace';
COMMENT ON FUNCTION @extschema@.pg_tviews_replace(text, text) IS 'gives a TVIEW another query with the same columns; the next batch brings its rows up to date';

CREATE FUNCTION @extschema@.pg_tviews_convert_table(table_name text) RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_convert_table';
COMMENT ON FUNCTION @extschema@.pg_tviews_convert_table(text) IS 'makes a TVIEW of a table tv_x with the view v_x as its query; the next batch brings its rows up to date';

-- Not for everybody: it locks every source.
CREATE FUNCTION @extschema@.pg_tviews_reinstall_triggers() RETURNS integer
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_reinstall_triggers';
COMMENT ON FUNCTION @extschema@.pg_tviews_reinstall_triggers() IS 'installs capture triggers that are missing; returns the number of source tables';
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_reinstall_triggers() FROM PUBLIC;

CREATE FUNCTION @extschema@.pg_tviews_table(entity text) RETURNS regclass
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'tviews_table';
COMMENT ON FUNCTION @extschema@.pg_tviews_table(text) IS 'the table of the TVIEW that is called by this entity or table name';

CREATE FUNCTION @extschema@.pg_tviews_verify(entity text,
    OUT key text, OUT difference text, OUT stored jsonb, OUT expected jsonb) RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_verify';
COMMENT ON FUNCTION @extschema@.pg_tviews_verify(text) IS 'rows in which a TVIEW differs from its query, as of one snapshot; none when all is well';

CREATE FUNCTION @extschema@.pg_tviews_explain_lineage(entity text,
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
COMMENT ON FUNCTION @extschema@.pg_tviews_explain_lineage(text) IS 'how a change of each source leads to the affected keys of a TVIEW';

-- Documents are recomputed, not patched: the answer says only whether the extension is there.
CREATE FUNCTION @extschema@.pg_tviews_check_jsonb_delta() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'jsonb_delta');
END;
COMMENT ON FUNCTION @extschema@.pg_tviews_check_jsonb_delta() IS 'whether the extension jsonb_delta is installed';
CREATE FUNCTION @extschema@.pg_tviews_explain_query(
  query text, key text,
  OUT source regclass, OUT strategy text, OUT captured smallint[], OUT relevant smallint[],
  OUT lookup text, OUT description text) RETURNS SETOF record
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'tviews_explain_query';
COMMENT ON FUNCTION @extschema@.pg_tviews_explain_query(text, text) IS
  'the lineage that a query with the given key column would have as a TVIEW: one row per source and path';

-- What hangs together, and what would help. No SET search_path: entities are looked up in the
-- caller's, and relations are named as it finds them. Anybody may call them: what they show is as
-- public as pg_tview_meta.
CREATE FUNCTION @extschema@.pg_tviews_graph(format text DEFAULT 'mermaid') RETURNS text
LANGUAGE c STABLE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'tviews_graph';
COMMENT ON FUNCTION @extschema@.pg_tviews_graph(text) IS 'sources, TVIEWs and strategies as mermaid, dot or json';

CREATE FUNCTION @extschema@.pg_tviews_show_cascade_path(entity text,
    OUT depth integer, OUT entity_name text, OUT dependency_type text) RETURNS SETOF record
LANGUAGE c STABLE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'tviews_show_cascade_path';
COMMENT ON FUNCTION @extschema@.pg_tviews_show_cascade_path(text) IS 'the TVIEWs that a change of the sources of a TVIEW reaches';

CREATE FUNCTION @extschema@.pg_tviews_suggest_indexes(entity text,
    OUT index_suggestion text, OUT reason text) RETURNS SETOF record
LANGUAGE c STABLE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'tviews_suggest_indexes';
COMMENT ON FUNCTION @extschema@.pg_tviews_suggest_indexes(text) IS 'indexes that refresh, lookups and readers of a TVIEW lack';

-- About the change of one row. Rows are found with the caller's privileges; queries of TVIEWs run
-- as their owners, and only what the caller may read is explained. VOLATILE: EXPLAIN and the note
-- of a change are no part of a query. The bigint forms are for integer keys written as numbers.
CREATE FUNCTION @extschema@.pg_tviews_explain_change("table" regclass, pk text,
    OUT tview regclass, OUT strategy text, OUT documents bigint, OUT path text)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_explain_change';
COMMENT ON FUNCTION @extschema@.pg_tviews_explain_change(regclass, text) IS 'the TVIEWs that a change of a row would reach, and how many documents would be recomputed';

CREATE FUNCTION @extschema@.pg_tviews_explain_change("table" regclass, pk bigint,
    OUT tview regclass, OUT strategy text, OUT documents bigint, OUT path text)
RETURNS SETOF record
LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT * FROM @extschema@.pg_tviews_explain_change("table", pk::text);
END;
COMMENT ON FUNCTION @extschema@.pg_tviews_explain_change(regclass, bigint) IS 'the TVIEWs that a change of a row would reach, and how many documents would be recomputed';

CREATE FUNCTION @extschema@.pg_tviews_analyze_cascade(entity text, pk text, OUT query_plan text)
RETURNS SETOF text
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_analyze_cascade';
COMMENT ON FUNCTION @extschema@.pg_tviews_analyze_cascade(text, text) IS 'EXPLAIN (ANALYZE, BUFFERS) of the refresh of a document and of all that follows; writes nothing';

CREATE FUNCTION @extschema@.pg_tviews_analyze_cascade(entity text, pk bigint, OUT query_plan text)
RETURNS SETOF text
LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT * FROM @extschema@.pg_tviews_analyze_cascade(entity, pk::text);
END;
COMMENT ON FUNCTION @extschema@.pg_tviews_analyze_cascade(text, bigint) IS 'EXPLAIN (ANALYZE, BUFFERS) of the refresh of a document and of all that follows; writes nothing';

CREATE FUNCTION @extschema@.pg_tviews_cascade(base_table oid, pk text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_cascade';
COMMENT ON FUNCTION @extschema@.pg_tviews_cascade(oid, text) IS 'has everything that depends on a row refreshed when the transaction commits';

CREATE FUNCTION @extschema@.pg_tviews_cascade(base_table oid, pk bigint) RETURNS void
LANGUAGE sql VOLATILE STRICT PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT @extschema@.pg_tviews_cascade(base_table, pk::text);
END;
COMMENT ON FUNCTION @extschema@.pg_tviews_cascade(oid, bigint) IS 'has everything that depends on a row refreshed when the transaction commits';
-- Waiting for the applier. VOLATILE: what they wait for happens in other processes.
CREATE FUNCTION @extschema@.pg_tviews_wait(timeout interval DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_wait';
COMMENT ON FUNCTION @extschema@.pg_tviews_wait(interval) IS 'returns when everything committed before the call is in the TVIEWs';

CREATE FUNCTION @extschema@.pg_tviews_wait_for(transaction_id xid8, timeout interval DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_wait_for';
COMMENT ON FUNCTION @extschema@.pg_tviews_wait_for(xid8, interval) IS 'returns when the TVIEWs contain the transaction';

-- No SET search_path: the entity is looked up in the caller's.
CREATE FUNCTION @extschema@.pg_tviews_refresh(entity text,
    OUT rows_inserted bigint, OUT rows_updated bigint, OUT rows_deleted bigint)
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'tviews_refresh';
COMMENT ON FUNCTION @extschema@.pg_tviews_refresh(text) IS 'has the applier compare a TVIEW with its query and write what differs; ends its quarantine if that succeeds';

CREATE FUNCTION @extschema@.pg_tviews_retry(entity text,
    OUT rows_inserted bigint, OUT rows_updated bigint, OUT rows_deleted bigint)
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'tviews_refresh';
COMMENT ON FUNCTION @extschema@.pg_tviews_retry(text) IS 'tries again what is in quarantine: a full differential refresh';

-- Monitoring. The functions return what shared memory holds, the views give it names.
CREATE FUNCTION @extschema@.pg_tviews_queue_entries(
    OUT database_oid oid, OUT backend_pid integer, OUT transaction_id xid8, OUT queue_size bigint,
    OUT relations oid[], OUT last_enqueued timestamptz, OUT state text)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_queue_entries';
COMMENT ON FUNCTION @extschema@.pg_tviews_queue_entries() IS 'the change queues of all databases, one row per record';

CREATE VIEW @extschema@.pg_tviews_queue_realtime AS
SELECT pg_stat_activity.application_name AS session,
       entry.backend_pid,
       entry.transaction_id,
       entry.queue_size,
       ARRAY(SELECT DISTINCT pg_tview_meta.entity
             FROM @extschema@.pg_tview_lineage
             JOIN @extschema@.pg_tview_meta ON pg_tview_meta.tview = pg_tview_lineage.tview
             WHERE pg_tview_lineage.source::oid = ANY (entry.relations)
               AND pg_database.datname = current_database()
             ORDER BY 1) AS entities,
       entry.last_enqueued,
       entry.state,
       pg_database.datname AS database
FROM @extschema@.pg_tviews_queue_entries() AS entry
LEFT JOIN pg_catalog.pg_database ON pg_database.oid = entry.database_oid
LEFT JOIN pg_catalog.pg_stat_activity ON pg_stat_activity.pid = entry.backend_pid;
COMMENT ON VIEW @extschema@.pg_tviews_queue_realtime IS 'records that no batch has applied yet; entities are known for the current database';

CREATE FUNCTION @extschema@.pg_tviews_slots(
    OUT pid integer, OUT database_oid oid, OUT state text, OUT tview oid, OUT keys_done bigint,
    OUT keys_total bigint, OUT batch_started timestamptz, OUT batches bigint, OUT records bigint,
    OUT rows_written bigint, OUT rows_unchanged bigint, OUT full_refreshes bigint,
    OUT outbox_scans bigint, OUT retries bigint, OUT starts bigint, OUT last_batch_at timestamptz,
    OUT last_batch_ms double precision, OUT launcher_pid integer)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_slots';
COMMENT ON FUNCTION @extschema@.pg_tviews_slots() IS 'the databases that have a change queue, and what their appliers do';

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

-- Stopping the applier of this database for a while. VOLATILE: they change shared memory.
CREATE FUNCTION @extschema@.pg_tviews_pause() RETURNS boolean
LANGUAGE c VOLATILE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_pause';
COMMENT ON FUNCTION @extschema@.pg_tviews_pause() IS 'returns when no batch runs and keeps new ones from beginning; false if it was so already';

CREATE FUNCTION @extschema@.pg_tviews_resume() RETURNS boolean
LANGUAGE c VOLATILE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_resume';
COMMENT ON FUNCTION @extschema@.pg_tviews_resume() IS 'lets the applier go on after pg_tviews_pause(); false if it was not paused';
-- What describes TVIEWs is as public as the system catalogs are: definitions, lineage, frontier.
GRANT SELECT ON @extschema@.pg_tview_meta, @extschema@.pg_tview_lineage,
    @extschema@.pg_tview_helpers, @extschema@.pg_tview_frontier TO PUBLIC;

-- These hold values of users' rows: keys in the outbox, keys and error messages in quarantine.
REVOKE ALL ON @extschema@.pg_tview_outbox, @extschema@.pg_tview_dead_letter FROM PUBLIC;

-- Whoever pauses the applier keeps every TVIEW of the database from changing.
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_pause(), @extschema@.pg_tviews_resume() FROM PUBLIC;
