-- What used to be answered silently, and wrongly: NULL for a name, one's own transaction, tables called
-- tv_ that are no TVIEWs, temporary schemas.
CREATE SCHEMA silent_answers;
SET search_path = silent_answers, public;
SET client_min_messages = warning;
CREATE TABLE tb_a (pk_a int PRIMARY KEY, n int);
INSERT INTO tb_a VALUES (1, 1), (2, 2);
CREATE TABLE tv_a AS SELECT pk_a, n FROM tb_a;
SELECT pg_tviews_wait();

-- every function of the extension that takes the name of something refuses NULL in each argument
\set SHOW_CONTEXT never
SELECT * FROM pg_tviews_verify(NULL);
SELECT count(*) FROM pg_tviews_verify((SELECT entity FROM pg_tview_meta WHERE entity = 'typo'));
SELECT * FROM pg_tviews_analyze_cascade(NULL, 1::bigint);
SELECT * FROM pg_tviews_analyze_cascade('a', NULL::text);
SELECT * FROM pg_tviews_explain_change(NULL, '1');
SELECT * FROM pg_tviews_explain_change('tb_a', NULL::bigint);
SELECT pg_tviews_cascade(NULL, '1');
SELECT pg_tviews_cascade('tb_a'::regclass, NULL::text);
SELECT pg_tviews_create(NULL, 'SELECT 1 AS pk_x');
SELECT pg_tviews_create('x', NULL);
SELECT pg_tviews_drop(NULL);
SELECT pg_tviews_drop('a', NULL);
SELECT pg_tviews_replace(NULL, 'SELECT pk_a, n FROM tb_a');
SELECT pg_tviews_replace('a', NULL);
SELECT pg_tviews_convert_table(NULL);
SELECT pg_tviews_refresh(NULL);
SELECT pg_tviews_retry(NULL);
SELECT pg_tviews_table(NULL);
SELECT * FROM pg_tviews_explain_lineage(NULL);
SELECT * FROM pg_tviews_explain_query(NULL, 'pk_a');
SELECT * FROM pg_tviews_explain_query('SELECT pk_a FROM tb_a', NULL);
SELECT * FROM pg_tviews_show_cascade_path(NULL);
SELECT * FROM pg_tviews_suggest_indexes(NULL);
SELECT pg_tviews_graph(NULL);
SELECT pg_tviews_wait_for(NULL);
SELECT * FROM pg_tviews_health_check(NULL);
-- and no function that takes an argument is STRICT
SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e' AND d.classid = 'pg_proc'::regclass
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'pg_tviews' WHERE p.proisstrict AND p.pronargs > 0;

-- one's own transaction: nothing follows it before it commits
BEGIN;
INSERT INTO tb_a VALUES (3, 3);
SELECT pg_tviews_wait();
ROLLBACK;
BEGIN;
SAVEPOINT s;
TRUNCATE tb_a;
SELECT pg_tviews_wait('1 s');
ROLLBACK TO s;
SELECT pg_tviews_wait();
UPDATE tb_a SET n = 5 WHERE pk_a = 2;
SELECT * FROM pg_tviews_refresh('a');
ROLLBACK;
DO $$ BEGIN INSERT INTO tb_a VALUES (4, 4); PERFORM pg_tviews_retry('a'); END $$;
DO $$ BEGIN INSERT INTO tb_a VALUES (5, 5); COMMIT; PERFORM pg_tviews_wait(); END $$;
SELECT * FROM tv_a ORDER BY 1;

-- temporary tables are ordinary, by whatever name their schema goes
CREATE TEMP TABLE tv_t AS SELECT pk_a AS pk_t FROM tb_a;
CREATE TABLE pg_temp.tv_u AS SELECT pk_a AS pk_u FROM tb_a;
CREATE TABLE IF NOT EXISTS pg_temp.tv_u AS SELECT pk_a AS pk_u FROM tb_a;
SELECT pk_a AS pk_v INTO pg_temp.tv_v FROM tb_a;
SELECT pg_tviews_create('pg_temp.w', 'SELECT pk_a AS pk_w FROM silent_answers.tb_a');
SET search_path = pg_temp, silent_answers, public;
CREATE TABLE tv_x AS SELECT pk_a AS pk_x FROM tb_a;
SELECT pg_tviews_create('y', 'SELECT pk_a AS pk_y FROM tb_a');
SELECT pg_tviews_convert_table('tv_x');
SET search_path = silent_answers, public;
SELECT relname, relpersistence FROM pg_class WHERE relname ~ '^[tv]v?_[t-y]$' ORDER BY 1;
SELECT tview, entity FROM pg_tview_meta WHERE entity <> 'a';
SELECT * FROM pg_tviews_verify('x');
CREATE TABLE pg_nowhere.tv_z AS SELECT pk_a AS pk_z FROM tb_a;
DISCARD TEMP;

-- a table called tv_ that is none
CREATE TABLE tv_plain (pk_plain int PRIMARY KEY);
SELECT * FROM pg_tviews_verify('plain');
SELECT pg_tviews_drop('tv_plain');
DROP TABLE tv_plain;
DROP TABLE tv_a;
DROP SCHEMA silent_answers CASCADE;
