-- How far TVIEWs are behind their sources. VOLATILE: it reads shared memory.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_lag_of_databases(
    OUT database_oid oid, OUT oldest_transaction xid8, OUT oldest_commit timestamptz,
    OUT records bigint, OUT keys bigint, OUT bytes bigint, OUT spilled_records bigint,
    OUT tviews_behind integer, OUT last_batch_at timestamptz, OUT last_batch_records bigint,
    OUT last_batch_ms double precision, OUT last_batch_rows bigint)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_lag';
COMMENT ON FUNCTION @extschema@.pg_tviews_lag_of_databases() IS 'what waits in the change queue of each database, and the last batch';

CREATE OR REPLACE VIEW @extschema@.pg_tviews_lag AS
SELECT pg_database.datname AS database,
       lag.oldest_transaction,
       lag.oldest_commit,
       clock_timestamp() - lag.oldest_commit AS age,
       lag.records, lag.keys, lag.bytes, lag.spilled_records, lag.tviews_behind,
       lag.last_batch_at, lag.last_batch_records, lag.last_batch_ms, lag.last_batch_rows
FROM @extschema@.pg_tviews_lag_of_databases() AS lag
LEFT JOIN pg_catalog.pg_database ON pg_database.oid = lag.database_oid;
COMMENT ON VIEW @extschema@.pg_tviews_lag IS 'committed changes that no batch has applied yet, and the last batch, of each database that has a change queue';
