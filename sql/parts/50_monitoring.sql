-- Waiting for the applier. VOLATILE: what they wait for happens in other processes.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_wait(timeout interval DEFAULT NULL, lane text DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_wait';
COMMENT ON FUNCTION @extschema@.pg_tviews_wait(interval, text) IS 'returns when everything committed before the call is in the TVIEWs, or in those of a lane';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_wait_for(transaction_id xid8, timeout interval DEFAULT NULL, lane text DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_wait_for';
COMMENT ON FUNCTION @extschema@.pg_tviews_wait_for(xid8, interval, text) IS 'returns when the TVIEWs, or those of a lane, contain the transaction';

-- No SET search_path: the entity is looked up in the caller's.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_refresh(entity text,
    OUT rows_inserted bigint, OUT rows_updated bigint, OUT rows_deleted bigint)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_refresh';
COMMENT ON FUNCTION @extschema@.pg_tviews_refresh(text) IS 'has the applier compare a TVIEW with its query and write what differs; ends its quarantine if that succeeds';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_retry(entity text,
    OUT rows_inserted bigint, OUT rows_updated bigint, OUT rows_deleted bigint)
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_refresh';
COMMENT ON FUNCTION @extschema@.pg_tviews_retry(text) IS 'tries again what is in quarantine: a full differential refresh';

-- Monitoring. The functions return what shared memory holds, the views give it names.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_queue_entries(
    OUT database_oid oid, OUT backend_pid integer, OUT transaction_id xid8, OUT queue_size bigint,
    OUT relations oid[], OUT last_enqueued timestamptz, OUT state text)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_queue_entries';
COMMENT ON FUNCTION @extschema@.pg_tviews_queue_entries() IS 'the change queues of all databases, one row per record';

CREATE OR REPLACE VIEW @extschema@.pg_tviews_queue_realtime AS
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

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_slots(
    OUT pid integer, OUT database_oid oid, OUT state text, OUT tview oid, OUT keys_done bigint,
    OUT keys_total bigint, OUT batch_started timestamptz, OUT batches bigint, OUT records bigint,
    OUT rows_written bigint, OUT rows_unchanged bigint, OUT full_refreshes bigint,
    OUT outbox_scans bigint, OUT retries bigint, OUT starts bigint, OUT last_batch_at timestamptz,
    OUT last_batch_ms double precision, OUT launcher_pid integer)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_slots';
COMMENT ON FUNCTION @extschema@.pg_tviews_slots() IS 'the databases that have a change queue, and what their appliers do';

-- The same of other lanes than the main one.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_lane_slots(
    OUT lane text, OUT pid integer, OUT database_oid oid, OUT state text, OUT tview oid, OUT keys_done bigint,
    OUT keys_total bigint, OUT batch_started timestamptz, OUT batches bigint, OUT records bigint,
    OUT rows_written bigint, OUT rows_unchanged bigint, OUT full_refreshes bigint,
    OUT outbox_scans bigint, OUT retries bigint, OUT starts bigint, OUT last_batch_at timestamptz,
    OUT last_batch_ms double precision)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_lane_slots';
COMMENT ON FUNCTION @extschema@.pg_tviews_lane_slots() IS 'the lanes of all databases beside the main ones, and what their appliers do';
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_lane_slots() FROM PUBLIC;

CREATE OR REPLACE VIEW @extschema@.pg_tviews_workers AS
WITH slot AS (
    SELECT slots.pid, slots.database_oid, slots.state, slots.tview, slots.keys_done, slots.keys_total, slots.batch_started,
           slots.batches, slots.records, slots.rows_written, slots.rows_unchanged, slots.full_refreshes, slots.outbox_scans,
           slots.retries, slots.starts, slots.last_batch_at, slots.last_batch_ms, 'main' AS lane
    FROM @extschema@.pg_tviews_slots() AS slots
    UNION ALL
    SELECT lanes.pid, lanes.database_oid, lanes.state, lanes.tview, lanes.keys_done, lanes.keys_total, lanes.batch_started,
           lanes.batches, lanes.records, lanes.rows_written, lanes.rows_unchanged, lanes.full_refreshes, lanes.outbox_scans,
           lanes.retries, lanes.starts, lanes.last_batch_at, lanes.last_batch_ms, lanes.lane
    FROM @extschema@.pg_tviews_lane_slots() AS lanes
)
SELECT slot.pid,
       'applier'::text AS kind,
       pg_database.datname AS database,
       slot.state,
       CASE WHEN pg_database.datname = current_database() THEN slot.tview::regclass END AS entity,
       slot.keys_done, slot.keys_total, slot.batch_started, slot.batches, slot.records,
       slot.rows_written, slot.rows_unchanged, slot.full_refreshes, slot.outbox_scans,
       slot.retries, slot.starts - 1 AS restarts, slot.last_batch_at, slot.last_batch_ms, slot.lane
FROM slot
LEFT JOIN pg_catalog.pg_database ON pg_database.oid = slot.database_oid
UNION ALL
SELECT pg_stat_activity.pid, 'launcher', NULL, 'running',
       NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM pg_catalog.pg_stat_activity
WHERE pg_stat_activity.backend_type = 'pg_tviews launcher';
COMMENT ON VIEW @extschema@.pg_tviews_workers IS 'the launcher, and the appliers of each database that has a change queue';
