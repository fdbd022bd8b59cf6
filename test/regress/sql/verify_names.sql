-- pg_tviews_verify is right whatever the columns are called, and whatever type the key has.
CREATE SCHEMA verify_names;
SET search_path = verify_names, public;
SET client_min_messages = warning;
CREATE SCHEMA verify_names_types;
CREATE EXTENSION citext SCHEMA verify_names_types;
CREATE EXTENSION ltree SCHEMA verify_names_types;
CREATE EXTENSION hstore SCHEMA verify_names_types;
CREATE TYPE pair AS (t int, v int);

-- columns called like the names in a comparison, of plain and of composite types
CREATE TABLE tb_word (pk_word int PRIMARY KEY, n int, p pair);
INSERT INTO tb_word SELECT i, i, ROW(i, i)::pair FROM generate_series(1, 3) AS i;
CREATE TABLE tv_words AS
SELECT pk_word, n AS t, n AS v, n AS e, n AS s, n AS key, n, n AS content, n AS d, n AS k, n AS l, n AS stored FROM tb_word;
CREATE TABLE tv_pairs AS
SELECT pk_word AS pk_pairs, p AS t, p AS v, p AS e, p AS s, p AS key, p AS n, p AS content, p AS d, p AS k, n AS other FROM tb_word;
CREATE TABLE tv_t WITH (pg_tviews.key = 't') AS SELECT pk_word AS t, n AS v FROM tb_word;
ALTER TABLE tb_word ADD COLUMN quoted int;
CREATE TABLE tv_odd WITH (pg_tviews.key = 'pk odd') AS SELECT pk_word AS "pk odd", n AS "tv_odd", n AS "v_odd", n AS "t.*", quoted AS "T" FROM tb_word;
SELECT pg_tviews_wait();
SET pg_tviews.protect = off;
UPDATE tv_words SET content = 0 WHERE pk_word = 2;
UPDATE tv_pairs SET other = 0 WHERE pk_pairs = 2;
DELETE FROM tv_t WHERE t = 3;
UPDATE tv_odd SET "T" = 1 WHERE "pk odd" = 1;
RESET pg_tviews.protect;
SELECT * FROM pg_tviews_verify('words');
SELECT * FROM pg_tviews_verify('pairs');
SELECT * FROM pg_tviews_verify('t');
SELECT * FROM pg_tviews_verify('odd');
SELECT count(*) > 0 AS analyzed FROM pg_tviews_analyze_cascade('words', 2);
SELECT count(*) > 0 AS analyzed FROM pg_tviews_analyze_cascade('pairs', 2);
SELECT count(*) > 0 AS analyzed FROM pg_tviews_analyze_cascade('t', 2);
SELECT count(*) AS reached FROM pg_tviews_explain_change('tb_word', 2);
SELECT repaired.* FROM pg_tviews_refresh('pairs') AS repaired;
SELECT * FROM pg_tviews_verify('pairs');
-- TVIEWs over a TVIEW and a source with such columns, by lookup
CREATE TABLE tb_k (t int PRIMARY KEY, v int, k int, d int, l int, key int);
INSERT INTO tb_k SELECT i, i, i, i, i, i FROM generate_series(1, 3) AS i;
CREATE TABLE tv_k WITH (pg_tviews.key = 'v') AS
SELECT w.t AS v, w.v AS t, (SELECT sum(k.key) FROM tb_k AS k WHERE k.k = w.v) AS key FROM tv_t AS w;
SELECT pg_tviews_wait();
UPDATE tb_k SET key = key + 1, k = 3 WHERE t = 2;
SELECT pg_tviews_wait();
SELECT * FROM pg_tviews_verify('k');
SELECT * FROM pg_tviews_explain_change('tb_k', 2);

-- keys whose equality is an extension's operator
CREATE TABLE tb_typed (
    pk_typed verify_names_types.citext PRIMARY KEY, path verify_names_types.ltree UNIQUE NOT NULL,
    attributes verify_names_types.hstore UNIQUE NOT NULL, note text);
INSERT INTO tb_typed VALUES ('A', 'a', 'a=>1', 'x'), ('b', 'a.b', 'b=>2', 'y');
CREATE TABLE tv_citext AS SELECT pk_typed AS pk_citext, note FROM tb_typed;
CREATE TABLE tv_ltree AS SELECT path AS pk_ltree, note FROM tb_typed;
CREATE TABLE tv_hstore AS SELECT attributes AS pk_hstore, note FROM tb_typed;
SELECT pg_tviews_wait();
UPDATE tb_typed SET note = 'z', pk_typed = 'a' WHERE pk_typed = 'A';
SELECT pg_tviews_wait();
SET pg_tviews.protect = off;
UPDATE tv_citext SET note = 'wrong' WHERE note = 'z';
UPDATE tv_ltree SET note = 'wrong' WHERE note = 'z';
DELETE FROM tv_hstore WHERE note = 'y';
RESET pg_tviews.protect;
SELECT * FROM pg_tviews_verify('citext');
SELECT * FROM pg_tviews_verify('ltree');
SELECT * FROM pg_tviews_verify('hstore');
SELECT * FROM pg_tviews_explain_change('tb_typed', 'B');
SELECT count(*) > 0 AS analyzed FROM pg_tviews_analyze_cascade('ltree', 'a.b');
SELECT count(*) > 0 AS analyzed FROM pg_tviews_analyze_cascade('hstore', 'b=>2');
SELECT pg_tviews_cascade('tb_typed'::regclass, 'a');
-- the text of a key is read as its writer's settings say
CREATE TABLE tb_when (pk_when timestamptz PRIMARY KEY, n int);
SET TimeZone = 'UTC';
INSERT INTO tb_when VALUES ('2020-02-01 12:00', 1);
CREATE TABLE tv_when AS SELECT pk_when, n FROM tb_when;
SELECT pg_tviews_wait();
SET TimeZone = 'Asia/Tokyo';
SET DateStyle = 'SQL, DMY';
SELECT * FROM pg_tviews_explain_change('tb_when', '01/02/2020 21:00');
SELECT pg_tviews_cascade('tb_when'::regclass, '01/02/2020 21:00');
SELECT * FROM pg_tviews_verify('when');
RESET TimeZone;
RESET DateStyle;
DROP SCHEMA verify_names CASCADE;
DROP SCHEMA verify_names_types CASCADE;
