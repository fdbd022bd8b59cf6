-- Whatever a key is, it can be put into quarantine, and whatever its type can do, a worker does it as the
-- TVIEW's owner. A row that cannot be stored concerns its key alone, also where the whole is compared.
SET client_min_messages = warning;
CREATE SCHEMA quarantine_keys;
SET search_path = quarantine_keys, public;
\set wait 'SELECT pg_tviews_wait() \\gset waited_'
CREATE VIEW sick AS
SELECT tview, CASE WHEN length(key) > 40 THEN left(key, 10) || ' ... ' || length(key) || right(key, 5) ELSE key END AS key,
       sqlstate, split_part(error, E'\n', 1) AS error
FROM pg_tview_dead_letter JOIN pg_class ON pg_class.oid = tview
WHERE relnamespace = 'quarantine_keys'::regnamespace ORDER BY tview::text, pg_tview_dead_letter.key, error;
CREATE VIEW states AS
SELECT entity, state FROM pg_tview_meta JOIN pg_class ON pg_class.oid = tview
WHERE relnamespace = 'quarantine_keys'::regnamespace AND state <> 'active';
-- Says of which TVIEWs of this schema the rows differ from the query.
CREATE FUNCTION differing() RETURNS TABLE (entity text, key text, difference text) LANGUAGE plpgsql AS $$
DECLARE name text;
BEGIN
    FOR name IN SELECT m.entity FROM pg_tview_meta m JOIN pg_class ON pg_class.oid = tview
                WHERE relnamespace = 'quarantine_keys'::regnamespace ORDER BY 1 LOOP
        RETURN QUERY SELECT name, left(v.key, 20), v.difference FROM pg_tviews_verify('quarantine_keys.' || name) AS v;
    END LOOP;
END $$;

-- 1. Keys that fit into no btree entry; others of the same batch go on. Shorter ones are the same fault of
-- an index on another column.
CREATE TABLE tb_long (pk_long text PRIMARY KEY, note text, divisor int);
ALTER TABLE tb_long DROP CONSTRAINT tb_long_pkey;
CREATE TABLE tv_long AS SELECT pk_long, note, 100 / divisor AS quotient FROM tb_long;
CREATE INDEX ON tv_long (note);
CREATE TABLE tb_bytes (pk_bytes bytea, n int);
CREATE TABLE tv_bytes AS SELECT pk_bytes, n FROM tb_bytes;
CREATE TABLE tb_list (pk_list int[], n int);
CREATE TABLE tv_list AS SELECT pk_list, n FROM tb_list;
CREATE TABLE tb_document (pk_document jsonb, n int);
CREATE TABLE tv_document AS SELECT pk_document, n FROM tb_document;
CREATE FUNCTION long_text(n int) RETURNS text LANGUAGE sql AS
$$ SELECT string_agg(sha256(i::text::bytea)::text, '' ORDER BY i) FROM generate_series(1, n) AS i $$;
INSERT INTO tb_long VALUES ('short', 'short', 1), (long_text(100), 'x', 1), ('other', long_text(100), 1), (long_text(4000), 'x', 1);
INSERT INTO tb_bytes VALUES ('\x01', 1), (convert_to(long_text(100), 'UTF8'), 2);
INSERT INTO tb_list VALUES ('{1}', 1), ((SELECT array_agg(i * 7919) FROM generate_series(1, 2000) i), 2);
INSERT INTO tb_document VALUES ('{"a": 1}', 1), (to_jsonb(long_text(100)), 2);
:wait
SELECT * FROM sick;
SELECT * FROM states;
SELECT pk_long, note, quotient FROM tv_long ORDER BY 1;
SELECT n FROM tv_bytes;
SELECT n FROM tv_list;
SELECT n FROM tv_document;
-- They change without a change for the better, and heal with one.
UPDATE tb_long SET divisor = 2;
UPDATE tb_bytes SET n = n + 10;
:wait
SELECT tview, count(*), min(attempts), max(attempts) FROM pg_tview_dead_letter WHERE tview IN ('tv_long'::regclass, 'tv_bytes'::regclass) GROUP BY 1 ORDER BY 1;
UPDATE tb_long SET note = 'y' WHERE pk_long = 'other';
DELETE FROM tb_long WHERE length(pk_long) > 1000;
DELETE FROM tb_bytes WHERE length(pk_bytes) > 1000;
DELETE FROM tb_list WHERE n = 2;
DELETE FROM tb_document WHERE n = 2;
:wait
SELECT * FROM sick;
SELECT * FROM differing();

-- 2. Automatic indexes take every value; what cannot be long has an order too.
CREATE DOMAIN code AS varchar(20);
CREATE TYPE pair AS (a int, b point);
CREATE TABLE tb_link (pk_link int PRIMARY KEY, id text, fk_short varchar(30), fk_code code, fk_number numeric,
    fk_price numeric(10,2), fk_bytes bytea, fk_list int[], fk_points point[], fk_pair pair, fk_json json, fk_int int);
CREATE TABLE tv_link AS SELECT * FROM tb_link;
SELECT attname, amname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam
JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0] WHERE indrelid = 'tv_link'::regclass ORDER BY attnum;
INSERT INTO tb_link VALUES (1, long_text(1000), 'x', 'x', ('1' || repeat('0', 20000))::numeric + 1, 1, convert_to(long_text(1000), 'UTF8'),
    (SELECT array_agg(i * 7919) FROM generate_series(1, 5000) i), ARRAY[point(1, 1)], ROW(1, point(1, 1)), '1', 1);
:wait
SELECT count(*) FROM tv_link WHERE id = long_text(1000);
SELECT * FROM sick;

-- 3. Compared as a whole: a null key and duplicates concern their keys alone, and heal with the change that
-- repairs them.
CREATE TABLE tb_whole (id int PRIMARY KEY, k int, label text, n int);
INSERT INTO tb_whole SELECT i, i, 'l' || i, i FROM generate_series(1, 6) i;
CREATE TABLE tv_whole AS SELECT k AS pk_whole, label, n, (SELECT sum(n) FROM tb_whole) AS total FROM tb_whole;
CREATE UNIQUE INDEX ON tv_whole (label);
CREATE TABLE tv_above AS SELECT pk_whole AS pk_above, n + 1 AS next FROM tv_whole;
INSERT INTO tb_whole VALUES (7, NULL, 'l7', 7), (8, 2, 'l8', 8), (9, 9, 'l9', 9), (10, 10, 'l10', 10), (11, 10, 'l11', 11);
:wait
SELECT * FROM sick;
SELECT * FROM states;
SELECT * FROM tv_whole ORDER BY 1;
SELECT pk_above, next FROM tv_above ORDER BY 1;
-- rows that cannot be stored for another reason, beside them, and rows that exchange unique values
UPDATE tb_whole SET label = CASE id WHEN 3 THEN 'l4' WHEN 4 THEN 'l3' WHEN 6 THEN 'l5' END, n = n + 100 WHERE id IN (3, 4, 6);
:wait
SELECT * FROM sick;
SELECT pk_whole, label, n FROM tv_whole ORDER BY 1;
-- who asks is told
SELECT * FROM pg_tviews_retry('whole');
SELECT count(*) FROM sick;
UPDATE tb_whole SET k = id WHERE id IN (7, 8);
:wait
SELECT tview, key, sqlstate FROM sick;
UPDATE tb_whole SET k = 11, label = 'l' || id WHERE id IN (6, 11);
UPDATE tb_whole SET k = 6 WHERE id = 6;
:wait
SELECT * FROM sick;
SELECT * FROM differing();
-- keys that are equal under several images
CREATE TABLE tb_number (id int PRIMARY KEY, k numeric, n int);
CREATE TABLE tv_number AS SELECT k AS pk_number, n, (SELECT count(*) FROM tb_number) AS total FROM tb_number;
INSERT INTO tb_number VALUES (1, 1.0, 1), (2, 1.00, 2), (3, 2, 3);
:wait
SELECT tview, sqlstate FROM sick;
SELECT * FROM tv_number ORDER BY 1;
UPDATE tb_number SET k = 4 WHERE id = 1;
:wait
SELECT * FROM sick;
SELECT * FROM differing();
-- by key too: the null key has a letter of its own, and the others go on
CREATE TABLE tb_left (id int PRIMARY KEY, fk int);
CREATE TABLE tb_right (pk int PRIMARY KEY, name text);
INSERT INTO tb_right VALUES (1, 'one'), (2, 'two');
INSERT INTO tb_left VALUES (1, 1), (2, 2);
CREATE TABLE tv_outer AS SELECT r.pk AS pk_outer, r.name, l.id AS link FROM tb_left l LEFT JOIN tb_right r ON r.pk = l.fk;
INSERT INTO tb_left VALUES (3, 3);
UPDATE tb_right SET name = upper(name);
:wait
SELECT * FROM sick;
SELECT * FROM states;
SELECT * FROM tv_outer ORDER BY 1;
UPDATE tb_right SET name = name || '!';
:wait
SELECT * FROM tv_outer ORDER BY 1;
UPDATE tb_left SET fk = NULL WHERE id = 2;
INSERT INTO tb_right VALUES (3, 'three');
:wait
SELECT * FROM sick;
DELETE FROM tb_left WHERE id = 2;
:wait
SELECT * FROM sick;
SELECT * FROM differing();

-- 4. A letter is known by its value: renaming an enum's value, a domain's check and a quoted text are no obstacle.
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE DOMAIN small AS int CHECK (VALUE < 10);
CREATE DOMAIN label AS text;
CREATE TABLE tb_mood (pk_mood mood PRIMARY KEY, d int);
CREATE TABLE tb_small (pk_small small PRIMARY KEY, d int);
CREATE TABLE tb_label (pk_label label PRIMARY KEY, d int);
CREATE TABLE tv_mood AS SELECT pk_mood, 10 / d AS q FROM tb_mood;
CREATE TABLE tv_small AS SELECT pk_small, 10 / d AS q FROM tb_small;
CREATE TABLE tv_label AS SELECT pk_label, 10 / d AS q FROM tb_label;
INSERT INTO tb_mood VALUES ('sad', 0), ('glad', 1);
INSERT INTO tb_small VALUES (5, 0), (6, 1);
INSERT INTO tb_label VALUES ('(null)', 0), ('', 0), ('NULL', 1);
:wait
SELECT * FROM sick;
ALTER TYPE mood RENAME VALUE 'sad' TO 'blue';
ALTER DOMAIN small DROP CONSTRAINT small_check;
ALTER DOMAIN small ADD CHECK (VALUE > 5) NOT VALID;
:wait
SELECT * FROM sick;
SELECT * FROM states;
UPDATE tb_mood SET d = 2;
UPDATE tb_small SET d = 2, pk_small = pk_small::int + 1 WHERE pk_small = 6;
DELETE FROM tb_small WHERE pk_small = 5;
UPDATE tb_label SET d = 2;
:wait
SELECT * FROM sick;
SELECT * FROM differing();

-- 5. An operator class without all that refreshes need: refused at once.
CREATE TYPE half;
CREATE FUNCTION half_in(cstring) RETURNS half LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION half_out(half) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE half (INPUT = half_in, OUTPUT = half_out, LIKE = int4);
CREATE FUNCTION half_lt(half, half) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4lt';
CREATE FUNCTION half_eq(half, half) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4eq';
CREATE FUNCTION half_cmp(half, half) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'btint4cmp';
CREATE OPERATOR < (LEFTARG = half, RIGHTARG = half, FUNCTION = half_lt);
CREATE OPERATOR = (LEFTARG = half, RIGHTARG = half, FUNCTION = half_eq);
CREATE OPERATOR CLASS half_ops DEFAULT FOR TYPE half USING btree AS OPERATOR 1 <, OPERATOR 3 =, FUNCTION 1 half_cmp(half, half);
CREATE TYPE triple AS (a int, b point);
CREATE TABLE tb_half (pk_half half, pk_triple triple, pk_points point[], fk_half half);
CREATE TABLE tv_half AS SELECT pk_half, fk_half FROM tb_half;
CREATE TABLE tv_half AS SELECT pk_triple AS pk_half FROM tb_half;
CREATE TABLE tv_half AS SELECT pk_points AS pk_half FROM tb_half;
CREATE TABLE tv_small_half AS SELECT 1 AS pk_small_half, fk_half FROM tb_half LIMIT 1;
SELECT count(*) FROM pg_index WHERE indrelid = 'tv_small_half'::regclass;
CREATE VIEW v_converted AS SELECT pk_half AS pk_converted FROM tb_half;
CREATE TABLE quarantine_keys.tv_converted (pk_converted half);
SELECT pg_tviews_convert_table('quarantine_keys.tv_converted');
-- A type with implicit casts, between whose values = means several operators, here as in any statement; and one without them.
CREATE TYPE cast_mood AS ENUM ('sad', 'glad');
CREATE TYPE cast_pair AS (a int);
CREATE TYPE cast_range AS RANGE (subtype = int4);
CREATE CAST (cast_mood AS text) WITH INOUT AS IMPLICIT;
CREATE CAST (cast_pair AS text) WITH INOUT AS IMPLICIT;
CREATE CAST (cast_range AS text) WITH INOUT AS IMPLICIT;
CREATE TABLE tb_cast (pk_feeling cast_mood PRIMARY KEY, pk_pair cast_pair, pk_range cast_range);
CREATE TABLE tv_feeling AS SELECT pk_feeling FROM tb_cast;
CREATE TABLE tv_pair AS SELECT pk_pair, count(*) AS n FROM tb_cast GROUP BY pk_pair;
CREATE TABLE tv_range AS SELECT pk_range, count(*) AS n FROM tb_cast GROUP BY pk_range;
DROP CAST (cast_mood AS text);
CREATE CAST (cast_mood AS text) WITH INOUT AS ASSIGNMENT;
CREATE CAST (varchar AS cast_mood) WITH INOUT AS IMPLICIT;
CREATE TABLE tv_feeling AS SELECT pk_feeling FROM tb_cast;
INSERT INTO tb_cast VALUES ('sad');
SELECT pg_tviews_wait();
TABLE tv_feeling;
DROP TABLE tv_feeling, tb_cast;
DROP TYPE cast_mood, cast_pair, cast_range CASCADE;

-- 6. What exceeds a limit of the server, and what an index of the user's rejects, is the row's fault, by key and
-- where the whole is compared.
CREATE TABLE tb_limit (pk_limit int PRIMARY KEY, kind text, n int, word text);
CREATE FUNCTION deep(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN quarantine_keys.deep(n + 1); END $$;
CREATE TABLE tv_limit AS SELECT pk_limit, n, word, CASE kind
    WHEN 'array' THEN cardinality(array_fill(0, ARRAY[n])) WHEN 'text' THEN length(repeat('x', n))
    WHEN 'memory' THEN length(to_char(timestamp '2000-01-01', repeat('x', n))) WHEN 'stack' THEN quarantine_keys.deep(n) END AS size FROM tb_limit;
CREATE TABLE tv_limits AS SELECT pk_limit AS pk_limits, n, word, (SELECT count(*) FROM tb_limit) AS total FROM tb_limit;
CREATE INDEX ON tv_limit ((100 / (n - 7)));
CREATE INDEX ON tv_limit (lower(word));
CREATE INDEX ON tv_limits ((100 / (n - 7)));
CREATE INDEX ON tv_limits (lower(word));
INSERT INTO tb_limit VALUES (1, 'none', 1, 'a'), (2, 'array', 200000000, 'b'), (3, 'text', 1100000000, 'c'),
    (4, 'memory', 95000000, 'd'), (5, 'stack', 1, 'e'), (6, 'none', 7, 'f'), (7, 'none', 2, long_text(100)), (8, 'none', 3, 'h');
:wait
SELECT tview, key, sqlstate FROM sick;
SELECT * FROM states;
SELECT pk_limit, n FROM tv_limit ORDER BY 1;
SELECT pk_limits, n, total FROM tv_limits ORDER BY 1;
UPDATE tb_limit SET kind = 'none', n = 1, word = 'z';
:wait
SELECT tview, key, sqlstate FROM sick;
-- an error that looks like one of the definition, for a value: a name that is no table's
CREATE TABLE tb_name (pk_name int PRIMARY KEY, name text);
CREATE TABLE tv_name AS SELECT pk_name, name, pg_catalog.to_regtype(name) IS NOT NULL AS is_type, name::regclass::oid > 0 AS is_table FROM tb_name;
INSERT INTO tb_name VALUES (1, 'pg_class'), (2, 'no_such_table'), (3, 'pg_type');
:wait
SELECT tview, key, sqlstate FROM sick;
SELECT pk_name, is_table FROM tv_name ORDER BY 1;
UPDATE tb_name SET name = 'nor_this' WHERE pk_name = 3;
:wait
SELECT tview, key, sqlstate FROM sick;
UPDATE tb_name SET name = 'pg_proc';
:wait
SELECT * FROM states;
-- the first fill, by the applier
CREATE TABLE tv_first AS SELECT n AS pk_first, pk_limit FROM tb_limit WITH NO DATA;
UPDATE tb_limit SET n = pk_limit % 7;
:wait
SELECT tview, key, sqlstate FROM sick;
SELECT * FROM states;
SELECT * FROM tv_first ORDER BY 1;
SELECT * FROM pg_tviews_retry('quarantine_keys.first');
UPDATE tb_limit SET n = pk_limit + 10;
:wait
SELECT * FROM sick;
SELECT * FROM differing();

-- What only an index has rejected heals with the index.
CREATE TABLE tb_index (pk_index int PRIMARY KEY, n int, word text);
INSERT INTO tb_index VALUES (1, 1, 'one'), (2, 2, 'two'), (3, 3, 'three');
CREATE TABLE tv_index AS SELECT pk_index, n, word FROM tb_index;
CREATE INDEX tv_index_ratio ON tv_index ((100 / (n - 7)));
CREATE UNIQUE INDEX tv_index_word ON tv_index (word);
UPDATE tb_index SET n = 7 WHERE pk_index = 1;
UPDATE tb_index SET word = 'three' WHERE pk_index = 2;
:wait
TABLE sick;
DROP INDEX tv_index_ratio;
DROP INDEX tv_index_word;
:wait
TABLE sick;
TABLE tv_index ORDER BY 1;
CREATE UNIQUE INDEX tv_index_word ON tv_index (n);
UPDATE tb_index SET n = 8;
:wait
DROP TABLE tv_index;
SELECT pg_tviews_wait();

DROP SCHEMA quarantine_keys CASCADE;
