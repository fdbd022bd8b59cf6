-- A TVIEW gets another query, and another key, without standing still: a shadow is filled beside it, and takes its place.
CREATE SCHEMA replace_online;
SET search_path = replace_online, public;
SET pg_tviews.notice_lineage = off;
SET pg_tviews.read_timeout = '60s';
SET statement_timeout = '60s';
CREATE TABLE tb_shop (pk_shop int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_good (pk_good int PRIMARY KEY, fk_shop int, name varchar(20), price int, stock int, code text, ean uuid);
CREATE INDEX ON tb_good (fk_shop);
CREATE INDEX ON tb_good (ean);
INSERT INTO tb_shop VALUES (1, 'north'), (2, 'south');
-- Some documents are stored out of line.
INSERT INTO tb_good SELECT i, 1 + i % 2, 'good ' || i, i, 10 * i, CASE i % 100 WHEN 0 THEN (SELECT string_agg(md5(i::text || j), '') FROM generate_series(1, 200) j) ELSE i::text END,
       md5(i::text)::uuid FROM generate_series(1, 1500) AS i;
ANALYZE tb_good;
CREATE PROCEDURE filled(which text) LANGUAGE plpgsql AS $$
BEGIN
    ASSERT EXISTS (SELECT FROM tviews_internal.pg_tview_replacement);
    WHILE NOT EXISTS (SELECT FROM pg_tviews_progress WHERE entity = which AND phase = 'ready to finish' AND database = current_database()) LOOP
        COMMIT;
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;
CREATE TABLE tv_good WITH (fillfactor = 70) AS SELECT pk_good, name, price, stock, code FROM tb_good;
CREATE INDEX good_price ON tv_good (price);
CREATE INDEX good_name ON tv_good (lower(name));
CREATE INDEX good_some ON tv_good (stock) WHERE stock > 100;
ALTER TABLE tv_good ALTER COLUMN name SET STATISTICS 321;
COMMENT ON COLUMN tv_good.name IS 'as on the label';
CREATE ROLE online_reader NOLOGIN;
GRANT SELECT ON tv_good TO online_reader;
GRANT SELECT (name) ON tv_good TO online_reader;
CREATE VIEW labels AS SELECT pk_good, name FROM tv_good;
CREATE TABLE tv_label AS SELECT lower(name) AS pk_label, count(*) AS goods, sum(length(code)) AS size FROM tv_good GROUP BY lower(name);
CREATE TABLE tv_total AS SELECT 1 AS pk_total, sum(goods) AS goods, sum(size) AS size FROM tv_label;
CREATE TEMP TABLE logged AS SELECT coalesce(max(log_id), 0) AS last FROM pg_tview_audit_log;
CREATE TEMP TABLE before AS SELECT 'tv_good'::regclass::oid AS tv, 'v_good'::regclass::oid AS v, 'good_name'::regclass::oid AS i;
CREATE VIEW state AS SELECT attname, format_type(atttypid, atttypmod) AS type, attnotnull, coalesce(attstattarget, -1) AS attstattarget, col_description(attrelid, attnum) AS comment, attacl IS NOT NULL AS granted
FROM pg_attribute WHERE attrelid = to_regclass('replace_online.tv_good') AND attnum > 0 AND NOT attisdropped ORDER BY attnum;
CREATE VIEW equal AS SELECT entity, (SELECT count(*) FROM pg_tviews_verify(tview::text)) AS differences
FROM pg_tview_meta JOIN pg_class ON pg_class.oid = tview WHERE relnamespace = 'replace_online'::regnamespace ORDER BY entity COLLATE "C";

-- What would happen, beforehand.
CREATE FUNCTION explained(sql text) RETURNS TABLE (tview regclass, effect text, reason text) LANGUAGE sql AS
    $$ SELECT e.* FROM pg_tviews_explain_ddl(sql) AS e WHERE e.effect <> 'untouched' ORDER BY 1::text $$;
SELECT * FROM explained($$SELECT pg_tviews_replace('good', 'SELECT pk_good, name, price, stock, code, ean FROM tb_good')$$);
SELECT * FROM explained($$SELECT pg_tviews_replace('good', 'SELECT pk_good, name, price, stock, code, ean FROM tb_good', online => true)$$);
SELECT * FROM explained($$SELECT pg_tviews_replace('good', 'SELECT ean, pk_good, name, code FROM tb_good', key => 'ean')$$);
SELECT * FROM explained($$SELECT pg_tviews_replace('tv_good', 'SELECT pk_good, code FROM tb_good', true, 'pk_good')$$);
SELECT * FROM explained($$SELECT pg_tviews_replace('good', 'SELECT pk_good, nonsense FROM tb_good')$$);
SELECT * FROM explained($$SELECT pg_tviews_replace('good', 'SELECT pk_good, random() AS name FROM tb_good', online => true)$$);
SELECT * FROM explained($$SELECT pg_tviews_replace('nobody', 'SELECT 1 AS pk_nobody')$$);

SELECT pg_tviews_replace('good', 'SELECT pk_good, g.name, stock::bigint * 1000000000 AS stock, code, upper(s.name) AS shop, fk_shop FROM tb_good g JOIN tb_shop s ON pk_shop = fk_shop', online => true);
-- A second one has to wait, in whatever way.
SELECT pg_tviews_replace('good', 'SELECT pk_good, name FROM tb_good', online => true);
SELECT pg_tviews_replace('good', 'SELECT pk_good, name FROM tb_good');
SELECT pg_tviews_replace('good__new', 'SELECT pk_good, name FROM tb_good');
-- The old one is kept meanwhile, with what reads it.
UPDATE tb_good SET stock = 11 WHERE pk_good = 1;
SELECT * FROM tv_good WHERE pk_good = 1;
CALL filled('good');
SELECT entity, operation, phase, rows_done, percent FROM pg_tviews_progress WHERE entity LIKE 'good%';
SELECT name, state FROM tviews WHERE name::text LIKE '%good%';
UPDATE tb_good SET stock = 12 WHERE pk_good = 1;
UPDATE tb_shop SET name = 'east' WHERE pk_shop = 2;
SELECT * FROM tv_good WHERE pk_good = 1;
TABLE equal;
-- An index that comes meanwhile.
CREATE INDEX good_length ON tv_good (length(name));
-- What is undone leaves everything as it was.
BEGIN;
SELECT pg_tviews_replace_finish('good');
SELECT * FROM tv_good WHERE pk_good = 1;
ROLLBACK;
SELECT * FROM tv_good WHERE pk_good = 1;
TABLE equal;
-- Undone to a savepoint, it can be done again.
BEGIN;
SAVEPOINT a;
SELECT pg_tviews_replace_finish('good');
ROLLBACK TO a;
SELECT count(*), sum(price) FROM tv_good;
SELECT pg_tviews_replace_finish('good');
COMMIT;
SELECT * FROM tv_good WHERE pk_good IN (1, 2) ORDER BY 1;
SELECT count(*), sum(length(code)) > 0 AS has_code, count(DISTINCT shop) FROM tv_good;
SELECT * FROM tv_total;
TABLE equal;
TABLE state;
SELECT reloptions FROM pg_class WHERE oid = 'tv_good'::regclass;
SELECT indexrelid::regclass, indisvalid FROM pg_index WHERE indrelid = 'tv_good'::regclass ORDER BY 1::text;
SELECT 'tv_good'::regclass = tv AS same_table, 'v_good'::regclass = v AS same_view, 'good_name'::regclass = i AS same_index,
       has_table_privilege('online_reader', 'tv_good', 'SELECT') AS granted FROM before;
SELECT to_regclass('tv_good__new'), to_regclass('v_good__new'), (SELECT count(*) FROM tviews_internal.pg_tview_replacement) AS left_over;
SELECT count(*) AS toast_of_others FROM pg_class WHERE oid = 'tv_good'::regclass AND reltoastrelid::regclass::text <> 'pg_toast.pg_toast_' || oid;
-- Every index finds what there is.
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT pk_good FROM tv_good WHERE lower(name) = 'good 77';
SELECT count(*) FROM tv_good WHERE length(name) = 6;
SELECT pk_good FROM tv_good WHERE stock > 100 AND stock = 770000000000;
SELECT count(*) FROM tv_good WHERE fk_shop = 1;
RESET enable_seqscan;
RESET enable_bitmapscan;
-- Changes of every kind arrive, and in what reads it.
UPDATE tb_good SET name = 'lantern', stock = 13 WHERE pk_good = 1;
DELETE FROM tb_good WHERE pk_good = 2;
INSERT INTO tb_good VALUES (5000, 1, 'sofa', 1, 2, '4', md5('sofa')::uuid);
UPDATE tb_shop SET name = 'west' WHERE pk_shop = 1;
SELECT * FROM tv_good WHERE pk_good IN (1, 2, 5000) ORDER BY 1;
TABLE equal;
VACUUM (ANALYZE, FREEZE) tv_good;
TABLE equal;

-- Another key: what reads it by the old one would have to go, and stays.
SELECT pg_tviews_replace('good', 'SELECT ean, pk_good, name FROM tb_good', key => 'ean');
SELECT pg_tviews_replace('good', 'SELECT ean, name FROM tb_good', online => true, key => 'ean');
SELECT pg_tviews_replace('good', 'SELECT ean, pk_good, name FROM tb_good', online => true, key => 'ean');
DROP TABLE tv_total, tv_label;
SELECT pg_tviews_replace('good', 'SELECT ean, pk_good, name, stock FROM tb_good', online => true, key => 'ean');
CALL filled('good');
SELECT pg_tviews_replace_finish('good');
TABLE state;
SELECT key_column, key_columns FROM pg_tview_meta WHERE entity = 'good';
SELECT name FROM labels WHERE pk_good = 7;
TABLE equal;
UPDATE tb_good SET ean = md5('other')::uuid WHERE pk_good = 7;
DELETE FROM tb_good WHERE pk_good = 9;
INSERT INTO tb_good VALUES (5001, 1, 'bed', 1, 2, '4', md5('bed')::uuid);
SELECT pk_good, name, ean = md5('other')::uuid AS is_other FROM tv_good WHERE pk_good IN (7, 9, 5001) ORDER BY 1;
TABLE equal;
-- And of several columns, of another type.
SELECT pg_tviews_replace('good', 'SELECT pk_good::bigint AS pk_good, fk_shop, name, stock FROM tb_good', online => true, key => 'fk_shop, pk_good');
DROP VIEW labels;
SELECT pg_tviews_replace('good', 'SELECT pk_good::bigint AS pk_good, fk_shop, name, stock FROM tb_good', online => true, key => 'fk_shop, pk_good');
CALL filled('good');
SELECT pg_tviews_replace_finish('good');
TABLE state;
UPDATE tb_good SET name = 'lamp', fk_shop = 2 WHERE pk_good = 11;
SELECT * FROM tv_good WHERE pk_good = 11;
TABLE equal;

-- Given up, and gone with the TVIEW.
SELECT pg_tviews_replace('good', 'SELECT pk_good::bigint AS pk_good, fk_shop FROM tb_good', online => true);
SELECT pg_tviews_replace_cancel('good');
SELECT pg_tviews_replace_cancel('good');
SELECT pg_tviews_replace_finish('good');
SELECT to_regclass('tv_good__new'), (SELECT count(*) FROM tviews_internal.pg_tview_replacement) AS left_over;
SELECT pg_tviews_replace('good', 'SELECT pk_good::bigint AS pk_good, fk_shop FROM tb_good', online => true);
DROP TABLE tv_good__new;
SELECT pg_tviews_replace_finish('good');
SELECT pg_tviews_replace('good', 'SELECT pk_good::bigint AS pk_good, fk_shop FROM tb_good', online => true);
DROP TABLE tv_good;
SELECT to_regclass('tv_good__new'), (SELECT count(*) FROM tviews_internal.pg_tview_replacement) AS left_over;

-- Where others follow row by row.
CREATE TABLE tv_good WITH (pg_tviews.feed = keys) AS SELECT pk_good, name FROM tb_good;
SELECT pg_tviews_replace('good', 'SELECT pk_good, name, stock FROM tb_good', online => true);
ALTER TABLE tv_good SET (pg_tviews.feed = off);
CREATE TABLE tv_wide AS SELECT pk_good AS pk_wide, to_jsonb(tv_good) AS data FROM tv_good;
SELECT pg_tviews_replace('good', 'SELECT pk_good, g.name, data FROM tb_good g JOIN tv_wide ON pk_wide = pk_good', online => true);
-- What reads whole rows has one field more.
SELECT pg_tviews_replace('good', 'SELECT pk_good, name, stock FROM tb_good', online => true);
CALL filled('good');
-- Not as when it began.
ALTER TABLE tv_good SET (pg_tviews.feed = keys);
SELECT pg_tviews_replace_finish('good');
ALTER TABLE tv_good SET (pg_tviews.feed = off);
SELECT pg_tviews_replace_finish('good');
SELECT * FROM tv_wide WHERE pk_wide = 1;
TABLE equal;

-- Of another owner, by a superuser: what it computes, it computes as that one.
CREATE ROLE online_owner NOLOGIN;
GRANT CREATE, USAGE ON SCHEMA replace_online TO online_owner;
GRANT SELECT, TRIGGER ON tb_shop TO online_owner;
SET ROLE online_owner;
CREATE TABLE tv_shop AS SELECT pk_shop, name FROM tb_shop;
RESET ROLE;
SELECT pg_tviews_replace('shop', 'SELECT pk_shop, name, current_user::text AS who FROM tb_shop', online => true);
SELECT pg_tviews_replace('shop', 'SELECT pk_shop, name, length(name) AS size FROM tb_shop', online => true);
SELECT relname, pg_get_userbyid(relowner) FROM pg_class WHERE relname IN ('tv_shop__new', 'v_shop__new') ORDER BY 1;
CALL filled('shop');
GRANT USAGE ON SCHEMA replace_online TO online_reader;
SET ROLE online_reader;
SELECT pg_tviews_replace_finish('replace_online.shop');
SELECT pg_tviews_replace_cancel('replace_online.shop');
RESET ROLE;
SELECT pg_tviews_replace_finish('shop');
SELECT * FROM tv_shop ORDER BY 1;
SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relname IN ('tv_shop', 'v_shop', 'tv_shop_pkey');
TABLE equal;
SELECT operation, entity FROM pg_tview_audit_log WHERE operation LIKE 'REPLACE%' AND entity IN ('good', 'shop') AND log_id > (SELECT last FROM logged) ORDER BY log_id;

-- In a lane, and with sums that are kept by what has changed: the states go over to the TVIEW.
CREATE TABLE tv_lane WITH (pg_tviews.lane = 'online_lane') AS SELECT pk_shop AS pk_lane, name FROM tb_shop;
CREATE TABLE tv_sum WITH (pg_tviews.group_state = 'on') AS SELECT pk_shop AS pk_sum, (SELECT count(*) FROM tb_good WHERE fk_shop = pk_shop) AS goods FROM tb_shop;
SELECT pg_tviews_replace('lane', 'SELECT pk_shop AS pk_lane, upper(name) AS name, (SELECT count(*) FROM tb_good WHERE fk_shop = pk_shop) AS goods FROM tb_shop', online => true);
SELECT pg_tviews_replace('sum', 'SELECT pk_shop AS pk_sum, (SELECT count(*) FROM tb_good WHERE fk_shop = pk_shop) AS goods, (SELECT sum(stock) FROM tb_good WHERE fk_shop = pk_shop) AS stock FROM tb_shop', online => true);
CALL filled('lane');
CALL filled('sum');
SELECT options ->> 'lane' AS lane FROM pg_tview_meta WHERE entity = 'lane__new';
UPDATE tb_good SET stock = stock + 1 WHERE pk_good < 50;
SELECT count(*), sum(goods), sum(stock) FROM tv_sum__new;
CREATE TEMP TABLE states AS SELECT id FROM tviews_internal.pg_tview_group_state WHERE tview = 'tv_sum__new'::regclass;
SELECT pg_tviews_replace_finish('lane');
SELECT pg_tviews_replace_finish('sum');
UPDATE tb_good SET fk_shop = 2 WHERE pk_good < 50;
INSERT INTO tb_good VALUES (6000, 1, 'box', 1, 2, '4', md5('box')::uuid);
SELECT * FROM tv_lane ORDER BY 1;
SELECT * FROM tv_sum ORDER BY 1;
SELECT count(*) > 0 AS has_states, bool_and(tview = 'tv_sum'::regclass) AS of_sum FROM tviews_internal.pg_tview_group_state JOIN states USING (id);
TABLE equal;
DROP TABLE tv_lane, tv_sum;

DROP TABLE tv_wide, tv_good, tv_shop;
DROP SCHEMA replace_online CASCADE;
DROP OWNED BY online_reader, online_owner;
DROP ROLE online_reader, online_owner;
