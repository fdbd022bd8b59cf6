-- Who may do what: the extension's tables and functions for a plain user, what creation needs on its
-- sources, and what nobody is told who may not read it.
CREATE SCHEMA security_privileges;
SET search_path = security_privileges, public;
SET client_min_messages = warning;
CREATE ROLE regress_plain;
CREATE ROLE regress_owner;
CREATE ROLE regress_reader;
GRANT USAGE ON SCHEMA security_privileges TO regress_plain, regress_reader;
GRANT USAGE, CREATE ON SCHEMA security_privileges TO regress_owner;

-- The functions of the extension: PUBLIC may call those that check for themselves.
CREATE VIEW functions AS
SELECT p.oid, p.oid::regprocedure::text AS function, p.prosecdef, p.prokind, p.provolatile,
       has_function_privilege('regress_plain', p.oid, 'EXECUTE') AS public
FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
WHERE e.extname = 'pg_tviews';
-- Every one is listed: who adds a function says here who may call it.
SELECT function, public FROM functions ORDER BY function COLLATE "C";
-- What runs with its owner's rights has a search path of its own.
SELECT function FROM functions JOIN pg_proc USING (oid) WHERE functions.prosecdef
   AND NOT 'search_path=pg_catalog, pg_temp' = ANY (coalesce(pg_proc.proconfig, '{}'));

-- Every relation: users read what is as public as a catalog, and write nothing.
CREATE VIEW relations AS
SELECT c.oid, c.relname, c.relkind
FROM pg_class c JOIN pg_depend d ON d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
WHERE e.extname = 'pg_tviews';
SELECT relname, has_table_privilege('regress_plain', oid, 'SELECT') AS reads FROM relations
WHERE relkind IN ('r', 'v') ORDER BY relname COLLATE "C";
SELECT relname FROM relations WHERE relkind IN ('r', 'v') AND has_table_privilege('regress_plain', oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER');
SELECT relname FROM relations WHERE CASE WHEN relkind = 'S' THEN has_sequence_privilege('regress_plain', oid, 'USAGE, SELECT, UPDATE') END;

-- The owner of a TVIEW, somebody who may read it, and somebody who may not.
SET ROLE regress_owner;
CREATE TABLE tb_pay (pk_pay int PRIMARY KEY, who text, amount int);
INSERT INTO tb_pay VALUES (1, 'ann', 100), (2, 'bob', 200);
CREATE TABLE tv_pay AS SELECT pk_pay, who, amount FROM tb_pay;
GRANT SELECT ON tv_pay TO regress_reader;
RESET ROLE;

-- Each function as a plain user: an answer that holds nothing of the rows, or a refusal.
CREATE FUNCTION outcome(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    rows bigint;
BEGIN
    EXECUTE 'SELECT count(*) FROM (' || command || ') AS answer' INTO rows;
    RETURN CASE WHEN rows > 0 THEN 'answers' ELSE 'nothing' END;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
CREATE TABLE calls (call text);
GRANT SELECT ON calls TO PUBLIC;
INSERT INTO calls VALUES
('SELECT pg_tviews_capture()'),
('SELECT pg_tviews_version()'),
('SELECT pg_tviews_create(''mine'', ''SELECT pk_pay AS pk_mine, who FROM tb_pay'')'),
('SELECT pg_tviews_drop(''pay'')'),
('SELECT pg_tviews_replace(''pay'', ''SELECT pk_pay, who, amount FROM tb_pay'')'),
('SELECT pg_tviews_replace(''pay'', ''SELECT pk_pay, who, amount FROM tb_pay'', online => true)'),
('SELECT pg_tviews_replace_finish(''pay'')'),
('SELECT pg_tviews_replace_cancel(''pay'')'),
('SELECT pg_tviews_convert_table(''tv_pay'')'),
('SELECT pg_tviews_reinstall_triggers()'),
('SELECT pg_tviews_table(''pay'')'),
('SELECT * FROM pg_tviews_verify(''pay'')'),
('SELECT * FROM pg_tviews_explain_lineage(''pay'')'),
('SELECT pg_tviews_check_jsonb_delta()'),
('SELECT * FROM pg_tviews_explain_query(''SELECT pk_pay, who FROM tb_pay'', ''pk_pay'')'),
('SELECT pg_tviews_graph()'),
('SELECT * FROM pg_tviews_show_cascade_path(''pay'')'),
('SELECT * FROM pg_tviews_suggest_indexes(''pay'')'),
('SELECT * FROM pg_tviews_explain_change(''tb_pay''::regclass, ''1''::text)'),
('SELECT * FROM pg_tviews_explain_change(''tb_pay''::regclass, 1)'),
('SELECT * FROM pg_tviews_analyze_cascade(''pay'', ''1''::text)'),
('SELECT * FROM pg_tviews_analyze_cascade(''pay'', 1)'),
('SELECT pg_tviews_cascade(''tb_pay''::regclass::oid, ''1''::text)'),
('SELECT pg_tviews_cascade(''tb_pay''::regclass::oid, 1)'),
('SELECT pg_tviews_wait()'),
('SELECT pg_tviews_wait_for(''3''::xid8)'),
('SELECT * FROM pg_tviews_refresh(''pay'')'),
('SELECT * FROM pg_tviews_retry(''pay'')'),
('SELECT * FROM pg_tviews_queue_entries()'),
('SELECT pid FROM pg_tviews_slots() WHERE database_oid <> 0'),
('SELECT pg_tviews_pause()'),
('SELECT pg_tviews_resume()'),
('SELECT pg_tviews_stats_reset()'),
('SELECT * FROM tviews_internal.pg_tview_outbox'),
('SELECT * FROM pg_tview_dead_letter'),
('SELECT * FROM tviews_internal.pg_tview_owed'),
('SELECT * FROM tv_pay'),
('SELECT * FROM v_pay');
GRANT EXECUTE ON FUNCTION outcome TO PUBLIC;
-- Functions that PUBLIC may call and that are not tried: they are of no TVIEW and no table.
SELECT function FROM functions JOIN pg_proc USING (oid)
WHERE public AND NOT EXISTS (SELECT FROM calls WHERE call ~ (' ' || pg_proc.proname || '\('))
ORDER BY function COLLATE "C";
SET ROLE regress_plain;
SELECT call, outcome(call) FROM calls ORDER BY ctid;
SET ROLE regress_reader;
SELECT call, outcome(call) FROM calls WHERE call ~ 'verify|explain_change|analyze|cascade\(|refresh|v_pay|tv_pay''\)|drop|replace' ORDER BY ctid;
RESET ROLE;

-- Creation needs SELECT and TRIGGER on each source, and CREATE on the schema.
GRANT CREATE ON SCHEMA security_privileges TO regress_plain;
SET ROLE regress_plain;
SELECT outcome('SELECT pg_tviews_create(''mine'', ''SELECT pk_pay AS pk_mine, who FROM tb_pay'')');
RESET ROLE;
GRANT SELECT ON tb_pay TO regress_plain;
SET ROLE regress_plain;
SELECT outcome('SELECT pg_tviews_create(''mine'', ''SELECT pk_pay AS pk_mine, who FROM tb_pay'')');
RESET ROLE;
GRANT TRIGGER ON tb_pay TO regress_plain;
SET ROLE regress_plain;
SELECT outcome('SELECT pg_tviews_create(''mine'', ''SELECT pk_pay AS pk_mine, who FROM tb_pay'')');
SELECT outcome('SELECT * FROM tv_mine');
RESET ROLE;
-- TRIGGER is asked once, SELECT each time: without it the TVIEW is quarantined, and nobody else.
REVOKE ALL ON tb_pay FROM regress_plain;
UPDATE tb_pay SET amount = 101, who = 'anna' WHERE pk_pay = 1;
SELECT pg_tviews_wait();
SELECT entity, state FROM pg_tview_meta WHERE entity IN ('pay', 'mine') ORDER BY 1;
SELECT tview, key, sqlstate FROM pg_tview_dead_letter WHERE tview = 'tv_mine'::regclass;
GRANT SELECT ON tb_pay TO regress_plain;
SELECT * FROM pg_tviews_retry('mine');

-- Column privileges: not enough to verify, which shows whole rows.
REVOKE SELECT ON tv_pay FROM regress_reader;
GRANT SELECT (pk_pay, who) ON tv_pay TO regress_reader;
SET ROLE regress_reader;
SELECT pk_pay, who FROM tv_pay ORDER BY 1;
SELECT outcome('SELECT amount FROM tv_pay');
SELECT outcome('SELECT * FROM pg_tviews_verify(''pay'')');
RESET ROLE;

-- A TVIEW has no row security of its own: a view over it has.
SET ROLE regress_owner;
ALTER TABLE tv_pay ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON tv_pay USING (who = current_user);
-- Who has revoked TRIGGER can still alter the table: privileges are not asked for again.
ALTER TABLE tb_pay ADD COLUMN note text;
ALTER TABLE tb_pay ALTER COLUMN amount SET NOT NULL;
-- Row security that would hide rows from the owner of tv_mine is refused, and reached otherwise it
-- ends in quarantine: no TVIEW shows fewer rows than its query returned when it was created.
ALTER TABLE tb_pay ENABLE ROW LEVEL SECURITY;
RESET ROLE;
ALTER ROLE regress_plain BYPASSRLS;
SET ROLE regress_owner;
ALTER TABLE tb_pay ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON tb_pay USING (pk_pay = 1);
RESET ROLE;
ALTER ROLE regress_plain NOBYPASSRLS;
UPDATE tb_pay SET who = who || '.';
SELECT pg_tviews_wait();
SELECT * FROM tv_mine ORDER BY 1;
SELECT tview, sqlstate FROM pg_tview_dead_letter WHERE tview = 'tv_mine'::regclass;
SELECT who FROM tv_pay ORDER BY 1;
SELECT count(*) AS differences FROM pg_tviews_verify('pay');
GRANT TRIGGER ON tb_pay TO regress_plain;
SET ROLE regress_plain;
SELECT outcome('SELECT pg_tviews_create(''other'', ''SELECT pk_pay AS pk_other, who FROM tb_pay'')');
RESET ROLE;

DROP SCHEMA security_privileges CASCADE;
DROP ROLE regress_plain;
DROP ROLE regress_owner;
DROP ROLE regress_reader;
