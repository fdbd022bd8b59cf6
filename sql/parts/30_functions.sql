-- Functions of a session. Those whose argument is a TVIEW's name resolve it along the caller's
-- search path, and pg_tviews_create() reads the caller's query: these have no SET search_path of
-- their own. What they execute runs as the TVIEW's owner with search_path = pg_catalog, pg_temp.
-- EXECUTE stays with PUBLIC: each checks the caller's rights on the relations concerned.

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_version() RETURNS text
LANGUAGE c STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_version';
COMMENT ON FUNCTION @extschema@.pg_tviews_version() IS 'version of the pg_tviews module that is loaded';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_create(entity text, query text, key text DEFAULT NULL, online boolean DEFAULT false) RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_create';
COMMENT ON FUNCTION @extschema@.pg_tviews_create(text, text, text, boolean) IS 'creates the TVIEW tv_<entity> of a query and returns its name; online: the applier fills it';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_drop(entity text, if_exists boolean DEFAULT false) RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_drop';
COMMENT ON FUNCTION @extschema@.pg_tviews_drop(text, boolean) IS 'drops a TVIEW with its backing view and returns its name';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_restore_dropped(entity text, query text DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_restore_dropped';
COMMENT ON FUNCTION @extschema@.pg_tviews_restore_dropped(text, text) IS 'creates a dropped TVIEW again, with its indexes, comments, grants and owner';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_replace(entity text, query text, online boolean DEFAULT false, key text DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_replace';
COMMENT ON FUNCTION @extschema@.pg_tviews_replace(text, text, boolean, text) IS 'gives a TVIEW another query, also with other columns; the next batch brings its rows up to date; online: the rows are computed beside it first';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_replace_finish(entity text) RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_replace_finish';
COMMENT ON FUNCTION @extschema@.pg_tviews_replace_finish(text) IS 'puts in place what pg_tviews_replace has begun online';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_replace_cancel(entity text) RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_replace_cancel';
COMMENT ON FUNCTION @extschema@.pg_tviews_replace_cancel(text) IS 'gives up what pg_tviews_replace has begun online; the TVIEW stays as it is';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_convert_table(table_name text, key text DEFAULT NULL) RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_convert_table';
COMMENT ON FUNCTION @extschema@.pg_tviews_convert_table(text, text) IS 'makes a TVIEW of a table tv_x with the view v_x as its query; the next batch brings its rows up to date';

-- Not for everybody: it locks every source.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_reinstall_triggers() RETURNS integer
LANGUAGE c VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_reinstall_triggers';
COMMENT ON FUNCTION @extschema@.pg_tviews_reinstall_triggers() IS 'installs capture triggers that are missing; returns the number of source tables';
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_reinstall_triggers() FROM PUBLIC;

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_table(entity text) RETURNS regclass
LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'tviews_table';
COMMENT ON FUNCTION @extschema@.pg_tviews_table(text) IS 'the table of the TVIEW that is called by this entity or table name';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_verify(entity text,
    OUT key text, OUT difference text, OUT stored jsonb, OUT expected jsonb) RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_verify';
COMMENT ON FUNCTION @extschema@.pg_tviews_verify(text) IS 'rows in which a TVIEW differs from its query, as of one snapshot; none when all is well';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_explain_lineage(entity text,
    OUT source regclass, OUT strategy text, OUT path text,
    OUT captured_columns text[], OUT relevant_columns text[], OUT lookup text)
RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT path.source, path.strategy, path.description, path.captured, path.relevant, path.lookup
    FROM (
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
           pg_tview_lineage.lookup,
           pg_tview_lineage.path
    FROM @extschema@.pg_tview_lineage
    WHERE pg_tview_lineage.tview = @extschema@.pg_tviews_table(entity)
    UNION ALL
    -- Aggregations that are kept by what has changed, after the paths of their source.
    SELECT state.source, 'delta', state.level, state.columns, state.columns, NULL, NULL
    FROM @extschema@.pg_tviews_group_sources AS state
    WHERE state.tview = @extschema@.pg_tviews_table(pg_tviews_explain_lineage.entity)
    ) AS path (source, strategy, description, captured, relevant, lookup, place)
    ORDER BY path.source::text, path.place, path.description;
END;
COMMENT ON FUNCTION @extschema@.pg_tviews_explain_lineage(text) IS 'how a change of each source leads to the affected keys of a TVIEW';

-- Documents are recomputed, not patched: the answer says only whether the extension is there.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_check_jsonb_delta() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'jsonb_delta');
END;
COMMENT ON FUNCTION @extschema@.pg_tviews_check_jsonb_delta() IS 'whether the extension jsonb_delta is installed';
