-- Group states of several columns and tables, of other types, and of extremes: every small change of what they are made of, and what is
-- left out.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_tviews;
CREATE SCHEMA group_levels;
SET search_path = group_levels, public;

-- As text: what TVIEWs lack or have too much, and so for the rows of states that may be read.
CREATE FUNCTION differences() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT m.tview, m.backing_view FROM pg_tview_meta AS m JOIN pg_class AS c ON c.oid = m.tview WHERE c.relnamespace = 'group_levels'::regnamespace LOOP
        RETURN QUERY EXECUTE format('SELECT ''%1$s lacks '' || x FROM (SELECT x::text FROM %2$s x EXCEPT ALL SELECT x::text FROM %1$s x) AS d (x) UNION ALL'
            ' SELECT ''%1$s has '' || x FROM (SELECT x::text FROM %1$s x EXCEPT ALL SELECT x::text FROM %2$s x) AS d (x)', one.tview, one.backing_view);
    END LOOP;
    FOR one IN SELECT s.*, 'tviews_internal.pg_tview_groups_' || CASE key_type WHEN 'text[]'::regtype THEN 'keys' ELSE t.typname END AS rows
        FROM tviews_internal.pg_tview_group_state s JOIN tviews_internal.pg_tview_group_built b ON b.state = s.id JOIN pg_type t ON t.oid = s.key_type
        JOIN pg_class AS c ON c.oid = s.tview WHERE c.relnamespace = 'group_levels'::regnamespace LOOP
        RETURN QUERY EXECUTE format('WITH kept AS (SELECT x::text FROM (SELECT k, c, n, p, m%s FROM %s WHERE state = %s) AS x), pg_tviews_rows AS (SELECT *, 1::bigint'
            ' AS pg_tviews_weight FROM %s), fresh AS (SELECT x::text FROM (%s) AS x WHERE n <> 0) (SELECT ''state has '' || x FROM (TABLE kept EXCEPT ALL TABLE fresh) AS d (x)'
            ' UNION ALL SELECT ''state lacks '' || x FROM (TABLE fresh EXCEPT ALL TABLE kept) AS d (x))', one.places, one.rows, one.id, one.source, one.spec);
    END LOOP;
END $$;
-- States that are not those of the moment when they were last remembered.
CREATE TABLE remembered (state int, built_at timestamptz);
CREATE FUNCTION remember() RETURNS void LANGUAGE sql AS $$
    DELETE FROM remembered;
    INSERT INTO remembered SELECT b.state, b.built_at FROM tviews_internal.pg_tview_group_built b JOIN tviews_internal.pg_tview_group_state s ON s.id = b.state
        JOIN pg_class AS c ON c.oid = s.tview WHERE c.relnamespace = 'group_levels'::regnamespace $$;
CREATE FUNCTION built_anew() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT s.tview::text FROM tviews_internal.pg_tview_group_state s JOIN pg_class AS c ON c.oid = s.tview LEFT JOIN tviews_internal.pg_tview_group_built b ON b.state = s.id
    LEFT JOIN remembered r ON r.state = s.id WHERE c.relnamespace = 'group_levels'::regnamespace AND b.built_at IS DISTINCT FROM r.built_at ORDER BY 1 $$;

-- Extremes and counts of all tables of at most two rows, with two groups and two values, and all changes from one to another.
CREATE TABLE tb_small (pk_small int PRIMARY KEY, g int, x int, t text, d numeric(8,2), f numeric) WITH (autovacuum_enabled = off);
CREATE TABLE tv_small WITH (pg_tviews.group_state = on) AS
SELECT coalesce(g, -1) AS pk_small, n, low, high, first, last, cheap, dear, odd FROM (
    SELECT g, count(*) AS n, min(x) AS low, max(x) AS high, min(t) AS first, max(t) AS last, min(d) AS cheap, max(d) AS dear, max(x) FILTER (WHERE t = 'a') AS odd
    FROM tb_small GROUP BY g) AS grouped;
CREATE TABLE tv_distinct WITH (pg_tviews.group_state = on) AS
SELECT coalesce(g, -1) AS pk_distinct, n, xs, ts, ds, odd, total, high FROM (
    SELECT g, count(*) AS n, count(DISTINCT x) AS xs, count(DISTINCT t) AS ts, count(DISTINCT d * 1.0) AS ds, count(DISTINCT x) FILTER (WHERE t = 'a') AS odd,
           sum(d) AS total, max(x) AS high FROM tb_small GROUP BY g) AS grouped;
CREATE TABLE tv_every WITH (pg_tviews.group_state = on) AS SELECT 1 AS pk_every, count(*) AS n, count(DISTINCT x) AS xs, avg(x) AS x FROM tb_small;
CREATE TABLE tv_moments WITH (pg_tviews.group_state = on) AS
SELECT coalesce(g, -1) AS pk_moments, s, a, b, c, e, h, i, j, k, l FROM (
    SELECT g, sum(f) AS s, avg(f) AS a, var_pop(f) AS b, var_samp(f) AS c, stddev_pop(f) AS e, stddev(f) FILTER (WHERE x = 2) AS h, variance(x) AS i, stddev_samp(x) AS j,
           bool_and(x = 1) AS k, bool_or(t = 'b') AS l
    FROM tb_small GROUP BY g) AS grouped;
CREATE TABLE tb_group (pk_group int PRIMARY KEY);
INSERT INTO tb_group VALUES (1), (2), (-1);
CREATE TABLE tv_left WITH (pg_tviews.group_state = on) AS
SELECT pk_group AS pk_left, count(*) AS rows, count(x) AS n, sum(f) AS f, max(x) AS high, bool_and(x = 1) AS k
FROM tb_group LEFT JOIN tb_small ON g IS NOT DISTINCT FROM nullif(pk_group, -1) AND t = 'a' GROUP BY pk_group;
CREATE TABLE cells (cell int PRIMARY KEY, g int, x int, t text, f numeric);
INSERT INTO cells VALUES (1, 1, 1, 'a', 2.0), (2, 1, 2, 'b', 1.00), (3, 1, NULL, 'a', 'NaN'), (4, NULL, 2, 'a', 'Infinity');
CREATE TABLE tables AS SELECT row_number() OVER (ORDER BY a, b) AS number, a, b
FROM (SELECT 0 AS a, 0 AS b UNION ALL SELECT 0, c.cell FROM cells c UNION ALL SELECT c.cell, e.cell FROM cells c JOIN cells e ON c.cell <= e.cell) AS pairs;
CREATE PROCEDURE become(number bigint) LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM tb_small;
    INSERT INTO tb_small SELECT row_number() OVER (), c.g, c.x, c.t, c.x, c.f FROM tables t, unnest(ARRAY[t.a, t.b]) AS u JOIN cells c ON c.cell = u WHERE t.number = $1;
    COMMIT;
END $$;
CREATE PROCEDURE walk() LANGUAGE plpgsql AS $$
DECLARE
    step record;
    wrong text;
BEGIN
    FOR step IN SELECT a.number AS one, b.number AS other FROM tables a, tables b WHERE a.number < b.number LOOP
        CALL become(step.one);
        CALL become(step.other);
        CALL become(step.one);
        PERFORM pg_tviews_wait();
        SELECT string_agg(d, '; ') INTO wrong FROM differences() AS d;
        IF wrong IS NOT NULL THEN RAISE EXCEPTION 'from % to %: %', step.one, step.other, wrong; END IF;
    END LOOP;
END $$;
INSERT INTO tb_small VALUES (1, 1, 1, 'a', 1), (2, NULL, 1, 'a', 1);
INSERT INTO tb_small VALUES (3, 1, 1, 'a', 1), (4, NULL, 1, 'a', 1);
SELECT pg_tviews_wait();
SELECT remember();
CALL walk();
SELECT * FROM built_anew();
SELECT entity, level, is_valid FROM pg_tviews_group_states WHERE source = 'tb_small'::regclass ORDER BY 1;

-- Several columns, and types of columns.
CREATE TABLE tb_fact (pk_fact int PRIMARY KEY, tenant int, kind text, day date, at timestamptz, ts timestamp, ok boolean, small int2, code varchar(5), price numeric(6,2),
                      x numeric, big bigint, u uuid, free numeric, other varchar(5) COLLATE "C") WITH (autovacuum_enabled = off);
INSERT INTO tb_fact SELECT i, i % 3, 'k' || i % 2, '2020-01-01'::date + i % 4, '2020-01-01 00:00Z'::timestamptz + i % 3 * interval '1 hour', '2020-01-01'::timestamp + i % 2 * interval '1.5 s',
    i % 2 = 0, i % 2, 'c' || i % 3, i % 4 / 4.0, i / 8.0, i, ('00000000-0000-0000-0000-00000000000' || i % 3)::uuid, 1.0, 'o' || i % 2 FROM generate_series(1, 60) AS i;
CREATE TABLE tv_two WITH (pg_tviews.group_state = on) AS
SELECT tenant AS pk_two, kind, count(*) AS n, sum(x) AS x, max(at) AS last FROM tb_fact WHERE kind = 'k1' AND tenant IS NOT NULL GROUP BY tenant, kind;
CREATE TABLE tv_nested WITH (pg_tviews.group_state = on) AS
SELECT coalesce(tenant, -1) AS pk_nested, jsonb_agg(jsonb_build_array(kind, day, n, x::text, big) ORDER BY kind, day) AS data
FROM (SELECT tenant, kind, day, count(*) AS n, sum(x) AS x, max(big) AS big FROM tb_fact GROUP BY tenant, kind, day) AS grouped GROUP BY 1;
CREATE TABLE tv_day WITH (pg_tviews.group_state = on) AS SELECT day AS pk_day, count(*) AS n, min(ts) AS first FROM tb_fact WHERE day IS NOT NULL GROUP BY day;
CREATE TABLE tv_at WITH (pg_tviews.group_state = on) AS SELECT at AS pk_at, count(*) AS n, max(day) AS last FROM tb_fact WHERE at IS NOT NULL GROUP BY at;
CREATE TABLE tv_flag WITH (pg_tviews.group_state = on) AS
SELECT small AS pk_flag, ok, ts, count(*) AS n FROM tb_fact WHERE ok AND ts = '2020-01-01' AND small IS NOT NULL GROUP BY small, ok, ts;
CREATE TABLE tv_code WITH (pg_tviews.group_state = on) AS
SELECT code AS pk_code, sum(big) AS big, max(small) AS small, min(price) AS price, max(code) AS code FROM tb_fact WHERE code IS NOT NULL GROUP BY code;
CREATE TABLE tv_price WITH (pg_tviews.group_state = on) AS SELECT price AS pk_price, count(*) AS n FROM tb_fact WHERE price IS NOT NULL GROUP BY price;
CREATE TABLE tv_uuid WITH (pg_tviews.group_state = on) AS SELECT u AS pk_uuid, count(*) AS n, min(kind) AS kind, max(big) FILTER (WHERE false) AS none FROM tb_fact WHERE u IS NOT NULL GROUP BY u;
-- What is made of columns.
CREATE TABLE tv_month WITH (pg_tviews.group_state = on) AS
SELECT date_trunc('month', ts) AS pk_month, count(*) AS n, sum(big) AS big FROM tb_fact WHERE ts IS NOT NULL GROUP BY 1 HAVING date_trunc('month', ts) <> '2021-01-01';
CREATE TABLE tv_hour WITH (pg_tviews.group_state = on) AS
SELECT (at AT TIME ZONE 'UTC')::date AS pk_hour, max(kind) AS kind, count(DISTINCT tenant) AS tenants FROM tb_fact WHERE at IS NOT NULL GROUP BY 1;
CREATE TABLE tv_lower WITH (pg_tviews.group_state = on) AS
SELECT coalesce(upper(kind) || tenant::text, '') AS pk_lower, big % 2 = 0 AS is_even, count(*) AS n FROM tb_fact WHERE big % 2 = 0 GROUP BY 1, big % 2 = 0;
CREATE TABLE tv_of_day WITH (pg_tviews.group_state = on) AS
SELECT o.pk_of_day, (SELECT sum(f.x) FROM tb_fact AS f WHERE f.day + 0 = o.day) AS x FROM (SELECT DISTINCT day + 0 AS pk_of_day, day + 0 AS day FROM tb_fact WHERE day IS NOT NULL) AS o;
-- Left out: an extreme or a group of numeric without a scale, texts in another collation's order, a number without a scale.
CREATE TABLE tv_not1 WITH (pg_tviews.group_state = on) AS SELECT tenant AS pk_not1, max(x) AS x FROM tb_fact WHERE tenant IS NOT NULL GROUP BY tenant;
CREATE TABLE tv_not2 WITH (pg_tviews.group_state = on) AS SELECT free AS pk_not2, count(*) AS n FROM tb_fact WHERE free IS NOT NULL GROUP BY free;
CREATE TABLE tv_not3 WITH (pg_tviews.group_state = on) AS SELECT tenant AS pk_not3, max(kind COLLATE "C") AS x FROM tb_fact WHERE tenant IS NOT NULL GROUP BY tenant;
CREATE TABLE tv_not4 WITH (pg_tviews.group_state = on) AS SELECT extract(year FROM ts) AS pk_not4, count(*) AS n FROM tb_fact WHERE isfinite(ts) GROUP BY 1;
SELECT entity, level FROM pg_tviews_group_states WHERE source = 'tb_fact'::regclass ORDER BY 1, 2;
INSERT INTO tb_fact SELECT 61, 0, 'k1', '2020-01-01', '2020-01-01 00:00Z', '2020-01-01', true, 0, 'c0', 0.25, 1, 1, '00000000-0000-0000-0000-000000000000', 1, 'o';
SELECT pg_tviews_wait();
SELECT * FROM differences();
SELECT remember();
-- Rows move, groups end and come back, infinities, NULL groups, another TimeZone.
UPDATE tb_fact SET day = 'infinity', at = '-infinity', ts = 'infinity', kind = 'k1' WHERE pk_fact % 5 = 0;
SELECT pg_tviews_wait();
SELECT * FROM differences();
SET TimeZone = 'Asia/Tokyo';
SET DateStyle = 'German';
UPDATE tb_fact SET tenant = NULL, kind = NULL, day = NULL, at = NULL, ts = NULL, ok = NULL, small = NULL, code = NULL, price = NULL, u = NULL, big = NULL WHERE pk_fact % 7 = 0;
UPDATE tb_fact SET day = '0044-03-15 BC', at = '10000-01-01 00:00:00.000001Z', ts = '0044-03-15 12:00 BC' WHERE pk_fact % 11 = 0;
SELECT pg_tviews_wait();
SELECT * FROM differences();
DELETE FROM tb_fact WHERE tenant = 1;
UPDATE tb_fact SET price = 'NaN', code = ' a ' WHERE pk_fact % 13 = 0;
SELECT pg_tviews_wait();
SELECT * FROM differences();
INSERT INTO tb_fact SELECT 100 + i, 1, 'k1', '2019-01-01', now(), '2019-01-01', true, 0, 'c1', 0.25, 1.000, -i, NULL FROM generate_series(1, 3) AS i;
DELETE FROM tb_fact WHERE big = (SELECT max(big) FROM tb_fact);
SELECT pg_tviews_wait();
SELECT * FROM differences();
RESET TimeZone;
RESET DateStyle;
SELECT * FROM built_anew();

-- Distinct values of every type; what is equal and looks different is one.
CREATE TABLE tv_values WITH (pg_tviews.group_state = on) AS
SELECT tenant AS pk_values, count(DISTINCT kind) AS kinds, count(DISTINCT day) AS days, count(DISTINCT at) AS ats, count(DISTINCT ts) AS tss, count(DISTINCT ok) AS oks,
       count(DISTINCT small) AS smalls, count(DISTINCT code) AS codes, count(DISTINCT x) AS xs, count(DISTINCT u) AS us, count(DISTINCT big) AS bigs
FROM tb_fact WHERE tenant IS NOT NULL GROUP BY tenant;
-- Left out: floats, whose zeros are equal, and other aggregates of distinct values.
CREATE TABLE tv_not5 WITH (pg_tviews.group_state = on) AS SELECT tenant AS pk_not5, count(DISTINCT x::float8) AS n FROM tb_fact WHERE tenant IS NOT NULL GROUP BY tenant;
CREATE TABLE tv_not6 WITH (pg_tviews.group_state = on) AS SELECT tenant AS pk_not6, sum(DISTINCT big) AS n FROM tb_fact WHERE tenant IS NOT NULL GROUP BY tenant;
-- Likewise distinct values of several groups of the state: they are not added. Where the conditions leave one group, they are.
CREATE TABLE tb_asked (pk_asked int PRIMARY KEY, code text);
INSERT INTO tb_asked VALUES (0, 'c0'), (1, 'c1'), (2, NULL);
CREATE TABLE tv_not12 WITH (pg_tviews.group_state = on) AS
SELECT pk_asked AS pk_not12, (SELECT count(DISTINCT kind) FROM tb_fact WHERE tenant = pk_asked AND big < pk_asked * 10) AS n FROM tb_asked;
CREATE TABLE tv_not13 WITH (pg_tviews.group_state = on) AS
SELECT pk_asked AS pk_not13, (SELECT count(DISTINCT kind) FROM tb_fact WHERE tenant::numeric = pk_asked) AS n FROM tb_asked;
CREATE TABLE tv_asked WITH (pg_tviews.group_state = on) AS
SELECT pk_asked, (SELECT count(DISTINCT kind) FROM tb_fact AS f WHERE f.tenant = pk_asked AND f.code = a.code) AS n,
       (SELECT count(DISTINCT kind) FROM tb_fact AS f WHERE pk_asked::bigint = f.tenant) AS all FROM tb_asked AS a;
SELECT entity, level FROM pg_tviews_group_states WHERE entity IN ('values', 'asked') OR entity LIKE 'not%' ORDER BY 1, 2;
INSERT INTO tb_fact SELECT 200 + i, 2, 'z', day, at, ts, ok, small, code, price, x + 0.00, big, u FROM tb_fact, generate_series(0, 1) AS i WHERE pk_fact = 8;
SELECT pg_tviews_wait();
SELECT * FROM differences();
SELECT remember();
SELECT kinds, xs FROM tv_values WHERE pk_values = 2;
UPDATE tb_fact SET x = x * 1.00, tenant = 2 WHERE pk_fact IN (1, 200);
DELETE FROM tb_fact WHERE pk_fact = 8;
SELECT pg_tviews_wait();
SELECT * FROM differences();
SELECT kinds, xs FROM tv_values WHERE pk_values = 2;
DELETE FROM tb_fact WHERE pk_fact IN (200, 201);
UPDATE tb_fact SET day = 'infinity', ts = NULL, at = at + interval '1 microsecond', x = 'NaN', code = '' WHERE pk_fact % 2 = 0;
SELECT pg_tviews_wait();
SELECT * FROM differences();
DELETE FROM tb_fact WHERE tenant = 2;
INSERT INTO tb_fact SELECT 300, 2;
SELECT pg_tviews_wait();
SELECT * FROM differences();
SELECT kinds, xs FROM tv_values WHERE pk_values = 2;
SELECT * FROM built_anew();

-- Variances and roots, with as many digits as the server gives: of small and large, near and distant values.
CREATE TABLE tb_measure (pk_measure int PRIMARY KEY, series int, i int, s int2, b bigint, x numeric) WITH (autovacuum_enabled = off);
INSERT INTO tb_measure SELECT 10 * g + i, g, i * g, i % 3, 1234567890123 * (i % (1 + g % 5)) * g, (1 + i * g % 7) * ('1e' || g % 24 - 12)::numeric FROM generate_series(1, 200) AS g, generate_series(0, 9) AS i WHERE i <= g % 10;
CREATE TABLE tv_series WITH (pg_tviews.group_state = on) AS
SELECT series AS pk_series, var_pop(i) AS a, var_samp(s) AS b, variance(b) AS c, var_pop(x) AS d, variance(x) AS e, stddev_pop(i) AS f, stddev_samp(s) AS g, stddev(b) AS h,
       stddev_pop(x) AS k, stddev(x) AS l, stddev_samp(i) AS m FROM tb_measure GROUP BY series;
INSERT INTO tb_measure SELECT 100000 + g, g, g, g, g, g FROM generate_series(1, 200) AS g;
SELECT pg_tviews_wait();
SELECT * FROM differences();
SELECT remember();
UPDATE tb_measure SET i = i + 3, x = x * 1.10, b = b - 1 WHERE pk_measure % 3 = 0;
DELETE FROM tb_measure WHERE pk_measure > 100000;
SELECT pg_tviews_wait();
SELECT * FROM differences();
DELETE FROM tb_measure WHERE pk_measure % 10 > 1;
SELECT pg_tviews_wait();
SELECT * FROM differences();
SELECT * FROM built_anew();

-- Joins: all tables change in one transaction, rows change sides, and a table is joined with itself.
CREATE TABLE tb_product (pk_product int PRIMARY KEY, price numeric, name text) WITH (autovacuum_enabled = off);
CREATE TABLE tb_order (pk_order int PRIMARY KEY, customer int, is_paid boolean) WITH (autovacuum_enabled = off);
CREATE TABLE tb_item (pk_item int PRIMARY KEY, fk_order int, fk_product int, qty int) WITH (autovacuum_enabled = off);
INSERT INTO tb_product SELECT i, i * 1.5, 'p' || i FROM generate_series(1, 5) AS i;
INSERT INTO tb_order SELECT i, i % 3, i % 2 = 0 FROM generate_series(1, 8) AS i;
INSERT INTO tb_item SELECT i, 1 + i % 8, 1 + i % 5, i FROM generate_series(1, 40) AS i;
CREATE TABLE tv_order WITH (pg_tviews.group_state = on) AS
SELECT pk_order, (SELECT sum(i.qty * p.price) FROM tb_item AS i JOIN tb_product AS p ON p.pk_product = i.fk_product WHERE i.fk_order = o.pk_order) AS total,
       (SELECT count(*) FROM tb_item AS i, tb_product AS p WHERE i.fk_order = o.pk_order AND p.pk_product = i.fk_product AND p.price > 2) AS dear
FROM tb_order AS o;
CREATE TABLE tv_product WITH (pg_tviews.group_state = on) AS
SELECT p.pk_product, p.name, count(*) AS n, max(i.qty) AS most, sum(i.qty) AS qty FROM tb_product AS p JOIN tb_item AS i ON i.fk_product = p.pk_product GROUP BY p.pk_product;
CREATE TABLE tv_customer WITH (pg_tviews.group_state = on) AS
SELECT coalesce(customer, -1) AS pk_customer, n, total, average, products, orders FROM (
    SELECT o.customer, count(*) AS n, count(DISTINCT p.pk_product) AS products, count(DISTINCT o.pk_order) AS orders, sum(i.qty * p.price) AS total, avg(p.price) AS average
    FROM tb_order AS o JOIN (tb_item AS i JOIN tb_product AS p ON p.pk_product = i.fk_product) ON i.fk_order = o.pk_order WHERE o.is_paid GROUP BY o.customer) AS grouped;
CREATE TABLE tv_pair WITH (pg_tviews.group_state = on) AS
SELECT a.fk_order AS pk_pair, count(*) AS n, max(b.qty) AS most FROM tb_item AS a JOIN tb_item AS b ON b.fk_product = a.fk_product WHERE a.fk_order IS NOT NULL GROUP BY a.fk_order;
CREATE TABLE tv_best WITH (pg_tviews.group_state = on) AS
SELECT i.fk_order AS pk_best, max(i.qty) AS most, min(length(p.name) * i.qty) AS least FROM tb_item AS i JOIN tb_product AS p ON p.pk_product = i.fk_product WHERE i.fk_order IS NOT NULL GROUP BY i.fk_order;
CREATE TABLE tv_all WITH (pg_tviews.group_state = on) AS
SELECT 1 AS pk_all, count(*) AS n, sum(qty * price) AS total, count(DISTINCT fk_order) AS orders, count(DISTINCT price) AS prices FROM tb_item JOIN tb_product ON pk_product = fk_product;
-- Outer joins with what is aggregated: by a key, over other joins, with a condition, several rows outside for one inside.
CREATE TABLE tv_outer WITH (pg_tviews.group_state = on) AS
SELECT p.pk_product AS pk_outer, p.name, count(i.qty) AS n, count(*) AS rows, sum(i.qty) AS qty, max(i.qty) AS most, avg(i.qty) AS average, bool_and(i.qty > 10) AS large,
       count(*) FILTER (WHERE i.qty > 5) AS many, sum(CASE WHEN i.qty > 5 THEN 1 END) AS more
FROM tb_product AS p LEFT JOIN tb_item AS i ON i.fk_product = p.pk_product AND i.qty <> 13 GROUP BY p.pk_product;
CREATE TABLE tv_buyer WITH (pg_tviews.group_state = on) AS
SELECT coalesce(o.customer, -1) AS pk_buyer, count(*) AS rows, count(i.pk_item) AS n, stddev(i.qty) AS deviation, min(i.qty) AS least
FROM tb_order AS o LEFT JOIN tb_item AS i ON i.fk_order = o.pk_order AND o.is_paid GROUP BY coalesce(o.customer, -1);
CREATE TABLE tv_three WITH (pg_tviews.group_state = on) AS
SELECT o.pk_order AS pk_three, count(i.qty) AS n FROM (SELECT * FROM tb_order WHERE customer IS NOT NULL) AS o JOIN tb_order AS same ON same.pk_order = o.pk_order
LEFT JOIN tb_item AS i ON i.fk_order = o.pk_order WHERE o.pk_order <> 3 AND (o.is_paid OR same.pk_order < 6) GROUP BY o.pk_order HAVING count(*) < 9;
-- Left out: what counts a row that has no partner, distinct values, several outer joins, conditions above the join.
CREATE TABLE tv_not7 WITH (pg_tviews.group_state = on) AS
SELECT p.pk_product AS pk_not7, sum(CASE WHEN i.qty > 5 THEN 1 ELSE 0 END) AS n FROM tb_product AS p LEFT JOIN tb_item AS i ON i.fk_product = p.pk_product GROUP BY p.pk_product;
CREATE TABLE tv_not8 WITH (pg_tviews.group_state = on) AS
SELECT p.pk_product AS pk_not8, count(DISTINCT i.fk_order) AS n FROM tb_product AS p LEFT JOIN tb_item AS i ON i.fk_product = p.pk_product GROUP BY p.pk_product;
CREATE TABLE tv_not9 WITH (pg_tviews.group_state = on) AS
SELECT p.pk_product AS pk_not9, count(i.qty) AS n FROM tb_product AS p LEFT JOIN tb_item AS i ON i.fk_product = p.pk_product LEFT JOIN tb_item AS j ON j.fk_product = p.pk_product
GROUP BY p.pk_product;
CREATE TABLE tv_not10 WITH (pg_tviews.group_state = on) AS
SELECT p.pk_product AS pk_not10, count(i.qty) AS n FROM tb_product AS p LEFT JOIN tb_item AS i ON i.fk_product = p.pk_product WHERE i.qty IS NULL OR i.qty > 3 GROUP BY p.pk_product;
CREATE TABLE tv_not11 WITH (pg_tviews.group_state = on) AS
SELECT p.pk_product AS pk_not11, max(p.pk_product + i.qty) AS n FROM tb_product AS p LEFT JOIN tb_item AS i ON i.fk_product = p.pk_product GROUP BY p.pk_product;
SELECT entity, level FROM pg_tviews_group_states WHERE source IN ('tb_item'::regclass, 'tb_product'::regclass, 'tb_order'::regclass) ORDER BY 1, 2;
UPDATE tb_item SET qty = qty + 1;
SELECT pg_tviews_wait();
SELECT * FROM differences();
SELECT remember();
UPDATE tb_product SET price = price + 0.125 WHERE pk_product = 2;
SELECT pg_tviews_wait();
SELECT * FROM differences();
BEGIN;
INSERT INTO tb_order VALUES (9, 1, true);
INSERT INTO tb_item VALUES (41, 9, 6, 7), (42, 9, 1, 100);
INSERT INTO tb_product VALUES (6, 10.00, 'p6');
UPDATE tb_product SET price = 'NaN', name = 'q' WHERE pk_product = 3;
UPDATE tb_order SET customer = NULL WHERE pk_order = 4;
UPDATE tb_item SET fk_order = 9, fk_product = 6 WHERE pk_item IN (1, 2, 3);
DELETE FROM tb_item WHERE qty > 35 AND qty < 90;
DELETE FROM tb_product WHERE pk_product = 5;
COMMIT;
SELECT pg_tviews_wait();
SELECT * FROM differences();
BEGIN;
DELETE FROM tb_order WHERE pk_order = 9;
SAVEPOINT a;
DELETE FROM tb_product WHERE pk_product IN (1, 2);
UPDATE tb_item SET qty = 0;
ROLLBACK TO a;
UPDATE tb_product SET pk_product = 5 WHERE pk_product = 3;
UPDATE tb_product SET pk_product = 3, price = 4.5 WHERE pk_product = 6;
UPDATE tb_item SET fk_order = 2 WHERE fk_order = 9;
COMMIT;
SELECT pg_tviews_wait();
SELECT * FROM differences();
BEGIN;
DELETE FROM tb_item;
DELETE FROM tb_product;
COMMIT;
SELECT pg_tviews_wait();
SELECT * FROM differences();
SELECT n, total FROM tv_all;
BEGIN;
INSERT INTO tb_product VALUES (1, 2.0, 'p1');
INSERT INTO tb_item VALUES (1, 2, 1, 3), (2, 2, 1, 4);
COMMIT;
SELECT pg_tviews_wait();
SELECT * FROM differences();
SELECT n, total FROM tv_all;
SELECT * FROM built_anew();
-- A row that is new would join with one that is gone: its value has never been there.
BEGIN;
INSERT INTO tb_product VALUES (7, 1, 'p7'), (9, 1, 'p9');
INSERT INTO tb_item VALUES (11, 3, 7, 5), (12, 3, 1, 50), (15, 3, 9, 1);
COMMIT;
SELECT pg_tviews_wait();
SELECT remember();
BEGIN;
DELETE FROM tb_item WHERE pk_item = 12;
UPDATE tb_product SET pk_product = 8 WHERE pk_product = 1;
INSERT INTO tb_product VALUES (1, 9, 'p9');
COMMIT;
BEGIN;
DELETE FROM tb_product WHERE pk_product = 7;
INSERT INTO tb_item VALUES (13, 3, 7, 99), (14, 3, 1, 2);
COMMIT;
SELECT pg_tviews_wait();
SELECT * FROM differences();
SELECT * FROM built_anew();
-- Of one table it is not known what has changed.
TRUNCATE tb_product;
INSERT INTO tb_product VALUES (1, 3.25, 'p1');
UPDATE tb_item SET qty = 5 WHERE pk_item = 1;
SELECT pg_tviews_wait();
SELECT * FROM differences();
SELECT n, total FROM tv_all;

-- Names that are words of the language, or those that states use; columns that are gone; composites, enums and arrays inside.
CREATE TYPE pair AS (a int, b numeric);
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE "tb_Odd t" (pk int PRIMARY KEY, gone int, "a b" int, "select" int, c1 int, e1 int, k int, w1 int, d text, v int, p pair, m mood, arr int[], n int, c int, r numeric, s int,
                         state int) WITH (autovacuum_enabled = off);
ALTER TABLE "tb_Odd t" DROP COLUMN gone;
INSERT INTO "tb_Odd t" SELECT i, i % 3, i % 4, i % 2, i, i % 5, i, 'x' || i % 2, i, ROW(i, i * 0.5)::pair, 'ok', ARRAY[i], i, i, i, i, i % 2 FROM generate_series(1, 20) AS i;
CREATE TABLE "tb_C""x" (pk_x int PRIMARY KEY, "a b" int, e1 int, c1 int) WITH (autovacuum_enabled = off);
INSERT INTO "tb_C""x" SELECT i, i % 3, i, i % 2 FROM generate_series(1, 6) AS i;
CREATE TABLE tv_odd1 WITH (pg_tviews.group_state = on) AS
SELECT "a b" AS pk_odd1, "select", sum(e1) AS a, max(w1) AS b, count(DISTINCT d) AS c, sum((p).a) AS f, count(*) FILTER (WHERE m = 'ok' AND arr[1] > 3) AS g, min(k) AS kk, sum(r) AS rr,
       sum(c) AS cc, max(v) AS vv, count(DISTINCT n) AS nn FROM "tb_Odd t" WHERE "select" = 1 GROUP BY "a b", "select";
CREATE TABLE tv_odd2 WITH (pg_tviews.group_state = on) AS
SELECT o.c1 AS pk_odd2, sum(x.e1 * o.e1) AS a, max(x."a b" + o."a b") AS b, count(DISTINCT o.state) AS s, sum(o.k) AS k
FROM "tb_Odd t" AS o JOIN "tb_C""x" AS x USING (c1, "a b") WHERE o.m = 'ok' GROUP BY o.c1;
CREATE TABLE tv_odd3 WITH (pg_tviews.group_state = on) AS
SELECT x.pk_x AS pk_odd3, sum(o.k) AS k, count(*) AS n FROM "tb_C""x" AS x LEFT JOIN "tb_Odd t" AS o USING ("a b", c1) GROUP BY x.pk_x;
CREATE TABLE tv_odd4 WITH (pg_tviews.group_state = on) AS SELECT state AS pk_odd4, sum(s) AS s, max(s) AS m FROM "tb_Odd t" GROUP BY state;
SELECT entity, level FROM pg_tviews_group_states WHERE entity LIKE 'odd%' ORDER BY 1;
INSERT INTO "tb_Odd t" SELECT 100 + i, i % 3, i % 4, i % 2, i, i, i, 'y', i, ROW(i, i)::pair, 'ok', ARRAY[i], i, i, i, i, i % 2 FROM generate_series(1, 12) AS i;
INSERT INTO "tb_C""x" VALUES (7, 1, 1, 1);
SELECT pg_tviews_wait();
SELECT remember();
UPDATE "tb_Odd t" SET e1 = e1 + 1, k = k - 1, d = d || 'y', s = s + 1, p.a = 7, m = CASE WHEN pk % 5 = 0 THEN 'sad' ELSE m END, "a b" = c1 WHERE pk % 2 = 0;
DELETE FROM "tb_Odd t" WHERE pk IN (19, 20, 112);
UPDATE "tb_C""x" SET e1 = e1 + 1, c1 = 1 - c1 WHERE pk_x % 2 = 0;
SELECT pg_tviews_wait();
SELECT * FROM differences();
SELECT * FROM built_anew();

DROP SCHEMA group_levels CASCADE;
SELECT count(*) FROM tviews_internal.pg_tview_group_source WHERE NOT EXISTS (SELECT FROM tviews_internal.pg_tview_group_state AS s WHERE s.id = state);
