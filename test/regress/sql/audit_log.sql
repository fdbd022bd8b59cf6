-- What was done to TVIEWs and by whom: also by way of others' commands, and never what was rolled back.
SET client_min_messages = warning;
CREATE SCHEMA audit_log;
SET search_path = audit_log, public;
SET pg_tviews.notice_lineage = off;
SELECT coalesce(max(log_id), 0) AS before FROM pg_tview_audit_log \gset
CREATE VIEW logged AS
SELECT operation, entity, performed_by = session_user AS by_me, performed_at > now() - interval '1 minute' AS now,
       details - 'version' - 'definition' - 'table' AS details
FROM pg_tview_audit_log WHERE log_id > :before AND (entity LIKE 'audit%' OR entity IS NULL) ORDER BY log_id;

CREATE TABLE tb_a (pk_a int PRIMARY KEY, name text);
CREATE VIEW named AS SELECT pk_a, upper(name) AS name FROM tb_a;
CREATE TABLE tv_audit WITH (pg_tviews.notify = on) AS SELECT pk_a AS pk_audit, name FROM tb_a;
SELECT pg_tviews_create('audit_two', 'SELECT pk_a AS pk_audit_two, name FROM named');
BEGIN;
CREATE TABLE tv_audit_never AS SELECT pk_a AS pk_audit_never FROM tb_a;
DROP TABLE tv_audit;
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT pg_tviews_refresh('audit');
ROLLBACK TO s;
COMMIT;
SELECT * FROM logged WHERE now IS NOT NULL;
SELECT operation, entity, details ->> 'table' AS table, details ->> 'definition' AS definition, details ->> 'version' = pg_tviews_version() AS version
FROM pg_tview_audit_log WHERE log_id > :before AND entity = 'audit_two';
SELECT max(log_id) AS before FROM pg_tview_audit_log \gset
CREATE OR REPLACE VIEW logged AS
SELECT operation, entity, performed_by = session_user AS by_me, performed_at > now() - interval '1 minute' AS now,
       details - 'version' - 'definition' - 'table' AS details
FROM pg_tview_audit_log
WHERE log_id > :before AND (entity LIKE 'audit%' OR entity IS NULL) ORDER BY log_id;

-- What an operator does.
SELECT pg_tviews_pause(), pg_tviews_resume();
SELECT * FROM pg_tviews_refresh('audit');
SELECT * FROM pg_tviews_retry('audit');
SELECT pg_tviews_replace('audit', 'SELECT pk_a AS pk_audit, lower(name) AS name FROM tb_a');
ALTER TABLE tv_audit SET (pg_tviews.notify = off);
ALTER TABLE tv_audit SET (fillfactor = 90);
ALTER TABLE tv_audit RENAME TO tv_audit_one;
-- What is done to sources.
ALTER TABLE tb_a RENAME COLUMN name TO title;
CREATE OR REPLACE VIEW named AS SELECT pk_a, lower(title) AS name FROM tb_a;
SELECT * FROM logged;
SELECT max(log_id) AS before FROM pg_tview_audit_log \gset
-- What goes along.
CREATE TABLE tv_audit_four AS SELECT pk_audit AS pk_audit_four FROM tv_audit_one;
DROP TABLE tb_a CASCADE;
SELECT operation, entity, details -> 'command' AS command, details -> 'table' AS table,
       details ->> 'definition' LIKE 'SELECT%' AS definition
FROM pg_tview_audit_log WHERE log_id > :before AND entity LIKE 'audit%' ORDER BY operation, entity;

-- Another role is named beside the session's user. Nobody writes, and few may read.
CREATE ROLE audit_owner;
GRANT CREATE, USAGE ON SCHEMA audit_log TO audit_owner;
SELECT max(log_id) AS before FROM pg_tview_audit_log \gset
SET ROLE audit_owner;
CREATE TABLE tb_b (pk_b int PRIMARY KEY);
CREATE TABLE tv_audit_b AS SELECT pk_b AS pk_audit_b FROM tb_b;
DELETE FROM tviews_internal.pg_tview_audit_log;
INSERT INTO tviews_internal.pg_tview_audit_log (operation, details) VALUES ('CREATE', '{}');
SELECT count(*) FROM pg_tview_audit_log;
RESET ROLE;
SELECT operation, entity, performed_by = session_user AS by_me, details ->> 'role' AS role
FROM pg_tview_audit_log WHERE log_id > :before;
GRANT pg_monitor TO audit_owner;
SET ROLE audit_owner;
SELECT count(*) FROM pg_tview_audit_log WHERE log_id > :before;
RESET ROLE;
-- A transaction that cannot write cannot act unseen.
BEGIN READ ONLY;
SELECT pg_tviews_pause();
ROLLBACK;
SELECT pg_tviews_resume();
-- What else an operator does.
SELECT max(log_id) AS before FROM pg_tview_audit_log \gset
CREATE TABLE tb_e (pk_e int PRIMARY KEY);
CREATE TABLE tv_audit_e AS SELECT pk_e AS pk_audit_e FROM tb_e;
INSERT INTO tb_e VALUES (5);
SELECT pg_tviews_cascade('tb_e'::regclass, 5);
SELECT pg_tviews_stats_reset('audit_e'), pg_tviews_stats_reset();
SELECT pg_tviews_install_stmt_triggers() > 0 AS installed, pg_tviews_uninstall_stmt_triggers() > 0 AS uninstalled;
CREATE TABLE tb_stray (pk_stray int PRIMARY KEY);
SET session_replication_role = replica;
CREATE TRIGGER pg_tviews_capture AFTER INSERT OR UPDATE OR DELETE ON tb_stray FOR EACH ROW EXECUTE FUNCTION pg_tviews_capture();
RESET session_replication_role;
SELECT count(*) FROM pg_tviews_drop_orphans();
BEGIN;
SELECT pg_tviews_cascade('tb_e'::regclass, 5);
ROLLBACK;
BEGIN READ ONLY;
SELECT pg_tviews_stats_reset();
ROLLBACK;
SELECT operation, entity, details - 'version' - 'definition' - 'table' AS details
FROM pg_tview_audit_log WHERE log_id > :before AND operation <> 'CREATE' ORDER BY log_id;
-- By time there is an index, and by time they go.
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT operation FROM tviews_internal.pg_tview_audit_log WHERE performed_at > now() - interval '1 hour';
RESET enable_bitmapscan;
RESET enable_seqscan;
INSERT INTO tviews_internal.pg_tview_audit_log (operation, performed_at, details)
SELECT 'LONG AGO', now() - age, '{}' FROM unnest(ARRAY[interval '61 minutes', '30 minutes']) AS age;
ALTER SYSTEM SET pg_tviews.audit_log_retention = '1h';
SELECT pg_reload_conf();
DO $$
BEGIN
    FOR i IN 1..1000 LOOP
        UPDATE tb_e SET pk_e = pk_e + 1;
        COMMIT;
        PERFORM pg_tviews_wait();
        EXIT WHEN NOT EXISTS (SELECT FROM pg_tview_audit_log WHERE performed_at < now() - interval '1 hour');
    END LOOP;
END $$;
SELECT count(*) FROM pg_tview_audit_log WHERE operation = 'LONG AGO';
ALTER SYSTEM RESET pg_tviews.audit_log_retention;
SELECT pg_reload_conf();
DELETE FROM tviews_internal.pg_tview_audit_log WHERE operation = 'LONG AGO';
DROP SCHEMA audit_log CASCADE;
DROP OWNED BY audit_owner;
DROP ROLE audit_owner;

-- What looks like JSON and is not: names of roles, of tables and of sources.
CREATE SCHEMA audit_names;
SET search_path = audit_names, public;
CREATE ROLE "{x";
CREATE ROLE "{""role"": ""postgres""}";
GRANT CREATE, USAGE ON SCHEMA audit_names TO "{x", "{""role"": ""postgres""}";
SELECT max(log_id) AS before FROM pg_tview_audit_log \gset
SET ROLE "{x";
CREATE TABLE "tb_{c" (pk_c int PRIMARY KEY, "a\b" text);
CREATE TABLE tv_audit_c AS SELECT pk_c AS pk_audit_c, "a\b" FROM "tb_{c";
ALTER TABLE "tb_{c" ADD COLUMN more int;
RESET ROLE;
SET ROLE "{""role"": ""postgres""}";
CREATE TABLE tb_d (pk_d int PRIMARY KEY);
CREATE TABLE tv_audit_d AS SELECT pk_d AS pk_audit_d FROM tb_d;
DROP TABLE tv_audit_d;
RESET ROLE;
SELECT operation, entity, details ->> 'role' AS role, details ->> 'source' AS source
FROM pg_tview_audit_log WHERE log_id > :before ORDER BY log_id;
DROP SCHEMA audit_names CASCADE;
DROP OWNED BY "{x", "{""role"": ""postgres""}";
DROP ROLE "{x", "{""role"": ""postgres""}";
