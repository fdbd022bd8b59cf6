-- Keys whose columns come from different occurrences: a changed row names a part of the key (LINEAGE K).
CREATE SCHEMA keys_parts;
SET search_path = keys_parts, public;
SET client_min_messages = error;
CREATE FUNCTION rows_that_differ(entity text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE t text := 'keys_parts.tv_' || entity; v text := 'keys_parts.v_' || entity;
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT ''extra '' || x::text FROM (SELECT stored::text FROM %1$s AS stored EXCEPT ALL SELECT wanted::text FROM %2$s AS wanted) AS x
         UNION ALL SELECT ''missing '' || x::text FROM (SELECT wanted::text FROM %2$s AS wanted EXCEPT ALL SELECT stored::text FROM %1$s AS stored) AS x', t, v);
END $$;
CREATE VIEW differing AS
SELECT m.entity, d FROM pg_tview_meta AS m JOIN pg_class ON pg_class.oid = m.tview, rows_that_differ(m.entity) AS d
WHERE relnamespace = 'keys_parts'::regnamespace;
-- Which sources are compared as a whole.
CREATE VIEW ways AS
SELECT l.tview, l.source, l.strategy, l.part, l.description FROM pg_tview_lineage AS l JOIN pg_class ON pg_class.oid = l.tview
WHERE relnamespace = 'keys_parts'::regnamespace ORDER BY l.tview::text, l.source::text, l.path;
\set wait 'SELECT pg_tviews_wait() \\gset waited_'

CREATE TABLE tb_a (id int PRIMARY KEY, x int, name text);
CREATE TABLE tb_b (id int PRIMARY KEY, x int, name text, color text);
CREATE TABLE tb_link (a_id int REFERENCES tb_a ON UPDATE CASCADE ON DELETE CASCADE, b_id int REFERENCES tb_b ON UPDATE CASCADE ON DELETE CASCADE, weight int, PRIMARY KEY (a_id, b_id));
CREATE TABLE tb_day (d date PRIMARY KEY, label text);
CREATE TABLE tb_sale (id int PRIMARY KEY, a_id int, d date, amount int);
INSERT INTO tb_a SELECT i, i % 4, 'a' || i FROM generate_series(1, 12) AS i;
INSERT INTO tb_b SELECT i, i % 4, 'b' || i, (ARRAY['red', 'green', NULL])[i % 3 + 1] FROM generate_series(1, 12) AS i;
INSERT INTO tb_link SELECT i, j, i * j FROM generate_series(1, 12) AS i, generate_series(1, 12) AS j WHERE (i + j) % 3 = 0;
INSERT INTO tb_day SELECT date '2024-01-01' + i, 'day ' || i FROM generate_series(0, 5) AS i;
INSERT INTO tb_sale SELECT i, i % 12 + 1, date '2024-01-01' + i % 6, i FROM generate_series(1, 40) AS i;

-- The pairs of a join, of an m:n link, of a link that may be missing, all pairs; through a view and a UNION.
CREATE TABLE tv_pair WITH (pg_tviews.key = 'a_id, b_id') AS
SELECT a.id AS a_id, b.id AS b_id, a.name || b.name AS names FROM tb_a a JOIN tb_b b ON b.x = a.x;
CREATE TABLE tv_linked WITH (pg_tviews.key = 'a_id, b_id') AS
SELECT a.id AS a_id, b.id AS b_id, a.name || b.name AS names, l.weight
FROM tb_a a JOIN tb_link l ON l.a_id = a.id JOIN tb_b b ON b.id = l.b_id;
CREATE TABLE tv_cross WITH (pg_tviews.key = 'a_id, b_id') AS
SELECT a.id AS a_id, b.id AS b_id, a.name || b.name AS names, l.weight
FROM tb_a a CROSS JOIN tb_b b LEFT JOIN tb_link l ON l.a_id = a.id AND l.b_id = b.id;
CREATE VIEW both_ways AS SELECT a.id AS one, b.id AS other, a.name FROM tb_a a JOIN tb_b b ON b.x = a.x
UNION ALL SELECT -b.id, -a.id, b.name FROM tb_a a JOIN tb_b b ON b.x > a.x;
CREATE TABLE tv_both WITH (pg_tviews.key = 'one, other') AS SELECT one, other, name FROM both_ways;
-- Groups by columns of two tables, a number within a group, an expression of two tables beside a column.
CREATE TABLE tv_total WITH (pg_tviews.key = 'x, d') AS
SELECT a.x, s.d, sum(s.amount) AS amount, count(*) AS n FROM tb_a a JOIN tb_sale s ON s.a_id = a.id GROUP BY a.x, s.d;
CREATE TABLE tv_labelled WITH (pg_tviews.key = 'name, label') AS
SELECT a.name, y.label, sum(s.amount) AS amount FROM tb_a a JOIN tb_sale s ON s.a_id = a.id JOIN tb_day y ON y.d = s.d GROUP BY a.name, y.label;
CREATE TABLE tv_line WITH (pg_tviews.key = 'a_id, line') AS
SELECT s.a_id, row_number() OVER (PARTITION BY s.a_id ORDER BY s.id) AS line, s.id, s.amount FROM tb_sale s;
CREATE TABLE tv_mixed WITH (pg_tviews.key = 'both_names, a_id, b_id') AS
SELECT a.name || '-' || b.name AS both_names, a.id AS a_id, b.id AS b_id FROM tb_a a JOIN tb_b b ON b.x = a.x;
-- Three tables, one of which may be missing: its row is no key's.
CREATE TABLE tv_three WITH (pg_tviews.key = 'a_id, b_id, color') AS
SELECT a.id AS a_id, b.id AS b_id, c.color, count(*) AS n
FROM tb_a a JOIN tb_b b ON b.x = a.x LEFT JOIN tb_b c ON c.id = a.id WHERE c.color IS NOT NULL GROUP BY a.id, b.id, c.color;
-- Another TVIEW reads one of them.
CREATE TABLE tv_reader WITH (pg_tviews.key = 'a_id, name') AS
SELECT p.a_id, b.name, count(*) AS n FROM tv_pair p JOIN tb_b b ON b.id = p.b_id GROUP BY p.a_id, b.name;
SELECT * FROM ways;
\d tv_pair
\d tv_total
SELECT * FROM differing;

UPDATE tb_a SET name = name || '!' WHERE id = 3;
UPDATE tb_b SET x = 9 WHERE id = 4;
:wait
SELECT * FROM differing;
INSERT INTO tb_a VALUES (13, 1, 'a13');
INSERT INTO tb_b VALUES (13, 1, 'b13', 'blue');
INSERT INTO tb_link VALUES (13, 13, 1), (1, 13, 2);
INSERT INTO tb_sale VALUES (100, 13, '2024-01-03', 5);
:wait
SELECT * FROM differing;
BEGIN;
UPDATE tb_a SET id = id + 100, x = (x + 1) % 4 WHERE id < 5;
UPDATE tb_b SET id = id + 100, color = 'green' WHERE id > 9;
UPDATE tb_link SET weight = -weight;
DELETE FROM tb_day WHERE label = 'day 2';
UPDATE tb_sale SET d = d + 1 WHERE id % 2 = 0;
COMMIT;
:wait
SELECT * FROM differing;
BEGIN;
DELETE FROM tb_a WHERE id = 101;
DELETE FROM tb_b WHERE id = 2;
UPDATE tb_sale SET a_id = 5, amount = amount + 1 WHERE id < 10;
DELETE FROM tb_sale WHERE id BETWEEN 20 AND 25;
COMMIT;
:wait
SELECT * FROM differing;
TRUNCATE tb_link;
INSERT INTO tb_link SELECT a.id, b.id, 1 FROM tb_a a, tb_b b WHERE a.id < b.id;
:wait
SELECT * FROM differing;
-- A changed row recomputes its part, not the whole.
SELECT tview, strategy, documents FROM pg_tviews_explain_change('tb_a', 5) ORDER BY tview::text;
SELECT tview, strategy, documents FROM pg_tviews_explain_change('tb_link', (SELECT (a_id, b_id)::text FROM tb_link ORDER BY a_id, b_id LIMIT 1)) ORDER BY tview::text;
SELECT tview, sum(full_refreshes) > 0 AS any_full FROM pg_tviews_performance_summary
WHERE tview IN ('tv_pair'::regclass, 'tv_total', 'tv_line', 'tv_both') GROUP BY 1 ORDER BY tview::text;
-- Keys that are NULL in a column are nobody's.
UPDATE tb_a SET x = NULL WHERE id = 6;
UPDATE tb_sale SET d = NULL WHERE id = 30;
:wait
SELECT tview, key FROM pg_tview_dead_letter JOIN pg_class ON pg_class.oid = tview WHERE relnamespace = 'keys_parts'::regnamespace ORDER BY tview::text;
UPDATE tb_a SET x = 1 WHERE id = 6;
UPDATE tb_sale SET d = '2024-01-02' WHERE id = 30;
:wait
SELECT count(*) FROM pg_tview_dead_letter JOIN pg_class ON pg_class.oid = tview WHERE relnamespace = 'keys_parts'::regnamespace;
SELECT * FROM differing;
-- A row type that has a default class of its own: keys are equal as that says.
CREATE TYPE spot AS (name text, n int);
CREATE FUNCTION spot_cmp(a spot, b spot) RETURNS int IMMUTABLE STRICT LANGUAGE sql AS
'SELECT bttextcmp(lower(a.name), lower(b.name))';
CREATE FUNCTION spot_eq(a spot, b spot) RETURNS bool IMMUTABLE STRICT LANGUAGE sql AS 'SELECT lower(a.name) = lower(b.name)';
CREATE FUNCTION spot_lt(a spot, b spot) RETURNS bool IMMUTABLE STRICT LANGUAGE sql AS 'SELECT lower(a.name) < lower(b.name)';
CREATE FUNCTION spot_gt(a spot, b spot) RETURNS bool IMMUTABLE STRICT LANGUAGE sql AS 'SELECT lower(a.name) > lower(b.name)';
CREATE FUNCTION spot_le(a spot, b spot) RETURNS bool IMMUTABLE STRICT LANGUAGE sql AS 'SELECT lower(a.name) <= lower(b.name)';
CREATE FUNCTION spot_ge(a spot, b spot) RETURNS bool IMMUTABLE STRICT LANGUAGE sql AS 'SELECT lower(a.name) >= lower(b.name)';
CREATE OPERATOR <<== (LEFTARG = spot, RIGHTARG = spot, FUNCTION = spot_le);
CREATE OPERATOR >>== (LEFTARG = spot, RIGHTARG = spot, FUNCTION = spot_ge);
CREATE OPERATOR === (LEFTARG = spot, RIGHTARG = spot, FUNCTION = spot_eq);
CREATE OPERATOR <<< (LEFTARG = spot, RIGHTARG = spot, FUNCTION = spot_lt);
CREATE OPERATOR >>> (LEFTARG = spot, RIGHTARG = spot, FUNCTION = spot_gt);
CREATE OPERATOR CLASS spot_ops DEFAULT FOR TYPE spot USING btree AS
OPERATOR 1 <<<, OPERATOR 2 <<==, OPERATOR 3 ===, OPERATOR 4 >>==, OPERATOR 5 >>>, FUNCTION 1 spot_cmp(spot, spot);
CREATE TABLE tb_spot (id int PRIMARY KEY, at spot);
INSERT INTO tb_spot VALUES (1, ('Rome', 1)), (2, ('Oslo', 1));
CREATE TABLE tv_spot WITH (pg_tviews.key = at) AS SELECT at, id FROM tb_spot;
UPDATE tb_spot SET at = ('ROME', 2) WHERE id = 1;
SELECT * FROM tv_spot ORDER BY id;
SELECT count(*) FROM pg_tviews_verify('spot');
SELECT bool_or(query_plan LIKE '%lower((at).name)%') AS by_its_class FROM pg_tviews_analyze_cascade('spot', '(ROME,2)');
DROP TABLE tv_spot, tb_spot;
DROP SCHEMA keys_parts CASCADE;
