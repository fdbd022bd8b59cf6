-- Names of sources and TVIEWs: changed later, the same in two schemas, quoted, Unicode, and as long as
-- names can be; and what is refused, with a hint that names the TVIEW.
CREATE SCHEMA ddl_names;
CREATE SCHEMA ddl_names_other;
SET search_path = ddl_names, public;
SET pg_tviews.notice_lineage = off;
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text NOT NULL, kind int);
INSERT INTO tb_user VALUES (1, 'one', 1), (2, 'two', 2);
CREATE VIEW state AS
SELECT entity, tview, backing_view, (SELECT count(*) FROM pg_tviews_verify(tview::text)) AS differences
FROM pg_tview_meta JOIN pg_class ON pg_class.oid = tview
WHERE relnamespace::regnamespace::text LIKE '%ddl_names%' ORDER BY tview::text COLLATE "C";
CREATE TABLE tv_user AS SELECT pk_user, name FROM tb_user;
CREATE VIEW named AS SELECT pk_user, name FROM tb_user;
CREATE TABLE tv_via AS SELECT pk_user AS pk_via, name FROM named;
CREATE TABLE tb_base (pk_base int, label text);
CREATE TABLE tb_child () INHERITS (tb_base);
CREATE TABLE tv_child AS SELECT pk_base AS pk_child, label FROM tb_child;

-- The type of a column that TVIEWs read, directly, through a view, or of a child; of one that none reads.
ALTER TABLE tb_user ALTER COLUMN name TYPE varchar(10);
ALTER TABLE tb_base ALTER COLUMN label TYPE varchar(10);
ALTER TABLE tb_user ALTER COLUMN kind TYPE bigint;
ALTER TABLE tb_user DROP COLUMN name;
DROP TABLE tb_user;

-- Schemas, renamed and changed.
CREATE TABLE tv_kind AS
SELECT pk_user AS pk_kind, (SELECT count(*) FROM tb_user AS other WHERE other.kind = tb_user.kind) FROM tb_user;
ALTER SCHEMA ddl_names RENAME TO "ddl_names Ünïcode";
SET search_path = "ddl_names Ünïcode", public;
UPDATE tb_user SET name = 'uno' WHERE pk_user = 1;
SELECT pg_tviews_wait();
TABLE state;
SELECT lookup ~ 'Ünïcode' FROM pg_tviews_explain_lineage('kind') WHERE lookup IS NOT NULL;
UPDATE tb_user SET kind = 1;
SELECT pg_tviews_wait();
TABLE tv_kind ORDER BY 1;
SELECT tview, key, error FROM pg_tview_dead_letter WHERE tview = 'tv_kind'::regclass;
ALTER SCHEMA "ddl_names Ünïcode" RENAME TO ddl_names;
SET search_path = ddl_names, public;

-- The same entity in two schemas.
SELECT pg_tviews_create('ddl_names_other.user', 'SELECT pk_user, upper(name) AS name FROM tb_user');
UPDATE tb_user SET name = 'eins' WHERE pk_user = 1;
SELECT pg_tviews_wait();
TABLE tv_user ORDER BY 1;
TABLE ddl_names_other.tv_user ORDER BY 1;
TABLE state;
SELECT source, strategy FROM pg_tviews_explain_lineage('ddl_names_other.user');
ALTER TABLE ddl_names_other.tv_user SET SCHEMA ddl_names;
ALTER TABLE ddl_names_other.tv_user RENAME TO tv_loud;
ALTER INDEX ddl_names_other.tv_user_pkey RENAME TO loud_key;
ALTER TABLE ddl_names_other.tv_loud SET SCHEMA ddl_names;
UPDATE tb_user SET name = 'un' WHERE pk_user = 1;
SELECT pg_tviews_wait();
TABLE state;
-- A name whose view is taken; names of the view itself.
CREATE VIEW v_busy AS SELECT 1 AS one;
ALTER TABLE tv_user RENAME TO tv_busy;
ALTER VIEW v_user RENAME TO v_else;
ALTER TABLE v_user RENAME TO v_else;
ALTER VIEW v_user SET SCHEMA ddl_names_other;
ALTER VIEW v_user OWNER TO pg_database_owner;
ALTER VIEW v_user RENAME COLUMN name TO called;
ALTER TABLE tv_user RENAME COLUMN name TO called;
ALTER TABLE tv_user ADD COLUMN more int;
ALTER TABLE tv_user ALTER COLUMN name TYPE varchar(10);
ALTER INDEX tv_user_pkey RENAME TO user_key;
ALTER TABLE tv_user RENAME TO tv_person;
TABLE state;

-- Quoted, mixed case, Unicode.
CREATE TABLE "Tb Ü" ("pk_Ü" int PRIMARY KEY, "Na me" text);
INSERT INTO "Tb Ü" VALUES (1, 'ä');
CREATE TABLE "tv_Ünï 'x' ""q""" WITH (pg_tviews.key = 'pk_Ü') AS SELECT "pk_Ü", "Na me" FROM "Tb Ü";
CREATE TABLE "tv_Über" AS SELECT "Tb Ü"."pk_Ü" AS "pk_Über", (SELECT count(*) FROM tb_user WHERE tb_user.name = "Na me") FROM "Tb Ü";
UPDATE "Tb Ü" SET "Na me" = 'ö';
SELECT pg_tviews_wait();
TABLE "tv_Ünï 'x' ""q""";
ALTER TABLE "Tb Ü" RENAME TO "Tb ""Ö""";
ALTER TABLE "Tb ""Ö""" RENAME COLUMN "Na me" TO "Nä,me";
UPDATE "Tb ""Ö""" SET "Nä,me" = 'un';
SELECT pg_tviews_wait();
TABLE "tv_Über";
SELECT pg_tviews_drop('"Ünï ''x'' ""q"""');

-- 63 bytes, and one more; of two bytes each.
SELECT pg_tviews_create(repeat('x', 60), 'SELECT pk_user AS pk_x FROM tb_user');
SELECT pg_tviews_create(repeat('x', 61), 'SELECT pk_user AS pk_x FROM tb_user');
SELECT pg_tviews_create(repeat('ü', 30), 'SELECT pk_user AS pk_x FROM tb_user');
SELECT pg_tviews_create(repeat('ü', 31), 'SELECT pk_user AS pk_x FROM tb_user');
CREATE TABLE long WITH (pg_tviews.entity = 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx') AS
SELECT pk_user AS pk_x FROM tb_user;
ALTER TABLE tv_person RENAME TO tv_yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy;
INSERT INTO tb_user VALUES (3, 'three', 3);
SELECT pg_tviews_wait();
SELECT octet_length(entity), octet_length(relname), differences FROM state JOIN pg_class ON oid = tview ORDER BY 1, 2;

-- DROP ... CASCADE of a source removes its TVIEWs entirely.
\set VERBOSITY terse
SET client_min_messages = warning;
DROP TABLE tb_user CASCADE;
TABLE state;
SELECT count(*) FROM pg_class WHERE relnamespace = 'ddl_names'::regnamespace AND relname ~ '^(t?v_)' AND relkind IN ('r', 'v');
DROP SCHEMA ddl_names, ddl_names_other CASCADE;
