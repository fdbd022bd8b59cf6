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
