-- The short answer to "which TVIEWs are there, and are they well", for people at a prompt.
CREATE OR REPLACE VIEW @extschema@.tviews AS
WITH here AS (
    SELECT pg_database.oid FROM pg_catalog.pg_database WHERE pg_database.datname = current_database()
), listed AS (
    SELECT meta.tview, coalesce(meta.options ->> 'lane', 'main') AS lane,
           CASE WHEN meta.database_oid <> here.oid THEN 'waits to be adopted'
                WHEN meta.state = 'quarantined' THEN 'in quarantine'
                WHEN replacement.shadow IS NOT NULL AND fill.tview IS NULL THEN 'ready to replace ' || replacement.tview
                WHEN replacement.shadow IS NOT NULL THEN 'to replace ' || replacement.tview
                WHEN fill.tview IS NOT NULL THEN 'not populated'
                WHEN behind.retry_at IS NOT NULL THEN 'left behind'
                WHEN behind.tview IS NOT NULL THEN 'behind'
                WHEN paused.lane IS NOT NULL THEN 'paused'
                WHEN EXISTS (SELECT FROM tviews_internal.pg_tview_dead_letter AS letter WHERE letter.tview = meta.tview)
                THEN 'keys in quarantine'
                ELSE 'active' END AS state,
           CASE WHEN fill.tview IS NOT NULL THEN NULL
                WHEN behind.tview IS NOT NULL THEN clock_timestamp() - behind.since
                WHEN meta.database_oid = here.oid AND meta.state = 'active' THEN coalesce(lag.age, '0') END AS lag
    FROM @extschema@.pg_tview_meta AS meta
    CROSS JOIN here
    LEFT JOIN @extschema@.pg_tviews_lag AS lag
           ON lag.database = current_database() AND lag.lane = coalesce(meta.options ->> 'lane', 'main')
    LEFT JOIN @extschema@.pg_tview_behind AS behind ON behind.tview = meta.tview
    LEFT JOIN @extschema@.pg_tviews_lanes AS paused
           ON paused.lane = coalesce(meta.options ->> 'lane', 'main') AND paused.state = 'paused'
    LEFT JOIN tviews_internal.pg_tview_fill AS fill ON fill.tview = meta.tview AND fill.completed_by IS NULL
    LEFT JOIN tviews_internal.pg_tview_replacement AS replacement ON replacement.shadow = meta.tview AND replacement.exchanged_at IS NULL
    UNION ALL
    SELECT pg_seclabel.objoid::regclass, NULL, 'waits to be adopted', NULL
    FROM pg_catalog.pg_seclabel
    WHERE pg_seclabel.provider = 'pg_tviews' AND pg_seclabel.classoid = 'pg_catalog.pg_class'::regclass
      AND NOT EXISTS (SELECT FROM @extschema@.pg_tview_meta AS meta WHERE meta.tview::oid = pg_seclabel.objoid)
)
SELECT listed.tview AS name,
       CASE WHEN pg_class.reltuples >= 0 THEN pg_class.reltuples::bigint END AS rows,
       pg_size_pretty(pg_total_relation_size(listed.tview)) AS size,
       (SELECT CASE WHEN bool_or(lineage.strategy = 'full') THEN 'full' WHEN bool_or(lineage.strategy = 'lookup') THEN 'lookup'
                    WHEN bool_or(lineage.strategy = 'direct') THEN 'direct' END
        FROM @extschema@.pg_tview_lineage AS lineage WHERE lineage.tview = listed.tview) AS strategy,
       listed.lane,
       listed.lag,
       listed.state
FROM listed
LEFT JOIN pg_catalog.pg_class ON pg_class.oid = listed.tview
ORDER BY listed.tview::text;
COMMENT ON VIEW @extschema@.tviews IS 'the TVIEWs of this database: size, the most expensive strategy, lane, lag and state';
