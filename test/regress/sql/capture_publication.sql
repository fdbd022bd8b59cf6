-- A publication FOR ALL TABLES refuses updates and deletes of tables without replica identity: the
-- extension's own tables and the TVIEWs go on working (ATTACKS B7). Runs alone: the publication
-- covers the tables of other tests too.
SET client_min_messages = warning;
CREATE SCHEMA capture_publication;
SET search_path = capture_publication, public;
CREATE PUBLICATION everything FOR ALL TABLES;
CREATE TABLE tb_ratio (pk_ratio int PRIMARY KEY, a int, b int);
CREATE TABLE tv_ratio AS SELECT tb_ratio.pk_ratio, tb_ratio.a / tb_ratio.b AS ratio FROM tb_ratio;
\set wait 'SELECT pg_tviews_wait() \\gset waited_'
INSERT INTO tb_ratio SELECT i, 100, i FROM generate_series(1, 5) AS i;
:wait
SELECT * FROM tv_ratio ORDER BY pk_ratio;
UPDATE tb_ratio SET a = 200 WHERE pk_ratio <= 2;
DELETE FROM tb_ratio WHERE pk_ratio = 5;
:wait
SELECT * FROM tv_ratio ORDER BY pk_ratio;
-- a failing key, twice
UPDATE tb_ratio SET b = 0 WHERE pk_ratio = 3;
:wait
UPDATE tb_ratio SET a = 300 WHERE pk_ratio = 3;
:wait
SELECT tview, sqlstate, error FROM pg_tview_dead_letter;
SELECT * FROM tv_ratio ORDER BY pk_ratio;
SELECT count(*) FROM tviews_internal.pg_tview_outbox;
DELETE FROM pg_tview_dead_letter WHERE tview = 'tv_ratio'::regclass;
DROP PUBLICATION everything;
DROP TABLE tv_ratio;
DROP SCHEMA capture_publication CASCADE;
