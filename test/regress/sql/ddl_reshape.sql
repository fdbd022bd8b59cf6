-- Another query with other columns for a TVIEW that is there: dropped, of another type, in another order.
CREATE SCHEMA ddl_reshape;
SET search_path = ddl_reshape, public;
SET pg_tviews.notice_lineage = off;
CREATE TABLE tb_good (pk_good int PRIMARY KEY, name varchar(20), price int, stock int, code text);
INSERT INTO tb_good VALUES (1, 'lamp', 4, 10, '1'), (2, 'desk', 25, 0, '2'), (3, 'chair', 9, 3, 'three');
CREATE TABLE tv_good WITH (pg_tviews.feed = data) AS SELECT pk_good, name, price, stock, code FROM tb_good;
CREATE INDEX good_price ON tv_good (price);
CREATE INDEX good_name ON tv_good (name);
COMMENT ON COLUMN tv_good.name IS 'as on the label';
CREATE ROLE reshape_reader NOLOGIN;
GRANT SELECT ON tv_good TO reshape_reader;
GRANT SELECT (name) ON tv_good TO reshape_reader;
-- What reads it: two columns that stay, and whole rows.
CREATE VIEW labels AS SELECT pk_good, name FROM tv_good;
CREATE TABLE tv_label AS SELECT name AS pk_label, count(*) AS goods FROM tv_good GROUP BY name;
CREATE TABLE tv_document AS SELECT pk_good AS pk_document, to_jsonb(tv_good) AS data FROM tv_good;
CREATE TEMP TABLE before AS SELECT 'tv_good'::regclass::oid AS tv, 'v_good'::regclass::oid AS v, (SELECT max(position) FROM pg_tviews_feed) AS position;
CREATE VIEW state AS SELECT attname, format_type(atttypid, atttypmod) AS type, col_description(attrelid, attnum) AS comment, attacl IS NOT NULL AS granted
FROM pg_attribute WHERE attrelid = to_regclass('ddl_reshape.tv_good') AND attnum > 0 AND NOT attisdropped ORDER BY attnum;
CREATE VIEW equal AS SELECT entity, (SELECT count(*) FROM pg_tviews_verify(tview::text)) AS differences
FROM pg_tview_meta JOIN pg_class ON pg_class.oid = tview WHERE relnamespace = 'ddl_reshape'::regnamespace ORDER BY entity;

-- One dropped in the middle, one of another type, one more.
SELECT pg_tviews_replace('good', 'SELECT pk_good, name, stock::bigint * 1000000000 AS stock, code, upper(name) AS big FROM tb_good');
TABLE tv_good ORDER BY 1;
TABLE state;
TABLE tv_document ORDER BY 1;
TABLE labels ORDER BY 1;
TABLE equal;
SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'tv_good'::regclass ORDER BY 1::text;
SELECT 'tv_good'::regclass = tv AS same_table, 'v_good'::regclass = v AS same_view, has_table_privilege('reshape_reader', 'tv_good', 'SELECT') AS granted FROM before;
-- Changes of every kind arrive, and in what reads it.
UPDATE tb_good SET name = 'lantern', stock = 11 WHERE pk_good = 1;
DELETE FROM tb_good WHERE pk_good = 2;
INSERT INTO tb_good VALUES (4, 'sofa', 1, 2, '4');
TABLE tv_good ORDER BY 1;
TABLE equal;
(TABLE tv_good EXCEPT ALL TABLE v_good) UNION ALL (TABLE v_good EXCEPT ALL TABLE tv_good);

-- In another order, by the owner's view.
CREATE OR REPLACE VIEW v_good AS SELECT pk_good, name, length(code) AS code, upper(name) AS big, stock FROM tb_good;
TABLE tv_good ORDER BY 1;
TABLE state;
TABLE equal;
-- Two exchange their names.
SELECT pg_tviews_replace('good', 'SELECT pk_good, name, stock AS code, length(code) AS stock FROM tb_good');
TABLE tv_good ORDER BY 1;
TABLE state;
-- What is undone leaves nothing.
BEGIN;
SELECT pg_tviews_replace('good', 'SELECT pk_good, name FROM tb_good');
TABLE tv_good ORDER BY 1;
ROLLBACK;
TABLE tv_good ORDER BY 1;
TABLE equal;

-- Refused before anything is changed: the key, and what others use, by name.
SELECT pg_tviews_replace('good', 'SELECT name, pk_good FROM tb_good');
SELECT pg_tviews_replace('good', 'SELECT pk_good::bigint, name FROM tb_good');
SELECT pg_tviews_replace('good', 'SELECT pk_good, code FROM tb_good');
SELECT pg_tviews_replace('good', 'SELECT pk_good, name::text, code FROM tb_good');
CREATE FUNCTION stocked() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT sum(stock) FROM tv_good; END;
SELECT pg_tviews_replace('good', 'SELECT pk_good, name FROM tb_good');
DROP FUNCTION stocked();
CREATE VIEW behind AS SELECT stock FROM v_good;
SELECT pg_tviews_replace('good', 'SELECT pk_good, name FROM tb_good');
DROP VIEW behind;
CREATE TABLE tb_row (r v_good);
SELECT pg_tviews_replace('good', 'SELECT pk_good, name FROM tb_good');
DROP TABLE tb_row;
GRANT SELECT (code) ON v_good TO reshape_reader;
SELECT pg_tviews_replace('good', 'SELECT pk_good, name FROM tb_good');
REVOKE SELECT (code) ON v_good FROM reshape_reader;
CREATE DOMAIN filled AS text NOT NULL;
SELECT pg_tviews_replace('good', 'SELECT pk_good, name, stock AS code, stock::text::filled AS stock FROM tb_good');
TABLE state;
TABLE equal;

-- DDL afterwards, where the table counts its columns in another way than the view.
ALTER TABLE tb_good ALTER COLUMN stock TYPE bigint;
TABLE state;
ALTER TABLE tv_good RENAME COLUMN stock TO length;
SELECT attname FROM pg_attribute WHERE attrelid = 'v_good'::regclass AND attnum > 0 ORDER BY attnum;
UPDATE tb_good SET code = 'longer', stock = 5;
TABLE tv_good ORDER BY 1;
SELECT pg_tviews_replace('good', 'SELECT pk_good, name FROM tb_good');
SELECT pg_tviews_replace('good', 'SELECT pk_good, name, code FROM tb_good');
UPDATE tb_good SET code = code || '!';
TABLE tv_good ORDER BY 1;
TABLE tv_document ORDER BY 1;
TABLE equal;
-- Views that work with the new columns are read again; a TVIEW over one follows. Others are named.
CREATE TABLE tv_kept AS SELECT pk_good AS pk_kept, stock, price, name FROM tb_good;
CREATE VIEW stocks AS SELECT pk_kept, stock::text AS stock FROM tv_kept WHERE price > 0;
CREATE VIEW over_stocks AS SELECT * FROM stocks;
GRANT SELECT ON stocks TO reshape_reader;
CREATE TABLE tv_stocks AS SELECT pk_kept AS pk_stocks, stock FROM stocks;
CREATE VIEW prices AS SELECT price FROM tv_kept;
SELECT pg_tviews_replace('kept', 'SELECT pk_good AS pk_kept, name, stock * 2.5 AS stock, price::numeric AS price FROM tb_good');
DROP VIEW prices;
SELECT pg_tviews_replace('kept', 'SELECT pk_good AS pk_kept, name, stock * 2.5 AS stock, price::numeric AS price FROM tb_good');
TABLE tv_kept ORDER BY 1;
TABLE over_stocks ORDER BY 1;
TABLE tv_stocks ORDER BY 1;
SELECT replace(pg_get_viewdef('stocks'), 'tv_kept.', '') AS query, has_table_privilege('reshape_reader', 'stocks', 'SELECT');
UPDATE tb_good SET stock = 100;
TABLE over_stocks ORDER BY 1;
TABLE tv_stocks ORDER BY 1;
SELECT pg_tviews_replace('kept', 'SELECT pk_good AS pk_kept, name, stock * 2.5 AS stock, ARRAY[price] AS price FROM tb_good');
SELECT pg_tviews_replace('kept', 'SELECT pk_good AS pk_kept, price, stock FROM tb_good');
TABLE over_stocks ORDER BY 1;
TABLE equal;
-- TVIEWs that use a column which goes and comes back.
SELECT pg_tviews_replace('good', 'SELECT pk_good, code, upper(name)::varchar(20) AS name FROM tb_good');
TABLE tv_label ORDER BY 1;
TABLE labels ORDER BY 1;
UPDATE tb_good SET name = 'sofa' WHERE pk_good = 1;
TABLE tv_label ORDER BY 1;
TABLE equal;
-- Of a row that is the same in the columns that are left, the feed tells nothing.
SELECT pg_tviews_wait();
CREATE TEMP TABLE told AS SELECT max(position) AS position FROM pg_tviews_feed;
SELECT pg_tviews_replace('good', 'SELECT pk_good, upper(name)::varchar(20) AS name FROM tb_good');
SELECT pg_tviews_wait();
SELECT count(*) FROM pg_tviews_feed, told WHERE pg_tviews_feed.position > told.position;
SELECT severity, message FROM pg_tviews_health_check() WHERE component IN ('metadata', 'triggers') AND status <> 'OK'
  AND message NOT LIKE '%was dropped by CASCADE%'; -- by tests of before

SET client_min_messages = warning;
DROP TABLE before, told;
DROP SCHEMA ddl_reshape CASCADE;
DROP ROLE reshape_reader;
