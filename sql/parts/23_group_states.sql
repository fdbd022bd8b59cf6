-- Group states: what they are, how large, and what they are good for.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_group_state_counters(OUT tview oid, OUT refreshes bigint)
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'tviews_group_state_counters';
COMMENT ON FUNCTION @extschema@.pg_tviews_group_state_counters() IS 'how many refreshes of each TVIEW of this database have read its group states';

-- Rows and refreshes are counted where they are asked for. All states of a TVIEW serve its refreshes together.
CREATE OR REPLACE VIEW @extschema@.pg_tviews_group_states AS
    SELECT meta.entity, meta.tview, state.source, state.level, built.state IS NOT NULL AS is_valid, built.built_at,
           CASE state.key_type
               WHEN 'integer'::regtype THEN (SELECT count(*) FROM tviews_internal.pg_tview_groups_int4 AS groups WHERE groups.state = state.id)
               WHEN 'bigint'::regtype THEN (SELECT count(*) FROM tviews_internal.pg_tview_groups_int8 AS groups WHERE groups.state = state.id)
               WHEN 'uuid'::regtype THEN (SELECT count(*) FROM tviews_internal.pg_tview_groups_uuid AS groups WHERE groups.state = state.id)
               WHEN 'text'::regtype THEN (SELECT count(*) FROM tviews_internal.pg_tview_groups_text AS groups WHERE groups.state = state.id)
               WHEN 'text[]'::regtype THEN (SELECT count(*) FROM tviews_internal.pg_tview_groups_keys AS groups WHERE groups.state IN (state.id, - state.id))
           END AS rows,
           CASE state.key_type
               WHEN 'integer'::regtype THEN (SELECT sum(pg_column_size(groups)) FROM tviews_internal.pg_tview_groups_int4 AS groups WHERE groups.state = state.id)
               WHEN 'bigint'::regtype THEN (SELECT sum(pg_column_size(groups)) FROM tviews_internal.pg_tview_groups_int8 AS groups WHERE groups.state = state.id)
               WHEN 'uuid'::regtype THEN (SELECT sum(pg_column_size(groups)) FROM tviews_internal.pg_tview_groups_uuid AS groups WHERE groups.state = state.id)
               WHEN 'text'::regtype THEN (SELECT sum(pg_column_size(groups)) FROM tviews_internal.pg_tview_groups_text AS groups WHERE groups.state = state.id)
               WHEN 'text[]'::regtype THEN (SELECT sum(pg_column_size(groups)) FROM tviews_internal.pg_tview_groups_keys AS groups WHERE groups.state IN (state.id, - state.id))
           END AS bytes,
           coalesce((SELECT counters.refreshes FROM @extschema@.pg_tviews_group_state_counters() AS counters WHERE counters.tview = state.tview), 0) AS refreshes
    FROM tviews_internal.pg_tview_group_state AS state
    JOIN @extschema@.pg_tview_meta AS meta ON meta.tview = state.tview
    LEFT JOIN tviews_internal.pg_tview_group_built AS built ON built.state = state.id;
COMMENT ON VIEW @extschema@.pg_tviews_group_states IS 'levels of TVIEWs'' queries that are kept by what has changed';

CREATE OR REPLACE VIEW @extschema@.pg_tviews_group_sources AS
    SELECT meta.entity, meta.tview, state.level, source.source,
           ARRAY(SELECT pg_attribute.attname::text
                 FROM unnest(source.columns) WITH ORDINALITY AS captured (number, place)
                 JOIN pg_catalog.pg_attribute ON pg_attribute.attrelid = source.source AND pg_attribute.attnum = captured.number
                 ORDER BY captured.place) AS columns
    FROM tviews_internal.pg_tview_group_state AS state
    JOIN tviews_internal.pg_tview_group_source AS source ON source.state = state.id
    JOIN @extschema@.pg_tview_meta AS meta ON meta.tview = state.tview;
COMMENT ON VIEW @extschema@.pg_tviews_group_sources IS 'tables that group states are made of, and their columns';
