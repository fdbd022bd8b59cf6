-- Aggregates of large groups are kept by what has changed: which levels are, and that they print what the query prints.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_tviews;
CREATE SCHEMA group_states;
SET search_path = group_states, public;
RESET client_min_messages;

-- Rows of states that are not what their tables say, as text.
CREATE FUNCTION state_differences(source regclass) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    state record;
BEGIN
    FOR state IN SELECT s.*, 'tviews_internal.pg_tview_groups_' || CASE key_type WHEN 'text[]'::regtype THEN 'keys' ELSE t.typname END AS rows
        FROM tviews_internal.pg_tview_group_state s JOIN tviews_internal.pg_tview_group_built b ON b.state = s.id JOIN pg_type t ON t.oid = s.key_type
        WHERE s.id IN (SELECT g.state FROM tviews_internal.pg_tview_group_source g WHERE g.source = $1) LOOP
        RETURN QUERY EXECUTE format('WITH kept AS (SELECT x::text FROM (SELECT k, c, n, p, m%s FROM %s WHERE state = %s) AS x), pg_tviews_rows AS (SELECT *, 1::bigint'
            ' AS pg_tviews_weight FROM %s), fresh AS (SELECT x::text FROM (%s) AS x WHERE n <> 0) (SELECT ''has '' || x FROM (TABLE kept EXCEPT ALL TABLE fresh) AS d (x) UNION ALL'
            ' SELECT ''lacks '' || x FROM (TABLE fresh EXCEPT ALL TABLE kept) AS d (x))', state.places, state.rows, state.id, state.source, state.spec);
    END LOOP;
END $$;

CREATE TABLE tb_author (pk_author int PRIMARY KEY, name text);
CREATE TABLE tb_book (pk_book int PRIMARY KEY, fk_author int, price numeric, pages int, sold bigint, small int2, out boolean, kind text,
                      ratio float8, code varchar(9), at timestamptz) WITH (autovacuum_enabled = off);
CREATE TABLE tb_part (pk_part int PRIMARY KEY, n int) PARTITION BY RANGE (pk_part);
INSERT INTO tb_author SELECT i, 'author ' || i FROM generate_series(1, 4) AS i;
INSERT INTO tb_book SELECT i, 1 + i % 3, i / 10.0, i, i * 1000000000::bigint, i % 100, i % 2 = 0, 'k' || i % 2 FROM generate_series(1, 6000) AS i;
CREATE INDEX ON tb_book (fk_author);

-- Without statistics nothing is known of groups: as before. With them it is said.
CREATE TABLE tv_quiet AS SELECT fk_author AS pk_quiet, count(*) AS n FROM tb_book GROUP BY fk_author;
DROP TABLE tv_quiet;
ANALYZE tb_book;
CREATE TABLE tv_total AS
SELECT fk_author AS pk_total, count(*) AS n, count(price) AS prices, sum(price) AS price, avg(price) AS average, sum(pages) AS pages,
       avg(pages) AS of_pages, sum(sold) AS sold, avg(sold) AS of_sold, sum(small) AS small, bool_and(out) AS every_out,
       bool_or(out) AS any_out, sum(price) FILTER (WHERE kind = 'k1') AS of_k1, count(*) FILTER (WHERE out) AS is_out
FROM tb_book GROUP BY fk_author;
CREATE TABLE tv_author AS
SELECT pk_author, jsonb_build_object('name', name,
    'books', (SELECT count(*) FROM tb_book AS b WHERE b.fk_author = a.pk_author),
    'cheap', (SELECT sum(price) FROM tb_book AS b WHERE b.fk_author = a.pk_author AND b.price < 100),
    'last', (SELECT max(pages) FROM tb_book AS b WHERE b.fk_author = a.pk_author)) AS data
FROM tb_author AS a;
CREATE TABLE tv_whole AS SELECT 1 AS pk_whole, count(*) AS n, sum(price) AS price FROM tb_book;
SELECT entity, source, level FROM pg_tviews_group_states ORDER BY 1, 2, 3;

-- Of a join too: a name that depends on the key makes no more groups, and the key is as frequent as the column that it equals.
INSERT INTO tb_author SELECT i, 'author ' || i FROM generate_series(1001, 4000) AS i;
ANALYZE tb_author;
CREATE TABLE tv_written AS
SELECT a.pk_author AS pk_written, a.name, count(*) AS n FROM tb_author AS a JOIN tb_book AS b ON b.fk_author = a.pk_author GROUP BY a.pk_author;
DROP TABLE tv_written;
DELETE FROM tb_author WHERE pk_author > 1000;

-- What cannot be kept exactly is not.
CREATE TABLE tb_other WITH (autovacuum_enabled = off) AS SELECT * FROM tb_book;
ANALYZE tb_other;
SET pg_tviews.notice_lineage = off;
SET client_min_messages = error;
CREATE TABLE tv_float AS SELECT fk_author AS pk_float, sum(ratio) AS x FROM tb_other GROUP BY fk_author;
CREATE TABLE tv_list AS SELECT fk_author AS pk_list, count(*) AS n, string_agg(kind, ',' ORDER BY pk_book) AS x FROM tb_other GROUP BY fk_author;
CREATE TABLE tv_varchar AS SELECT code AS pk_varchar, count(*) AS n FROM tb_other WHERE code IS NOT NULL GROUP BY code;
CREATE TABLE tv_two AS SELECT fk_author AS pk_two, ratio, count(*) AS n FROM tb_other WHERE ratio = 1 GROUP BY fk_author, ratio;
CREATE TABLE tv_expression AS SELECT fk_author * 1.0 AS pk_expression, count(*) AS n FROM tb_other GROUP BY fk_author * 1.0;
CREATE TABLE tv_distinct AS SELECT fk_author AS pk_distinct, sum(DISTINCT pages) AS n FROM tb_other GROUP BY fk_author;
CREATE TABLE tv_part WITH (pg_tviews.group_state = on) AS SELECT 1 AS pk_part, count(*) AS n FROM tb_part;
CREATE FUNCTION half(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 / 2';
CREATE TABLE tv_function AS SELECT fk_author AS pk_function, sum(half(pages)) AS n FROM tb_other GROUP BY fk_author;
CREATE TABLE tv_day AS SELECT fk_author AS pk_day, count(*) FILTER (WHERE at::date = '2020-01-01') AS n FROM tb_other GROUP BY fk_author;
CREATE TABLE tv_tview AS SELECT 1 AS pk_tview, sum(n) AS n FROM tv_total;
SELECT entity FROM pg_tviews_group_states WHERE source <> 'tb_book'::regclass;
DROP TABLE tv_float, tv_list, tv_varchar, tv_two, tv_expression, tv_distinct, tv_part, tv_function, tv_day, tv_tview, tb_other;
RESET client_min_messages;

-- As text: 2.0 is not 2.00. Both ways, and of what the states themselves say.
CREATE FUNCTION differences() RETURNS TABLE (what text, value text) LANGUAGE plpgsql AS $$
DECLARE
    name text;
    state record;
BEGIN
    PERFORM pg_tviews_wait();
    FOREACH name IN ARRAY ARRAY['total', 'author', 'whole'] LOOP
        RETURN QUERY EXECUTE format('(SELECT %L, x::text FROM v_%2$s x EXCEPT ALL SELECT %1$L, x::text FROM tv_%2$s x)', name || ' lacks', name);
        RETURN QUERY EXECUTE format('(SELECT %L, x::text FROM tv_%2$s x EXCEPT ALL SELECT %1$L, x::text FROM v_%2$s x)', name || ' has', name);
    END LOOP;
    RETURN QUERY SELECT 'state', d FROM state_differences('tb_book') AS d;
END $$;
CREATE FUNCTION kept() RETURNS text LANGUAGE sql AS
$$ SELECT count(*) || ' of ' || (SELECT count(*) FROM tviews_internal.pg_tview_group_state WHERE source = 'tb_book'::regclass)
   FROM tviews_internal.pg_tview_group_built AS b JOIN tviews_internal.pg_tview_group_state AS s ON s.id = b.state WHERE source = 'tb_book'::regclass $$;
UPDATE tb_book SET price = price + 1, pages = pages + 1 WHERE pk_book < 4;
SELECT * FROM differences();
SELECT kept();
CREATE TEMP TABLE built AS SELECT b.* FROM tviews_internal.pg_tview_group_built AS b JOIN tviews_internal.pg_tview_group_state AS s ON s.id = b.state WHERE source = 'tb_book'::regclass;

-- Display scales come and go, NaN and the infinities too.
UPDATE tb_book SET price = NULL WHERE fk_author = 1;
SELECT * FROM differences();
SELECT price, average, n, prices FROM tv_total WHERE pk_total = 1;
UPDATE tb_book SET price = '2.0' WHERE pk_book = 3;
UPDATE tb_book SET price = '1.00' WHERE pk_book = 6;
SELECT * FROM differences();
SELECT price, average FROM tv_total WHERE pk_total = 1;
DELETE FROM tb_book WHERE pk_book = 6;
SELECT * FROM differences();
SELECT price, average FROM tv_total WHERE pk_total = 1;
UPDATE tb_book SET price = 'Infinity' WHERE pk_book = 9;
SELECT * FROM differences();
SELECT price, average FROM tv_total WHERE pk_total = 1;
UPDATE tb_book SET price = '-Infinity' WHERE pk_book = 12;
SELECT * FROM differences();
SELECT price, average FROM tv_total WHERE pk_total = 1;
UPDATE tb_book SET price = 'NaN' WHERE pk_book = 15;
SELECT * FROM differences();
UPDATE tb_book SET price = 0.000 WHERE pk_book IN (9, 12, 15);
SELECT * FROM differences();
SELECT price, average FROM tv_total WHERE pk_total = 1;

-- Groups that end, come back, and move; the empty group of a count.
INSERT INTO tb_book VALUES (9001, 4, 1.5, 1, 1, 1, NULL, 'k1');
SELECT * FROM differences();
SELECT n, price, every_out FROM tv_total WHERE pk_total = 4;
DELETE FROM tb_book WHERE fk_author = 4;
SELECT * FROM differences();
SELECT count(*) FROM tv_total WHERE pk_total = 4;
SELECT data FROM tv_author WHERE pk_author = 4;
UPDATE tb_book SET fk_author = 4 WHERE fk_author = 2;
SELECT * FROM differences();
UPDATE tb_book SET pk_book = pk_book + 20000, fk_author = 2 WHERE fk_author = 4 AND pages % 2 = 0;
SELECT * FROM differences();

-- Savepoints; changes that cancel.
BEGIN;
INSERT INTO tb_book VALUES (9002, 1, 7.77, 1, 1, 1, true, 'k1');
SAVEPOINT a;
UPDATE tb_book SET price = 8.888 WHERE pk_book = 9002;
DELETE FROM tb_book WHERE pk_book < 100;
ROLLBACK TO a;
SAVEPOINT b;
UPDATE tb_book SET price = price + 0.25 WHERE pk_book < 50;
RELEASE b;
DELETE FROM tb_book WHERE pk_book = 9002;
COMMIT;
SELECT * FROM differences();

-- All of that was done without building a state anew. A comparison of the whole is one.
SELECT count(*) AS built_again FROM built JOIN tviews_internal.pg_tview_group_built AS b USING (state) WHERE b.built_at <> built.built_at;
SELECT count(*) FROM pg_tviews_refresh('whole');
SELECT count(*) AS left FROM built JOIN tviews_internal.pg_tview_group_built USING (state, built_at);

-- The option.
ALTER TABLE tv_total SET (pg_tviews.group_state = off);
SELECT entity FROM pg_tviews_group_states ORDER BY 1;
ALTER TABLE tv_total SET (pg_tviews.group_state = sometimes);
SET pg_tviews.notice_lineage = on;
ALTER TABLE tv_total SET (pg_tviews.group_state = on);
ALTER TABLE tv_total RESET (pg_tviews.group_state);
UPDATE tb_book SET price = price + 1 WHERE pk_book < 4;
SELECT * FROM differences();
TRUNCATE tb_book;
SELECT * FROM differences();
SELECT data FROM tv_author WHERE pk_author = 1;

-- A definition runs as its owner, who may not read the states; whoever may not read the source any more, gets an error.
SET client_min_messages = warning;
CREATE ROLE regress_group_states;
GRANT ALL ON SCHEMA group_states TO regress_group_states;
SET ROLE regress_group_states;
CREATE TABLE tb_own (pk_own int PRIMARY KEY, key bigint, x numeric);
INSERT INTO tb_own SELECT i, i % 2, 1.5 FROM generate_series(1, 10) AS i;
CREATE TABLE tv_own WITH (pg_tviews.group_state = on) AS SELECT key AS pk_own, count(*) AS n, sum(x) AS x FROM tb_own GROUP BY key;
INSERT INTO tb_own VALUES (11, 1, 0.25);
SELECT * FROM tv_own ORDER BY 1;
INSERT INTO tb_own VALUES (12, 1, 0.25);
SELECT * FROM tv_own ORDER BY 1;
SELECT * FROM tviews_internal.pg_tview_groups_int8;
RESET ROLE;
SELECT level, is_valid, rows FROM pg_tviews_group_states WHERE entity = 'own';
ALTER TABLE tb_own OWNER TO postgres;
REVOKE ALL ON tb_own FROM regress_group_states;
INSERT INTO tb_own VALUES (13, 1, 0.25);
SELECT pg_tviews_wait();
SELECT tview, sqlstate, error FROM pg_tview_dead_letter WHERE tview = 'tv_own'::regclass;

DROP SCHEMA group_states CASCADE;
DROP ROLE regress_group_states;
SELECT count(*) FROM tviews_internal.pg_tview_group_state WHERE NOT EXISTS (SELECT FROM pg_tview_meta AS m WHERE m.tview = pg_tview_group_state.tview);
