-- Caches: they are bounded by their settings, forget what was used longest ago, and say so.
SET client_min_messages = warning;
CREATE SCHEMA monitoring_caches;
SET search_path = monitoring_caches, public;
\set wait 'SELECT pg_tviews_wait() \\gset waited_'
ALTER SYSTEM SET pg_tviews.graph_cache_size = 100;
SELECT pg_reload_conf();
-- a session that writes more tables than it may remember
CREATE TABLE tb_part (pk_part int PRIMARY KEY, n int NOT NULL) PARTITION BY LIST (pk_part);
DO $$
BEGIN
    FOR i IN 1..130 LOOP
        EXECUTE format('CREATE TABLE tb_part_%s PARTITION OF tb_part FOR VALUES IN (%s)', i, i);
    END LOOP;
END $$;
CREATE TABLE tv_part AS SELECT tb_part.pk_part, tb_part.n FROM tb_part;
-- its first batch invalidates what sessions remember
:wait
SELECT current_setting('pg_tviews.graph_cache_size') AS size;
-- a cache that nobody has used has no row
SELECT coalesce(sum(entries), 0) AS entries, coalesce(sum(misses), 0) AS misses, coalesce(sum(evictions), 0) AS evictions
FROM pg_tviews_cache_stats WHERE cache_type = 'graph_cache' AND process_kind = 'session' \gset before_
INSERT INTO tb_part SELECT i, i FROM generate_series(1, 130) AS i;
SELECT entries - :before_entries <= 100 AS bounded, entries >= 100 AS filled, misses - :before_misses >= 130 AS missed,
       evictions - :before_evictions >= 30 AS evicted, estimated_size > 100 * entries AS has_size
FROM pg_tviews_cache_stats WHERE cache_type = 'graph_cache' AND process_kind = 'session';
SELECT hits FROM pg_tviews_cache_stats WHERE cache_type = 'graph_cache' AND process_kind = 'session' \gset before_
UPDATE tb_part SET n = 2 WHERE pk_part = 130;
SELECT hits - :before_hits >= 1 AS hit FROM pg_tviews_cache_stats WHERE cache_type = 'graph_cache' AND process_kind = 'session';
:wait
SELECT pid AS applier FROM pg_tviews_workers WHERE database = current_database() AND kind = 'applier' \gset
ALTER SYSTEM SET pg_tviews.prepared_stmt_cache_size = 50;
SELECT pg_reload_conf();
-- an applier that refreshes more TVIEWs than it may keep statements; the settings reached the running one
DO $$
BEGIN
    FOR i IN 1..60 LOOP
        EXECUTE format('CREATE TABLE tv_copy_%s AS SELECT tb_part.pk_part AS pk_copy_%s, tb_part.n FROM tb_part', i, i);
    END LOOP;
END $$;
:wait
SELECT * FROM pg_tviews_cache_stats WHERE cache_type = 'plan_cache' AND process_kind = 'applier' \gset before_
UPDATE tb_part SET n = 3 WHERE pk_part = 7;
:wait
SELECT entries = 50 AS bounded, misses - :before_misses >= 60 AS missed, evictions - :before_evictions >= 10 AS evicted,
       estimated_size > 50 * 1024 AS has_size
FROM pg_tviews_cache_stats WHERE cache_type = 'plan_cache' AND process_kind = 'applier';
SELECT pid = :applier AS same_applier FROM pg_tviews_workers WHERE database = current_database() AND kind = 'applier';
SELECT cache_type, process_kind, entries > 0 AS filled, hits > 0 AS hits FROM pg_tviews_cache_stats
WHERE cache_type = 'table_cache' AND process_kind = 'session';
ALTER SYSTEM RESET pg_tviews.graph_cache_size;
ALTER SYSTEM RESET pg_tviews.prepared_stmt_cache_size;
SELECT pg_reload_conf();
SET pg_tviews.graph_cache_size = 99;
DROP SCHEMA monitoring_caches CASCADE;
