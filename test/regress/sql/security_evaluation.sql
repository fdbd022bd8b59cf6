-- Functions that evaluate a definition for a caller: it runs as its owner, and nothing of the
-- caller's session reaches it. mallory may read alice's TVIEW.
CREATE SCHEMA security_evaluation;
SET search_path = security_evaluation, public;
SET client_min_messages = warning;
CREATE ROLE regress_eva_owner;
CREATE ROLE regress_eva_reader;
GRANT USAGE, CREATE ON SCHEMA security_evaluation TO regress_eva_owner, regress_eva_reader;
CREATE TABLE seen (what text, as_role text, as_session text);
GRANT INSERT, SELECT ON seen TO PUBLIC;

SET ROLE regress_eva_owner;
CREATE TABLE tb_rate (name text PRIMARY KEY, rate int);
INSERT INTO tb_rate VALUES ('a', 1);
CREATE FUNCTION rate_of(looked text) RETURNS int LANGUAGE plpgsql IMMUTABLE SET search_path = security_evaluation AS $$
BEGIN RETURN (SELECT rate FROM tb_rate WHERE name = looked); END $$;
CREATE FUNCTION of_tenant(value text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN RETURN value || coalesce(current_setting('app.tenant', true), '-') || current_setting('DateStyle')
    || current_setting('enable_hashjoin') || current_setting('row_security'); END $$;
CREATE FUNCTION note(what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN INSERT INTO security_evaluation.seen VALUES (what, current_user, session_user); END $$;
CREATE FUNCTION who(what text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN PERFORM security_evaluation.note(what); RETURN true; END $$;
CREATE DOMAIN number AS int CHECK (security_evaluation.who('domain'));
CREATE TABLE tb_item (pk_item number PRIMARY KEY, name text);
INSERT INTO tb_item VALUES (1, 'a'), (2, 'a');
CREATE TABLE tv_item AS
SELECT pk_item, rate_of(name) AS rate, of_tenant(name) AS tenant FROM tb_item;
CREATE TABLE tv_reader AS
SELECT pk_item AS pk_reader, jsonb_build_object('rate', rate) AS data FROM tv_item;
GRANT SELECT ON tv_item, tv_reader, tb_item TO regress_eva_reader;
RESET ROLE;
SELECT pg_tviews_wait();
SELECT * FROM pg_tviews_refresh('item');

-- 1. Temporary objects and settings of the caller.
TRUNCATE seen;
SET ROLE regress_eva_reader;
CREATE FUNCTION pg_temp.caught() RETURNS int LANGUAGE plpgsql AS $$
BEGIN INSERT INTO security_evaluation.seen VALUES ('temporary', current_user, session_user); RETURN 666; END $$;
CREATE TEMP VIEW tb_rate AS SELECT 'a'::text AS name, pg_temp.caught() AS rate;
GRANT SELECT ON tb_rate TO PUBLIC;
SET app.tenant = 'evil';
SET DateStyle = 'SQL, DMY';
SET enable_hashjoin = off;
SELECT * FROM pg_tviews_verify('item');
SELECT * FROM pg_tviews_verify('reader');
SELECT count(*) > 0 AS analyzed FROM pg_tviews_analyze_cascade('item', 1);
SELECT count(*) AS reached FROM pg_tviews_explain_change('tb_item', 1);
SELECT pg_tviews_cascade('tb_item'::regclass, 1);
RESET ROLE;
SELECT what, as_role, as_session FROM seen WHERE what <> 'domain' OR as_role <> 'regress_eva_owner' GROUP BY 1, 2, 3;

-- 2. The key's type makes a value of a text as the owner, also where a superuser asks.
TRUNCATE seen;
SELECT count(*) AS reached FROM pg_tviews_explain_change('tb_item', '1');
SELECT pg_tviews_cascade('tb_item'::regclass, '2');
SELECT count(*) > 0 AS analyzed FROM pg_tviews_analyze_cascade('item', '1');
SELECT count(*) AS reached FROM pg_tviews_explain_change('tv_item', '2');
SELECT what, as_role, as_session FROM seen GROUP BY 1, 2, 3;
-- and in refreshes: a function of a superuser that runs with its rights does not take the process for one of his
CREATE FUNCTION guard() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN INSERT INTO security_evaluation.seen VALUES ('guard', current_user, session_user); END $$;
SET ROLE regress_eva_owner;
CREATE FUNCTION ask_guard(value text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN PERFORM security_evaluation.guard(), security_evaluation.note('direct'); RETURN value; END $$;
CREATE TABLE tv_guarded AS SELECT pk_item AS pk_guarded, ask_guard(name) AS name FROM tb_item;
CREATE TABLE tv_counted AS SELECT 1 AS pk_counted, count(ask_guard(name)) AS n FROM tb_item;
RESET ROLE;
SELECT pg_tviews_wait();
TRUNCATE seen;
UPDATE tb_item SET name = 'a' || pk_item;
SELECT pg_tviews_wait();
SELECT what, as_role = current_user AS as_superuser, as_session FROM seen GROUP BY 1, 2, 3 ORDER BY 1;
TRUNCATE seen;
SELECT * FROM pg_tviews_refresh('guarded');
SELECT * FROM pg_tviews_verify('guarded');
SELECT * FROM pg_tviews_verify('item');
SELECT what, as_role = current_user AS as_superuser, as_session FROM seen GROUP BY 1, 2, 3 ORDER BY 1;
DROP TABLE tv_guarded, tv_counted;
RESET app.tenant;
RESET DateStyle;
RESET enable_hashjoin;
DROP VIEW pg_temp.tb_rate;
DROP FUNCTION pg_temp.caught();

-- 3. What the caller may not read, he does not get evaluated.
CREATE ROLE regress_eva_nobody;
GRANT USAGE ON SCHEMA security_evaluation TO regress_eva_nobody;
SET ROLE regress_eva_nobody;
SELECT * FROM pg_tviews_verify('item');
SELECT * FROM pg_tviews_analyze_cascade('item', '1');
SELECT * FROM pg_tviews_explain_change('tb_item', '1');
SELECT pg_tviews_cascade('tb_item'::regclass, '1');
RESET ROLE;
ALTER TABLE tb_rate ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON tb_rate TO regress_eva_nobody;
SET ROLE regress_eva_nobody;
SELECT * FROM pg_tviews_explain_change('tb_rate', 'a');
RESET ROLE;
ALTER TABLE tb_rate DISABLE ROW LEVEL SECURITY;

-- 4. It is evaluated as of what is committed: not in the transaction that has made it, which is said.
BEGIN;
CREATE TABLE tv_late AS SELECT pk_item AS pk_late, name FROM tb_item;
SELECT * FROM pg_tviews_verify('late');
ROLLBACK;
BEGIN;
CREATE TABLE tb_new (pk_new int PRIMARY KEY);
SAVEPOINT made;
CREATE TABLE tv_late AS SELECT pk_new AS pk_late FROM tb_new;
RELEASE made;
SELECT * FROM pg_tviews_analyze_cascade('late', 1);
ROLLBACK;
BEGIN;
INSERT INTO tb_item VALUES (77, 'late');
SELECT * FROM pg_tviews_explain_change('tb_item', '77');
ROLLBACK;
-- A lock of the caller's transaction is in nobody's way.
BEGIN;
LOCK TABLE tb_item, tb_rate IN ACCESS EXCLUSIVE MODE;
SELECT * FROM pg_tviews_verify('item');
SELECT count(*) FROM pg_tviews_explain_change('tb_item', '1');
COMMIT;
-- A failure of the definition is the caller's error, with all that it says; the next call works.
SET ROLE regress_eva_owner;
CREATE FUNCTION fails(value int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF value = 3 THEN RAISE EXCEPTION 'not three' USING ERRCODE = 'ZZ123', DETAIL = 'a detail', HINT = 'a hint'; END IF;
    RETURN value;
END $$;
CREATE TABLE tv_fails AS SELECT pk_item AS pk_fails, fails(pk_item) AS value FROM tb_item;
RESET ROLE;
INSERT INTO tb_item VALUES (3, 'a');
SELECT pg_tviews_wait();
\set SHOW_CONTEXT never
DO $$ BEGIN PERFORM pg_tviews_verify('fails'); EXCEPTION WHEN SQLSTATE 'ZZ123' THEN RAISE WARNING 'caught % %', SQLSTATE, SQLERRM; END $$;
SELECT * FROM pg_tviews_verify('fails');
\set SHOW_CONTEXT errors
SELECT * FROM pg_tviews_verify('item');
DELETE FROM tb_item WHERE pk_item = 3;
SELECT pg_tviews_wait();
SELECT * FROM pg_tviews_verify('fails');
-- 5. A fill runs in the session of the owner, or of who could become the owner. Where a SECURITY DEFINER
-- function creates for somebody else, the applier fills.
TRUNCATE seen;
SET ROLE regress_eva_owner;
CREATE FUNCTION create_for_anybody() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = security_evaluation, public, pg_temp AS $$
BEGIN
    CREATE TABLE tv_made AS SELECT pk_item AS pk_made, rate_of('a') AS rate, of_tenant('x') LIKE 'x-%' AS clean FROM tb_item;
    RETURN current_user || ' ' || session_user;
END $$;
RESET ROLE;
GRANT CREATE ON SCHEMA public TO regress_eva_reader;
SET SESSION AUTHORIZATION regress_eva_reader;
CREATE FUNCTION public.caught() RETURNS int LANGUAGE plpgsql AS $$
BEGIN INSERT INTO security_evaluation.seen VALUES ('temporary', current_user, session_user); RETURN 666; END $$;
CREATE TEMP VIEW tb_rate AS SELECT 'a'::text AS name, public.caught() AS rate;
GRANT SELECT ON tb_rate TO PUBLIC;
SET app.tenant = 'evil';
SET client_min_messages = notice;
SELECT create_for_anybody();
SET client_min_messages = warning;
RESET SESSION AUTHORIZATION;
SELECT pg_tviews_wait();
SELECT * FROM tv_made ORDER BY 1;
SELECT * FROM pg_tviews_verify('made');
SELECT * FROM seen WHERE what = 'temporary';
DROP VIEW pg_temp.tb_rate;
DROP FUNCTION public.caught();
REVOKE CREATE ON SCHEMA public FROM regress_eva_reader;
RESET app.tenant;
SET ROLE regress_eva_owner;
BEGIN;
CREATE TABLE tv_mine AS SELECT pk_item AS pk_mine FROM tb_item;
SELECT count(*) > 0 AS is_filled_at_once FROM tv_mine;
COMMIT;
RESET ROLE;
DROP TABLE tv_made, tv_mine;
-- Nor does a setting of the creator's session reach functions of the query: refreshes would not have it.
SET app.tenant = 'mine';
SET client_min_messages = notice;
CREATE TABLE tv_tenants AS SELECT pk_item AS pk_tenants, of_tenant('x') LIKE '%mine%' AS mine FROM tb_item;
CREATE VIEW v_functions AS SELECT pk_item, of_tenant(name) AS tenant FROM tb_item;
CREATE TABLE tv_nested AS SELECT pk_item AS pk_nested, tenant LIKE '%mine%' AS mine FROM v_functions;
CREATE TABLE tv_plain AS SELECT pk_item AS pk_plain, upper(name) AS name FROM tb_item;
RESET app.tenant;
SET client_min_messages = warning;
SELECT pg_tviews_wait();
SELECT DISTINCT t.mine, n.mine FROM tv_tenants AS t, tv_nested AS n;
DROP TABLE tv_tenants, tv_nested, tv_plain;
DROP VIEW v_functions;

-- 6. What the planner is set to in a session does not reach the extension's own statements: an event
-- trigger fires within one.
CREATE FUNCTION note_planner() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE WARNING 'nestloop %, work_mem %, random_page_cost %, geqo_threshold %, plan_cache_mode %', current_setting('enable_nestloop'),
        current_setting('work_mem'), current_setting('random_page_cost'), current_setting('geqo_threshold'), current_setting('plan_cache_mode');
END $$;
CREATE EVENT TRIGGER note_planner ON ddl_command_end WHEN TAG IN ('CREATE VIEW') EXECUTE FUNCTION note_planner();
SET enable_nestloop = off;
SET work_mem = '64kB';
SET random_page_cost = 1000;
SET geqo_threshold = 2;
SET plan_cache_mode = force_generic_plan;
CREATE TABLE tv_planned AS SELECT pk_item AS pk_planned FROM tb_item;
CREATE VIEW others AS SELECT pk_item FROM tb_item;
DROP EVENT TRIGGER note_planner;
SELECT name, setting FROM pg_settings WHERE source = 'session' AND category ~ '^Query Tuning|Memory' ORDER BY 1;
RESET enable_nestloop; RESET work_mem; RESET random_page_cost; RESET geqo_threshold; RESET plan_cache_mode;
DROP TABLE tv_planned;
DROP TABLE tv_reader, tv_fails;
DROP TABLE tv_item;
DROP SCHEMA security_evaluation CASCADE;
DROP ROLE regress_eva_owner, regress_eva_reader, regress_eva_nobody;
