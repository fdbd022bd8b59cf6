-- What cannot become a TVIEW is refused with a reason and a hint, and leaves nothing behind.
CREATE SCHEMA ddl_errors;
SET search_path = ddl_errors, public;
SET pg_tviews.notice_lineage = off;
CREATE TABLE tb_item (pk_item int PRIMARY KEY, kind int, label text);
INSERT INTO tb_item VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 2, 'c'), (4, NULL, 'd');

-- Keys.
CREATE TABLE tv_kind AS SELECT kind AS pk_kind, label FROM tb_item WHERE kind IS NOT NULL;
CREATE TABLE tv_kind AS SELECT kind AS pk_kind, label FROM tb_item;
CREATE TABLE tv_kind AS SELECT DISTINCT kind, 1 AS one FROM tb_item;
CREATE TABLE tv_kind AS SELECT pk_item, pk_item AS pk_other FROM tb_item;
CREATE TABLE tv_kind AS SELECT json_build_object('k', pk_item) AS pk_kind FROM tb_item;
CREATE TABLE tv_kind WITH (pg_tviews.key = 'nope') AS SELECT pk_item FROM tb_item;

-- Queries.
SELECT pg_tviews_create('bad', 'SELECT 1 AS pk_bad; SELECT 2');
SELECT pg_tviews_create('bad', 'DELETE FROM tb_item RETURNING pk_item');
SELECT pg_tviews_create('bad', 'SELECT pk_item, nothing FROM tb_item');
SELECT pg_tviews_create('bad', 'SELEC pk_item FROM tb_item');
SELECT pg_tviews_create('bad', '');
SELECT pg_tviews_create('bad', 'WITH x AS (DELETE FROM tb_item RETURNING pk_item) SELECT * FROM x');
SELECT pg_tviews_create('bad', 'SELECT pk_item FROM tb_item FOR UPDATE');
SELECT pg_tviews_create('bad', 'SELECT pk_item, random() AS r FROM tb_item');
PREPARE p AS SELECT pk_item AS pk_bad FROM tb_item;
CREATE TABLE tv_bad AS EXECUTE p;
DO $$
DECLARE smallest int := 1;
BEGIN
    CREATE TABLE tv_bad AS SELECT pk_item AS pk_bad FROM tb_item WHERE pk_item > smallest;
END $$;
CREATE UNLOGGED TABLE tv_bad AS SELECT pk_item AS pk_bad FROM tb_item;
CREATE TABLE tv_bad WITH (pg_tviews.unknown = 1) AS SELECT pk_item AS pk_bad FROM tb_item;
CREATE TABLE bad WITH (pg_tviews.key = 'pk_item') AS SELECT pk_item FROM tb_item;
EXPLAIN (COSTS OFF) CREATE TABLE tv_bad AS SELECT pk_item AS pk_bad FROM tb_item;

-- Sources.
CREATE TEMPORARY TABLE tb_temp (pk_temp int PRIMARY KEY);
CREATE UNLOGGED TABLE tb_unlogged (pk_unlogged int PRIMARY KEY);
CREATE SEQUENCE counter;
CREATE TABLE tv_bad AS SELECT pk_temp FROM tb_temp;
CREATE TABLE tv_bad AS SELECT pk_unlogged FROM tb_unlogged;
CREATE TABLE tv_bad AS SELECT last_value AS pk_bad FROM counter;
CREATE TABLE tv_bad AS SELECT oid AS pk_bad FROM pg_class;
CREATE TABLE tv_bad AS SELECT database_oid AS pk_bad FROM pg_tview_meta;
SELECT pg_tviews_create('bad', 'SELECT pk_item AS pk_bad FROM tb_item') FROM tb_item;

-- Names.
CREATE VIEW v_taken AS SELECT 1 AS one;
CREATE TABLE tv_taken AS SELECT pk_item AS pk_taken FROM tb_item;
SELECT pg_tviews_create(repeat('x', 60), 'SELECT pk_item FROM tb_item') IS NOT NULL;
SELECT pg_tviews_create(repeat('y', 61), 'SELECT pk_item FROM tb_item');
SELECT pg_tviews_create('a.b.c', 'SELECT pk_item FROM tb_item');
SELECT pg_tviews_create('', 'SELECT pk_item FROM tb_item');
SELECT pg_tviews_create('nowhere.bad', 'SELECT pk_item FROM tb_item');

-- Privileges: SELECT and TRIGGER on each source, CREATE on the schema.
CREATE ROLE ddl_errors_user;
GRANT USAGE, CREATE ON SCHEMA ddl_errors TO ddl_errors_user;
SET ROLE ddl_errors_user;
CREATE TABLE tv_bad AS SELECT pk_item AS pk_bad FROM tb_item;
RESET ROLE;
GRANT SELECT ON tb_item TO ddl_errors_user;
SET ROLE ddl_errors_user;
CREATE TABLE tv_bad AS SELECT pk_item AS pk_bad FROM tb_item;
RESET ROLE;
GRANT TRIGGER ON tb_item TO ddl_errors_user;
SET ROLE ddl_errors_user;
CREATE TABLE tv_good AS SELECT pk_item AS pk_good FROM tb_item;
SELECT tableowner, viewowner FROM pg_tables, pg_views WHERE tablename = 'tv_good' AND viewname = 'v_good';
DELETE FROM pg_tview_meta;
SELECT * FROM tviews_internal.pg_tview_outbox;
RESET ROLE;

SELECT relname FROM pg_class WHERE relnamespace = 'ddl_errors'::regnamespace AND relkind IN ('r', 'v')
ORDER BY relname COLLATE "C";
SELECT entity FROM pg_tview_meta JOIN pg_class ON pg_class.oid = tview
WHERE relnamespace = 'ddl_errors'::regnamespace ORDER BY entity COLLATE "C";
SET client_min_messages = warning;
DROP SCHEMA ddl_errors CASCADE;
DROP TABLE tb_temp;
DROP ROLE ddl_errors_user;
