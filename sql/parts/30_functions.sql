CREATE FUNCTION @extschema@.pg_tviews_version() RETURNS text
LANGUAGE c IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_version';
COMMENT ON FUNCTION @extschema@.pg_tviews_version() IS 'version of the pg_tviews module that is loaded';

-- No SET search_path on the two below: the query is the caller's, and so is its search path.
CREATE FUNCTION @extschema@.pg_tviews_create(entity text, query text) RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_create';
COMMENT ON FUNCTION @extschema@.pg_tviews_create(text, text) IS 'creates the TVIEW tv_<entity> of a query and returns its name';

CREATE FUNCTION @extschema@.pg_tviews_drop(entity text, if_exists boolean DEFAULT false) RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_drop';
COMMENT ON FUNCTION @extschema@.pg_tviews_drop(text, boolean) IS 'drops a TVIEW with its backing view and returns its name';
