-- A row that cannot be computed goes into quarantine with its error; all others, and the TVIEWs that
-- read the TVIEW, stay exact. What only looks like an error of the data is none (ATTACKS A20).
SET client_min_messages = warning;
CREATE SCHEMA refresh_failures;
SET search_path = refresh_failures, public;
\set wait 'SELECT pg_tviews_wait() \\gset waited_'
CREATE TABLE tb_team (pk_team int PRIMARY KEY, name text);
CREATE TABLE tb_player (pk_player int PRIMARY KEY, fk_team int, points int, games int, place int);
CREATE TABLE tv_player AS
SELECT tb_player.pk_player, tb_player.fk_team, tb_player.place,
       jsonb_build_object('average', tb_player.points / tb_player.games) AS data
FROM tb_player;
CREATE UNIQUE INDEX ON tv_player (place);
CREATE TABLE tv_team AS
SELECT tb_team.pk_team,
       jsonb_build_object('name', tb_team.name, 'players', (
           SELECT jsonb_agg(tv_player.data ORDER BY tv_player.pk_player)
           FROM tv_player WHERE tv_player.fk_team = tb_team.pk_team)) AS data
FROM tb_team;
CREATE TABLE tv_rank AS
SELECT tb_player.pk_player AS pk_rank,
       rank() OVER (ORDER BY tb_player.points / tb_player.games DESC) AS rank
FROM tb_player;
CREATE VIEW sick AS
SELECT tview, key, sqlstate, error, CASE WHEN key IS NOT NULL THEN attempts END AS attempts FROM pg_tview_dead_letter
WHERE tview IN ('tv_player'::regclass, 'tv_team'::regclass, 'tv_rank'::regclass)
ORDER BY tview::text, key;
INSERT INTO tb_team VALUES (1, 'red'), (2, 'blue');
INSERT INTO tb_player SELECT i, i % 2 + 1, i * 60, 6, i FROM generate_series(1, 8) AS i;
:wait
SELECT * FROM tv_team ORDER BY 1;

-- three of eight rows fail in one batch
BEGIN;
UPDATE tb_player SET games = 0 WHERE pk_player IN (2, 3, 7);
UPDATE tb_player SET games = 3 WHERE pk_player NOT IN (2, 3, 7);
COMMIT;
:wait
SELECT * FROM sick;
SELECT pk_player, data FROM tv_player ORDER BY 1;
SELECT * FROM tv_team ORDER BY 1;
SELECT entity, state FROM pg_tview_meta WHERE tview IN ('tv_player'::regclass, 'tv_team'::regclass, 'tv_rank'::regclass) ORDER BY 1;

-- touched again and still failing; healed one by one; a failing row that is deleted
UPDATE tb_player SET points = 1 WHERE pk_player = 2;
:wait
SELECT * FROM sick;
UPDATE tb_player SET games = 1 WHERE pk_player = 2;
DELETE FROM tb_player WHERE pk_player = 3;
:wait
SELECT * FROM sick;
UPDATE tb_player SET games = 2 WHERE pk_player = 7;
:wait
SELECT * FROM sick WHERE key IS NOT NULL;
SELECT pk_player, data FROM tv_player ORDER BY 1;

-- the TVIEW that was compared as a whole failed as a whole; it heals after a pause, or when told
SELECT count(*) FROM pg_tviews_retry('rank');
SELECT * FROM sick;
SELECT (SELECT count(*) FROM pg_tviews_verify('player')) AS player,
       (SELECT count(*) FROM pg_tviews_verify('team')) AS team,
       (SELECT count(*) FROM pg_tviews_verify('rank')) AS rank;

-- rows that exchange the values of a unique column are no error
UPDATE tb_player SET place = 9 - place;
:wait
SELECT count(*) FROM sick;
SELECT pk_player, place FROM tv_player ORDER BY 1;

-- a lookup that raises: the TVIEW is compared as a whole
CREATE TABLE tb_target (pk_target int PRIMARY KEY, name text);
CREATE TABLE tb_link (pk_link int PRIMARY KEY, kind text, target text);
CREATE TABLE tv_target AS
SELECT tb_target.pk_target,
       (SELECT count(*) FROM tb_link
        WHERE tb_link.kind = 'number' AND tb_link.target::int = tb_target.pk_target) AS links
FROM tb_target;
INSERT INTO tb_target VALUES (1, 'one'), (2, 'two');
INSERT INTO tb_link VALUES (1, 'number', '1'), (2, 'number', '2'), (3, 'number', '2');
:wait
BEGIN;
UPDATE tb_link SET kind = 'name', target = 'one' WHERE pk_link = 1;
UPDATE tb_link SET target = '1' WHERE pk_link = 2;
COMMIT;
:wait
SELECT * FROM tv_target ORDER BY 1;
SELECT count(*) FROM pg_tview_dead_letter WHERE tview = 'tv_target'::regclass;
SELECT count(*) AS differences FROM pg_tviews_verify('target');

-- nothing of a TVIEW stays in quarantine once it is dropped
UPDATE tb_player SET games = 0 WHERE pk_player = 1;
:wait
SELECT count(*) > 0 AS sick FROM sick;
DROP TABLE tv_target, tv_rank, tv_team, tv_player CASCADE;
SELECT count(*) FROM pg_tview_dead_letter WHERE tview::oid NOT IN (SELECT tview::oid FROM pg_tview_meta);
DROP SCHEMA refresh_failures CASCADE;
