-- Each group state, and how large it is.
CREATE OR REPLACE VIEW @extschema@.pg_tviews_group_states AS
    SELECT meta.entity, state.source, state.level, built.state IS NOT NULL AS is_valid, built.built_at,
           CASE state.key_type
               WHEN 'integer'::regtype THEN (SELECT count(*) FROM tviews_internal.pg_tview_groups_int4 AS groups WHERE groups.state = state.id)
               WHEN 'bigint'::regtype THEN (SELECT count(*) FROM tviews_internal.pg_tview_groups_int8 AS groups WHERE groups.state = state.id)
               WHEN 'uuid'::regtype THEN (SELECT count(*) FROM tviews_internal.pg_tview_groups_uuid AS groups WHERE groups.state = state.id)
               WHEN 'text'::regtype THEN (SELECT count(*) FROM tviews_internal.pg_tview_groups_text AS groups WHERE groups.state = state.id)
               WHEN 'text[]'::regtype THEN (SELECT count(*) FROM tviews_internal.pg_tview_groups_keys AS groups WHERE groups.state IN (state.id, - state.id))
           END AS rows
    FROM tviews_internal.pg_tview_group_state AS state
    JOIN @extschema@.pg_tview_meta AS meta ON meta.tview = state.tview
    LEFT JOIN tviews_internal.pg_tview_group_built AS built ON built.state = state.id;
COMMENT ON VIEW @extschema@.pg_tviews_group_states IS 'levels of TVIEWs'' queries that are kept by what has changed';
