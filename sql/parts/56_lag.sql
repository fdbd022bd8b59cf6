-- How far TVIEWs are behind their sources. VOLATILE: it reads shared memory.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_lag_of_databases(
    OUT database_oid oid, OUT oldest_transaction xid8, OUT oldest_commit timestamptz,
    OUT records bigint, OUT keys bigint, OUT bytes bigint, OUT spilled_records bigint,
    OUT tviews_behind integer, OUT last_batch_at timestamptz, OUT last_batch_records bigint,
    OUT last_batch_ms double precision, OUT last_batch_rows bigint, OUT lane text)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_lag';
COMMENT ON FUNCTION @extschema@.pg_tviews_lag_of_databases() IS 'what waits in the change queue of each database, and the last batch';

CREATE OR REPLACE VIEW @extschema@.pg_tviews_lane_targets AS
SELECT coalesce(pg_tview_meta.options ->> 'lane', 'main') AS lane, count(*) AS tviews,
       make_interval(secs => min(nullif((pg_tview_meta.options ->> 'lag_target')::bigint, 0)) / 1000.0) AS lag_target
FROM @extschema@.pg_tview_meta GROUP BY 1;
COMMENT ON VIEW @extschema@.pg_tviews_lane_targets IS 'the lanes of this database, and how late their TVIEWs may be';

-- What a lane is owed is known in its own database only.
CREATE OR REPLACE VIEW @extschema@.pg_tviews_lag AS
WITH slot AS (
    SELECT pg_database.datname AS database, lag.*, pg_database.datname = current_database() AS is_here
    FROM @extschema@.pg_tviews_lag_of_databases() AS lag
    LEFT JOIN pg_catalog.pg_database ON pg_database.oid = lag.database_oid
), lane AS (
    SELECT target.lane, target.lag_target, debt.batches, debt.since
    FROM @extschema@.pg_tviews_lane_targets AS target
    LEFT JOIN @extschema@.pg_tviews_lane_debts() AS debt ON debt.lane = target.lane
)
SELECT coalesce(slot.database, current_database()) AS database,
       slot.oldest_transaction,
       least(slot.oldest_commit, lane.since) AS oldest_commit,
       clock_timestamp() - least(slot.oldest_commit, lane.since) AS age,
       coalesce(slot.records, 0) + coalesce(lane.batches, 0) AS records,
       coalesce(slot.keys, 0) AS keys, coalesce(slot.bytes, 0) AS bytes, coalesce(slot.spilled_records, 0) AS spilled_records,
       coalesce(slot.tviews_behind, 0) AS tviews_behind,
       slot.last_batch_at, slot.last_batch_records, slot.last_batch_ms, slot.last_batch_rows,
       coalesce(slot.lane, lane.lane) AS lane,
       lane.lag_target,
       clock_timestamp() - least(slot.oldest_commit, lane.since) > lane.lag_target AS is_late
FROM slot
FULL JOIN lane ON slot.is_here AND slot.lane = lane.lane;
COMMENT ON VIEW @extschema@.pg_tviews_lag IS 'committed changes that no batch has applied yet, and the last batch, of each lane of the databases that have a change queue';
