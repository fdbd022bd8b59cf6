-- The change feed: options, what the durable feed says, who may read it, retention's horizon.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_tviews;
CREATE SCHEMA feed;
SET search_path = feed, public;
SET pg_tviews.notice_lineage = off;

CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, id text, fk_user int, title text);
INSERT INTO tb_user VALUES (1, 'ada'), (2, 'bob');
INSERT INTO tb_post VALUES (1, 'p1', 1, 'first'), (2, 'p2', 1, 'second'), (3, 'p3', 2, 'third');

CREATE TABLE tv_post WITH (pg_tviews.feed = data, pg_tviews.notify = on, fillfactor = 80) AS
SELECT tb_post.pk_post, tb_post.id, tb_post.fk_user,
       jsonb_build_object('title', tb_post.title, 'author', tb_user.name) AS data
FROM tb_post JOIN tb_user ON tb_user.pk_user = tb_post.fk_user;
CREATE TABLE tv_user AS
SELECT tb_user.pk_user, tb_user.name, count(tb_post.pk_post) AS posts
FROM tb_user LEFT JOIN tb_post ON tb_post.fk_user = tb_user.pk_user
GROUP BY tb_user.pk_user;
SELECT tview, options - 'settings' AS options FROM pg_tview_meta WHERE tview IN ('tv_post'::regclass, 'tv_user'::regclass) ORDER BY 1;

-- Nothing is told of the initial fill; the batches that follow are told row by row.
SELECT pg_tviews_wait();
SELECT count(*) FROM pg_tviews_feed WHERE tview = 'tv_post'::regclass;
CREATE VIEW told AS
SELECT row_number() OVER (ORDER BY position) AS n, entity, key, id, operation, old_data, new_data
FROM pg_tviews_feed WHERE tview::text IN ('tv_post', 'tv_user') ORDER BY position;
UPDATE tb_user SET name = 'ann' WHERE pk_user = 1;
SELECT pg_tviews_wait();
TABLE told;
INSERT INTO tb_post VALUES (4, 'p4', 2, 'fourth');
SELECT pg_tviews_wait();
DELETE FROM tb_post WHERE pk_post = 2;
SELECT pg_tviews_wait();
-- A change of the id, and one that changes no document.
UPDATE tb_post SET id = 'p33' WHERE pk_post = 3;
UPDATE tb_post SET title = title;
SELECT pg_tviews_wait();
SELECT * FROM told WHERE n > 2;

-- The frontier of a row contains the transaction that it is about.
BEGIN;
UPDATE tb_post SET title = 'once more' WHERE pk_post = 1;
SELECT pg_current_xact_id() AS token \gset
COMMIT;
SELECT pg_tviews_wait();
SELECT key, pg_visible_in_snapshot(:'token', frontier), changed_at > now() - interval '1 minute' AS now FROM pg_tviews_feed ORDER BY position DESC LIMIT 1;

-- Changed later: for the batches that see the change. Without a jsonb column data, the whole row.
ALTER TABLE tv_post SET (pg_tviews.feed = off);
ALTER TABLE tv_user SET (pg_tviews.feed = data, pg_tviews.notify);
SELECT tview, options - 'settings' AS options FROM pg_tview_meta WHERE tview IN ('tv_post'::regclass, 'tv_user'::regclass) ORDER BY 1;
DELETE FROM tb_post WHERE pk_post = 4;
SELECT pg_tviews_wait();
SELECT * FROM told WHERE n > 7;
ALTER TABLE tv_user SET (pg_tviews.feed = keys);
UPDATE tb_user SET name = 'bert' WHERE pk_user = 2;
SELECT pg_tviews_wait();
SELECT * FROM told WHERE n > 8;
ALTER TABLE tv_user RESET (pg_tviews.feed, pg_tviews.notify);
BEGIN;
ALTER TABLE tv_post SET (pg_tviews.feed = keys);
ROLLBACK;
UPDATE tb_user SET name = 'carl' WHERE pk_user = 2;
SELECT pg_tviews_wait();
SELECT count(*) FROM told;
SELECT tview, options - 'settings' AS options FROM pg_tview_meta WHERE tview IN ('tv_post'::regclass, 'tv_user'::regclass) ORDER BY 1;

-- Refused.
ALTER TABLE tv_user SET (pg_tviews.feed = everything);
ALTER TABLE tv_user SET (pg_tviews.notify = perhaps);
ALTER TABLE tv_user SET (pg_tviews.key = 'name');
ALTER TABLE tv_user SET (pg_tviews.notify = on, fillfactor = 50);
ALTER TABLE tb_user SET (pg_tviews.notify = on);
ALTER TABLE tv_nobody SET (pg_tviews.notify = on);
ALTER TABLE IF EXISTS tv_nobody SET (pg_tviews.notify = on);
CREATE TABLE tv_other WITH (pg_tviews.feed = all) AS SELECT pk_user AS pk_other FROM tb_user;
CREATE ROLE feed_reader;
GRANT USAGE ON SCHEMA feed TO feed_reader;
SET ROLE feed_reader;
ALTER TABLE tv_user SET (pg_tviews.notify = on);
-- A reader sees what is told of the TVIEWs that it may read, and writes nothing.
SELECT count(*) FROM pg_tviews_feed WHERE entity IN ('post', 'user');
TABLE tviews_internal.pg_tview_feed;
INSERT INTO pg_tviews_feed (position) VALUES (0);
DELETE FROM tviews_internal.pg_tview_feed;
SELECT nextval('tviews_internal.pg_tview_feed_position');
UPDATE pg_tview_feed_horizon SET removed_through = 0;
RESET ROLE;
GRANT SELECT ON tv_user TO feed_reader;
SET ROLE feed_reader;
SELECT DISTINCT entity FROM pg_tviews_feed;
RESET ROLE;
REVOKE SELECT ON tv_user FROM feed_reader;
GRANT SELECT (pk_user) ON tv_user TO feed_reader;
SET ROLE feed_reader;
SELECT DISTINCT entity FROM pg_tviews_feed;
RESET ROLE;

-- A dropped TVIEW is not told of any more.
DROP TABLE tv_post;
SELECT DISTINCT entity FROM pg_tviews_feed WHERE entity IN ('post', 'user');

DROP SCHEMA feed CASCADE;
DROP ROLE feed_reader;
