-- Consumers of the change feed: positions that are acknowledged, whose they are, what they refuse.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_tviews;
CREATE SCHEMA feed_consumers;
SET search_path = feed_consumers, public;
SET pg_tviews.notice_lineage = off;
CREATE TABLE tb_part (pk_part int PRIMARY KEY, name text);
CREATE TABLE tv_part WITH (pg_tviews.feed = keys) AS SELECT pk_part, name FROM tb_part;
CREATE TABLE tv_secret WITH (pg_tviews.feed = keys) AS SELECT pk_part AS pk_secret, name FROM tb_part WHERE name = 'secret';
SELECT pg_tviews_wait();

-- It begins after what is there now; positions are shown as distances from there.
SELECT pg_tviews_feed_register('index') = pg_tviews_feed_end() AS at_the_end;
SELECT position AS start FROM pg_tviews_feed_consumers WHERE consumer = 'index' \gset
CREATE VIEW here AS SELECT consumer, owner, position - :start AS position, changes_behind, lag < '1 hour' AS recent, has_missed,
    acknowledged_at IS NOT NULL AS acknowledged FROM pg_tviews_feed_consumers ORDER BY consumer;
INSERT INTO tb_part VALUES (1, 'one');
SELECT pg_tviews_wait();
INSERT INTO tb_part VALUES (2, 'two');
SELECT pg_tviews_wait();
TABLE here;
SELECT position - :start AS position, key, operation FROM pg_tviews_feed_read('index');
SELECT position - :start AS position, key FROM pg_tviews_feed_read('index', 1);
SELECT position - :start AS position, key FROM pg_tviews_feed_read('index', after => :start + 1);
SELECT pg_tviews_feed_ack('index', :start + 1) - :start AS position;
SELECT position - :start AS position, key FROM pg_tviews_feed_read('index');
-- What has been acknowledged stays so; with its transaction it is undone.
SELECT pg_tviews_feed_ack('index', :start) - :start AS position;
BEGIN;
SELECT pg_tviews_feed_ack('index', :start + 2) - :start AS position;
ROLLBACK;
TABLE here;
-- A second consumer is not the first.
SELECT pg_tviews_feed_register('cache', :start) - :start AS position;
SELECT count(*) FROM pg_tviews_feed_read('cache');
SELECT pg_tviews_feed_ack('cache', pg_tviews_feed_end()) - :start AS position;
TABLE here;

-- Refused.
SELECT pg_tviews_feed_register('index');
SELECT pg_tviews_feed_register('');
SELECT pg_tviews_feed_register(NULL);
SELECT pg_tviews_feed_ack('nobody', 0);
SELECT pg_tviews_feed_ack('index', NULL);
SELECT pg_tviews_feed_read('nobody');
SELECT pg_tviews_feed_read('index', 0);
SELECT pg_tviews_feed_drop('nobody');
DO $$
BEGIN
    PERFORM pg_tviews_feed_ack('index', pg_tviews_feed_end() + 1);
EXCEPTION WHEN invalid_parameter_value THEN
    RAISE WARNING '%', regexp_replace(SQLERRM, '\d+', 'N');
END $$;
DO $$
BEGIN
    PERFORM pg_tviews_feed_register('early', -1);
EXCEPTION WHEN invalid_parameter_value THEN
    RAISE WARNING '%', SQLERRM;
END $$;
-- Where nothing can be written.
BEGIN READ ONLY;
SELECT pg_tviews_feed_ack('index', 0);
ROLLBACK;

-- Whose they are: a member of the owner may, others see nothing of it; pg_monitor sees all and changes none.
CREATE ROLE feed_team;
CREATE ROLE feed_member IN ROLE feed_team;
CREATE ROLE feed_stranger;
CREATE ROLE feed_watcher IN ROLE pg_monitor;
GRANT USAGE ON SCHEMA feed_consumers TO feed_team, feed_stranger, feed_watcher;
GRANT SELECT ON here TO feed_team, feed_stranger, feed_watcher;
GRANT SELECT ON tv_part TO feed_team, feed_stranger;
SET ROLE feed_team;
SELECT pg_tviews_feed_register('team', :start);
RESET ROLE;
GRANT EXECUTE ON FUNCTION pg_tviews_feed_register(text, bigint) TO feed_team;
SET ROLE feed_team;
SELECT pg_tviews_feed_register('team', :start) - :start AS position;
SELECT consumer, owner FROM pg_tviews_feed_consumers;
SET ROLE feed_member;
SELECT position - :start AS position, tview, key FROM pg_tviews_feed_read('team');
SELECT pg_tviews_feed_ack('team', :start + 1) - :start AS position;
SET ROLE feed_stranger;
SELECT count(*) FROM pg_tviews_feed_consumers;
SELECT pg_tviews_feed_ack('team', :start + 2);
SELECT pg_tviews_feed_read('team');
SELECT pg_tviews_feed_drop('team');
TABLE tviews_internal.pg_tview_feed_consumer;
UPDATE pg_tviews_feed_consumers SET position = 0;
SET ROLE feed_watcher;
SELECT consumer FROM pg_tviews_feed_consumers ORDER BY consumer;
SELECT pg_tviews_feed_ack('team', :start + 2);
RESET ROLE;
-- A reader sees what it may read; the end lets it acknowledge the rest.
INSERT INTO tb_part VALUES (3, 'secret');
SELECT pg_tviews_wait();
SET ROLE feed_member;
SELECT tview, key FROM pg_tviews_feed_read('team');
SELECT pg_tviews_feed_ack('team', pg_tviews_feed_end()) - :start AS position;
SELECT consumer, changes_behind FROM pg_tviews_feed_consumers;
RESET ROLE;

-- The TVIEW and the position in one snapshot.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM tv_part;
SELECT pg_tviews_feed_register('copy') = pg_tviews_feed_end() AS at_the_end;
COMMIT;

SELECT pg_tviews_feed_drop(consumer) IS NOT NULL AS dropped FROM pg_tviews_feed_consumers ORDER BY consumer;
TABLE here;
SELECT status, message FROM pg_tviews_health_check() WHERE component = 'feed';
DROP SCHEMA feed_consumers CASCADE;
REVOKE EXECUTE ON FUNCTION pg_tviews_feed_register(text, bigint) FROM feed_team;
DROP ROLE feed_member, feed_team, feed_stranger, feed_watcher;
