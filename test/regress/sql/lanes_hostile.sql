-- Lanes: names, targets, owners and transactions that somebody got wrong, or right, and means no good.
CREATE SCHEMA hostile;
SET search_path = hostile, public;
CREATE TABLE tb_item (pk_item int PRIMARY KEY, price int);
INSERT INTO tb_item VALUES (1, 10), (2, 20);
CREATE TABLE tv_item AS SELECT pk_item, price FROM tb_item;
CREATE VIEW lane_of AS
SELECT entity, coalesce(options ->> 'lane', 'main') AS lane, options -> 'lag_target' AS lag_target FROM pg_tview_meta ORDER BY entity;
CREATE FUNCTION try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; hint text;
BEGIN
    EXECUTE statement;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    RETURN state || ' ' || message || coalesce(' | ' || nullif(hint, ''), '');
END $$;

-- Names.
SELECT n, left(try(format('ALTER TABLE tv_item SET (pg_tviews.lane = %L)', name)), 90) AS answer
FROM unnest(ARRAY['', ' ', 'main ', ' main', 'MAIN', 'Slow', 'a-b', 'a.b', '"slow"', 'it''s', 'x"y', E'a\nb', E'a\\b', 'größe', '慢', '👍', '$1', '%s', '{a,b}',
                  'null', '0', '_', repeat('x', 63), repeat('x', 64), repeat('x', 10000), 'slow''); DROP TABLE tb_item; --']) WITH ORDINALITY AS names (name, n);
SELECT try('ALTER TABLE tv_item SET (pg_tviews.lane = NULL)');
SELECT try('ALTER TABLE tv_item SET (pg_tviews.lane)');
SELECT try('ALTER TABLE tv_item SET (pg_tviews.lane = 1)');
SELECT try('ALTER TABLE tv_item SET (pg_tviews.lane = true)');
SELECT try('ALTER TABLE tv_item SET (pg_tviews.lane = slow, pg_tviews.lane = slower)');
SELECT try('CREATE TABLE tv_more WITH (pg_tviews.lane = slow, pg_tviews.lane = slower) AS SELECT pk_item AS pk_more FROM tb_item');
SELECT try('CREATE TABLE tv_more WITH (pg_tviews.lane = ''Slow'') AS SELECT pk_item AS pk_more FROM tb_item');
ALTER TABLE tv_item SET (pg_tviews.lane = 'main');
SELECT * FROM lane_of;

-- The functions.
SELECT n, left(try(format('SELECT pg_tviews_wait(lane => %L)', name)), 40) AS wait, left(try(format('SELECT pg_tviews_pause(%L)', name)), 40) AS pause,
       left(try(format('SELECT pg_tviews_resume(%L)', name)), 40) AS resume,
       left(try(format('SELECT pg_tviews_wait_for(''3'', lane => %L)', name)), 40) AS wait_for
FROM unnest(ARRAY['', 'nowhere', 'main ', 'MAIN', repeat('x', 64), 'it''s', '慢']) WITH ORDINALITY AS names (name, n);
SELECT try('SELECT pg_tviews_pause(NULL)');
SELECT try('SELECT pg_tviews_resume(NULL)');
SELECT try('SELECT pg_tviews_wait(lane => NULL)');
SELECT pg_tviews_pause('main');
SELECT pg_tviews_resume('main');

-- Targets.
SELECT target, left(try(format('ALTER TABLE tv_item SET (pg_tviews.lag_target = %L)', target)), 90) AS answer
FROM unnest(ARRAY['-5 s', '-00:00:00.001', '1 month', '1 day', '61 minutes', '1 hour 1 microsecond', '1 hour', '0', '0 s', '-0', '', ' ', 'soon', '1 microsecond',
                  '5', '1.5', '1 ms', '5 s; DROP TABLE tb_item', '999999999999 years', 'NaN', 'PT5S']) AS targets (target);
SELECT try('ALTER TABLE tv_item SET (pg_tviews.lag_target = ''infinity'')') LIKE '22%' AS is_refused;
SELECT try('ALTER TABLE tv_item SET (pg_tviews.lag_target = NULL)');
ALTER TABLE tv_item SET (pg_tviews.lag_target = '1 microsecond');
SELECT lag_target FROM lane_of;
SELECT try('ALTER TABLE tv_item SET (pg_tviews.lag_target)');
ALTER TABLE tv_item RESET (pg_tviews.lag_target);
SELECT * FROM lane_of;

-- What is rolled back has moved nothing, as a whole and in part.
BEGIN;
ALTER TABLE tv_item SET (pg_tviews.lane = 'slow', pg_tviews.lag_target = '1 s');
ROLLBACK;
SELECT * FROM lane_of;
BEGIN;
ALTER TABLE tv_item SET (pg_tviews.lane = 'slow');
SAVEPOINT moved;
ALTER TABLE tv_item SET (pg_tviews.lane = 'slower', pg_tviews.lag_target = '1 s');
ROLLBACK TO moved;
UPDATE tb_item SET price = price + 1;
COMMIT;
SELECT * FROM lane_of;
SELECT sum(price) FROM tv_item;
BEGIN;
SAVEPOINT nothing;
ALTER TABLE tv_item RESET (pg_tviews.lane);
ROLLBACK TO nothing;
ALTER TABLE tv_item SET (pg_tviews.lane = 'other');
ALTER TABLE tv_item SET (pg_tviews.lane = 'slow');
COMMIT;
SELECT * FROM lane_of;
UPDATE tb_item SET price = price + 1;
SELECT sum(price) FROM tv_item;

-- Created and moved by one transaction, which changes what it reads.
BEGIN;
UPDATE tb_item SET price = price + 1 WHERE pk_item = 1;
CREATE TABLE tv_new WITH (pg_tviews.lane = 'new') AS SELECT pk_item AS pk_new, price FROM tb_item;
UPDATE tb_item SET price = price + 1 WHERE pk_item = 2;
ALTER TABLE tv_new SET (pg_tviews.lane = 'newer');
COMMIT;
SELECT (SELECT sum(price) FROM tv_new) AS new, (SELECT sum(price) FROM tb_item) AS items;
DROP TABLE tv_new;

-- Who is not the owner moves nothing, and holds up nobody by trying.
CREATE ROLE regress_hostile;
GRANT ALL ON SCHEMA hostile TO regress_hostile;
GRANT ALL ON ALL TABLES IN SCHEMA hostile TO regress_hostile;
SET ROLE regress_hostile;
BEGIN;
ALTER TABLE tv_item SET (pg_tviews.lane = 'theirs');
ROLLBACK;
BEGIN;
SAVEPOINT s;
ALTER TABLE tv_item SET (pg_tviews.lag_target = '1 hour');
ROLLBACK TO s;
SELECT mode FROM pg_locks WHERE relation = 'tv_item'::regclass AND pid = pg_backend_pid() AND mode <> 'AccessShareLock';
COMMIT;
ALTER TABLE tv_item RESET (pg_tviews.lane);
SELECT pg_tviews_pause('slow');
RESET ROLE;
SELECT * FROM lane_of;

-- A target makes nobody else's TVIEWs late that have none, but for a superuser's.
ALTER TABLE tv_item RESET (pg_tviews.lane);
CREATE TABLE tb_theirs (pk_theirs int PRIMARY KEY, n int);
ALTER TABLE tb_theirs OWNER TO regress_hostile;
SET ROLE regress_hostile;
SET client_min_messages = notice;
SET pg_tviews.notice_lineage = on;
CREATE TABLE tv_theirs WITH (pg_tviews.lag_target = '1 hour') AS SELECT pk_theirs, n FROM tb_theirs;
SELECT lane, lag_target FROM pg_tviews_lanes WHERE lane = 'main';
INSERT INTO tb_theirs VALUES (1, 1);
RESET ROLE;
SET pg_tviews.read_consistency = eventual;
DO $$
BEGIN
  FOR i IN 1..6000 LOOP
    IF EXISTS (SELECT FROM hostile.tv_theirs) THEN RETURN; END IF;
    PERFORM pg_sleep(0.01);
  END LOOP;
  RAISE 'it waits for its target';
END $$;
RESET pg_tviews.read_consistency;
ALTER TABLE tv_item SET (pg_tviews.lag_target = '2 s');
SELECT lane, lag_target FROM pg_tviews_lanes WHERE lane = 'main';
ALTER TABLE tv_item RESET (pg_tviews.lag_target);
SELECT lane, lag_target FROM pg_tviews_lanes WHERE lane = 'main';
DROP TABLE tv_theirs, tb_theirs;
ALTER TABLE tv_item SET (pg_tviews.lane = 'slow');
SET client_min_messages = warning;

-- What is no TVIEW has no lane.
ALTER TABLE tb_item SET (pg_tviews.lane = 'slow');
ALTER VIEW lane_of SET (pg_tviews.lane = 'slow');

SELECT entity, (SELECT count(*) FROM pg_tviews_verify(entity)) AS differences FROM pg_tview_meta ORDER BY entity;
SET client_min_messages = warning;
DROP SCHEMA hostile CASCADE;
DROP ROLE regress_hostile;
SELECT pg_tviews_wait();
SELECT lane FROM pg_tview_frontier;
