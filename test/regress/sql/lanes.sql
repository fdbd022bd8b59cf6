-- Lanes: where a TVIEW goes, what moves with it, and what is refused. What lanes do: test/system/lanes_test.py.
CREATE SCHEMA lanes;
SET search_path = lanes, public;
CREATE TABLE tb_item (pk_item int PRIMARY KEY, price int);
INSERT INTO tb_item VALUES (1, 10), (2, 20);
CREATE TABLE tv_item AS SELECT pk_item, price FROM tb_item;
CREATE TABLE tv_sum WITH (pg_tviews.lane = 'slow') AS SELECT 1 AS pk_sum, sum(price) AS total FROM tb_item;
CREATE VIEW lane_of AS
SELECT entity, coalesce(options ->> 'lane', 'main') AS lane, options -> 'lag_target' AS lag_target
FROM pg_tview_meta ORDER BY entity;

-- One that reads another goes where that is, also through a view, and nowhere else.
CREATE TABLE tv_double AS SELECT pk_sum AS pk_double, total * 2 AS total FROM tv_sum;
CREATE VIEW sums AS SELECT pk_sum, total FROM tv_sum;
CREATE TABLE tv_half AS SELECT pk_sum AS pk_half, total / 2 AS total FROM sums;
CREATE TABLE tv_apart WITH (pg_tviews.lane = 'other') AS SELECT pk_sum AS pk_apart, total FROM sums;
CREATE TABLE tv_apart WITH (pg_tviews.lane = 'main') AS SELECT pk_sum AS pk_apart, total FROM tv_sum;
CREATE TABLE tv_apart AS SELECT i.pk_item AS pk_apart, s.total FROM tv_item i, tv_sum s;
SELECT * FROM lane_of;

-- Two lanes, one statement.
UPDATE tb_item SET price = price + 1;
SELECT (SELECT sum(price) FROM tv_item) AS items, s.total, d.total AS double, h.total AS half FROM tv_sum s, tv_double d, tv_half h;
SELECT pg_tviews_wait(lane => 'slow');
SELECT pg_tviews_wait('10 s', 'main');
SELECT pg_tviews_wait(lane => 'nowhere');
SELECT lane, tviews, lag_target, snapshot IS NOT NULL AS has_frontier, batches_behind FROM pg_tviews_lanes ORDER BY lane;
-- One of them, by constants: the server may leave an equality out of a full join then.
SELECT tviews FROM pg_tviews_lanes WHERE lane = 'slow';
SELECT records FROM pg_tviews_lag WHERE lane = 'slow' AND database = current_database();
SELECT is_missing, is_altered FROM pg_tviews_capture_trigger_state WHERE relation = 'tb_item'::regclass AND trigger = 'pg_tviews_capture';
SELECT lane, clock IS NOT NULL AS has_clock FROM pg_tview_frontier ORDER BY lane;

-- What hangs together moves together.
ALTER TABLE tv_half SET (pg_tviews.lane = 'other');
ALTER TABLE tv_item SET (pg_tviews.lane = 'other', pg_tviews.lag_target = '2 s');
ALTER TABLE tv_item SET (pg_tviews.lane = 'other');
SELECT * FROM lane_of;
UPDATE tb_item SET price = price + 1;
SELECT (SELECT sum(price) FROM tv_item) AS items, s.total, d.total AS double, h.total AS half FROM tv_sum s, tv_double d, tv_half h;
ALTER TABLE tv_item RESET (pg_tviews.lane, pg_tviews.lag_target);
SELECT * FROM lane_of;
SELECT entity, (SELECT count(*) FROM pg_tviews_verify(entity)) AS differences FROM pg_tview_meta ORDER BY entity;

-- Somebody else's stay where they are.
CREATE ROLE regress_lanes;
GRANT ALL ON SCHEMA lanes TO regress_lanes;
GRANT SELECT, TRIGGER ON tv_sum TO regress_lanes;
SET ROLE regress_lanes;
CREATE TABLE tv_foreign AS SELECT pk_sum AS pk_foreign, total FROM tv_sum;
ALTER TABLE tv_foreign SET (pg_tviews.lane = 'slow');
RESET ROLE;
DROP TABLE tv_foreign;

-- Names and targets.
ALTER TABLE tv_item SET (pg_tviews.lane = 'Slow');
ALTER TABLE tv_item SET (pg_tviews.lane = '');
CREATE TABLE tv_long WITH (pg_tviews.lane = 'x234567890123456789012345678901234567890123456789012345678901234') AS SELECT pk_item AS pk_long FROM tb_item;
ALTER TABLE tv_item SET (pg_tviews.lag_target = '1 month');
ALTER TABLE tv_item SET (pg_tviews.lag_target = '-1 s');
ALTER TABLE tv_item SET (pg_tviews.lag_target = 'soon');

-- The feed tells of every lane.
ALTER TABLE tv_sum SET (pg_tviews.feed = 'keys');
CREATE TABLE tv_fed WITH (pg_tviews.feed = 'data', pg_tviews.lane = 'slow') AS SELECT pk_item AS pk_fed, price FROM tb_item;
UPDATE tb_item SET price = price + 1 WHERE pk_item = 1;
SELECT pg_tviews_wait();
SELECT entity, key, operation, new_data FROM pg_tviews_feed ORDER BY entity, key;
DROP TABLE tv_fed;
ALTER TABLE tv_sum RESET (pg_tviews.feed);

-- There may be eight beside the main one.
SELECT pg_tviews_create('more' || n, format('SELECT pk_item AS pk_more%s FROM tb_item', n)) FROM generate_series(1, 8) n;
DO $$ BEGIN FOR n IN 1 .. 7 LOOP EXECUTE format('ALTER TABLE tv_more%s SET (pg_tviews.lane = ''l%s'')', n, n); END LOOP; END $$;
ALTER TABLE tv_more8 SET (pg_tviews.lane = 'l8');
ALTER TABLE tv_more8 SET (pg_tviews.lane = 'l7');
SELECT pg_tviews_wait();

-- A lane goes with its last TVIEW.
SET client_min_messages = warning;
DROP SCHEMA lanes CASCADE;
RESET client_min_messages;
DROP ROLE regress_lanes;
SELECT pg_tviews_wait();
SELECT lane FROM pg_tview_frontier;
SELECT * FROM pg_tviews_lanes;
