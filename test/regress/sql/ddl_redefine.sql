-- WITH NO DATA, another query for a TVIEW, and a TVIEW made of a table that exists.
CREATE SCHEMA ddl_redefine;
SET search_path = ddl_redefine, public;
SET pg_tviews.notice_lineage = off;
CREATE TABLE tb_item (pk_item int PRIMARY KEY, kind int, label text);
INSERT INTO tb_item VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 2, 'c');
CREATE TABLE tb_kind (pk_kind int PRIMARY KEY, name text);
INSERT INTO tb_kind VALUES (1, 'one'), (2, 'two');

-- Created at once, filled by the applier.
CREATE TABLE tv_lazy AS SELECT pk_item AS pk_lazy, label FROM tb_item WITH NO DATA;
SELECT pg_tviews_wait();
TABLE tv_lazy ORDER BY 1;
CREATE TABLE tv_over AS SELECT pk_lazy AS pk_over, label FROM tv_lazy WITH NO DATA;
CREATE TABLE tv_constant AS SELECT 1 AS pk_constant WITH NO DATA;
SELECT pg_tviews_wait();
TABLE tv_over ORDER BY 1;
TABLE tv_constant;

-- Another query.
CREATE TABLE tv_item AS SELECT pk_item, label FROM tb_item;
CREATE INDEX item_label ON tv_item (label);
GRANT SELECT ON tv_item TO PUBLIC;
SELECT pg_tviews_replace('item', 'SELECT pk_item, name AS label FROM tb_item JOIN tb_kind ON pk_kind = kind;');
SELECT pg_tviews_wait();
TABLE tv_item ORDER BY 1;
UPDATE tb_kind SET name = 'uno' WHERE pk_kind = 1;
SELECT pg_tviews_wait();
TABLE tv_item ORDER BY 1;
SELECT definition FROM pg_tview_meta WHERE tview = 'tv_item'::regclass;
SELECT tgname FROM pg_trigger WHERE tgrelid = 'tb_kind'::regclass AND NOT tgisinternal ORDER BY 1;
SELECT pg_tviews_replace('item', 'SELECT 0 AS pk_item, ''constant''::text AS label');
SELECT tgname FROM pg_trigger WHERE tgrelid = 'tb_kind'::regclass AND NOT tgisinternal ORDER BY 1;
BEGIN;
SELECT pg_tviews_replace('item', 'SELECT pk_item, kind AS label FROM tb_item');
SELECT pg_tviews_replace('item', 'SELECT pk_item FROM tb_item');
ROLLBACK;
SELECT pg_tviews_replace('item', 'SELECT pk_over AS pk_item, label FROM tv_over');
CREATE TABLE tv_last AS SELECT pk_item AS pk_last, label FROM tv_item;
SELECT pg_tviews_replace('item', 'SELECT pk_last AS pk_item, label FROM tv_last');
SELECT pg_tviews_replace('nothing', 'SELECT 1');
SELECT pg_tviews_wait();
SELECT entity, (SELECT count(*) FROM pg_tviews_verify(tview::text)) AS differences
FROM pg_tview_meta JOIN pg_class ON pg_class.oid = tview
WHERE relnamespace = 'ddl_redefine'::regnamespace ORDER BY entity;

-- CREATE OR REPLACE VIEW by the owner is the same.
CREATE OR REPLACE VIEW v_item AS SELECT pk_item, 'viewed ' || label AS label FROM tb_item WHERE pk_item < 3;
SELECT pg_tviews_wait();
TABLE tv_item ORDER BY 1;
SELECT definition FROM pg_tview_meta WHERE tview = 'tv_item'::regclass;
CREATE OR REPLACE VIEW v_item AS SELECT pk_item FROM tb_item;
CREATE ROLE redefine_stranger NOLOGIN;
GRANT USAGE, CREATE ON SCHEMA ddl_redefine TO redefine_stranger;
SET ROLE redefine_stranger;
CREATE OR REPLACE VIEW v_item AS SELECT 1 AS pk_item, 'mine'::text AS label;
RESET ROLE;
REVOKE ALL ON SCHEMA ddl_redefine FROM redefine_stranger;
DROP ROLE redefine_stranger;
BEGIN;
CREATE OR REPLACE VIEW v_item AS SELECT pk_item, 'undone' AS label FROM tb_item;
ROLLBACK;
SELECT count(*) FROM pg_tviews_verify('item');

-- A table with its view.
CREATE VIEW v_old AS SELECT pk_item AS pk_old, label FROM tb_item;
CREATE TABLE tv_old (pk_old int PRIMARY KEY, label text);
INSERT INTO tv_old VALUES (1, 'a'), (2, 'stale'), (4, 'extra');
CREATE INDEX old_label ON tv_old (label);
SELECT pg_tviews_convert_table('tv_old');
SELECT pg_tviews_wait();
TABLE tv_old ORDER BY 1;
INSERT INTO tb_item VALUES (4, 2, 'd');
SELECT pg_tviews_wait();
TABLE tv_old ORDER BY 1;
\d tv_old
SELECT pg_tviews_convert_table('old');
CREATE TABLE tv_none (pk_none int);
SELECT pg_tviews_convert_table('none');
CREATE VIEW v_none AS SELECT pk_item AS pk_none, label FROM tb_item;
SELECT pg_tviews_convert_table('none');
CREATE VIEW v_other AS SELECT pk_item AS pk_other, label FROM tb_item;
CREATE TABLE tv_other (pk_other int, label text PRIMARY KEY);
SELECT pg_tviews_convert_table('other');
ALTER TABLE tv_other DROP CONSTRAINT tv_other_pkey;
ALTER TABLE tv_other ALTER label DROP NOT NULL;
SELECT pg_tviews_convert_table('ddl_redefine.other');
SELECT pg_tviews_wait();
SELECT count(*) FROM pg_tviews_verify('other');
DROP VIEW v_other;
DROP TABLE tv_other;
SELECT to_regclass('v_other');

SELECT pg_tviews_reinstall_triggers() > 0;

SET client_min_messages = warning;
DROP SCHEMA ddl_redefine CASCADE;
