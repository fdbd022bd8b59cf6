-- Lanes. VOLATILE: they read shared memory.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_lane_state(
    OUT lane text, OUT pid integer, OUT state text, OUT tview oid, OUT tview_started timestamptz,
    OUT retries bigint, OUT last_batch_at timestamptz, OUT last_batch_ms double precision)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_lanes';
COMMENT ON FUNCTION @extschema@.pg_tviews_lane_state() IS 'what the appliers of the lanes of this database do';

-- How much the lanes are owed, for those who may not read the table itself.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_lane_debts(OUT lane text, OUT batches bigint, OUT since timestamptz)
RETURNS SETOF record
LANGUAGE sql VOLATILE SECURITY DEFINER PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT pg_tview_lane_owed.lane, count(*), min(pg_tview_lane_owed.written_at)
    FROM tviews_internal.pg_tview_lane_owed
    GROUP BY pg_tview_lane_owed.lane;
END;
COMMENT ON FUNCTION @extschema@.pg_tviews_lane_debts() IS 'batches of the main lane that other lanes have not applied yet';
