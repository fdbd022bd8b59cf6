-- Partitions that are sources by themselves, and several levels of them.
CREATE SCHEMA ddl_partitions;
SET search_path = ddl_partitions, public;
SET pg_tviews.notice_lineage = off;
CREATE TABLE tb_log (pk_log int, year int, half int, label text) PARTITION BY LIST (year);
CREATE TABLE tb_log_1 PARTITION OF tb_log FOR VALUES IN (1);
CREATE TABLE tb_log_2 PARTITION OF tb_log FOR VALUES IN (2) PARTITION BY LIST (half);
CREATE TABLE tb_log_2a PARTITION OF tb_log_2 FOR VALUES IN (1);
CREATE TABLE tb_log_2b PARTITION OF tb_log_2 FOR VALUES IN (2);
INSERT INTO tb_log VALUES (1, 1, 1, 'one'), (2, 2, 1, 'two a'), (3, 2, 2, 'two b');
CREATE VIEW triggers AS
SELECT c.relname, t.tgname, t.tgparentid <> 0 AS is_clone, t.tgenabled
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'ddl_partitions'::regnamespace AND NOT t.tgisinternal
ORDER BY c.relname COLLATE "C", t.tgname;
CREATE VIEW differences AS
SELECT entity, (SELECT count(*) FROM pg_tviews_verify(tview::text)) AS differences
FROM pg_tview_meta JOIN pg_class ON pg_class.oid = tview
WHERE relnamespace = 'ddl_partitions'::regnamespace ORDER BY entity;

-- A leaf first, then the root, then a branch.
CREATE TABLE tv_leaf AS SELECT pk_log AS pk_leaf, label FROM tb_log_2a;
TABLE triggers;
CREATE TABLE tv_root AS SELECT pk_log AS pk_root, label FROM tb_log;
CREATE TABLE tv_branch AS SELECT pk_log AS pk_branch, label FROM tb_log_2;
TABLE triggers;
UPDATE tb_log SET label = label || '!';
INSERT INTO tb_log_2a VALUES (4, 2, 1, 'leaf');
UPDATE tb_log SET half = 2 WHERE pk_log = 4;
UPDATE tb_log SET year = 1 WHERE pk_log = 3;
SELECT pg_tviews_wait();
TABLE differences;
TABLE tv_root ORDER BY 1;
TABLE tv_branch ORDER BY 1;
TABLE tv_leaf ORDER BY 1;
TRUNCATE tb_log_2;
SELECT pg_tviews_wait();
TABLE differences;
TABLE tv_root ORDER BY 1;

-- What is left is tracked by triggers of its own.
DROP TABLE tv_root;
TABLE triggers;
INSERT INTO tb_log VALUES (5, 2, 1, 'five'), (6, 2, 2, 'six');
SELECT pg_tviews_wait();
TABLE differences;
TABLE tv_branch ORDER BY 1;
ALTER TABLE tb_log DETACH PARTITION tb_log_2;
ALTER TABLE tb_log_2 DETACH PARTITION tb_log_2a;
INSERT INTO tb_log_2a VALUES (7, 2, 1, 'seven');
SELECT pg_tviews_wait();
TABLE differences;
TABLE triggers;
ALTER TABLE tb_log_2 ATTACH PARTITION tb_log_2a FOR VALUES IN (1);
SELECT pg_tviews_wait();
TABLE differences;
TABLE tv_branch ORDER BY 1;
TABLE triggers;
BEGIN;
INSERT INTO tb_log_2a VALUES (8, 2, 1, 'eight');
SELECT count(*) FROM pg_tviews_verify('leaf');
ROLLBACK;
DROP TABLE tv_branch;
TABLE triggers;
DROP TABLE tv_leaf;
TABLE triggers;

-- Elements of CREATE SCHEMA are parts of another command, and get what they would get alone.
CREATE TABLE tb_era (pk_era int NOT NULL PRIMARY KEY, name text) PARTITION BY RANGE (pk_era);
CREATE TABLE tb_event (pk_event int, name text);
CREATE TABLE tv_era AS SELECT pk_era, name FROM tb_era;
CREATE TABLE tv_event AS SELECT name AS pk_event, count(*) AS events FROM tb_event GROUP BY name;
CREATE SCHEMA ddl_partitions_new
  CREATE TABLE era_1 PARTITION OF ddl_partitions.tb_era FOR VALUES FROM (1) TO (10)
  CREATE TABLE event_1 () INHERITS (ddl_partitions.tb_event);
INSERT INTO ddl_partitions_new.era_1 VALUES (1, 'one'), (2, 'two');
INSERT INTO ddl_partitions_new.event_1 VALUES (1, 'one'), (2, 'one');
SELECT pg_tviews_wait();
TABLE differences;
TABLE tv_event;
TRUNCATE ddl_partitions_new.era_1;
SELECT pg_tviews_wait();
TABLE tv_era;
CREATE SCHEMA ddl_partitions_heir CREATE TABLE heir () INHERITS (ddl_partitions.tv_event);
SELECT to_regnamespace('ddl_partitions_heir');
DROP SCHEMA ddl_partitions_new CASCADE;
SELECT pg_tviews_wait();
TABLE differences;
TABLE tv_event;

SET client_min_messages = warning;
DROP SCHEMA ddl_partitions CASCADE;
