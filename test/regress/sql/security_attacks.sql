-- Attacks. mallory may read tables of others and put triggers on them, and owns TVIEWs. What she does
-- there must never run with the rights of anybody else: not of the applier, which is a superuser's
-- process, not of a superuser who verifies or alters something, not of the owner of a source.
-- Every attack notes the roles under which it ran in a table that everybody may write.
CREATE SCHEMA security_attacks;
SET search_path = security_attacks, public;
SET client_min_messages = warning;
CREATE ROLE regress_mallory;
CREATE ROLE regress_alice;
GRANT USAGE, CREATE ON SCHEMA security_attacks TO regress_mallory, regress_alice;

SET ROLE regress_alice;
CREATE TABLE tb_deal (pk_deal int PRIMARY KEY, name text, price int);
INSERT INTO tb_deal VALUES (1, 'one', 10), (2, 'two', 20);
GRANT SELECT, TRIGGER ON tb_deal TO regress_mallory;
CREATE TABLE tb_secret (pk_secret int PRIMARY KEY, word text);
INSERT INTO tb_secret VALUES (1, 'xyzzy');
RESET ROLE;

-- What an attack has seen. SECURITY INVOKER: it tells who it runs as, and tries what a superuser may.
CREATE TABLE seen (attack text, as_role text, escaped boolean);
GRANT INSERT, SELECT ON seen TO PUBLIC;
SET ROLE regress_mallory;
CREATE FUNCTION try_all(attack text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    escaped boolean := false;
    command text;
BEGIN
    FOREACH command IN ARRAY ARRAY[
        'RESET ROLE', 'SET ROLE postgres', 'SET LOCAL ROLE NONE', 'RESET SESSION AUTHORIZATION',
        'SET SESSION AUTHORIZATION postgres', 'SELECT set_config(''role'', ''postgres'', false)',
        'ALTER ROLE regress_mallory SUPERUSER', 'SELECT word FROM security_attacks.tb_secret',
        'COPY (SELECT 1) TO PROGRAM ''true''', 'CREATE TEMP TABLE hidden (a int)'] LOOP
        BEGIN
            EXECUTE command;
            escaped := true;
            RAISE WARNING '% ran %', attack, command;
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
    escaped := escaped OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user);
    INSERT INTO security_attacks.seen VALUES (attack, current_user, escaped);
    RETURN 1;
END $$;
CREATE FUNCTION quietly(attack text, value anyelement) RETURNS anyelement LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN PERFORM security_attacks.try_all(attack); RETURN value; END $$;
RESET ROLE;

-- 1. A function in the query, in a view below it, behind an operator, in a cast, an aggregate.
SET ROLE regress_mallory;
CREATE FUNCTION by_query(value text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT security_attacks.quietly('query', value) $$;
CREATE FUNCTION by_operator(a text, b text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN PERFORM security_attacks.try_all('operator'); RETURN a = b; END $$;
CREATE OPERATOR security_attacks.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = by_operator);
CREATE FUNCTION with_set(value text) RETURNS text LANGUAGE plpgsql IMMUTABLE SET search_path = security_attacks, pg_temp SET work_mem = '64kB' AS $$
BEGIN PERFORM try_all('function with SET'); RETURN value; END $$;
CREATE VIEW v_below AS SELECT pk_deal, security_attacks.quietly('view', name) AS name FROM tb_deal;
CREATE TABLE tv_attack AS
SELECT d.pk_deal AS pk_attack, by_query(d.name) AS name, with_set(b.name) AS below, d.name === b.name AS same
FROM tb_deal d JOIN v_below b ON b.pk_deal = d.pk_deal;
RESET ROLE;
SELECT pg_tviews_wait();
UPDATE tb_deal SET name = 'changed' WHERE pk_deal = 1;
SELECT pg_tviews_wait();
SELECT * FROM pg_tviews_refresh('attack');
SELECT attack, as_role, escaped FROM seen GROUP BY 1, 2, 3 ORDER BY 1, 2;

-- 2. What a superuser, or the owner of the source, does next to it.
TRUNCATE seen;
SELECT * FROM pg_tviews_verify('attack');
SELECT count(*) > 0 AS explained FROM pg_tviews_explain_change('tb_deal', 1);
SELECT count(*) > 0 AS analyzed FROM pg_tviews_analyze_cascade('attack', 1);
SELECT pg_tviews_cascade('tb_deal'::regclass::oid, 1);
SELECT count(*) >= 0 AS suggested FROM pg_tviews_suggest_indexes('attack');
SELECT count(*) > 0 AS explained FROM pg_tviews_explain_lineage('attack');
SELECT count(*) > 0 AS paths FROM pg_tviews_show_cascade_path('attack');
ALTER TABLE tb_deal ADD COLUMN note text;
SET ROLE regress_alice;
ALTER TABLE tb_deal RENAME COLUMN price TO cost;
ALTER TABLE tb_deal ALTER COLUMN cost TYPE bigint;
ALTER TABLE tb_deal DROP COLUMN note;
TRUNCATE tb_deal;
INSERT INTO tb_deal VALUES (1, 'one', 10), (2, 'two', 20);
RESET ROLE;
SELECT pg_tviews_reinstall_triggers() > 0 AS reinstalled;
ALTER TABLE tv_attack RENAME TO tv_attempt;
ALTER TABLE tv_attempt RENAME TO tv_attack;
SELECT pg_tviews_wait();
SELECT attack, as_role, escaped FROM seen GROUP BY 1, 2, 3 ORDER BY 1, 2;

-- 3. On the TVIEW itself: triggers, an index expression, a constraint, a default, a rule, a policy.
TRUNCATE seen;
SET ROLE regress_mallory;
CREATE TABLE tv_table AS SELECT pk_deal AS pk_table, name FROM tb_deal;
CREATE FUNCTION by_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM security_attacks.try_all('trigger ' || TG_NAME); RETURN NEW; END $$;
CREATE TRIGGER before_row BEFORE INSERT OR UPDATE ON tv_table FOR EACH ROW EXECUTE FUNCTION by_trigger();
CREATE TRIGGER after_row AFTER INSERT OR UPDATE ON tv_table FOR EACH ROW EXECUTE FUNCTION by_trigger();
ALTER TABLE tv_table ENABLE ALWAYS TRIGGER after_row;
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT OR UPDATE ON tv_table DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION by_trigger();
ALTER TABLE tv_table ENABLE ALWAYS TRIGGER deferred;
CREATE INDEX ON tv_table (quietly('index', name));
CREATE INDEX ON tv_table (pk_table) WHERE quietly('index predicate', name) <> '';
ALTER TABLE tv_table ADD CONSTRAINT checked CHECK (quietly('check', name) <> '');
ALTER TABLE tv_table ALTER COLUMN name SET DEFAULT quietly('default', 'x'::text);
CREATE STATISTICS security_attacks.counted ON (quietly('statistics', name)), pk_table FROM tv_table;
CREATE RULE noted AS ON UPDATE TO tv_table DO ALSO INSERT INTO seen VALUES ('rule', current_user, false);
RESET ROLE;
TRUNCATE seen;
UPDATE tb_deal SET name = name || '!';
INSERT INTO tb_deal VALUES (3, 'three', 30);
SELECT pg_tviews_wait();
SELECT * FROM tv_table ORDER BY 1;
SELECT tview, key, sqlstate FROM pg_tview_dead_letter WHERE tview = 'tv_table'::regclass ORDER BY 2;
SELECT attack, as_role, escaped FROM seen GROUP BY 1, 2, 3 ORDER BY 1, 2;

-- 4. The backing view goes with the table: its old owner cannot put a function into a TVIEW of another.
ALTER TABLE tv_table OWNER TO regress_alice;
SELECT relname, relowner::regrole FROM pg_class WHERE oid IN ('tv_table'::regclass, 'v_table'::regclass) ORDER BY 1;
SET ROLE regress_mallory;
CREATE OR REPLACE VIEW v_table AS SELECT pk_deal AS pk_table, quietly('replaced view', name) AS name FROM tb_deal;
SELECT pg_tviews_replace('table', 'SELECT pk_deal AS pk_table, upper(name) AS name FROM security_attacks.tb_deal');
SELECT pg_tviews_drop('table');
DROP TABLE tv_table;
ALTER TABLE tv_table RENAME TO tv_stolen;
SELECT * FROM pg_tviews_refresh('table');
SELECT * FROM pg_tviews_retry('table');
RESET ROLE;

-- 5. Names that need quoting, and text that would be SQL.
SET ROLE regress_mallory;
CREATE TABLE "tb_o'; DROP TABLE seen; --" ("pk_a""b" int PRIMARY KEY, "n'); DROP" text);
INSERT INTO "tb_o'; DROP TABLE seen; --" VALUES (1, 'a');
SELECT pg_tviews_create('"x''; DROP TABLE seen; --"', 'SELECT "pk_a""b" AS "pk_x''; DROP TABLE seen; --", "n''); DROP" FROM "tb_o''; DROP TABLE seen; --"');
UPDATE "tb_o'; DROP TABLE seen; --" SET "n'); DROP" = 'b';
SELECT pg_tviews_wait();
SELECT * FROM "tv_x'; DROP TABLE seen; --";
SELECT * FROM pg_tviews_verify('"x''; DROP TABLE seen; --"');
SELECT source, strategy FROM pg_tviews_explain_lineage('"x''; DROP TABLE seen; --"');
SELECT tview, strategy FROM pg_tviews_explain_change('"tb_o''; DROP TABLE seen; --"', 1);
SELECT rows_inserted FROM pg_tviews_refresh('"x''; DROP TABLE seen; --"');
SELECT pg_tviews_drop('"x''; DROP TABLE seen; --"');
SELECT pg_tviews_create('y', 'SELECT 1 AS pk_y; DROP TABLE seen');
SELECT pg_tviews_create('y', 'DROP TABLE seen');
SELECT pg_tviews_create('y', 'WITH gone AS (DELETE FROM seen RETURNING 1) SELECT 1 AS pk_y FROM gone');
SELECT pg_tviews_create('y', 'SELECT 1 AS pk_y INTO stolen');
SELECT pg_tviews_create('y', 'SELECT 1 AS pk_y) TO PROGRAM ''true''; --');
SELECT pg_tviews_create('y; DROP TABLE seen', 'SELECT 1 AS pk_y');
SELECT pg_tviews_verify('attack; DROP TABLE seen');
SELECT pg_tviews_graph('json''; DROP TABLE seen; --');
SELECT pg_tviews_explain_query('SELECT 1 AS a; DROP TABLE seen', 'a');
SELECT pg_tviews_explain_query('SELECT pk_deal FROM tb_deal', 'pk_deal"; DROP TABLE seen; --');
SELECT pg_tviews_explain_change('tb_deal', '1; DROP TABLE seen');
SELECT pg_tviews_analyze_cascade('attack', '1''; DROP TABLE seen; --');
SELECT pg_tviews_cascade('tb_deal'::regclass::oid, '1; DROP TABLE seen');
SELECT pg_tviews_convert_table('seen"; DROP TABLE seen; --');
DROP TABLE "tb_o'; DROP TABLE seen; --";
RESET ROLE;
SELECT count(*) >= 0 AS still_there FROM seen;
SELECT bool_or(escaped) AS anything_escaped FROM seen;

DROP SCHEMA security_attacks CASCADE;
DROP ROLE regress_mallory;
DROP ROLE regress_alice;
