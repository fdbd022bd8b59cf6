
-- What hangs together, and what would help. No SET search_path: entities are looked up in the
-- caller's, and relations are named as it finds them. Anybody may call them: what they show is as
-- public as pg_tview_meta.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_graph(format text DEFAULT 'mermaid') RETURNS text
LANGUAGE c STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_graph';
COMMENT ON FUNCTION @extschema@.pg_tviews_graph(text) IS 'sources, TVIEWs and strategies as mermaid, dot or json';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_show_cascade_path(entity text,
    OUT depth integer, OUT entity_name text, OUT dependency_type text) RETURNS SETOF record
LANGUAGE c STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_show_cascade_path';
COMMENT ON FUNCTION @extschema@.pg_tviews_show_cascade_path(text) IS 'the TVIEWs that a change of the sources of a TVIEW reaches';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_suggest_indexes(entity text,
    OUT index_suggestion text, OUT reason text) RETURNS SETOF record
LANGUAGE c STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_suggest_indexes';
COMMENT ON FUNCTION @extschema@.pg_tviews_suggest_indexes(text) IS 'indexes that refresh, lookups and readers of a TVIEW lack';

-- About the change of one row. Rows are found with the caller's privileges; queries of TVIEWs run
-- as their owners, and only what the caller may read is explained. VOLATILE: EXPLAIN and the note
-- of a change are no part of a query. The bigint forms are for integer keys written as numbers.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_explain_change("table" regclass, pk text,
    OUT tview regclass, OUT strategy text, OUT documents bigint, OUT path text)
RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_explain_change';
COMMENT ON FUNCTION @extschema@.pg_tviews_explain_change(regclass, text) IS 'the TVIEWs that a change of a row would reach, and how many documents would be recomputed';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_explain_change("table" regclass, pk bigint,
    OUT tview regclass, OUT strategy text, OUT documents bigint, OUT path text)
RETURNS SETOF record
LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT * FROM @extschema@.pg_tviews_explain_change("table", pk::text);
END;
COMMENT ON FUNCTION @extschema@.pg_tviews_explain_change(regclass, bigint) IS 'the TVIEWs that a change of a row would reach, and how many documents would be recomputed';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_analyze_cascade(entity text, pk text, OUT query_plan text)
RETURNS SETOF text
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_analyze_cascade';
COMMENT ON FUNCTION @extschema@.pg_tviews_analyze_cascade(text, text) IS 'EXPLAIN (ANALYZE, BUFFERS) of the refresh of a document and of all that follows; writes nothing';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_analyze_cascade(entity text, pk bigint, OUT query_plan text)
RETURNS SETOF text
LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT * FROM @extschema@.pg_tviews_analyze_cascade(entity, pk::text);
END;
COMMENT ON FUNCTION @extschema@.pg_tviews_analyze_cascade(text, bigint) IS 'EXPLAIN (ANALYZE, BUFFERS) of the refresh of a document and of all that follows; writes nothing';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_cascade(base_table oid, pk text) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_cascade';
COMMENT ON FUNCTION @extschema@.pg_tviews_cascade(oid, text) IS 'has everything that depends on a row refreshed when the transaction commits';

CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_cascade(base_table oid, pk bigint) RETURNS void
LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
    SELECT @extschema@.pg_tviews_cascade(base_table, pk::text);
END;
COMMENT ON FUNCTION @extschema@.pg_tviews_cascade(oid, bigint) IS 'has everything that depends on a row refreshed when the transaction commits';
