-- Keys of several columns, on every surface. The oracle is the query: rows(...) is empty where a TVIEW has its rows.
CREATE SCHEMA keys_composite;
SET search_path = keys_composite, public;
SET client_min_messages = warning;
CREATE FUNCTION rows_that_differ(entity text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE t text := 'keys_composite.tv_' || entity; v text := 'keys_composite.v_' || entity;
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT ''extra '' || x::text FROM (SELECT stored::text FROM %1$s AS stored EXCEPT ALL SELECT wanted::text FROM %2$s AS wanted) AS x
         UNION ALL SELECT ''missing '' || x::text FROM (SELECT wanted::text FROM %2$s AS wanted EXCEPT ALL SELECT stored::text FROM %1$s AS stored) AS x
         UNION ALL SELECT d.difference || '' '' || d.key FROM pg_tviews_verify(%3$L) AS d', t, v, 'keys_composite.' || entity);
END $$;
CREATE VIEW differing AS
SELECT m.entity, d FROM pg_tview_meta AS m JOIN pg_class ON pg_class.oid = m.tview, rows_that_differ(m.entity) AS d
WHERE relnamespace = 'keys_composite'::regnamespace;
\set wait 'SELECT pg_tviews_wait() \\gset waited_'

CREATE TABLE tb_tenant (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_user (tenant_id int REFERENCES tb_tenant ON UPDATE CASCADE ON DELETE CASCADE, id bigint, name text, PRIMARY KEY (tenant_id, id));
CREATE TABLE tb_post (tenant_id int, id bigint, user_id bigint, title text, PRIMARY KEY (tenant_id, id),
                      FOREIGN KEY (tenant_id, user_id) REFERENCES tb_user ON UPDATE CASCADE ON DELETE CASCADE);
CREATE INDEX ON tb_post (tenant_id, user_id);
INSERT INTO tb_tenant SELECT i, 'tenant ' || i FROM generate_series(1, 3) AS i;
INSERT INTO tb_user SELECT t, u, 'user ' || u FROM generate_series(1, 3) AS t, generate_series(1, 4) AS u;
INSERT INTO tb_post SELECT t, p, p % 4 + 1, 'post ' || p FROM generate_series(1, 3) AS t, generate_series(1, 12) AS p;

-- Creation: by option, by function, by the conversion of a table.
SET client_min_messages = notice;
CREATE TABLE tv_user WITH (pg_tviews.key = 'tenant_id, id') AS
SELECT u.tenant_id, u.id, t.name AS tenant, u.name,
       (SELECT count(*) FROM tb_post p WHERE p.tenant_id = u.tenant_id AND p.user_id = u.id) AS posts
FROM tb_user u JOIN tb_tenant t ON t.id = u.tenant_id;
SET client_min_messages = warning;
\d tv_user
SELECT pg_tviews_create('post', $$ SELECT p.id, p.tenant_id, p.title, u.name, u.tenant FROM tb_post p
    JOIN tv_user u ON u.tenant_id = p.tenant_id AND u.id = p.user_id $$, key => 'tenant_id,id');
CREATE VIEW v_name AS SELECT tenant_id, id, name FROM tb_user;
CREATE TABLE tv_old (tenant_id int, id bigint, name text);
ALTER TABLE tv_old RENAME TO tv_name;
SELECT pg_tviews_convert_table('tv_name', key => '"tenant_id" , ID');
SELECT tview, key_column, key_columns FROM pg_tview_meta WHERE tview IN ('tv_user'::regclass, 'tv_post', 'tv_name') ORDER BY 1;
SELECT objname, label FROM pg_seclabels WHERE provider = 'pg_tviews' AND label LIKE '%"key" : [%v_post%';
SELECT source, strategy, path, captured_columns, lookup FROM pg_tviews_explain_lineage('post');
SELECT strategy, captured, lookup, description FROM pg_tviews_explain_query('SELECT tenant_id AS t, id AS "I d" FROM tb_user', 't, "I d"');
-- A column that is called like a list is one column.
CREATE TABLE tv_odd WITH (pg_tviews.key = 'a, b') AS SELECT tenant_id AS "a, b", name FROM tb_user WHERE id = 1;
SELECT key_columns FROM pg_tview_meta WHERE tview = 'tv_odd'::regclass;
DROP TABLE tv_odd;
-- What cannot be.
CREATE TABLE tv_bad WITH (pg_tviews.key = 'tenant_id, nothing') AS SELECT tenant_id, id FROM tb_user;
CREATE TABLE tv_bad WITH (pg_tviews.key = 'tenant_id, tenant_id') AS SELECT tenant_id, id FROM tb_user;
CREATE TABLE tv_bad WITH (pg_tviews.key = 'tenant_id,') AS SELECT tenant_id, id FROM tb_user;
CREATE TABLE tv_bad WITH (pg_tviews.key = ' ') AS SELECT tenant_id, id FROM tb_user;
CREATE TABLE tv_bad WITH (pg_tviews.key = 'tenant_id, place') AS SELECT tenant_id, id, point(1, 2) AS place FROM tb_user;
CREATE TABLE tv_bad WITH (pg_tviews.key = 'tenant_id, name') AS SELECT tenant_id, 'same' AS name FROM tb_user;
CREATE TABLE tv_bad WITH (pg_tviews.key = 'tenant_id, name') AS SELECT tenant_id, nullif(name, 'user 3') AS name FROM tb_user;
SELECT format('SELECT %s', string_agg('1 AS c' || i, ', ')) AS query, string_agg('c' || i, ', ') AS many FROM generate_series(1, 33) AS i \gset
SELECT pg_tviews_create('bad', :'query', :'many');

-- Every kind of change, also of the key, in one transaction and in several.
SELECT * FROM differing;
UPDATE tb_user SET name = 'renamed' WHERE (tenant_id, id) = (2, 3);
INSERT INTO tb_post VALUES (2, 100, 3, 'new'), (3, 100, 1, 'new too');
UPDATE tb_post SET id = id + 1000 WHERE (tenant_id, id) IN ((1, 1), (3, 2));
:wait
SELECT * FROM differing;
BEGIN;
UPDATE tb_tenant SET id = 30, name = 'thirty' WHERE id = 3;
DELETE FROM tb_user WHERE (tenant_id, id) = (1, 2);
INSERT INTO tb_tenant VALUES (4, 'four');
INSERT INTO tb_user SELECT 4, i, 'u' FROM generate_series(1, 3) AS i;
UPDATE tb_post SET tenant_id = 4, user_id = 1 WHERE tenant_id = 2 AND id < 4;
COMMIT;
:wait
SELECT * FROM differing;
SELECT count(*) FROM tv_post;
SELECT * FROM tv_user WHERE tenant_id = 4 ORDER BY 2;
BEGIN;
UPDATE tb_post SET id = -id;
SAVEPOINT s;
DELETE FROM tb_tenant;
ROLLBACK TO s;
UPDATE tb_user SET id = 50 - id;
COMMIT;
:wait
SELECT * FROM differing;
SELECT DISTINCT strategy FROM pg_tview_lineage WHERE tview IN ('tv_user'::regclass, 'tv_post', 'tv_name') ORDER BY 1;

-- Values that are hard to print, to quote, and to tell apart.
CREATE COLLATION ignoring_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE DOMAIN short AS varchar(20) CHECK (value <> 'bad');
CREATE TYPE pair AS (a int, b text);
CREATE TABLE tb_hostile (a text, b numeric, c char(6), d float8, e short, f int[], g text COLLATE ignoring_case, h pair, i date, note int);
INSERT INTO tb_hostile VALUES
    ('', 1.0, 'x', 'NaN', '', '{}', 'Abc', (1, 'a'), '2000-01-01', 1),
    ('NULL', 1, 'x ', 'Infinity', 'null', '{1,NULL}', 'abd', (1, NULL), 'infinity', 2),
    ('it''s "q\uoted", (yes)', 'NaN', '', '-0', '{}', '{{1,2},{3,4}}', E'tab\tnew\nline', (NULL, ')('), '-infinity', 3),
    (E'\\', -0.00, 'ü', '0', '")(', NULL, 'x', NULL, '2000-01-02', 4);
CREATE TABLE tv_hostile WITH (pg_tviews.key = 'a, b, c, d, e, g, i') AS SELECT * FROM tb_hostile;
CREATE TABLE tv_arrays WITH (pg_tviews.key = 'f, h, a') AS SELECT f, h, a, count(*) AS n, sum(note) AS notes FROM tb_hostile
WHERE f IS NOT NULL AND h IS NOT NULL GROUP BY f, h, a;
CREATE TABLE tv_equal WITH (pg_tviews.key = 'b, g') AS SELECT b, g, count(*) AS n, sum(note) AS notes FROM tb_hostile GROUP BY b, g;
UPDATE tb_hostile SET note = note * 10;
:wait
SELECT * FROM differing;
-- Equal, but printed another way: one key, one row.
UPDATE tb_hostile SET b = 1.000, c = 'x', g = 'ABC' WHERE note = 10;
INSERT INTO tb_hostile VALUES ('more', 1.00, 'y', 0, 'y', '{}', 'aBc', (1, 'a'), 'epoch', 5), ('more', 1, 'y', 0, 'z', '{}', 'ABC', (1, 'a'), 'epoch', 6);
:wait
SELECT n, notes FROM tv_equal WHERE b = 1 AND g = 'abc';
SELECT entity, d FROM differing;
DELETE FROM tb_hostile WHERE note = 6;
UPDATE tb_hostile SET b = 2 WHERE b = 1;
:wait
SELECT entity, d FROM differing;
SELECT b, n, notes FROM tv_equal WHERE g = 'abc' ORDER BY 1;
SELECT key_columns, (SELECT count(*) FROM tv_hostile) FROM pg_tview_meta WHERE tview = 'tv_hostile'::regclass;

-- A key that is NULL in a column, twice there, or too long is that key's misfortune.
CREATE TABLE tb_line (o int, n text, amount int, divisor int DEFAULT 1);
INSERT INTO tb_line SELECT o, 'line ' || n, n FROM generate_series(1, 3) AS o, generate_series(1, 3) AS n;
CREATE TABLE tv_line WITH (pg_tviews.key = 'o, n', pg_tviews.feed = data) AS SELECT o, n, amount / divisor AS amount FROM tb_line;
CREATE VIEW sick AS SELECT CASE WHEN length(key) > 60 THEN left(key, 20) || '... ' || length(key) ELSE key END AS key, sqlstate, split_part(error, E'\n', 1) AS error
FROM pg_tview_dead_letter WHERE tview = 'tv_line'::regclass ORDER BY 1, 2;
CREATE FUNCTION long_text(n int) RETURNS text LANGUAGE sql AS
$$ SELECT string_agg(sha256(i::text::bytea)::text, '' ORDER BY i) FROM generate_series(1, n) AS i $$;
INSERT INTO tb_line VALUES (1, 'line 1', 100), (4, NULL, 1), (NULL, 'x', 1), (5, long_text(100), 1), (6, 'fine', 1);
UPDATE tb_line SET divisor = 0 WHERE o = 2 AND n = 'line 2';
:wait
SELECT * FROM sick;
SELECT o, n FROM tv_line WHERE o > 3 ORDER BY 1, 2;
UPDATE tb_line SET amount = 7 WHERE o = 3;
:wait
SELECT o, n, amount FROM tv_line WHERE o = 3 ORDER BY 2;
UPDATE tb_line SET divisor = 1;
:wait
SELECT * FROM sick;
SELECT difference, CASE WHEN length(key) > 60 THEN 'long' ELSE key END FROM pg_tviews_verify('line') ORDER BY 1, 2;
DELETE FROM tb_line WHERE o IS NULL OR n IS NULL OR o = 5 OR amount = 100;
:wait
SELECT * FROM sick;
SELECT * FROM differing WHERE entity = 'line';
-- The feed says keys as JSON objects.
SELECT key, id, operation, new_data FROM pg_tviews_feed WHERE tview = 'tv_line'::regclass AND length(key) < 60 ORDER BY position;

-- Rows and documents by key: as object, array or row.
SELECT tview, strategy, documents FROM pg_tviews_explain_change('tb_user', '{"tenant_id": 2, "id": 47}') ORDER BY 1;
SELECT tview, strategy, documents FROM pg_tviews_explain_change('tb_user', '[2, 47]') ORDER BY 1;
SELECT tview, strategy, documents FROM pg_tviews_explain_change('tb_user', ' (2,"47")') ORDER BY 1;
SELECT pg_tviews_explain_change('tb_user', '{"tenant_id": 2}');
SELECT pg_tviews_explain_change('tb_user', '{"tenant_id": 2, "id": 3, "more": 1}');
SELECT pg_tviews_explain_change('tb_user', '{"tenant_id": 2, "id": null}');
SELECT pg_tviews_explain_change('tb_user', '(2,)');
SELECT pg_tviews_explain_change('tb_user', '(2,3');
SELECT pg_tviews_explain_change('tb_user', '2');
SELECT pg_tviews_explain_change('tb_user', '{"tenant_id": 2');
SELECT pg_tviews_explain_change('tb_user', '(2,1)');
SELECT query_plan FROM pg_tviews_analyze_cascade('user', '{"id": 47, "tenant_id": 2}') WHERE query_plan LIKE 'Refresh%';
SELECT query_plan FROM pg_tviews_analyze_cascade('user', '(2,47)') WHERE query_plan LIKE 'Refresh%';
SELECT pg_tviews_analyze_cascade('user', '47');
SET pg_tviews.protect = off;
UPDATE tv_user SET name = 'wrong' WHERE (tenant_id, id) = (2, 47);
RESET pg_tviews.protect;
SELECT key, difference FROM pg_tviews_verify('user');
SELECT pg_tviews_cascade('tb_user'::regclass, '{"tenant_id": 2, "id": 47}') \gset cascaded_
:wait
SELECT * FROM differing WHERE entity IN ('user', 'post');

-- Many keys: of all combinations, and scattered ones.
CREATE TABLE tb_cell (x int, y int, v int, PRIMARY KEY (x, y));
INSERT INTO tb_cell SELECT x, y, 0 FROM generate_series(1, 50) AS x, generate_series(1, 60) AS y;
CREATE TABLE tv_cell WITH (pg_tviews.key = 'x, y') AS SELECT x, y, v FROM tb_cell;
ANALYZE tb_cell;
UPDATE tb_cell SET v = 1 WHERE x <= 40;
:wait
SELECT * FROM differing WHERE entity = 'cell';
UPDATE tb_cell SET v = 2 WHERE (x * 7 + y * 13) % 5 = 0;
:wait
SELECT * FROM differing WHERE entity = 'cell';
DELETE FROM tb_cell WHERE x = y;
UPDATE tb_cell SET y = -y WHERE x % 2 = 0;
UPDATE tb_cell SET v = 3 WHERE x = 7;
:wait
SELECT * FROM differing WHERE entity = 'cell';
SELECT full_refreshes > 0 AS any FROM pg_tviews_performance_summary WHERE tview = 'tv_cell'::regclass;

-- Keys of integers of other widths, with constants, and of UNION.
CREATE TABLE tb_small (t smallint, i int, PRIMARY KEY (t, i));
INSERT INTO tb_small VALUES (1, 1), (2, 2);
CREATE TABLE tv_wide WITH (pg_tviews.key = 'kind, t, i') AS
SELECT 'small' AS kind, u.tenant_id AS t, u.id AS i, s.t IS NOT NULL AS is_small FROM tb_user u LEFT JOIN tb_small s ON s.t = u.tenant_id AND s.i = u.id
UNION ALL SELECT 'post', p.tenant_id, p.id, NULL FROM tb_post p;
SELECT source, strategy, captured_columns, lookup FROM pg_tviews_explain_lineage('wide');
INSERT INTO tb_small SELECT tenant_id, id FROM tb_user WHERE tenant_id < 100;
UPDATE tb_post SET title = title || '!', id = id + 5000;
:wait
SELECT * FROM differing;
-- Dropped and restored, adopted from its label as a dump restores it.
DROP TABLE tv_post, tv_user;
SELECT pg_tviews_restore_dropped('user'), pg_tviews_restore_dropped('post');
SELECT tview, key_columns FROM pg_tview_meta WHERE tview IN ('tv_user'::regclass, 'tv_post') ORDER BY 1;
BEGIN;
CREATE VIEW v_copy AS SELECT tenant_id, id, name FROM tb_user;
CREATE TABLE tv_copy (tenant_id int, id bigint, name text);
SECURITY LABEL FOR pg_tviews ON TABLE tv_copy IS '{"entity" : "copy", "key" : ["tenant_id","id"], "view" : "keys_composite.v_copy"}';
SELECT adopted, pending, reasons FROM pg_tviews_adopt();
ALTER TABLE tv_copy ADD PRIMARY KEY (id, tenant_id);
SELECT adopted, pending, reasons FROM pg_tviews_adopt();
COMMIT;
:wait
SELECT tview, key_columns FROM pg_tview_meta WHERE tview = 'tv_copy'::regclass;
INSERT INTO tb_user SELECT 1, i, 'many' FROM generate_series(1000, 1400) AS i;
UPDATE tb_user SET name = name || '?';
DELETE FROM tb_user WHERE id BETWEEN 1100 AND 1150;
:wait
SELECT * FROM differing;
SELECT message FROM pg_tviews_health_check() WHERE message LIKE '%unique index on its key%';
-- The extension's own name for a key's columns is nobody's.
CREATE TABLE tb_names (key int, key1 int, "k" int, v int, d int);
INSERT INTO tb_names SELECT i, i % 3, i % 5, i, i FROM generate_series(1, 30) AS i;
CREATE TABLE tv_names WITH (pg_tviews.key = 'key1, key, k, d') AS SELECT key, key1, k, v, d FROM tb_names;
UPDATE tb_names SET v = -v, key1 = key1 + 1 WHERE key % 2 = 0;
:wait
SELECT * FROM differing;
DROP SCHEMA keys_composite CASCADE;
