-- What functions read is followed: bodies in SQL are part of the query, or are compared as a whole;
-- where a body cannot be read, the definition says what the function reads.
CREATE SCHEMA function_reads;
SET search_path = function_reads, public;
SET client_min_messages = warning;
CREATE TABLE tb_label (pk_label int PRIMARY KEY, lang text UNIQUE, suffix text, unused int);
CREATE TABLE tb_rate (pk_rate int PRIMARY KEY, lang text, rate numeric);
CREATE TABLE tb_doc (pk_doc int PRIMARY KEY, name text, lang text);
INSERT INTO tb_label VALUES (1, 'en', 'E', 0), (2, 'de', 'D', 0);
INSERT INTO tb_rate VALUES (1, 'en', 1.5), (2, 'en', 2), (3, 'de', 4);
INSERT INTO tb_doc SELECT i, 'doc ' || i, CASE i % 2 WHEN 0 THEN 'en' ELSE 'de' END FROM generate_series(1, 4) i;
CREATE VIEW paths AS SELECT source::regclass, strategy, description FROM pg_tview_lineage WHERE tview = to_regclass('function_reads.tv_doc') ORDER BY source::regclass::text, path;
-- Says what a change of the rows of each source has changed, and that the TVIEW is right.
CREATE PROCEDURE look() LANGUAGE plpgsql AS $$
DECLARE lines text := '';
BEGIN
    COMMIT;
    PERFORM pg_tviews_wait();
    lines := (SELECT string_agg(d::text, ' ' ORDER BY d.pk_doc) FROM function_reads.tv_doc d);
    RAISE WARNING '%, differences: %', lines, (SELECT count(*) FROM pg_tviews_verify('doc'));
END $$;

-- Scalar functions, as text and analysed, in SELECT and WHERE: lookups by their conditions.
CREATE FUNCTION label(text) RETURNS text LANGUAGE sql STABLE AS 'SELECT suffix FROM function_reads.tb_label WHERE lang = $1';
CREATE FUNCTION label_of(l text) RETURNS text LANGUAGE sql STABLE STRICT BEGIN ATOMIC SELECT upper(label(l)); END;
CREATE FUNCTION best_rate(l text, above numeric DEFAULT 0) RETURNS numeric LANGUAGE sql STABLE SET search_path = function_reads
    AS 'SELECT max(r.rate) FROM tb_rate r WHERE r.lang = best_rate.l AND r.rate > above';
CREATE TABLE tv_doc AS SELECT d.pk_doc, d.name || label_of(d.lang) AS name, best_rate(above => 1, l => d.lang) AS rate FROM tb_doc d WHERE label(d.lang) <> 'X';
TABLE paths;
CALL look();
UPDATE tb_label SET suffix = 'g' WHERE lang = 'de';
CALL look();
UPDATE tb_label SET suffix = 'X' WHERE lang = 'en';
CALL look();
INSERT INTO tb_rate VALUES (4, 'de', 9);
CALL look();
DELETE FROM tb_label WHERE lang = 'de';
UPDATE tb_label SET suffix = 'E';
CALL look();
-- A replaced body, also of a function that only another one calls.
CREATE OR REPLACE FUNCTION best_rate(l text, above numeric DEFAULT 0) RETURNS numeric LANGUAGE sql STABLE
    AS 'SELECT sum(b.unused) FROM function_reads.tb_label b WHERE b.lang = best_rate.l';
TABLE paths;
CALL look();
UPDATE tb_label SET unused = 7;
CALL look();
CREATE OR REPLACE FUNCTION label(text) RETURNS text LANGUAGE sql STABLE AS 'SELECT min(rate)::text FROM function_reads.tb_rate WHERE lang = $1';
CALL look();
UPDATE tb_rate SET rate = 0.5 WHERE pk_rate = 1;
CALL look();
-- What it reads cannot go away or become another's.
DROP TABLE tb_rate;
DROP FUNCTION label(text) CASCADE;
SELECT to_regclass('tv_doc');

-- Functions that return rows: a subquery.
CREATE FUNCTION rates(l text) RETURNS TABLE (number int, rate numeric) LANGUAGE sql STABLE AS 'SELECT r.pk_rate, r.rate FROM function_reads.tb_rate r WHERE r.lang = l';
CREATE FUNCTION as_double(l text) RETURNS SETOF float8 LANGUAGE sql STABLE STRICT AS 'SELECT r.rate::float4 FROM function_reads.tb_rate r WHERE r.lang = $1 ORDER BY r.rate';
CREATE FUNCTION labels(l text) RETURNS SETOF tb_label LANGUAGE sql STABLE AS 'SELECT * FROM function_reads.tb_label b WHERE b.lang = $1';
CREATE TABLE tv_doc AS SELECT d.pk_doc, jsonb_agg(r.rate ORDER BY r.number) AS rates, (SELECT sum(x) FROM as_double(d.lang) AS x) AS total,
    (SELECT (labels(d.lang)).suffix) AS suffix FROM tb_doc d LEFT JOIN rates(d.lang) r ON r.number > 0 GROUP BY d.pk_doc, d.lang;
TABLE paths;
CALL look();
INSERT INTO tb_label VALUES (3, 'de', 'neu', 1);
CALL look();
UPDATE tb_rate SET rate = 3 WHERE pk_rate = 3;
CALL look();
-- A body that no longer fits its table: the change of the table fails.
ALTER TABLE tb_rate RENAME COLUMN rate TO price;
DROP TABLE tv_doc;

-- Operators, casts, aggregates, domains, sorts, and casts that JSON finds by itself: as a whole.
CREATE FUNCTION worth(a text, b numeric) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM function_reads.tb_rate r WHERE r.lang = a AND r.rate > b)';
CREATE OPERATOR >>>> (LEFTARG = text, RIGHTARG = numeric, FUNCTION = worth);
CREATE TYPE code AS ENUM ('en', 'de', 'fr');
CREATE FUNCTION code_json(code) RETURNS json LANGUAGE sql STABLE AS 'SELECT json_build_object(''n'', (SELECT count(*) FROM function_reads.tb_label b WHERE b.lang = $1::text))';
CREATE CAST (code AS json) WITH FUNCTION code_json(code);
CREATE FUNCTION add_rate(sum numeric, l text) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT sum + coalesce((SELECT max(r.rate) FROM function_reads.tb_rate r WHERE r.lang = l), 0)';
CREATE AGGREGATE rates_of(text) (SFUNC = add_rate, STYPE = numeric, INITCOND = '0');
CREATE TABLE tv_doc AS SELECT d.pk_doc, d.lang >>>> 3 AS worth, to_jsonb(d.lang::code) AS code, rates_of(d.lang) AS rates FROM tb_doc d GROUP BY d.pk_doc, d.lang;
TABLE paths;
CALL look();
UPDATE tb_rate SET rate = 8 WHERE pk_rate = 2;
INSERT INTO tb_label VALUES (4, 'fr', 'F', 1);
UPDATE tb_doc SET lang = 'fr' WHERE pk_doc = 1;
CALL look();
DELETE FROM tb_label WHERE lang = 'fr';
CALL look();
DROP TABLE tv_doc;

-- Another TVIEW, and a view.
CREATE TABLE tv_label AS SELECT b.pk_label, b.lang, b.suffix || '!' AS suffix FROM tb_label b;
CREATE VIEW shown AS SELECT l.lang, l.suffix FROM tv_label l;
CREATE FUNCTION shown(text) RETURNS text LANGUAGE sql STABLE AS 'SELECT suffix FROM function_reads.shown WHERE lang = $1';
CREATE TABLE tv_doc AS SELECT d.pk_doc, shown(d.lang) AS suffix FROM tb_doc d;
TABLE paths;
UPDATE tb_label SET suffix = 'twice' WHERE lang = 'en';
CALL look();
CREATE OR REPLACE VIEW shown AS SELECT l.lang, upper(l.suffix) AS suffix FROM tv_label l;
CALL look();
DROP TABLE tv_doc;
DROP FUNCTION shown;

-- Functions that nobody can read.
CREATE FUNCTION opaque(l text) RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT b.suffix FROM function_reads.tb_label b WHERE b.lang = l); END $$;
CREATE FUNCTION around(l text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT function_reads.opaque(l) $$;
CREATE TABLE tv_doc AS SELECT d.pk_doc, opaque(d.lang) AS suffix FROM tb_doc d;
CREATE TABLE tv_doc AS SELECT d.pk_doc, around(d.lang) AS suffix FROM tb_doc d;
CREATE TABLE tv_doc WITH (pg_tviews.function_reads = 'tb_missing') AS SELECT d.pk_doc, around(d.lang) AS suffix FROM tb_doc d;
CREATE TABLE tv_doc WITH (pg_tviews.function_reads = 'pg_class') AS SELECT d.pk_doc, around(d.lang) AS suffix FROM tb_doc d;
CREATE TABLE tv_doc WITH (pg_tviews.function_reads = 'tb_rate, function_reads."shown"') AS SELECT d.pk_doc, around(d.lang) AS suffix FROM tb_doc d;
TABLE paths;
ALTER TABLE tv_doc SET (pg_tviews.function_reads = ' "tb_label" ');
TABLE paths;
SELECT options -> 'function_reads' = jsonb_build_array('tb_label'::regclass::oid::bigint) AS by_id FROM pg_tview_meta WHERE entity = 'doc';
SELECT label::json #>> '{options,function_reads}' AS reads FROM pg_seclabel WHERE objoid = 'tv_doc'::regclass;
UPDATE tb_label SET suffix = 'seen' WHERE lang = 'en';
CALL look();
ALTER TABLE tb_label RENAME TO tb_name;
SELECT label::json #>> '{options,function_reads}' AS reads FROM pg_seclabel WHERE objoid = 'tv_doc'::regclass;
ALTER TABLE tb_name RENAME TO tb_label;
ALTER TABLE tv_doc RESET (pg_tviews.function_reads);
ALTER TABLE tv_doc SET (pg_tviews.function_reads = 'none');
TABLE paths;
DROP TABLE tv_doc;
-- IMMUTABLE is believed.
CREATE FUNCTION believed(l text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN l || '!'; END $$;
CREATE TABLE tv_doc AS SELECT d.pk_doc, believed(d.lang) AS suffix FROM tb_doc d;
DROP TABLE tv_doc;
-- What cannot be in a query cannot be in a body.
CREATE FUNCTION chance() RETURNS float8 LANGUAGE sql STABLE AS 'SELECT random()';
CREATE FUNCTION catalogs() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM pg_catalog.pg_class';
CREATE TABLE tv_doc AS SELECT d.pk_doc, chance() AS x FROM tb_doc d;
CREATE TABLE tv_doc AS SELECT d.pk_doc, catalogs() AS x FROM tb_doc d;
DROP SCHEMA function_reads CASCADE;
