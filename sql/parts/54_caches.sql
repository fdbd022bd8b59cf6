
-- Sums over the processes of all databases.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_caches(
    OUT cache_type text, OUT process_kind text, OUT entries bigint, OUT estimated_size bigint,
    OUT hits bigint, OUT misses bigint, OUT evictions bigint)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_caches';
COMMENT ON FUNCTION @extschema@.pg_tviews_caches() IS 'what the caches of living processes hold, and how often they helped since the server started';

CREATE OR REPLACE VIEW @extschema@.pg_tviews_cache_stats AS
SELECT cache.cache_type, cache.process_kind, cache.entries, cache.estimated_size, cache.hits, cache.misses, cache.evictions
FROM @extschema@.pg_tviews_caches() AS cache;
COMMENT ON VIEW @extschema@.pg_tviews_cache_stats IS 'caches by kind of process; sizes in bytes';
