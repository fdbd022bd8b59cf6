-- Results that change without a row trigger (LINEAGE 25): each is followed by a comparison of the TVIEWs
-- concerned, and of no others, or refused.
CREATE SCHEMA ddl_meaning;
SET search_path = ddl_meaning, public;
SET pg_tviews.notice_lineage = off;
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE TYPE pair AS (a int, b int);
CREATE DOMAIN moods AS mood[];
CREATE TABLE tb_person (pk_person int PRIMARY KEY, name text NOT NULL, mood mood, moods moods, pair pair, fk_boss int NOT NULL);
CREATE TABLE tb_plain (pk_plain int PRIMARY KEY, label text);
INSERT INTO tb_person VALUES (1, 'one', 'sad', '{sad,glad}', '(1,2)', 1), (2, 'two', 'glad', NULL, NULL, 1);
INSERT INTO tb_plain VALUES (1, 'plain');
CREATE FUNCTION shout(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT upper($1) $$;
CREATE FUNCTION shout(int) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $1::text $$;
CREATE FUNCTION is_near(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT lower($1) = lower($2) $$;
CREATE OPERATOR ~~~ (FUNCTION = is_near, LEFTARG = text, RIGHTARG = text);
CREATE VIEW loud AS SELECT pk_person, shout(name) AS name FROM tb_person;
CREATE TABLE tv_mood AS SELECT pk_person AS pk_mood, jsonb_build_object('mood', mood) AS data FROM tb_person;
CREATE TABLE tv_moods AS SELECT pk_person AS pk_moods, moods::text AS data FROM tb_person;
CREATE TABLE tv_pair AS SELECT pk_person AS pk_pair, to_jsonb(pair) AS data FROM tb_person;
CREATE TABLE tv_row AS SELECT pk_person AS pk_row, to_jsonb(tb_person) - 'moods' AS data FROM tb_person;
CREATE TABLE tv_loud AS SELECT pk_person AS pk_loud, name FROM loud;
CREATE TABLE tv_near AS SELECT pk_person AS pk_near, name ~~~ 'ONE' AS near FROM tb_person;
CREATE TABLE tv_over AS SELECT pk_mood AS pk_over, data FROM tv_mood;
CREATE TABLE tv_plain AS SELECT pk_plain, label FROM tb_plain;
CREATE TABLE tv_boss AS SELECT pk_person AS pk_boss, name FROM tb_person
WHERE pk_person NOT IN (SELECT fk_boss FROM tb_person);
CREATE TABLE placed (tview text, places text);
-- Waits; then which TVIEWs were rewritten since the last call, and which differ from their query.
CREATE PROCEDURE look() LANGUAGE plpgsql AS $$
DECLARE looked text; now_at text; result text;
BEGIN
    PERFORM pg_tviews_wait();
    COMMIT;
    FOR looked IN SELECT m.tview::text FROM pg_tview_meta m JOIN pg_class ON oid = m.tview
                 WHERE relnamespace = 'ddl_meaning'::regnamespace ORDER BY entity LOOP
        EXECUTE format('SELECT string_agg(ctid || xmin::text, '' '' ORDER BY ctid) FROM %s', looked) INTO now_at;
        IF now_at IS DISTINCT FROM (SELECT places FROM placed WHERE tview = looked) THEN
            result := concat_ws(' ', result, looked);
        END IF;
        DELETE FROM placed WHERE tview = looked;
        INSERT INTO placed VALUES (looked, now_at);
        IF EXISTS (SELECT FROM pg_tviews_verify(looked)) THEN result := concat_ws(' ', result, 'WRONG: ' || looked); END IF;
    END LOOP;
    RAISE INFO 'rewritten: %', coalesce(result, 'nothing');
END $$;
\set VERBOSITY terse
CALL look();
CALL look();

-- the name of an enum's value, also in an array of a domain, and in the TVIEW above
ALTER TYPE mood RENAME VALUE 'sad' TO 'blue';
CALL look();
SELECT data FROM tv_over ORDER BY 1;
SELECT data FROM tv_moods ORDER BY pk_moods;
ALTER TYPE mood ADD VALUE 'so-so' BEFORE 'glad';
CALL look();
-- an attribute of a composite type
ALTER TYPE pair ADD ATTRIBUTE c text;
CALL look();
SELECT data FROM tv_pair ORDER BY pk_pair;
ALTER TYPE pair RENAME ATTRIBUTE a TO first;
CALL look();
-- a function, through a view; another function of that name; a function behind an operator
CREATE OR REPLACE FUNCTION shout(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT upper($1) || '!' $$;
CALL look();
TABLE tv_loud ORDER BY 1;
CREATE OR REPLACE FUNCTION shout(int) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $1 || '!' $$;
CREATE OR REPLACE FUNCTION shout(boolean) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'x' $$;
CALL look();
CREATE OR REPLACE FUNCTION is_near(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT $1 = $2 $$;
CALL look();
CREATE OR REPLACE FUNCTION shout(text) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT random()::text $$;
ALTER FUNCTION shout(text) VOLATILE;
ALTER FUNCTION shout(text) STABLE;
CALL look();
BEGIN;
CREATE OR REPLACE FUNCTION shout(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'never' $$;
ROLLBACK;
CALL look();
-- a nested view
CREATE OR REPLACE VIEW loud AS SELECT pk_person, lower(name) AS name FROM tb_person;
CALL look();
-- columns under a whole row
ALTER TABLE tb_person ADD COLUMN age int DEFAULT 7;
CALL look();
ALTER TABLE tb_person RENAME COLUMN age TO years;
CALL look();
ALTER TABLE tb_person DROP COLUMN years;
CALL look();
SELECT data FROM tv_row ORDER BY pk_row;
-- NOT NULL that NOT IN relies on
SELECT source, strategy FROM pg_tviews_explain_lineage('boss');
ALTER TABLE tb_person ALTER COLUMN fk_boss DROP NOT NULL;
SELECT source, strategy FROM pg_tviews_explain_lineage('boss');
INSERT INTO tb_person VALUES (3, 'three', NULL, NULL, NULL, NULL);
CALL look();
TABLE tv_boss;
UPDATE tb_person SET fk_boss = 1 WHERE fk_boss IS NULL;
ALTER TABLE tb_person ALTER COLUMN fk_boss SET NOT NULL;
SELECT source, strategy FROM pg_tviews_explain_lineage('boss');
CALL look();
-- text search: a configuration, a dictionary of it, a configuration that only a setting names; a collation
CREATE TEXT SEARCH DICTIONARY plain (TEMPLATE = pg_catalog.simple);
CREATE TEXT SEARCH CONFIGURATION words (PARSER = default);
ALTER TEXT SEARCH CONFIGURATION words ADD MAPPING FOR asciiword WITH plain;
CREATE COLLATION odd (PROVIDER = libc, LOCALE = 'C');
CREATE TABLE tv_words AS SELECT pk_plain AS pk_words, to_tsvector('ddl_meaning.words', label)::text AS data FROM tb_plain;
CREATE TABLE tv_odd AS SELECT pk_plain AS pk_odd, label < 'q' COLLATE odd AS data FROM tb_plain;
CALL look();
ALTER TEXT SEARCH DICTIONARY plain (Accept = false);
CALL look();
ALTER TEXT SEARCH CONFIGURATION words ALTER MAPPING FOR asciiword WITH english_stem;
CALL look();
ALTER COLLATION odd REFRESH VERSION;
CALL look();
DROP TABLE tv_words, tv_odd;
-- a configuration that only a setting names, which means another one, or none, later
CREATE SCHEMA ddl_meaning_words;
CREATE TEXT SEARCH CONFIGURATION ddl_meaning_words.words (COPY = pg_catalog.english);
SET default_text_search_config = 'ddl_meaning_words.words';
CREATE TABLE tv_search AS SELECT pk_plain AS pk_search, to_tsvector(label || ' running')::text AS data FROM tb_plain;
RESET default_text_search_config;
CREATE TABLE tv_english AS SELECT pk_plain AS pk_english, to_tsvector(label || ' running')::text AS data FROM tb_plain;
CALL look();
BEGIN;
ALTER TEXT SEARCH CONFIGURATION ddl_meaning_words.words RENAME TO verba;
CREATE TEXT SEARCH CONFIGURATION ddl_meaning_words.words (COPY = pg_catalog.simple);
COMMIT;
CALL look();
BEGIN;
DROP TEXT SEARCH CONFIGURATION ddl_meaning_words.words;
ALTER TEXT SEARCH CONFIGURATION ddl_meaning_words.verba RENAME TO words;
COMMIT;
CALL look();
BEGIN;
ALTER SCHEMA ddl_meaning_words RENAME TO ddl_meaning_verba;
CREATE SCHEMA ddl_meaning_words;
CREATE TEXT SEARCH CONFIGURATION ddl_meaning_words.words (COPY = pg_catalog.simple);
COMMIT;
CALL look();
TABLE tv_search;
DROP SCHEMA ddl_meaning_words CASCADE;
SELECT pg_tviews_wait();
SELECT tview, key, sqlstate, error FROM pg_tview_dead_letter WHERE tview = 'tv_search'::regclass;
DROP TABLE tv_search, tv_english;
DROP SCHEMA ddl_meaning_verba CASCADE;
-- columns of whole rows that are changed elsewhere: at a parent of what is read, at the type of a table or of a
-- column, in a view, with a type that is dropped
CREATE TABLE tb_above (pk_above int, note text);
CREATE TABLE tb_below (PRIMARY KEY (pk_above)) INHERITS (tb_above);
CREATE TABLE tb_parts (pk_parts int PRIMARY KEY, note text) PARTITION BY RANGE (pk_parts);
CREATE TABLE tb_part PARTITION OF tb_parts FOR VALUES FROM (1) TO (10);
CREATE TYPE shape AS (pk_typed int, note text);
CREATE TABLE tb_typed OF shape (PRIMARY KEY (pk_typed));
CREATE TABLE tb_place (pk_place int PRIMARY KEY, note text);
CREATE TABLE tb_guest (pk_guest int PRIMARY KEY, place tb_place, places tb_place[]);
CREATE DOMAIN mark AS text;
CREATE TABLE tb_marked (pk_marked int PRIMARY KEY, note text, mark mark);
CREATE FUNCTION place_of(int) RETURNS tb_place LANGUAGE sql IMMUTABLE AS $$ SELECT ROW($1, 'x')::ddl_meaning.tb_place $$;
INSERT INTO tb_below VALUES (1, 'below');
INSERT INTO tb_parts VALUES (1, 'part');
INSERT INTO tb_typed VALUES (1, 'typed');
INSERT INTO tb_guest VALUES (1, ROW(7, 'here'), ARRAY[ROW(8, 'there')]::tb_place[]);
INSERT INTO tb_marked VALUES (1, 'marked', 'm');
CREATE VIEW marked AS SELECT pk_marked, note FROM tb_marked;
CREATE VIEW marked_twice AS SELECT marked AS inner_row, pk_marked FROM marked;
CREATE TABLE tv_below AS SELECT pk_above AS pk_below, to_jsonb(tb_below) AS data FROM tb_below;
CREATE TABLE tv_part AS SELECT pk_parts AS pk_part, to_jsonb(tb_part) AS data FROM tb_part;
CREATE TABLE tv_typed AS SELECT pk_typed, to_jsonb(tb_typed) AS data FROM tb_typed;
CREATE TABLE tv_guest AS SELECT pk_guest, to_jsonb(place) AS place, to_jsonb(places) AS places FROM tb_guest;
CREATE TABLE tv_called AS SELECT pk_guest AS pk_called, to_jsonb(place_of(pk_guest)) AS data FROM tb_guest;
CREATE TABLE tv_marked AS SELECT pk_marked, to_jsonb(tb_marked) AS data FROM tb_marked;
CREATE TABLE tv_view AS SELECT pk_marked AS pk_view, to_jsonb(marked) AS data FROM marked;
CREATE TABLE tv_twice AS SELECT pk_marked AS pk_twice, to_jsonb(marked_twice) AS data FROM marked_twice;
CALL look();
ALTER TABLE tb_above RENAME COLUMN note TO remark;
CALL look();
ALTER TABLE tb_above ADD COLUMN size int DEFAULT 3;
CALL look();
ALTER TABLE tb_above DROP COLUMN size;
CALL look();
TABLE tv_below;
ALTER TABLE tb_parts RENAME COLUMN note TO remark;
CALL look();
ALTER TABLE tb_parts ADD COLUMN at date;
CALL look();
ALTER TABLE tb_parts DROP COLUMN at;
CALL look();
TABLE tv_part;
ALTER TYPE shape ADD ATTRIBUTE size int CASCADE;
CALL look();
ALTER TYPE shape RENAME ATTRIBUTE note TO remark CASCADE;
CALL look();
ALTER TYPE shape DROP ATTRIBUTE size CASCADE;
CALL look();
TABLE tv_typed;
ALTER TABLE tb_place RENAME COLUMN note TO remark;
CALL look();
BEGIN;
ALTER TABLE tb_place ADD COLUMN size int;
CREATE OR REPLACE FUNCTION place_of(int) RETURNS tb_place LANGUAGE sql IMMUTABLE AS $$ SELECT ROW($1, 'x', 1)::ddl_meaning.tb_place $$;
COMMIT;
CALL look();
BEGIN;
ALTER TABLE tb_place DROP COLUMN pk_place;
CREATE OR REPLACE FUNCTION place_of(int) RETURNS tb_place LANGUAGE sql IMMUTABLE AS $$ SELECT ROW('x', 1)::ddl_meaning.tb_place $$;
COMMIT;
CALL look();
SELECT place, places FROM tv_guest;
TABLE tv_called;
ALTER VIEW marked RENAME COLUMN note TO remark;
CALL look();
ALTER VIEW marked_twice RENAME COLUMN inner_row TO row;
CALL look();
ALTER TABLE marked_twice RENAME COLUMN row TO line;
CALL look();
SELECT data FROM tv_view;
SELECT data FROM tv_twice;
DROP DOMAIN mark CASCADE;
CALL look();
SELECT data FROM tv_marked;
DROP TABLE tv_below, tv_part, tv_typed, tv_guest, tv_called, tv_marked, tv_view, tv_twice;

-- casts to json, which to_jsonb finds as it runs: of an enum, of one in a composite type; their functions
CREATE FUNCTION print_mood(mood) RETURNS json LANGUAGE sql IMMUTABLE AS $$ SELECT json_build_array('mood') $$;
CALL look();
CREATE CAST (mood AS json) WITH FUNCTION print_mood(mood);
CALL look();
SELECT data FROM tv_mood ORDER BY pk_mood;
CREATE OR REPLACE FUNCTION print_mood(mood) RETURNS json LANGUAGE sql IMMUTABLE AS $$ SELECT json_build_array('another') $$;
CALL look();
CREATE CAST (pair AS json) WITH INOUT;
CALL look();
CREATE FUNCTION counted(mood) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE CAST (mood AS int) WITH FUNCTION counted(mood);
CALL look();
DROP CAST (pair AS json);
CALL look();
DROP FUNCTION print_mood(mood) CASCADE;
CALL look();
SELECT data FROM tv_mood ORDER BY pk_mood;
-- constraints of domains: what failed for one heals without it
CREATE DOMAIN small AS int CHECK (VALUE < 10);
CREATE TABLE tv_small AS SELECT pk_plain AS pk_small, length(label)::small AS data FROM tb_plain;
ALTER DOMAIN small SET NOT NULL;
INSERT INTO tb_plain VALUES (8, 'longer than that'), (9, NULL);
UPDATE tb_plain SET label = label || '' WHERE pk_plain = 9;
SELECT pg_tviews_wait();
SELECT key, sqlstate FROM pg_tview_dead_letter WHERE tview = 'tv_small'::regclass ORDER BY key;
ALTER DOMAIN small DROP NOT NULL;
ALTER DOMAIN small DROP CONSTRAINT small_check;
CALL look();
TABLE tv_small ORDER BY 1;
SELECT key, sqlstate FROM pg_tview_dead_letter WHERE tview = 'tv_small'::regclass ORDER BY key;
DROP TABLE tv_small;
DELETE FROM tb_plain WHERE pk_plain > 7;

-- Row security that would apply to the owner of a TVIEW.
CREATE ROLE ddl_meaning_user;
GRANT USAGE, CREATE ON SCHEMA ddl_meaning TO ddl_meaning_user;
GRANT SELECT, TRIGGER ON tb_plain TO ddl_meaning_user;
SET ROLE ddl_meaning_user;
CREATE TABLE tv_theirs AS SELECT pk_plain AS pk_theirs, label FROM tb_plain;
RESET ROLE;
ALTER TABLE tb_plain ENABLE ROW LEVEL SECURITY;
ALTER ROLE ddl_meaning_user BYPASSRLS;
ALTER TABLE tb_plain ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON tb_plain USING (pk_plain < 2);
INSERT INTO tb_plain VALUES (2, 'more');
CALL look();
-- Policies that reach the owner later end in quarantine, not in a TVIEW with fewer rows.
ALTER ROLE ddl_meaning_user NOBYPASSRLS;
INSERT INTO tb_plain VALUES (3, 'yet more');
SELECT pg_tviews_wait();
SELECT tview, key, sqlstate, error FROM pg_tview_dead_letter WHERE tview = 'tv_theirs'::regclass;
TABLE tv_theirs ORDER BY 1;
ALTER TABLE tb_plain DISABLE ROW LEVEL SECURITY;
SELECT FROM pg_tviews_retry('theirs');
SELECT pg_tviews_wait();
TABLE tv_theirs ORDER BY 1;

SET client_min_messages = warning;
DROP SCHEMA ddl_meaning CASCADE;
DROP ROLE ddl_meaning_user;
