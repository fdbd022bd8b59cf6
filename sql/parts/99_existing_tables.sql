-- What was created before the extension looks like a TVIEW and is none.
DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT pg_class.oid::regclass AS name
        FROM pg_catalog.pg_class
        WHERE pg_class.relkind = 'r' AND pg_class.relpersistence = 'p' AND pg_class.relname LIKE 'tv\_%'
          AND NOT EXISTS (SELECT FROM @extschema@.pg_tview_meta WHERE pg_tview_meta.tview = pg_class.oid)
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_seclabel WHERE pg_seclabel.objoid = pg_class.oid
                          AND pg_seclabel.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
                          AND pg_seclabel.provider = 'pg_tviews')
        ORDER BY pg_class.relname
        LIMIT 10
    LOOP
        RAISE WARNING 'table % was created before the extension and is no TVIEW', found.name
            USING HINT = 'With a view v_x as its query, pg_tviews_convert_table() makes a TVIEW of a table tv_x.';
    END LOOP;
END
$$;
