-- Statement triggers capture what row triggers capture; trees of tables keep row triggers.
CREATE SCHEMA statement_triggers;
SET search_path = statement_triggers, public;
SET pg_tviews.notice_lineage = off;
CREATE TABLE tb_owner (pk_owner int PRIMARY KEY, name text);
CREATE TABLE tb_thing (pk_thing int PRIMARY KEY, fk_owner int REFERENCES tb_owner ON UPDATE CASCADE ON DELETE CASCADE,
  title text, ignored int DEFAULT 0);
CREATE INDEX ON tb_thing (fk_owner);
CREATE TABLE tb_part (pk_part int, kind text, fk_thing int, PRIMARY KEY (pk_part, kind)) PARTITION BY LIST (kind);
CREATE TABLE tb_part_a PARTITION OF tb_part FOR VALUES IN ('a');
CREATE TABLE tb_part_b PARTITION OF tb_part FOR VALUES IN ('b');
CREATE TABLE tb_alone (pk_part int NOT NULL, kind text NOT NULL, fk_thing int);
INSERT INTO tb_owner SELECT i, 'owner ' || i FROM generate_series(1, 5) i;
INSERT INTO tb_thing SELECT i, i % 5 + 1, 'thing ' || i FROM generate_series(1, 20) i;
INSERT INTO tb_part SELECT i, CASE i % 2 WHEN 0 THEN 'a' ELSE 'b' END, i FROM generate_series(1, 20) i;
INSERT INTO tb_alone VALUES (1, 'c', 1);
CREATE TABLE tv_thing AS SELECT t.pk_thing, t.title, o.name,
    (SELECT count(*) FROM tb_part p WHERE p.fk_thing = t.pk_thing) AS parts
  FROM tb_thing t JOIN tb_owner o ON o.pk_owner = t.fk_owner;
CREATE TABLE tv_alone WITH (pg_tviews.key = 'pk_part') AS SELECT tb_alone.pk_part, tb_alone.kind FROM tb_alone;

-- Of the differences of both TVIEWs, there must be none.
CREATE FUNCTION differences() RETURNS bigint LANGUAGE sql AS $$
  SELECT pg_tviews_wait();
  SELECT (SELECT count(*) FROM pg_tviews_verify('statement_triggers.thing'))
       + (SELECT count(*) FROM pg_tviews_verify('statement_triggers.alone')) $$;
CREATE VIEW capture AS SELECT tgrelid::regclass AS source, tgname, tgenabled FROM pg_trigger
  WHERE tgrelid::regclass::text LIKE 'tb\_%' AND tgname LIKE 'pg\_tviews\_%' AND tgname <> 'pg_tviews_truncate';

BEGIN;
SELECT pg_tviews_install_stmt_triggers() >= 3 AS installed;
COMMIT;
SELECT * FROM capture ORDER BY source::text, tgname;

INSERT INTO tb_thing VALUES (21, 1, 'new'), (22, 2, 'new');
SELECT differences();
UPDATE tb_thing SET title = title || '!' WHERE pk_thing > 10;
SELECT differences();
UPDATE tb_thing SET pk_thing = pk_thing + 100 WHERE pk_thing < 4;
SELECT differences();
DELETE FROM tb_thing WHERE pk_thing % 7 = 0;
SELECT differences();
-- Foreign keys act through statements of their own.
UPDATE tb_owner SET pk_owner = 10, name = 'moved' WHERE pk_owner = 1;
DELETE FROM tb_owner WHERE pk_owner = 2;
SELECT differences();
INSERT INTO tb_thing VALUES (5, 3, 'upserted'), (50, 3, 'inserted')
  ON CONFLICT (pk_thing) DO UPDATE SET title = excluded.title;
SELECT differences();
MERGE INTO tb_thing t USING (VALUES (6, 'merged'), (60, 'merged'), (8, NULL)) AS s (pk, title) ON t.pk_thing = s.pk
  WHEN MATCHED AND s.title IS NULL THEN DELETE
  WHEN MATCHED THEN UPDATE SET title = s.title
  WHEN NOT MATCHED THEN INSERT VALUES (s.pk, 4, s.title, 0);
SELECT differences();
WITH gone AS (DELETE FROM tb_thing WHERE pk_thing = 50 RETURNING *), changed AS (
  UPDATE tb_thing SET title = 'one' WHERE pk_thing = 60 RETURNING *), more AS (
  UPDATE tb_thing SET title = 'two' WHERE pk_thing = 9 RETURNING *)
INSERT INTO tb_thing SELECT pk_thing + 1, fk_owner, 'again' FROM gone;
SELECT differences();
COPY tb_thing (pk_thing, fk_owner, title) FROM stdin;
70	3	copied
71	4	copied
\.
SELECT differences();
BEGIN;
UPDATE tb_thing SET title = 'kept' WHERE pk_thing = 70;
SAVEPOINT s;
UPDATE tb_thing SET title = 'not kept' WHERE pk_thing = 71;
ROLLBACK TO s;
COMMIT;
SELECT differences();
-- What no document reads is not captured.
BEGIN;
UPDATE tb_thing SET ignored = ignored + 1;
SELECT bool_or(pg_tviews_queue_realtime.backend_pid = pg_backend_pid()) IS TRUE AS captured FROM pg_tviews_queue_realtime;
COMMIT;

-- Row by row, as changes are replayed.
SET session_replication_role = replica;
UPDATE tb_thing SET title = 'replayed' WHERE pk_thing IN (70, 71);
INSERT INTO tb_thing VALUES (72, 3, 'replayed');
DELETE FROM tb_thing WHERE pk_thing = 60;
RESET session_replication_role;
SELECT differences();
TRUNCATE tb_thing CASCADE;
SELECT differences();
INSERT INTO tb_thing SELECT i, 3, 'thing ' || i FROM generate_series(1, 20) i;

-- Partitions: through the root, past it, and from one to another.
UPDATE tb_part SET kind = CASE kind WHEN 'a' THEN 'b' ELSE 'a' END, fk_thing = fk_thing % 5 + 1;
INSERT INTO tb_part_a VALUES (100, 'a', 7);
DELETE FROM tb_part_b WHERE pk_part < 5;
SELECT differences();
-- A table that joins a tree goes back to row triggers.
INSERT INTO tb_alone VALUES (101, 'c', 8);
DELETE FROM tb_alone WHERE pk_part = 1;
ALTER TABLE tb_part ATTACH PARTITION tb_alone FOR VALUES IN ('c');
UPDATE tb_part SET fk_thing = 9 WHERE pk_part = 101;
INSERT INTO tb_alone VALUES (102, 'c', 9);
SELECT differences();
SELECT * FROM capture WHERE source = 'tb_alone'::regclass ORDER BY tgname;

-- Switched off and on again, they are what they were.
ALTER TABLE tb_thing DISABLE TRIGGER ALL;
UPDATE tb_thing SET title = 'unseen' WHERE pk_thing = 1;
ALTER TABLE tb_thing ENABLE TRIGGER ALL;
SELECT * FROM capture WHERE source = 'tb_thing'::regclass ORDER BY tgname;
SELECT differences();
DROP TRIGGER pg_tviews_updated ON tb_thing;

BEGIN;
SELECT pg_tviews_uninstall_stmt_triggers() >= 2 AS uninstalled;
COMMIT;
SELECT * FROM capture ORDER BY source::text, tgname;
UPDATE tb_thing SET title = 'by row' WHERE pk_thing = 2;
SELECT differences();
DROP SCHEMA statement_triggers CASCADE;
SELECT count(*) FROM pg_trigger WHERE tgname IN ('pg_tviews_inserted', 'pg_tviews_updated', 'pg_tviews_deleted');
