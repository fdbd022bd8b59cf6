-- DROP EXTENSION needs CASCADE while there are TVIEWs, which then become ordinary tables. Runs alone:
-- it locks the extension's tables.
CREATE SCHEMA ddl_extension;
SET search_path = ddl_extension, public;
SET pg_tviews.notice_lineage = off;
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
INSERT INTO tb_user VALUES (1, 'one');
CREATE TABLE tv_user AS SELECT pk_user, name FROM tb_user;
DROP EXTENSION pg_tviews;

BEGIN;
SET LOCAL client_min_messages = warning;
DROP EXTENSION pg_tviews CASCADE;
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'tb_user'::regclass;
UPDATE tb_user SET name = 'uno';
INSERT INTO tv_user VALUES (2, 'two');
CREATE TABLE tv_plain AS SELECT 1 AS one;
\d tv_plain
-- What looks like a TVIEW of before the extension is named.
CREATE EXTENSION pg_tviews;
SELECT * FROM pg_tviews_verify('plain');
ROLLBACK;

-- Damaged metadata that names what is gone is in nobody's way.
BEGIN;
SET LOCAL client_min_messages = warning;
UPDATE pg_tview_meta SET tview = 1 WHERE entity = 'user';
DROP EXTENSION pg_tviews CASCADE;
ROLLBACK;

INSERT INTO tv_user VALUES (2, 'two');
UPDATE tb_user SET name = 'eins';
SELECT pg_tviews_wait();
TABLE tv_user;
SELECT count(*) FROM pg_tviews_verify('user');
SET client_min_messages = warning;
DROP SCHEMA ddl_extension CASCADE;
