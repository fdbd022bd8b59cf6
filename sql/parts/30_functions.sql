CREATE FUNCTION @extschema@.pg_tviews_version() RETURNS text
LANGUAGE c IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_version';
COMMENT ON FUNCTION @extschema@.pg_tviews_version() IS 'version of the pg_tviews module that is loaded';
