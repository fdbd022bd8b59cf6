-- What refreshes cost, and why: part of the health check.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_suggest_group_states(entity text,
    OUT suggestion text, OUT reason text) RETURNS SETOF record
LANGUAGE c STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'tviews_suggest_group_states';
COMMENT ON FUNCTION @extschema@.pg_tviews_suggest_group_states(text) IS 'aggregations of a TVIEW that could be kept by what has changed, and whose groups have grown large';

-- Not for each of very many TVIEWs; and no lock of a session is waited for.
CREATE OR REPLACE FUNCTION @extschema@.pg_tviews_check_cost(OUT component text, OUT severity text, OUT message text)
RETURNS SETOF record
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '10ms'
AS $$
DECLARE
    dear CONSTANT double precision := 100; -- milliseconds of a key, or of a comparison of all
    few CONSTANT bigint := 10; -- refreshes from which nothing follows
    many CONSTANT bigint := 1000; -- TVIEWs
    measured record;
    found record;
    why text;
BEGIN
    component := 'cost';
    severity := 'warning';
    FOR measured IN
        SELECT meta.entity, format('%I.%I', pg_namespace.nspname, pg_class.relname) AS name, stats.*,
               (SELECT string_agg(DISTINCT lineage.source::regclass::text, ', ') FROM @extschema@.pg_tview_lineage AS lineage
                WHERE lineage.tview = meta.tview AND lineage.strategy = 'full') AS followed_by_full
        FROM @extschema@.pg_tview_meta AS meta
        JOIN pg_class ON pg_class.oid = meta.tview
        JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace
        LEFT JOIN @extschema@.pg_tviews_stats() AS stats ON stats.tview = meta.tview
        WHERE (SELECT count(*) FROM @extschema@.pg_tview_meta) <= many OR stats.avg_refresh_ms >= dear
        ORDER BY meta.entity
    LOOP
        why := NULL;
        BEGIN
            FOR found IN SELECT * FROM @extschema@.pg_tviews_suggest_group_states(measured.name) LOOP
                why := coalesce(why || ' ', '') || format('%s. %s.', found.reason, found.suggestion);
            END LOOP;
        EXCEPTION WHEN OTHERS THEN
            severity := CASE SQLSTATE WHEN '55P03' THEN 'info' ELSE 'warning' END;
            message := format('Aggregations of TVIEW %s cannot be looked at: %s.', measured.entity, SQLERRM);
            RETURN NEXT;
            severity := 'warning';
        END;
        IF measured.avg_refresh_ms * measured.total_refreshes >= dear * greatest(measured.keys, measured.total_refreshes)
           AND measured.total_refreshes >= few THEN
            message := format('A refresh of TVIEW %s takes %s ms on average (refreshes: %s, keys: %s): %s', measured.entity,
                round(measured.avg_refresh_ms::numeric), measured.total_refreshes, measured.keys,
                CASE WHEN why IS NOT NULL THEN why
                     WHEN measured.full_refreshes * 2 > measured.total_refreshes AND measured.followed_by_full IS NOT NULL
                     THEN format('no condition leads from a row of %s to its keys, so each change compares all rows. See pg_tviews_explain_lineage(%L).',
                                 measured.followed_by_full, quote_ident(measured.entity))
                     WHEN measured.full_refreshes * 2 > measured.total_refreshes
                     THEN 'most of them compare all rows: TRUNCATE, transactions beyond pg_tviews.transaction_memory, DDL, or pg_tviews_refresh.'
                     WHEN measured.rows_unchanged > 10 * (measured.rows_inserted + measured.rows_updated + measured.rows_deleted)
                     THEN format('%s of the rows that were computed came out as they were. See the relevant columns in pg_tviews_explain_lineage(%L).',
                                 measured.rows_unchanged, quote_ident(measured.entity))
                     ELSE format('its query takes that long for a row. SELECT * FROM pg_tviews_suggest_indexes(%L), then look at the plan in pg_tviews_analyze_cascade.',
                                 quote_ident(measured.entity)) END);
            RETURN NEXT;
        ELSIF why IS NOT NULL THEN
            message := format('A change makes TVIEW %s read a whole group: %s', measured.entity, why);
            RETURN NEXT;
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION @extschema@.pg_tviews_check_cost() IS 'part of the health check: TVIEWs whose refreshes are expensive, and why';
REVOKE EXECUTE ON FUNCTION @extschema@.pg_tviews_check_cost() FROM PUBLIC;
