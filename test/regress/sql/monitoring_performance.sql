-- Statistics per TVIEW and the performance log: exact counts, and times that lie where they must.
SET client_min_messages = warning;
CREATE SCHEMA monitoring_performance;
SET search_path = monitoring_performance, public;
\set wait 'SELECT pg_tviews_wait() \\gset waited_'
CREATE TABLE tb_actor (pk_actor int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_film (pk_film int PRIMARY KEY, fk_actor int NOT NULL, year int NOT NULL);
CREATE INDEX ON tb_film (fk_actor);
INSERT INTO tb_actor SELECT i, 'actor ' || i FROM generate_series(1, 20) AS i;
INSERT INTO tb_film SELECT i, i % 20 + 1, 2000 FROM generate_series(1, 40) AS i;
CREATE TABLE tv_actor AS
SELECT tb_actor.pk_actor, tb_actor.name, 100 / length(tb_actor.name) AS share,
       (SELECT count(*) FROM tb_film WHERE tb_film.fk_actor = tb_actor.pk_actor) AS films
FROM tb_actor;
CREATE TABLE tv_cast AS SELECT tv_actor.pk_actor AS pk_cast, tv_actor.films FROM tv_actor;
CREATE TABLE tv_year AS SELECT tb_film.year AS pk_year, count(*) AS films FROM tb_film GROUP BY tb_film.year;
:wait
-- what no batch has refreshed is listed with zeros
SELECT entity, total_refreshes, avg_refresh_ms, last_refresh, p50_lag_ms, keys, errors, stats_since
FROM pg_tviews_performance_summary WHERE tview::text LIKE 'tv\_%' ORDER BY entity;

-- three actors in one batch, which waits for a while
SELECT pg_tviews_pause();
SELECT clock_timestamp() AS before \gset
UPDATE tb_film SET fk_actor = 2 WHERE pk_film = 20;
UPDATE tb_actor SET name = 'somebody' WHERE pk_actor IN (1, 3);
UPDATE tb_actor SET name = name || ' ' WHERE pk_actor = 3;
DELETE FROM tb_actor WHERE pk_actor = 4;
SELECT clock_timestamp() AS changed \gset
SELECT pg_tviews_resume();
:wait
SELECT clock_timestamp() AS after \gset
CREATE VIEW counts AS
SELECT entity, total_refreshes AS n, keys, rows_inserted AS ins, rows_updated AS upd,
       rows_deleted AS del, rows_unchanged AS same, full_refreshes AS fulls, errors
FROM pg_tviews_performance_summary WHERE tview::text LIKE 'tv\_%';
-- actors 1 (name, films), 2 (films), 3 (name), 4 (gone); the cast only where the number of films changed
SELECT * FROM counts ORDER BY entity;
SELECT entity, min_refresh_ms > 0 AS positive,
       min_refresh_ms <= p50_refresh_ms * 1.25 AND p50_refresh_ms <= p95_refresh_ms
       AND p95_refresh_ms <= p99_refresh_ms AND p99_refresh_ms <= max_refresh_ms AS ordered,
       avg_refresh_ms BETWEEN min_refresh_ms AND max_refresh_ms AS mean,
       max_refresh_ms <= extract(epoch FROM :'after'::timestamptz - :'before') * 1000 AS refreshed_meanwhile,
       max_lag_ms BETWEEN 1e-3 AND extract(epoch FROM :'after'::timestamptz - :'before') * 1000 AS lag_at_most,
       p50_lag_ms <= p95_lag_ms AND p95_lag_ms <= p99_lag_ms AND p99_lag_ms <= max_lag_ms AS lags_ordered,
       avg_lag_ms <= max_lag_ms AS lag_mean,
       last_refresh BETWEEN :'changed' AND :'after' AS at, stats_since BETWEEN :'before' AND :'after' AS since
FROM pg_tviews_performance_summary WHERE tview::text IN ('tv_actor', 'tv_cast') ORDER BY entity;
-- the records waited at least from the last of them until the end of the pause
SELECT entity, max_lag_ms >= extract(epoch FROM last_refresh - :'changed'::timestamptz) * 1000 AS waited
FROM pg_tviews_performance_summary WHERE tview::text IN ('tv_actor', 'tv_cast') ORDER BY entity;

-- a TVIEW that is compared as a whole, and a key that fails
UPDATE tb_film SET year = 2001 WHERE pk_film = 1;
:wait
SELECT rows_inserted FROM pg_tviews_refresh('actor');
UPDATE tb_actor SET name = '' WHERE pk_actor = 5;
:wait
SELECT * FROM counts ORDER BY entity;
UPDATE tb_actor SET name = 'five' WHERE pk_actor = 5;
:wait

-- HOT: the updates that left all indexed columns alone, of all updates
SELECT entity, hot_share FROM pg_tviews_performance_summary WHERE tview::text IN ('tv_actor', 'tv_cast') ORDER BY entity;
SELECT entity, hot_share = n_tup_hot_upd::float8 / n_tup_upd AS as_counted
FROM pg_tviews_performance_summary JOIN pg_stat_user_tables ON relid = tview WHERE tview::text = 'tv_actor';

-- reset: of one, of all
SELECT pg_tviews_stats_reset('cast');
SELECT entity, total_refreshes, avg_refresh_ms, p99_lag_ms, last_refresh, keys, stats_since > :'after' AS since
FROM pg_tviews_performance_summary WHERE tview::text = 'tv_cast';
SELECT entity, total_refreshes FROM pg_tviews_performance_summary WHERE tview::text = 'tv_actor';
SELECT pg_tviews_stats_reset();
SELECT entity, total_refreshes, avg_refresh_ms, keys FROM pg_tviews_performance_summary WHERE tview::text = 'tv_actor';
SELECT pg_tviews_stats_reset('nobody');
UPDATE tb_actor SET name = 'six' WHERE pk_actor = 6;
:wait
SELECT entity, n, keys, upd FROM counts WHERE entity = 'actor';

-- the log: every refresh while the sample is everything; the settings reach a running applier
SELECT pid AS applier FROM pg_tviews_workers WHERE database = current_database() AND kind = 'applier' \gset
ALTER SYSTEM SET pg_tviews.performance_log_sample_rate = 1;
ALTER SYSTEM SET pg_tviews.performance_log_retention = '1h';
SELECT pg_reload_conf();
INSERT INTO pg_tview_performance_log
SELECT now() - age, 'cast', 'tv_cast', 1000000, 1, 0, 0, 0, 0, false, 0, 1
FROM unnest(ARRAY[interval '61 minutes', '30 minutes']) AS age;
DO $$
BEGIN
    FOR i IN 1..1000 LOOP
        UPDATE tb_actor SET name = 'number ' || i WHERE pk_actor = 7;
        COMMIT;
        PERFORM pg_tviews_wait();
        EXIT WHEN EXISTS (SELECT FROM pg_tview_performance_log WHERE entity = 'actor' AND keys = 1 AND tview = 'tv_actor'::regclass);
    END LOOP;
END $$;
DELETE FROM pg_tview_performance_log WHERE tview = 'tv_actor'::regclass;
UPDATE tb_actor SET name = name || '!' WHERE pk_actor IN (8, 9);
:wait
SELECT entity, keys, rows_inserted, rows_updated, rows_deleted, rows_unchanged, full_refresh, errors,
       refresh_duration_ms > 0 AND refresh_duration_ms < 60000 AS took_time, lag_ms >= refresh_duration_ms AS lag,
       logged_at BETWEEN now() - interval '1 minute' AND now() AS logged
FROM pg_tview_performance_log WHERE tview = 'tv_actor'::regclass;
SELECT rows_updated FROM pg_tviews_refresh('actor');
SELECT entity, keys, rows_unchanged, full_refresh, lag_ms FROM pg_tview_performance_log WHERE tview = 'tv_actor'::regclass AND full_refresh;
-- what is older than the retention is gone
SELECT entity, refresh_duration_ms FROM pg_tview_performance_log WHERE refresh_duration_ms = 1000000;
-- the slowest cascades of the last hour
SELECT entity, refresh_duration_ms FROM pg_tview_performance_log
WHERE logged_at > now() - interval '1 hour' ORDER BY refresh_duration_ms DESC LIMIT 1;
ALTER SYSTEM SET pg_tviews.performance_log_sample_rate = 0;
ALTER SYSTEM SET pg_tviews.performance_log_min_duration = -1;
SELECT pg_reload_conf();
DELETE FROM pg_tview_performance_log;
SELECT pid = :applier AS same_applier FROM pg_tviews_workers WHERE database = current_database() AND kind = 'applier';
ALTER SYSTEM RESET pg_tviews.performance_log_sample_rate;
ALTER SYSTEM RESET pg_tviews.performance_log_min_duration;
ALTER SYSTEM RESET pg_tviews.performance_log_retention;
SELECT pg_reload_conf();

-- anybody may read both, not reset them
CREATE ROLE monitoring_performance_guest;
SET ROLE monitoring_performance_guest;
SELECT count(*) > 0 AS readable FROM pg_tviews_performance_summary;
SELECT count(*) FROM pg_tview_performance_log WHERE refresh_duration_ms < 0;
SELECT pg_tviews_stats_reset();
RESET ROLE;
DROP ROLE monitoring_performance_guest;
-- dropped TVIEWs leave the statistics with the next batch
SELECT 'tv_year'::regclass::oid AS year \gset
UPDATE tb_film SET year = 2002 WHERE pk_film = 2;
:wait
SELECT count(*) FROM pg_tviews_stats() WHERE tview = :year;
DROP TABLE tv_year;
:wait
SELECT count(*) FROM pg_tviews_stats() WHERE tview = :year;
DROP SCHEMA monitoring_performance CASCADE;
