-- A TVIEW that was created without data is filled by the applier, and unreadable until it is.
CREATE SCHEMA online_fill;
SET search_path = online_fill, public;
SET pg_tviews.notice_lineage = off;
CREATE TABLE tb_item (pk_item int PRIMARY KEY, kind int NOT NULL, label text);
INSERT INTO tb_item SELECT i, i % 7, 'item ' || i FROM generate_series(1, 3000) AS i;
CREATE INDEX ON tb_item (kind);
-- Until no fill is left.
CREATE PROCEDURE fill_all() LANGUAGE plpgsql AS $$
BEGIN
    WHILE EXISTS (SELECT FROM pg_tviews_progress WHERE operation = 'online fill' AND database = current_database()) LOOP
        COMMIT;
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;

-- Whoever reads it is told, in every way of reading.
SELECT pg_tviews_pause();
SELECT pg_tviews_create('item', 'SELECT pk_item, kind, label FROM tb_item', online => true);
SET pg_tviews.read_consistency = eventual;
SELECT count(*) FROM tv_item;
\set VERBOSITY terse
SELECT 1 FROM tb_item LEFT JOIN tv_item USING (pk_item) LIMIT 1;
CREATE VIEW items AS SELECT pk_item FROM tv_item;
SELECT count(*) FROM items;
CREATE FUNCTION first_item() RETURNS int LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT min(pk_item) FROM tv_item); END $$;
SELECT first_item();
DECLARE c CURSOR WITH HOLD FOR SELECT * FROM tv_item;
COPY tv_item TO STDOUT;
COPY (TABLE tv_item) TO STDOUT;
-- From 17 on its query runs with another search path.
\set VERBOSITY sqlstate
CREATE MATERIALIZED VIEW mv_item AS TABLE tv_item;
\set VERBOSITY terse
SELECT * FROM pg_tviews_verify('item');
EXPLAIN (COSTS OFF) SELECT count(*) FROM tv_item;
PREPARE p AS SELECT count(*) FROM tv_item;
EXECUTE p;
-- pg_dump's session copies what is there.
BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SELECT set_config('search_path', '', false);
SET row_security = off;
COPY online_fill.tv_item TO STDOUT;
ROLLBACK;
SET search_path = online_fill, public;
RESET row_security;
SELECT database = current_database() AS here, entity, operation, phase, rows_done, percent, remaining FROM pg_tviews_progress WHERE entity = 'item';
SELECT name, state FROM tviews WHERE name = 'tv_item'::regclass;

-- TVIEWs over it are filled after it; one that counts as filled must not come to read it.
\set VERBOSITY default
CREATE TABLE tv_over AS SELECT pk_item AS pk_over, label FROM tv_item;
\set VERBOSITY terse
CREATE TABLE tv_kind AS SELECT DISTINCT kind AS pk_kind FROM tb_item;
SELECT pg_tviews_replace('kind', 'SELECT DISTINCT kind AS pk_kind FROM tv_item');
CREATE TABLE tv_over_over AS SELECT pk_over AS pk_over_over, label FROM tv_over WITH NO DATA;
SELECT entity, phase FROM pg_tviews_progress WHERE operation = 'online fill' ORDER BY 1;
-- What changes meanwhile.
SET pg_tviews.read_consistency = session;
UPDATE tb_item SET label = 'changed' WHERE pk_item % 1000 = 0;
DELETE FROM tb_item WHERE pk_item % 1000 = 1;
SELECT pg_tviews_resume();
CALL fill_all();
SELECT * FROM pg_tviews_verify('item');
SELECT * FROM pg_tviews_verify('over');
SELECT * FROM pg_tviews_verify('over_over');
SELECT count(*) FROM tv_item;
SELECT count(*) FROM tv_over;
EXECUTE p;
SELECT first_item();
(TABLE tv_item EXCEPT ALL TABLE v_item) UNION ALL (TABLE v_item EXCEPT ALL TABLE tv_item);
SELECT tview, in_one_go, rows_done, slices > 1 AS slices, restarts, completed_by IS NOT NULL AS is_complete FROM tviews_internal.pg_tview_fill ORDER BY 1;
SELECT entity, percent FROM pg_tviews_progress WHERE operation = 'online fill';

-- Queries that cannot be computed for some keys after others.
\set VERBOSITY default
CREATE TABLE tv_ranked AS SELECT pk_item AS pk_ranked, rank() OVER (ORDER BY label) FROM tb_item WITH NO DATA;
CREATE TABLE tv_total AS SELECT 1 AS pk_total, count(*) FROM tb_item WITH NO DATA;
CREATE TABLE tv_top AS SELECT pk_item AS pk_top FROM tb_item ORDER BY label LIMIT 10 WITH NO DATA;
-- Of these ranges of keys are ranges of what is read.
CREATE TABLE tv_count AS SELECT kind AS pk_count, count(*) FROM tb_item GROUP BY kind WITH NO DATA;
CREATE TABLE tv_pair WITH (pg_tviews.key = 'kind, pk_item') AS SELECT kind, pk_item, label FROM tb_item WITH NO DATA;
\set VERBOSITY terse
CALL fill_all();
SELECT entity, count(v.key) FROM pg_tview_meta, pg_tviews_verify(tview::text) AS v GROUP BY 1;
SELECT tview, in_one_go, rows_done FROM tviews_internal.pg_tview_fill ORDER BY tview::text;

-- Another definition before it is filled; a whole relation changed; a refresh completes it at once.
DROP TABLE tv_over_over, tv_over, tv_ranked, tv_total, tv_top;
SELECT pg_tviews_pause();
CREATE TABLE tv_other AS SELECT pk_item AS pk_other, label FROM tb_item WITH NO DATA;
SELECT pg_tviews_replace('other', 'SELECT pk_item AS pk_other, upper(label) AS label, kind FROM tb_item');
TRUNCATE tb_item;
INSERT INTO tb_item SELECT i, i % 7, 'item ' || i FROM generate_series(1, 2000) AS i;
SELECT pg_tviews_resume();
SELECT rows_deleted FROM pg_tviews_refresh('other');
SELECT count(*), min(label), max(kind) FROM tv_other;
CALL fill_all();
SELECT * FROM pg_tviews_verify('other');

-- A chain, in one transaction, which sees none of it before it has ended.
BEGIN;
CREATE TABLE tv_one AS SELECT pk_item AS pk_one, label FROM tb_item WHERE pk_item < 100 WITH NO DATA;
CREATE TABLE tv_two AS SELECT pk_one AS pk_two, label FROM tv_one WITH NO DATA;
SAVEPOINT s;
SELECT count(*) FROM tv_two;
ROLLBACK TO s;
COMMIT;
SELECT count(*) FROM tv_two;
-- Dropped before it is filled: nothing is left.
SELECT pg_tviews_pause();
CREATE TABLE tv_gone AS SELECT pk_item AS pk_gone FROM tb_item WITH NO DATA;
DROP TABLE tv_gone;
SELECT count(*) FROM tviews_internal.pg_tview_fill WHERE tview::oid NOT IN (SELECT tview::oid FROM pg_tview_meta);
SELECT pg_tviews_resume();

-- A key that cannot be computed is in quarantine; the others are there.
CREATE TABLE tb_bad (pk_bad int PRIMARY KEY, n int);
INSERT INTO tb_bad SELECT i, i - 7 FROM generate_series(1, 2000) AS i;
CREATE TABLE tv_bad AS SELECT pk_bad, 100 / n AS share FROM tb_bad WITH NO DATA;
CALL fill_all();
SELECT tview, key, sqlstate FROM pg_tview_dead_letter WHERE tview = 'tv_bad'::regclass;
SELECT count(*) FROM tv_bad;
UPDATE tb_bad SET n = 1 WHERE n = 0;
SELECT count(*) FROM tv_bad;
SELECT * FROM pg_tviews_verify('bad');
SELECT pg_tviews_create('x', 'SELECT pk_bad AS pk_x FROM tb_bad', online => NULL);
SET client_min_messages = warning;
DROP SCHEMA online_fill CASCADE;
