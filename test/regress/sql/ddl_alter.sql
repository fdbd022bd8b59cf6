-- DDL on what TVIEWs read, and on TVIEWs, keeps them right.
CREATE SCHEMA ddl_alter;
CREATE SCHEMA ddl_alter_other;
SET search_path = ddl_alter, public;
SET pg_tviews.notice_lineage = off;
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int REFERENCES tb_user, title text);
CREATE INDEX ON tb_post (fk_user);
INSERT INTO tb_user VALUES (1, 'one'), (2, 'two');
INSERT INTO tb_post VALUES (1, 1, 'a'), (2, 2, 'b');
CREATE VIEW authors AS SELECT pk_user, upper(name) AS name FROM tb_user;
CREATE TABLE tv_post AS
SELECT tb_post.pk_post, jsonb_build_object('title', tb_post.title, 'author', authors.name) AS data
FROM tb_post JOIN authors ON authors.pk_user = tb_post.fk_user;
CREATE TABLE tv_whole AS SELECT pk_user AS pk_whole, to_jsonb(tb_user) AS data FROM tb_user;
CREATE VIEW state AS
SELECT entity, tview, backing_view,
       (SELECT count(*) FROM pg_tviews_verify(tview::text)) AS differences
FROM pg_tview_meta JOIN pg_class ON pg_class.oid = tview
WHERE relnamespace::regnamespace::text LIKE 'ddl_alter%' ORDER BY entity;

-- Names of sources.
ALTER TABLE tb_user RENAME TO tb_person;
ALTER TABLE tb_person RENAME COLUMN pk_user TO pk_person;
ALTER TABLE tb_post SET SCHEMA ddl_alter_other;
UPDATE tb_person SET name = 'uno' WHERE pk_person = 1;
SELECT pg_tviews_wait();
TABLE state;
SELECT data FROM tv_post ORDER BY pk_post;
SELECT source, lookup FROM pg_tviews_explain_lineage('post') WHERE strategy = 'lookup';

-- A column more matters where the whole row is read.
ALTER TABLE tb_person ADD COLUMN age int DEFAULT 7;
SELECT pg_tviews_wait();
SELECT data FROM tv_whole ORDER BY pk_whole;

-- A nested view that says something else, and reads another table.
CREATE TABLE tb_nick (fk_person int PRIMARY KEY, nick text);
INSERT INTO tb_nick VALUES (1, 'nick');
CREATE OR REPLACE VIEW authors AS
SELECT pk_person AS pk_user, coalesce(nick, lower(name)) AS name
FROM tb_person LEFT JOIN tb_nick ON fk_person = pk_person;
SELECT pg_tviews_wait();
SELECT data FROM tv_post ORDER BY pk_post;
INSERT INTO tb_nick VALUES (2, 'nock');
SELECT pg_tviews_wait();
SELECT data FROM tv_post ORDER BY pk_post;
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'tb_nick'::regclass ORDER BY tgname;
-- Two TVIEWs that would read each other.
CREATE OR REPLACE VIEW authors AS SELECT pk_whole AS pk_user, data ->> 'name' AS name FROM tv_whole;
CREATE TABLE tv_reader AS SELECT pk_post AS pk_reader, data FROM tv_post;
CREATE OR REPLACE VIEW authors AS SELECT pk_reader AS pk_user, data::text AS name FROM tv_reader;
DROP TABLE tv_reader;
SELECT pg_tviews_wait();
TABLE state;

-- Triggers cannot be disabled.
ALTER TABLE tb_person DISABLE TRIGGER ALL;
ALTER TABLE tb_person ENABLE TRIGGER ALL;
SELECT tgname, tgenabled FROM pg_trigger
WHERE tgrelid = 'tb_person'::regclass AND NOT tgisinternal ORDER BY tgname;

-- Rewriting a source.
ALTER TABLE tb_person ADD COLUMN stamp timestamptz DEFAULT clock_timestamp();
ALTER TABLE tb_person DROP COLUMN stamp;
VACUUM FULL tb_person;
SELECT pg_tviews_wait();
TABLE state;

-- Names and owner of a TVIEW.
ALTER TABLE tv_post RENAME TO tv_article;
SELECT entity, backing_view, key_column FROM pg_tview_meta WHERE tview = 'tv_article'::regclass;
ALTER TABLE tv_article SET SCHEMA ddl_alter_other;
CREATE ROLE ddl_alter_user;
GRANT ALL ON SCHEMA ddl_alter, ddl_alter_other TO ddl_alter_user;
GRANT SELECT, TRIGGER ON ALL TABLES IN SCHEMA ddl_alter, ddl_alter_other TO ddl_alter_user;
ALTER TABLE ddl_alter_other.tv_article OWNER TO ddl_alter_user;
SELECT relname, relnamespace::regnamespace, relowner::regrole FROM pg_class
WHERE relname IN ('tv_article', 'v_article') ORDER BY relname;
UPDATE tb_person SET name = 'eins' WHERE pk_person = 1;
SELECT pg_tviews_wait();
SELECT count(*) FROM pg_tviews_verify('ddl_alter_other.article');
ALTER TABLE tv_whole RENAME TO everything;
SELECT entity, tview, backing_view FROM pg_tview_meta WHERE tview = 'everything'::regclass;
SELECT count(*) FROM pg_tviews_verify('whole');

-- Partitions and children.
CREATE TABLE tb_log (pk_log int, part int, label text) PARTITION BY LIST (part);
CREATE TABLE tb_log_1 PARTITION OF tb_log FOR VALUES IN (1);
INSERT INTO tb_log VALUES (1, 1, 'a');
CREATE TABLE tv_log AS SELECT pk_log, label FROM tb_log;
CREATE TABLE tb_log_2 PARTITION OF tb_log FOR VALUES IN (2);
CREATE TABLE tb_log_3 (pk_log int, part int, label text);
INSERT INTO tb_log_3 VALUES (3, 3, 'c');
ALTER TABLE tb_log ATTACH PARTITION tb_log_3 FOR VALUES IN (3);
INSERT INTO tb_log_2 VALUES (2, 2, 'b');
SELECT pg_tviews_wait();
TABLE tv_log ORDER BY pk_log;
SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger
WHERE tgrelid::regclass::text LIKE 'tb_log%' ORDER BY 1, 2;
TRUNCATE tb_log_2;
ALTER TABLE tb_log DETACH PARTITION tb_log_3;
SELECT pg_tviews_wait();
TABLE tv_log ORDER BY pk_log;
SELECT tgname FROM pg_trigger WHERE tgrelid = 'tb_log_3'::regclass;
DROP TABLE tb_log_1;
SELECT pg_tviews_wait();
TABLE tv_log ORDER BY pk_log;

CREATE TABLE tb_base (pk_base int, label text);
CREATE TABLE tv_base AS SELECT pk_base, label FROM tb_base;
CREATE TABLE tb_child () INHERITS (tb_base);
INSERT INTO tb_child VALUES (1, 'child');
CREATE TABLE tb_late (pk_base int, label text);
INSERT INTO tb_late VALUES (2, 'late');
ALTER TABLE tb_late INHERIT tb_base;
SELECT pg_tviews_wait();
TABLE tv_base ORDER BY pk_base;
ALTER TABLE tb_child NO INHERIT tb_base;
UPDATE tb_late SET label = 'later';
SELECT pg_tviews_wait();
TABLE tv_base ORDER BY pk_base;
SELECT tgrelid::regclass, tgname FROM pg_trigger
WHERE tgrelid IN ('tb_base'::regclass, 'tb_child'::regclass, 'tb_late'::regclass) ORDER BY 1, 2;

SET client_min_messages = warning;
DROP SCHEMA ddl_alter, ddl_alter_other CASCADE;
DROP ROLE ddl_alter_user;
