-- A rolling time-series of partitions: what changes no row costs nothing, what moves a partition costs its rows.
CREATE SCHEMA ddl_moved_rows;
SET search_path = ddl_moved_rows, public;
SET pg_tviews.notice_lineage = off;
CREATE TABLE tb_metric (pk_metric int, day int, sensor int NOT NULL, value int, PRIMARY KEY (pk_metric, day, sensor)) PARTITION BY RANGE (day);
CREATE INDEX ON tb_metric (sensor);
CREATE TABLE tb_sensor (pk_sensor int PRIMARY KEY, name text);
INSERT INTO tb_sensor SELECT i, 's' || i FROM generate_series(1, 50) AS i;
SELECT format('CREATE TABLE tb_metric_%s PARTITION OF tb_metric FOR VALUES FROM (%s) TO (%s)', i, i, i + 1) FROM generate_series(1, 6) AS i \gexec
INSERT INTO tb_metric SELECT d * 1000 + i, d, 1 + (i + d) % 50, i FROM generate_series(1, 6) AS d, generate_series(1, 40) AS i;
CREATE TABLE tv_metric AS SELECT pk_metric, day, value, name FROM tb_metric JOIN tb_sensor ON pk_sensor = sensor;
CREATE TABLE tv_sensor AS SELECT pk_sensor, name, (SELECT count(*) FROM tb_metric WHERE sensor = pk_sensor) AS metrics FROM tb_sensor;
CREATE TABLE tv_total AS SELECT 1 AS pk_total, sum(value) AS total FROM tb_metric;
CREATE TABLE tv_whole AS SELECT pk_metric AS pk_whole, to_jsonb(m) AS data FROM tb_metric m;

CREATE TABLE seen (full_refreshes bigint, rows bigint);
CREATE VIEW now_seen AS SELECT full_refreshes, rows_unchanged + rows_inserted + rows_updated + rows_deleted AS rows FROM pg_tview_frontier;
CREATE FUNCTION remember() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_tviews_wait();
    DELETE FROM seen;
    INSERT INTO seen TABLE now_seen;
END
$$;
-- What it has cost, and whether everything is right: both ways.
CREATE FUNCTION cost() RETURNS TABLE (whole bigint, rows bigint, differences bigint) LANGUAGE plpgsql AS $$
DECLARE
    tview record;
    found bigint;
BEGIN
    PERFORM pg_tviews_wait();
    SELECT n.full_refreshes - s.full_refreshes, n.rows - s.rows INTO whole, rows FROM seen s, now_seen n;
    differences := 0;
    FOR tview IN SELECT m.tview, m.backing_view FROM pg_tview_meta m JOIN pg_class c ON c.oid = m.tview WHERE c.relnamespace = 'ddl_moved_rows'::regnamespace LOOP
        EXECUTE format('SELECT count(*) FROM ((TABLE %1$s EXCEPT ALL TABLE %2$s) UNION ALL (TABLE %2$s EXCEPT ALL TABLE %1$s)) AS d', tview.tview, tview.backing_view) INTO found;
        differences := differences + found;
    END LOOP;
    DELETE FROM seen;
    INSERT INTO seen TABLE now_seen;
    RETURN NEXT;
END
$$;
SELECT remember();
-- A new empty one, a default one, one more level.
CREATE TABLE tb_metric_21 PARTITION OF tb_metric FOR VALUES FROM (21) TO (22);
CREATE TABLE tb_metric_22 PARTITION OF tb_metric FOR VALUES FROM (22) TO (23) PARTITION BY LIST (sensor);
CREATE TABLE tb_metric_22_1 PARTITION OF tb_metric_22 FOR VALUES IN (1, 2);
CREATE TABLE tb_metric_default PARTITION OF tb_metric DEFAULT;
SELECT * FROM cost();
-- Empty ones are truncated, detached, attached, dropped.
TRUNCATE tb_metric_21;
TRUNCATE tb_metric_22;
ALTER TABLE tb_metric DETACH PARTITION tb_metric_21;
ALTER TABLE tb_metric ATTACH PARTITION tb_metric_21 FOR VALUES FROM (21) TO (22);
ALTER TABLE tb_metric DETACH PARTITION tb_metric_22;
DROP TABLE tb_metric_21, tb_metric_default;
SELECT * FROM cost();
-- One with rows is attached: as much as its rows, in each TVIEW, and not the others.
CREATE TABLE tb_metric_23 (LIKE tb_metric INCLUDING ALL);
INSERT INTO tb_metric_23 SELECT 23000 + i, 23, 1 + i % 3, i FROM generate_series(1, 10) AS i;
DELETE FROM tb_metric_23 WHERE pk_metric = 23010;
ALTER TABLE tb_metric ATTACH PARTITION tb_metric_23 FOR VALUES FROM (23) TO (24);
SELECT * FROM cost();
-- Within one transaction, with changes before and after.
BEGIN;
CREATE TABLE tb_metric_24 (LIKE tb_metric INCLUDING ALL);
INSERT INTO tb_metric_24 VALUES (24001, 24, 1, 1);
ALTER TABLE tb_metric ATTACH PARTITION tb_metric_24 FOR VALUES FROM (24) TO (25);
INSERT INTO tb_metric VALUES (24002, 24, 2, 2);
UPDATE tb_metric SET value = 3 WHERE pk_metric = 24001;
COMMIT;
SELECT * FROM cost();
-- Detached, dropped, truncated.
ALTER TABLE tb_metric DETACH PARTITION tb_metric_23;
SELECT * FROM cost();
UPDATE tb_metric_23 SET value = 0;
DROP TABLE tb_metric_23;
SELECT * FROM cost();
DROP TABLE tb_metric_24;
SELECT * FROM cost();
TRUNCATE tb_metric_1;
SELECT * FROM cost();
BEGIN;
UPDATE tb_metric SET value = value + 1 WHERE pk_metric = 2001;
DELETE FROM tb_metric WHERE pk_metric = 2002;
ALTER TABLE tb_metric DETACH PARTITION tb_metric_2;
DROP TABLE tb_metric_2;
COMMIT;
SELECT * FROM cost();
BEGIN;
DROP TABLE tb_metric_3;
ROLLBACK;
BEGIN;
SAVEPOINT s;
ALTER TABLE tb_metric DETACH PARTITION tb_metric_3;
ROLLBACK TO s;
TRUNCATE tb_metric_4;
ROLLBACK;
SELECT * FROM cost();
-- Of a subpartitioned one, by its parent.
CREATE TABLE tb_metric_22_2 PARTITION OF tb_metric_22 FOR VALUES IN (3, 4);
INSERT INTO tb_metric_22 VALUES (22001, 22, 1, 5), (22002, 22, 3, 6);
ALTER TABLE tb_metric ATTACH PARTITION tb_metric_22 FOR VALUES FROM (22) TO (23);
SELECT * FROM cost();
TRUNCATE tb_metric_22;
SELECT * FROM cost();
INSERT INTO tb_metric VALUES (22003, 22, 1, 5), (22004, 22, 3, 6);
SELECT remember();
DROP TABLE tb_metric_22;
SELECT * FROM cost();
-- Columns in another order.
CREATE TABLE tb_metric_25 (value int, sensor int NOT NULL, gone text, day int NOT NULL, pk_metric int NOT NULL);
ALTER TABLE tb_metric_25 DROP COLUMN gone;
INSERT INTO tb_metric_25 VALUES (7, 9, 25, 25001);
ALTER TABLE tb_metric ATTACH PARTITION tb_metric_25 FOR VALUES FROM (25) TO (26);
SELECT * FROM cost();
ALTER TABLE tb_metric DETACH PARTITION tb_metric_25;
SELECT * FROM cost();
-- Inheritance.
CREATE TABLE tb_base (pk_base int PRIMARY KEY, v int);
INSERT INTO tb_base VALUES (1, 1);
CREATE TABLE tb_more (pk_base int PRIMARY KEY, v int);
INSERT INTO tb_more VALUES (2, 2);
CREATE TABLE tv_base AS SELECT pk_base, v FROM tb_base;
SELECT remember();
CREATE TABLE tb_none () INHERITS (tb_base);
ALTER TABLE tb_more INHERIT tb_base;
SELECT * FROM cost();
ALTER TABLE tb_more NO INHERIT tb_base;
SELECT * FROM cost();
ALTER TABLE tb_more INHERIT tb_base;
SELECT remember();
DROP TABLE tb_more;
DROP TABLE tb_none;
SELECT * FROM cost();
TABLE tv_base;
-- More than a transaction may note: as a whole, and right.
CREATE TABLE tb_metric_30 (LIKE tb_metric INCLUDING ALL);
INSERT INTO tb_metric_30 SELECT 30000 + i, 30, 1 + i % 50, i FROM generate_series(1, 5000) AS i;
SET pg_tviews.transaction_memory = '64kB';
ALTER TABLE tb_metric ATTACH PARTITION tb_metric_30 FOR VALUES FROM (30) TO (31);
RESET pg_tviews.transaction_memory;
SELECT whole > 0 AS whole, differences FROM cost();
-- Concurrently.
ALTER TABLE tb_metric DETACH PARTITION tb_metric_30 CONCURRENTLY;
SELECT differences FROM cost();
-- Everything of a table.
TRUNCATE tb_metric;
SELECT differences FROM cost();
TRUNCATE tb_metric;
SELECT * FROM cost();
SET client_min_messages = warning;
DROP SCHEMA ddl_moved_rows CASCADE;
RESET client_min_messages;
SELECT pg_tviews_wait();
