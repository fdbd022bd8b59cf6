-- Whatever drops a TVIEW removes all of it, and the triggers that nobody needs any more.
CREATE SCHEMA ddl_drop;
SET search_path = ddl_drop, public;
SET pg_tviews.notice_lineage = off;
CREATE TABLE tb_a (pk_a int PRIMARY KEY, label text);
CREATE TABLE tb_b (pk_b int PRIMARY KEY, fk_a int);
CREATE INDEX ON tb_b (fk_a);
CREATE VIEW state AS
SELECT (SELECT coalesce(array_agg(c.relname::text ORDER BY c.relname COLLATE "C"), '{}')
        FROM pg_class c WHERE c.relnamespace = 'ddl_drop'::regnamespace
        AND c.relkind IN ('r', 'v') AND c.relname <> 'state') AS relations,
       (SELECT count(*) FROM pg_tview_meta
        WHERE tview NOT IN (SELECT oid FROM pg_class WHERE relnamespace <> 'ddl_drop'::regnamespace)) AS tviews,
       (SELECT count(*) FROM pg_tview_lineage
        WHERE tview NOT IN (SELECT oid FROM pg_class WHERE relnamespace <> 'ddl_drop'::regnamespace)) > 0 AS lineage,
       (SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE c.relnamespace = 'ddl_drop'::regnamespace AND t.tgname LIKE 'pg_tviews%') AS triggers;
CREATE PROCEDURE make() LANGUAGE plpgsql AS $$
BEGIN
    CREATE TABLE tv_a AS SELECT pk_a, label FROM tb_a;
    CREATE TABLE tv_b AS SELECT tb_b.pk_b, tv_a.label FROM tb_b JOIN tv_a ON tv_a.pk_a = tb_b.fk_a;
END $$;

CALL make();
TABLE state;
DROP VIEW v_a;
DROP VIEW v_a CASCADE;
DROP TABLE tv_a;
DROP TABLE tv_b;
TABLE state;
SELECT pg_tviews_drop('a');
SELECT pg_tviews_drop('a');
SELECT pg_tviews_drop('a', true);
TABLE state;

CALL make();
DROP TABLE tv_a CASCADE;
TABLE state;

CALL make();
DROP TABLE tb_b;
DROP TABLE tb_b CASCADE;
TABLE state;
CREATE TABLE tb_b (pk_b int PRIMARY KEY, fk_a int);
DROP TABLE tv_a;

-- Rolled back, and in a DO block.
CALL make();
BEGIN;
DROP TABLE tv_a, tv_b;
TABLE state;
ROLLBACK;
TABLE state;
BEGIN;
SAVEPOINT a;
DROP TABLE tv_b;
ROLLBACK TO a;
COMMIT;
DO $$ BEGIN EXECUTE 'DROP TABLE tv_b'; END $$;
TABLE state;
INSERT INTO tb_a VALUES (1, 'one');
SELECT pg_tviews_wait();
SELECT count(*) FROM pg_tviews_verify('a');
DROP TABLE tv_a;

-- By schema, and by owner.
CREATE SCHEMA ddl_drop_other;
SELECT pg_tviews_create('ddl_drop_other.c', 'SELECT pk_a AS pk_c FROM ddl_drop.tb_a');
SELECT triggers FROM state;
DROP SCHEMA ddl_drop_other CASCADE;
TABLE state;
CREATE ROLE ddl_drop_user;
GRANT USAGE, CREATE ON SCHEMA ddl_drop TO ddl_drop_user;
GRANT SELECT, TRIGGER ON tb_a TO ddl_drop_user;
SET ROLE ddl_drop_user;
CREATE TABLE tv_owned AS SELECT pk_a AS pk_owned FROM tb_a;
RESET ROLE;
DROP OWNED BY ddl_drop_user;
TABLE state;
DROP ROLE ddl_drop_user;

SET client_min_messages = warning;
DROP SCHEMA ddl_drop CASCADE;
