-- A comparison of the whole TVIEW whose query returns its rows in another order than that of their keys: after a thousand
-- rows the places of all of them are read at once. What is found, written and deleted is the same.
CREATE SCHEMA refresh_whole;
SET search_path = refresh_whole, public;
SET client_min_messages = warning;
CREATE TABLE tb_player (pk_player int PRIMARY KEY, team text NOT NULL, name text NOT NULL, code char(8) NOT NULL, points int NOT NULL);
INSERT INTO tb_player
SELECT i, 'team ' || i % 7, repeat('x', i % 40) || i, i, i * 7919 % 100003 FROM generate_series(1, 60000) AS i;
-- Keys that are passed by value, by reference, of two columns, and one whose equality is not that of its image.
CREATE TABLE tv_place AS SELECT pk_player AS pk_place, rank() OVER (ORDER BY points DESC) AS place FROM tb_player;
CREATE TABLE tv_named WITH (pg_tviews.key = 'name') AS
SELECT name, jsonb_build_object('rank', rank() OVER (ORDER BY points DESC)) AS data FROM tb_player WHERE pk_player <= 5000;
CREATE TABLE tv_pair WITH (pg_tviews.key = 'team, pk') AS
SELECT pk_player AS pk, rank() OVER (ORDER BY points DESC, pk_player) AS place, team FROM tb_player WHERE pk_player <= 5000;
CREATE TABLE tv_coded WITH (pg_tviews.key = 'code') AS
SELECT code, rank() OVER (ORDER BY points DESC) AS place FROM tb_player WHERE pk_player <= 5000;
SELECT tview, source, strategy FROM (
  SELECT 'place' AS tview UNION ALL SELECT 'named' UNION ALL SELECT 'pair' UNION ALL SELECT 'coded') AS t,
  LATERAL (SELECT source, strategy FROM pg_tviews_explain_lineage(t.tview)) AS l ORDER BY 1;
CREATE FUNCTION differences() RETURNS TABLE (tview text, rows bigint) LANGUAGE sql AS $$
SELECT 'place', count(*) FROM pg_tviews_verify('place') UNION ALL SELECT 'named', count(*) FROM pg_tviews_verify('named')
UNION ALL SELECT 'pair', count(*) FROM pg_tviews_verify('pair') UNION ALL SELECT 'coded', count(*) FROM pg_tviews_verify('coded') $$;
SELECT * FROM differences();
-- Most ranks move; rows come and go.
UPDATE tb_player SET points = points + 200000 WHERE pk_player % 3 = 0;
DELETE FROM tb_player WHERE pk_player % 11 = 5;
INSERT INTO tb_player SELECT i, 'team ' || i % 7, 'new ' || i, -i, i FROM generate_series(70001, 70100) AS i;
SELECT pg_tviews_wait();
SELECT * FROM differences();
SELECT count(*) FROM tv_place;
UPDATE tb_player SET team = 'team ' || (pk_player + 1) % 7, name = name || '+' WHERE pk_player BETWEEN 100 AND 200;
SELECT pg_tviews_wait();
SELECT * FROM differences();
-- A key that comes twice is found also there.
UPDATE tb_player SET name = (SELECT p.name FROM tb_player AS p WHERE p.pk_player = 4000) WHERE pk_player = 3001;
SELECT pg_tviews_wait();
SELECT tview::text, key, sqlstate FROM pg_tview_dead_letter WHERE tview::text LIKE 'refresh_whole%' OR tview::text LIKE 'tv_%' ORDER BY 1;
UPDATE tb_player SET name = '3001' WHERE pk_player = 3001;
SELECT pg_tviews_wait();
SELECT pg_tviews_retry('named');
SELECT pg_tviews_wait();
SELECT * FROM differences();
-- Where the places do not fit into maintenance_work_mem, every row is found by a descent.
ALTER SYSTEM SET maintenance_work_mem = '1MB';
SELECT pg_reload_conf();
UPDATE tb_player SET points = points - 200000 WHERE pk_player % 3 = 0;
SELECT pg_tviews_wait();
SELECT * FROM differences();
ALTER SYSTEM RESET maintenance_work_mem;
SELECT pg_reload_conf();
DROP SCHEMA refresh_whole CASCADE;
