
-- Statement triggers instead of row triggers. Not for everybody: they lock every source.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_install_stmt_triggers() RETURNS integer
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_install_statement_triggers';
COMMENT ON FUNCTION @extschema@.pg_tviews_install_stmt_triggers() IS 'captures changes by statement where a source has neither partitions nor children; returns the number of such sources';
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_install_stmt_triggers() FROM PUBLIC;

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_uninstall_stmt_triggers() RETURNS integer
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_uninstall_statement_triggers';
COMMENT ON FUNCTION @extschema@.pg_tviews_uninstall_stmt_triggers() IS 'captures changes by row again; returns the number of sources that had statement triggers';
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_uninstall_stmt_triggers() FROM PUBLIC;
