
-- What hangs together, and what would help. No SET search_path: entities are looked up in the
-- caller's, and relations are named as it finds them. Anybody may call them: what they show is as
-- public as pg_tview_meta.
CREATE FUNCTION @extschema@.pg_tviews_graph(format text DEFAULT 'mermaid') RETURNS text
LANGUAGE c STABLE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'tviews_graph';
COMMENT ON FUNCTION @extschema@.pg_tviews_graph(text) IS 'sources, TVIEWs and strategies as mermaid, dot or json';

CREATE FUNCTION @extschema@.pg_tviews_show_cascade_path(entity text,
    OUT depth integer, OUT entity_name text, OUT dependency_type text) RETURNS SETOF record
LANGUAGE c STABLE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'tviews_show_cascade_path';
COMMENT ON FUNCTION @extschema@.pg_tviews_show_cascade_path(text) IS 'the TVIEWs that a change of the sources of a TVIEW reaches';

CREATE FUNCTION @extschema@.pg_tviews_suggest_indexes(entity text,
    OUT index_suggestion text, OUT reason text) RETURNS SETOF record
LANGUAGE c STABLE STRICT PARALLEL RESTRICTED
AS 'MODULE_PATHNAME', 'tviews_suggest_indexes';
COMMENT ON FUNCTION @extschema@.pg_tviews_suggest_indexes(text) IS 'indexes that refresh, lookups and readers of a TVIEW lack';
