-- TVIEWs that go with what they read: a warning for each, and they come back as they were.
CREATE SCHEMA ddl_cascade;
CREATE SCHEMA "ddl_cascade Docs";
SET search_path = ddl_cascade, public;
SET pg_tviews.notice_lineage = off;
CREATE ROLE ddl_cascade_owner;
CREATE ROLE ddl_cascade_reader;
GRANT USAGE, CREATE ON SCHEMA ddl_cascade, "ddl_cascade Docs" TO ddl_cascade_owner;
CREATE TABLE tb_book (pk_book int PRIMARY KEY, id int, title text, price numeric);
CREATE TABLE tb_note (pk_note int PRIMARY KEY, note text);
CREATE TYPE mood AS ENUM ('sad');
CREATE TABLE tb_mood (pk_mood int PRIMARY KEY, mood mood);
INSERT INTO tb_book VALUES (1, 11, 'one', 1.5);
GRANT SELECT, TRIGGER ON tb_book, tb_note TO ddl_cascade_owner;
CREATE TABLE tv_book WITH (pg_tviews.notify = on, fillfactor = 70) AS
SELECT pk_book, id, jsonb_build_object('title', title, 'price', price) AS data FROM tb_book;
CREATE TABLE "ddl_cascade Docs".tv_note AS SELECT pk_note, note FROM tb_note;
CREATE TABLE tv_mood AS SELECT pk_mood, mood FROM tb_mood;
CREATE TABLE tv_shelved AS SELECT pk_book AS pk_shelved, data FROM tv_book;
CREATE INDEX book_title ON tv_book ((data ->> 'title')) WHERE pk_book > 0;
COMMENT ON TABLE tv_book IS 'the ''books''';
COMMENT ON COLUMN tv_book.data IS 'the document';
COMMENT ON VIEW v_book IS 'its query';
COMMENT ON INDEX book_title IS 'by title';
GRANT SELECT ON tv_book TO ddl_cascade_reader WITH GRANT OPTION;
GRANT SELECT (note) ON "ddl_cascade Docs".tv_note TO ddl_cascade_reader;
GRANT SELECT ON v_book TO PUBLIC;
ALTER TABLE tv_book OWNER TO ddl_cascade_owner;
ALTER TABLE tv_book ALTER COLUMN id SET STATISTICS 17;
CREATE VIEW looks AS
SELECT c.oid::regclass AS relation, pg_get_userbyid(c.relowner) AS owner, c.reloptions, obj_description(c.oid, 'pg_class') AS comment,
       col_description(c.oid, 3) AS data_comment, array_to_string(ARRAY(SELECT replace(a::text, 'xtm', 'xt') FROM unnest(c.relacl) AS a ORDER BY 1), ' ') AS acl,
       (SELECT string_agg(a.attname || ' ' || a.attacl::text, ' ') FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL) AS columns,
       (SELECT nullif(a.attstattarget, -1) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'id') AS target,
       (SELECT string_agg(concat_ws(' -- ', pg_get_indexdef(i.indexrelid), obj_description(i.indexrelid, 'pg_class')), E'\n' ORDER BY i.indexrelid::regclass::text)
        FROM pg_index i WHERE i.indrelid = c.oid) AS indexes,
       (SELECT m.options FROM pg_tview_meta m WHERE m.tview = c.oid) AS options
FROM pg_class c WHERE c.relname IN ('tv_book', 'v_book', 'tv_note') AND c.relnamespace IN ('ddl_cascade'::regnamespace, '"ddl_cascade Docs"'::regnamespace);
\x on
SELECT * FROM looks ORDER BY relation::text;
\x off
CREATE TABLE before AS SELECT relation::text AS relation, owner, reloptions, comment, data_comment, acl, columns, target, indexes, options FROM looks;

-- A column, a table in another schema, a type; with savepoints; and refused.
SET pg_tviews.drop_cascade = error;
ALTER TABLE tb_book DROP COLUMN price CASCADE;
SET pg_tviews.drop_cascade = warn;
BEGIN;
ALTER TABLE tb_book DROP COLUMN title CASCADE;
ROLLBACK;
ALTER TABLE tb_book DROP COLUMN price CASCADE;
DROP TABLE tb_note CASCADE;
DROP TYPE mood CASCADE;
SELECT severity, regexp_replace(message, ', [^,)]*\)', ', ...)') AS message FROM pg_tviews_health_check() WHERE message ~ 'TVIEW (book|note|mood|shelved) was dropped by CASCADE' ORDER BY 2;
SELECT entity, details ->> 'command' AS command, details ->> 'cascade' AS cascade FROM pg_tview_audit_log
WHERE operation = 'DROP' AND details ->> 'cascade' = 'true' AND entity IN ('book', 'note', 'mood', 'shelved') ORDER BY 1;
-- Meant: no warning.
CREATE TABLE tv_plain AS SELECT pk_book AS pk_plain, title FROM tb_book;
DROP TABLE tv_plain CASCADE;
CREATE SCHEMA ddl_cascade_gone;
CREATE TABLE ddl_cascade_gone.tv_gone AS SELECT pk_book AS pk_gone, title FROM tb_book;
SET client_min_messages = warning;
DROP SCHEMA ddl_cascade_gone CASCADE;
RESET client_min_messages;

-- Back, when what they read is back; by another query; not by everybody.
\set VERBOSITY sqlstate
SELECT pg_tviews_restore_dropped('book');
\set VERBOSITY default
ALTER TABLE tb_book ADD COLUMN price numeric;
CREATE TABLE tb_note (pk_note int PRIMARY KEY, note text);
SET ROLE ddl_cascade_reader;
SELECT pg_tviews_restore_dropped('book');
RESET ROLE;
SELECT pg_tviews_restore_dropped('nothing');
BEGIN;
SELECT pg_tviews_restore_dropped('book');
SELECT pg_tviews_restore_dropped('shelved');
COMMIT;
SELECT pg_tviews_restore_dropped('note', 'SELECT pk_note, upper(note) AS note FROM ddl_cascade.tb_note');
SELECT pg_tviews_restore_dropped('book');
SELECT relation::text, owner, reloptions, comment, data_comment, acl, columns, target, indexes, options FROM looks EXCEPT SELECT * FROM before;
INSERT INTO tb_note VALUES (1, 'note');
UPDATE tb_book SET price = 2;
SELECT pg_tviews_wait();
TABLE tv_book;
TABLE tv_shelved;
TABLE "ddl_cascade Docs".tv_note;
SELECT entity, v.* FROM pg_tview_meta, pg_tviews_verify(tview::text) v WHERE entity IN ('book', 'shelved', 'note');
SELECT count(*) FROM pg_tviews_health_check() WHERE message ~ 'TVIEW (book|note|shelved) was dropped';

-- DROP OWNED means what the role owns, not what others have made of it. Hints can be run as they are, whatever the name.
SET ROLE ddl_cascade_owner;
CREATE TABLE tb_theirs (pk_theirs int PRIMARY KEY, name text);
CREATE TABLE tv_theirs AS SELECT pk_theirs, name FROM tb_theirs;
RESET ROLE;
CREATE TABLE tv_ours AS SELECT pk_theirs AS pk_ours, name FROM tb_theirs;
CREATE TABLE "tv_The 'Best'.of" AS SELECT pk_theirs AS "pk_The 'Best'.of", name FROM tb_theirs;
SET client_min_messages = warning;
BEGIN;
DROP OWNED BY ddl_cascade_owner CASCADE;
ROLLBACK;
ALTER TABLE tb_theirs DROP COLUMN name CASCADE;
RESET client_min_messages;
SELECT message FROM (SELECT substring(message FROM 'SELECT pg_tviews_restore.*') AS message FROM pg_tviews_health_check()) AS m WHERE message ~ 'Best|ours|theirs' ORDER BY 1;
ALTER TABLE tb_theirs ADD COLUMN name text;
SELECT pg_tviews_restore_dropped('"The ''Best''.of"');

SET client_min_messages = warning;
DROP SCHEMA ddl_cascade, "ddl_cascade Docs" CASCADE;
DROP ROLE ddl_cascade_owner, ddl_cascade_reader;
