-- Another query with more columns for a TVIEW that is there.
CREATE SCHEMA ddl_columns;
SET search_path = ddl_columns, public;
SET pg_tviews.notice_lineage = off;
CREATE TABLE tb_shop (pk_shop int PRIMARY KEY, city text);
CREATE TABLE tb_good (pk_good int PRIMARY KEY, fk_shop int, name varchar(20), price numeric(8, 2));
INSERT INTO tb_shop VALUES (1, 'Rome'), (2, 'Oslo');
INSERT INTO tb_good VALUES (1, 1, 'lamp', 4), (2, 1, 'desk', 25), (3, 2, 'chair', 9), (4, NULL, NULL, NULL);
CREATE TABLE tv_good AS SELECT pk_good, name FROM tb_good;
CREATE TABLE tv_names AS SELECT name AS pk_names, count(*) AS goods FROM tv_good WHERE name IS NOT NULL GROUP BY name;
CREATE TABLE tv_document AS SELECT pk_good AS pk_document, to_jsonb(tv_good) AS data FROM tv_good;
CREATE VIEW lamps AS SELECT * FROM tv_good WHERE name = 'lamp';
CREATE VIEW behind AS SELECT name FROM v_good;
CREATE INDEX good_name ON tv_good (name);
COMMENT ON COLUMN tv_good.name IS 'as on the label';
CREATE ROLE columns_reader NOLOGIN;
CREATE ROLE columns_owner NOLOGIN;
GRANT USAGE ON SCHEMA ddl_columns TO columns_reader, columns_owner;
GRANT SELECT (name), REFERENCES ON tv_good TO columns_reader WITH GRANT OPTION;
PREPARE goods AS SELECT * FROM tv_good ORDER BY pk_good;
EXECUTE goods;
CREATE TEMP TABLE before AS SELECT 'tv_good'::regclass::oid AS tv, 'v_good'::regclass::oid AS v, relacl::text AS acl
FROM pg_class WHERE oid = 'tv_good'::regclass;

-- One more of a source that it read, of one that it did not, and what every TVIEW gets.
SELECT pg_tviews_replace('good', $$
    SELECT pk_good, name, price, fk_shop, city COLLATE "C" AS city, jsonb_build_object('n', name) AS data
    FROM tb_good LEFT JOIN tb_shop ON pk_shop = fk_shop$$);
SELECT * FROM tv_good ORDER BY pk_good;
SELECT * FROM tv_document ORDER BY pk_document;
TABLE lamps;
TABLE behind ORDER BY 1;
EXECUTE goods;
DEALLOCATE goods;
SELECT attname, format_type(atttypid, atttypmod), attcollation::regcollation, attacl IS NOT NULL AS granted, col_description(attrelid, attnum)
FROM pg_attribute WHERE attrelid = 'tv_good'::regclass AND attnum > 0 ORDER BY attnum;
SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'tv_good'::regclass ORDER BY 1::text;
SELECT 'tv_good'::regclass = tv AS same_table, 'v_good'::regclass = v AS same_view,
       (SELECT relacl::text FROM pg_class WHERE oid = tv) IS NOT DISTINCT FROM acl AS same_grants FROM before;
SELECT has_column_privilege('columns_reader', 'tv_good', 'name', 'SELECT') AS old,
       has_column_privilege('columns_reader', 'tv_good', 'price', 'SELECT') AS new;
-- Changes of each source arrive in the new columns, and in what reads the TVIEW.
UPDATE tb_shop SET city = 'Roma' WHERE pk_shop = 1;
UPDATE tb_good SET price = 5, name = 'lantern' WHERE pk_good = 1;
INSERT INTO tb_good VALUES (5, 2, 'lamp', 1);
DELETE FROM tb_good WHERE pk_good = 3;
SELECT pg_tviews_wait();
SELECT * FROM tv_good ORDER BY pk_good;
SELECT * FROM tv_document ORDER BY pk_document;
TABLE tv_names ORDER BY 1;
SELECT entity, (SELECT count(*) FROM pg_tviews_verify(tview::text)) AS differences
FROM pg_tview_meta JOIN pg_class ON pg_class.oid = tview WHERE relnamespace = 'ddl_columns'::regnamespace ORDER BY entity;
SELECT count(*) FROM ((TABLE tv_good EXCEPT ALL TABLE v_good) UNION ALL (TABLE v_good EXCEPT ALL TABLE tv_good)) AS differences;

-- The owner's view is the same; one that is undone leaves nothing.
CREATE OR REPLACE VIEW v_names AS
    SELECT name AS pk_names, count(*) AS goods, sum(price) AS total FROM tv_good WHERE name IS NOT NULL GROUP BY name;
SELECT * FROM tv_names ORDER BY 1;
BEGIN;
CREATE OR REPLACE VIEW v_names AS
    SELECT name AS pk_names, count(*) AS goods, sum(price) AS total, 1 AS one FROM tv_good WHERE name IS NOT NULL GROUP BY name;
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT pg_tviews_replace('names', 'SELECT name AS pk_names, count(*) AS goods, sum(price) AS total, 2 AS two FROM tv_good WHERE name IS NOT NULL GROUP BY name');
ROLLBACK TO s;
COMMIT;
UPDATE tb_good SET price = 7 WHERE pk_good = 2;
SELECT * FROM tv_names ORDER BY 1;
SELECT count(*) FROM pg_tviews_verify('names');

-- Refused, and nothing has changed.
SELECT pg_tviews_replace('good', 'SELECT pk_good, name FROM tb_good');
SELECT pg_tviews_replace('names', 'SELECT name AS other, count(*) AS goods, sum(price) AS total, 1 AS one FROM tv_good GROUP BY name');
SELECT pg_tviews_replace('names', 'SELECT 1 AS one, name AS pk_names, count(*) AS goods, sum(price) AS total FROM tv_good GROUP BY name');
BEGIN;
SELECT pg_tviews_replace('names', 'SELECT name AS pk_names, 1 AS goods, sum(price) AS total, 1 AS one FROM tv_good GROUP BY name');
ROLLBACK;
CREATE DOMAIN filled AS int NOT NULL;
SELECT pg_tviews_replace('names', 'SELECT name AS pk_names, count(*) AS goods, sum(price) AS total, 1::filled AS one FROM tv_good GROUP BY name');
CREATE TABLE tv_top AS SELECT pk_names AS pk_top, goods FROM tv_names;
SELECT pg_tviews_replace('names', 'SELECT pk_top AS pk_names, goods, 1.0 AS total, goods AS one FROM tv_top');
CREATE TEMP TABLE tb_mine (pk_names varchar(20), goods bigint, total numeric, one int);
SELECT pg_tviews_replace('names', 'SELECT * FROM tb_mine');
SET ROLE columns_reader;
SELECT pg_tviews_replace('names', 'SELECT name AS pk_names, count(*) AS goods, sum(price) AS total, 1 AS one FROM tv_good GROUP BY name');
CREATE OR REPLACE VIEW v_names AS SELECT name AS pk_names, count(*) AS goods, sum(price) AS total, 1 AS one FROM tv_good GROUP BY name;
RESET ROLE;
-- The owner has to be allowed to read what the new column comes from.
GRANT CREATE ON SCHEMA ddl_columns TO columns_owner;
GRANT SELECT, TRIGGER ON tb_shop TO columns_owner;
SET ROLE columns_owner;
CREATE TABLE tv_shop AS SELECT pk_shop, city FROM tb_shop;
SELECT pg_tviews_replace('shop', 'SELECT pk_shop, city, (SELECT max(price) FROM tb_good WHERE fk_shop = pk_shop) AS top FROM tb_shop');
SELECT pg_tviews_replace('shop', 'SELECT pk_shop, city, upper(city) AS upper FROM tb_shop');
RESET ROLE;
SELECT * FROM tv_shop ORDER BY 1;
SELECT entity, (SELECT count(*) FROM pg_tviews_verify(tview::text)) AS differences
FROM pg_tview_meta JOIN pg_class ON pg_class.oid = tview WHERE relnamespace = 'ddl_columns'::regnamespace ORDER BY entity;
SELECT severity, message FROM pg_tviews_health_check() WHERE component IN ('metadata', 'triggers') AND status <> 'OK'
  AND message NOT LIKE '%was dropped by CASCADE%'; -- by tests of before

-- A column that a TVIEW reads: another query first.
ALTER TABLE tb_good DROP COLUMN price;
DROP TABLE tv_top, tv_names;
SELECT pg_tviews_replace('good', $$
    SELECT pk_good, name, NULL::numeric(8, 2) AS price, fk_shop, city COLLATE "C" AS city, jsonb_build_object('n', name) AS data
    FROM tb_good LEFT JOIN tb_shop ON pk_shop = fk_shop$$);
ALTER TABLE tb_good DROP COLUMN price;
SELECT count(*) FROM pg_tviews_verify('good');

SET client_min_messages = warning;
DROP TABLE before, tb_mine;
DROP SCHEMA ddl_columns CASCADE;
DROP ROLE columns_reader, columns_owner;
