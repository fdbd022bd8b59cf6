-- What depends on the session that asks is refused: in the query, in views below it, in bodies of
-- functions in SQL, in defaults of their parameters. test/system/stable_functions_test.py goes
-- through all functions of the server.
CREATE SCHEMA lineage_session;
SET search_path = lineage_session, public;
SET client_min_messages = warning;
CREATE TABLE tb_doc (pk_doc int PRIMARY KEY, owner text, at timestamptz);
INSERT INTO tb_doc VALUES (1, 'ann', '2020-01-01');
CREATE TABLE tv_doc AS SELECT pk_doc, owner = session_user AS mine FROM tb_doc;
CREATE TABLE tv_doc AS SELECT pk_doc FROM tb_doc WHERE owner = current_user;
CREATE TABLE tv_doc AS SELECT pk_doc, (SELECT max(pg_backend_pid()) FROM tb_doc) AS pid FROM tb_doc;
CREATE TABLE tv_doc AS SELECT d.pk_doc, count(*) AS n FROM tb_doc d JOIN tb_doc e ON pg_has_role(e.owner, 'usage') GROUP BY 1;
CREATE TABLE tv_doc AS WITH w AS (SELECT pk_doc, current_setting('app.tenant', true) AS tenant FROM tb_doc) SELECT * FROM w;
CREATE TABLE tv_doc AS SELECT pk_doc, txid_current() AS x FROM tb_doc;
CREATE TABLE tv_doc AS SELECT pk_doc, coalesce(owner, current_schema()) AS x FROM tb_doc ORDER BY inet_client_addr();
CREATE TABLE tv_doc AS SELECT pk_doc, table_to_xml('tb_doc', true, true, '') AS x FROM tb_doc;
SELECT pg_tviews_create('doc', 'SELECT pk_doc, has_table_privilege(''tb_doc'', ''select'') AS x FROM tb_doc');
-- views
CREATE VIEW mine AS SELECT * FROM tb_doc WHERE owner = CURRENT_ROLE;
CREATE VIEW all_mine AS SELECT * FROM mine;
CREATE TABLE tv_doc AS SELECT pk_doc FROM all_mine;
-- functions in SQL, as text and analysed, one within the other
CREATE FUNCTION who() RETURNS text LANGUAGE sql STABLE AS 'SELECT current_user::text';
CREATE FUNCTION tenant() RETURNS text LANGUAGE sql STABLE AS $$ SELECT coalesce((SELECT pg_catalog.current_setting('app.tenant')), 'none') $$;
CREATE FUNCTION atomic() RETURNS text LANGUAGE sql STABLE BEGIN ATOMIC SELECT session_user::text; END;
CREATE FUNCTION outer_text(value text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT value = lineage_session.who()';
CREATE FUNCTION outer_atomic() RETURNS text LANGUAGE sql STABLE BEGIN ATOMIC SELECT tenant() || 'x'; END;
CREATE FUNCTION by_default(value text, other text DEFAULT current_user) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT value = other';
CREATE FUNCTION endless(value int) RETURNS int LANGUAGE sql STABLE AS 'SELECT CASE WHEN value > 1 THEN lineage_session.endless(value - 1) ELSE 0 END';
CREATE TABLE tv_doc AS SELECT pk_doc, who() AS x FROM tb_doc;
CREATE TABLE tv_doc AS SELECT pk_doc FROM tb_doc WHERE owner = tenant();
CREATE TABLE tv_doc AS SELECT pk_doc, atomic() AS x FROM tb_doc;
CREATE TABLE tv_doc AS SELECT pk_doc, outer_text(owner) AS x FROM tb_doc;
CREATE TABLE tv_doc AS SELECT pk_doc, x FROM tb_doc, LATERAL outer_atomic() AS o (x);
CREATE TABLE tv_doc AS SELECT pk_doc, by_default(owner) AS x FROM tb_doc;
-- aggregates, operators and casts
CREATE FUNCTION step(state text, value text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT coalesce(state, '') || value || current_user $$;
CREATE AGGREGATE all_of(text) (SFUNC = step, STYPE = text);
CREATE FUNCTION is_mine(a text, b text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT a = b AND a = session_user';
CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = is_mine);
CREATE TYPE pair AS (a int, b int);
CREATE FUNCTION pair_text(pair) RETURNS text LANGUAGE sql STABLE AS $$ SELECT current_setting('app.x') $$;
CREATE CAST (pair AS text) WITH FUNCTION pair_text(pair);
CREATE TABLE tv_doc AS SELECT pk_doc, all_of(owner) AS x FROM tb_doc GROUP BY pk_doc;
CREATE TABLE tv_doc AS SELECT pk_doc, owner === 'x' AS x FROM tb_doc;
CREATE TABLE tv_doc AS SELECT pk_doc, ROW(1, 2)::pair::text AS x FROM tb_doc;
-- also by REPLACE
CREATE TABLE tv_doc AS SELECT pk_doc, owner FROM tb_doc;
SELECT pg_tviews_replace('doc', 'SELECT pk_doc, session_user::text COLLATE "default" AS owner FROM tb_doc');
SELECT * FROM pg_tviews_explain_query('SELECT pk_doc, pg_my_temp_schema() AS x FROM tb_doc', 'pk_doc');
DROP TABLE tv_doc;
-- what is not refused: time, with a period; the database, a named role, which a NOTICE says
CREATE TABLE tv_doc WITH (pg_tviews.clock_period = '1 day') AS SELECT pk_doc, endless(2) AS e, by_default(owner, 'ann') AS h, now() > at AS a, CURRENT_DATE > at AS b, current_database()::text AS c,
    has_table_privilege('postgres', 'lineage_session.tb_doc', 'select') AS d, to_char(at, 'YYYY') AS f, pg_typeof(at)::text AS g FROM tb_doc;
SELECT pg_tviews_wait();
SELECT * FROM pg_tviews_verify('doc');
DROP TABLE tv_doc;
DROP SCHEMA lineage_session CASCADE;
