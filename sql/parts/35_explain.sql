CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_explain_query(
  query text, key text,
  OUT source regclass, OUT strategy text, OUT captured smallint[], OUT relevant smallint[],
  OUT lookup text, OUT description text) RETURNS SETOF record
LANGUAGE c STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_explain_query';
COMMENT ON FUNCTION @extschema@.pg_tviews_explain_query(text, text) IS
  'the lineage that a query with the given key column would have as a TVIEW: one row per source and path';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_explain_ddl(
  sql text, OUT tview regclass, OUT effect text, OUT reason text) RETURNS SETOF record
LANGUAGE c STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_explain_ddl';
COMMENT ON FUNCTION @extschema@.pg_tviews_explain_ddl(text) IS
  'what DDL commands would mean for each TVIEW, without running them';
