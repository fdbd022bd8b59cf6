-- Waiting, asking for a refresh, and what the queue and the workers show: values that move with what happens.
SET client_min_messages = warning;
CREATE SCHEMA monitoring;
SET search_path = monitoring, public;
SET application_name = 'monitoring test';
\set wait 'SELECT pg_tviews_wait() \\gset waited_'
SELECT pg_tviews_version() = (SELECT extversion FROM pg_extension WHERE extname = 'pg_tviews') AS same_version;
CREATE TABLE tb_shelf (pk_shelf int PRIMARY KEY, name text);
CREATE TABLE tb_book (pk_book int PRIMARY KEY, fk_shelf int, title text);
CREATE TABLE tv_shelf AS
SELECT tb_shelf.pk_shelf, jsonb_build_object('name', tb_shelf.name, 'books', (
    SELECT count(*) FROM tb_book WHERE tb_book.fk_shelf = tb_shelf.pk_shelf)) AS data
FROM tb_shelf;
CREATE TABLE tv_title AS SELECT tb_book.pk_book AS pk_title, tb_book.title FROM tb_book;
INSERT INTO tb_shelf VALUES (1, 'a'), (2, 'b');
INSERT INTO tb_book SELECT i, i % 2 + 1, 'book ' || i FROM generate_series(1, 10) AS i;
:wait

-- the queue: what is committed waits while the applier is paused, with who wrote it and whom it concerns
SELECT pg_tviews_pause();
BEGIN;
UPDATE tb_book SET title = 'new' WHERE pk_book <= 3;
SELECT pg_current_xact_id() AS xid \gset
COMMIT;
UPDATE tb_shelf SET name = 'c' WHERE pk_shelf = 1;
SELECT session, backend_pid = pg_backend_pid() AS mine, queue_size, entities, state,
       last_enqueued <= clock_timestamp() AND last_enqueued > now() - interval '1 hour' AS plausible, database = current_database() AS here
FROM pg_tviews_queue_realtime WHERE database = current_database() ORDER BY transaction_id;
SELECT transaction_id = :'xid'::xid8 AS first FROM pg_tviews_queue_realtime
WHERE database = current_database() ORDER BY transaction_id LIMIT 1;
SELECT count(*) FROM tviews_internal.pg_tview_outbox;
SELECT pg_visible_in_snapshot(:'xid'::xid8, snapshot) AS in_frontier FROM pg_tview_frontier;
SELECT title FROM tv_title WHERE pk_title = 1;

-- waiting does not last for ever where a limit is given
\set VERBOSITY terse
SELECT pg_tviews_wait('50 ms');
SELECT pg_tviews_wait_for(:'xid', '50 ms');
\set VERBOSITY default
SELECT pg_tviews_wait('-1 s');
SELECT pg_tviews_wait_for(NULL);
DO $$
BEGIN
    PERFORM pg_tviews_wait_for((pg_current_xact_id()::text::bigint + 1000000)::text::xid8);
EXCEPTION WHEN invalid_parameter_value THEN
    RAISE WARNING '%', regexp_replace(SQLERRM, '\d+', '...');
END $$;

-- counters: two records, three titles, one shelf document
SELECT batches, records, rows_written FROM pg_tviews_workers WHERE kind = 'applier' AND database = current_database() \gset before_
SELECT batches, records, rows_updated FROM pg_tview_frontier \gset frontier_
SELECT pg_tviews_resume();
SELECT pg_tviews_wait_for(:'xid');
:wait
SELECT records - :before_records AS records, rows_written - :before_rows_written AS rows_written,
       batches > :before_batches AS batches_moved, last_batch_ms > 0 AS took_time
FROM pg_tviews_workers WHERE kind = 'applier' AND database = current_database();
SELECT records - :frontier_records AS records, rows_updated - :frontier_rows_updated AS rows_updated,
       batches > :frontier_batches AS batches_moved,
       pg_visible_in_snapshot(:'xid'::xid8, snapshot) AS in_frontier
FROM pg_tview_frontier;
SELECT count(*) FROM pg_tviews_queue_realtime WHERE database = current_database();
SELECT count(*) FROM tviews_internal.pg_tview_outbox;
SELECT kind, count(*) FROM pg_tviews_workers WHERE database = current_database() OR kind = 'launcher' GROUP BY kind ORDER BY kind;

-- a transaction without changes, and one that was rolled back, are there at once
SELECT pg_current_xact_id() AS xid \gset
SELECT pg_tviews_wait_for(:'xid', '10 s');
BEGIN;
INSERT INTO tb_shelf VALUES (9, 'never');
SELECT pg_current_xact_id() AS xid \gset
ROLLBACK;
SELECT pg_tviews_wait_for(:'xid', '10 s');

-- verify finds what was spoilt by hand, refresh mends it and says how much
SET pg_tviews.protect = off;
UPDATE tv_title SET title = 'spoilt' WHERE pk_title = 4;
DELETE FROM tv_title WHERE pk_title IN (5, 6);
INSERT INTO tv_title VALUES (77, 'extra');
RESET pg_tviews.protect;
SELECT key, difference, stored, expected FROM pg_tviews_verify('title') ORDER BY key::int;
SELECT * FROM pg_tviews_refresh('title');
SELECT * FROM pg_tviews_verify('monitoring.tv_title');
SELECT * FROM pg_tviews_refresh('title');
SELECT * FROM pg_tviews_refresh('nobody');

-- only the owner may ask for a refresh
CREATE ROLE monitoring_guest;
GRANT USAGE ON SCHEMA monitoring TO monitoring_guest;
GRANT SELECT ON tv_title TO monitoring_guest;
SET ROLE monitoring_guest;
SELECT * FROM pg_tviews_refresh('title');
RESET ROLE;
DROP SCHEMA monitoring CASCADE;
DROP ROLE monitoring_guest;
