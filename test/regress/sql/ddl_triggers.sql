-- Triggers and rules that TVIEWs rely on: what would replace, hide or lose one of them is refused, followed or found.
CREATE SCHEMA ddl_triggers;
SET search_path = ddl_triggers, public;
SET pg_tviews.notice_lineage = off;
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TABLE tb_item (pk_item int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_part (pk_part int NOT NULL, name text) PARTITION BY RANGE (pk_part);
CREATE TABLE tb_part1 PARTITION OF tb_part FOR VALUES FROM (1) TO (10);
INSERT INTO tb_item VALUES (1, 'one');
INSERT INTO tb_part VALUES (1, 'one');
CREATE VIEW items AS SELECT pk_item, name FROM tb_item;
CREATE TABLE tv_item AS SELECT pk_item, name FROM items;
CREATE TABLE tv_part AS SELECT pk_part, name FROM tb_part;
CREATE VIEW findings AS SELECT severity, message FROM pg_tviews_health_check()
WHERE component IN ('triggers', 'metadata') AND severity <> 'info' AND message LIKE '%ddl_triggers.%' OR message LIKE 'TVIEW item %' ORDER BY message COLLATE "C";
\set VERBOSITY terse

-- The triggers themselves.
CREATE OR REPLACE TRIGGER pg_tviews_capture AFTER INSERT OR UPDATE OR DELETE ON tb_item FOR EACH ROW WHEN (false) EXECUTE FUNCTION pg_tviews_capture();
CREATE OR REPLACE TRIGGER pg_tviews_capture AFTER INSERT OR UPDATE OR DELETE ON tb_item FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE OR REPLACE TRIGGER pg_tviews_capture AFTER UPDATE OF pk_item ON tb_item FOR EACH ROW EXECUTE FUNCTION pg_tviews_capture();
CREATE OR REPLACE TRIGGER pg_tviews_truncate AFTER TRUNCATE ON tb_item FOR EACH STATEMENT EXECUTE FUNCTION nothing();
CREATE OR REPLACE TRIGGER pg_tviews_truncate AFTER TRUNCATE ON tb_part1 FOR EACH STATEMENT EXECUTE FUNCTION nothing();
CREATE TRIGGER pg_tviews_inserted AFTER INSERT ON tb_item FOR EACH STATEMENT EXECUTE FUNCTION nothing();
ALTER TRIGGER pg_tviews_capture ON tb_item DEPENDS ON EXTENSION plpgsql;
ALTER TRIGGER pg_tviews_truncate ON tb_part1 DEPENDS ON EXTENSION plpgsql;
ALTER TRIGGER pg_tviews_capture ON tb_item RENAME TO mine;
CREATE TRIGGER mine AFTER INSERT ON tb_item FOR EACH STATEMENT EXECUTE FUNCTION nothing();
ALTER TRIGGER mine ON tb_item RENAME TO pg_tviews_updated;
ALTER TRIGGER mine ON tb_item DEPENDS ON EXTENSION plpgsql;
DROP TRIGGER mine ON tb_item;
DO $$ BEGIN EXECUTE 'CREATE OR REPLACE TRIGGER pg_tviews_capture AFTER DELETE ON ddl_triggers.tb_item EXECUTE FUNCTION ddl_triggers.nothing()'; END $$;
TABLE findings;

-- One of that name before the TVIEW; one of ours that captures less.
CREATE TABLE tb_early (pk_early int PRIMARY KEY, name text);
CREATE TRIGGER pg_tviews_capture AFTER INSERT OR UPDATE OR DELETE ON tb_early FOR EACH ROW EXECUTE FUNCTION nothing();
\set VERBOSITY default
CREATE TABLE tv_early AS SELECT pk_early, name FROM tb_early;
\set VERBOSITY terse
DROP TRIGGER pg_tviews_capture ON tb_early;
CREATE TRIGGER pg_tviews_capture AFTER INSERT OR UPDATE OR DELETE ON tb_early FOR EACH ROW WHEN (false) EXECUTE FUNCTION pg_tviews_capture();
CREATE CONSTRAINT TRIGGER pg_tviews_inserted AFTER INSERT ON tb_early DEFERRABLE FOR EACH ROW EXECUTE FUNCTION pg_tviews_capture();
CREATE TRIGGER pg_tviews_truncate AFTER TRUNCATE ON tb_early FOR EACH STATEMENT EXECUTE FUNCTION pg_tviews_capture('x');
CREATE TABLE tv_early AS SELECT pk_early, name FROM tb_early;
SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'tb_early'::regclass ORDER BY 1;
INSERT INTO tb_early VALUES (1, 'early');
SELECT pg_tviews_wait();
TABLE tv_early;
TABLE findings;

-- Past the hooks, as if the library had not been loaded.
UPDATE pg_trigger SET tgenabled = 'R' WHERE tgname = 'pg_tviews_capture' AND tgrelid = 'tb_item'::regclass;
UPDATE pg_trigger SET tgfoid = 'nothing'::regproc WHERE tgname = 'pg_tviews_truncate' AND tgrelid = 'tb_item'::regclass;
UPDATE pg_trigger SET tgattr = '1' WHERE tgname = 'pg_tviews_capture' AND tgrelid = 'tb_early'::regclass;
UPDATE pg_trigger SET tgtype = 13 WHERE tgname = 'pg_tviews_truncate' AND tgrelid = 'tb_early'::regclass;
INSERT INTO pg_depend SELECT 'pg_trigger'::regclass, t.oid, 0, 'pg_extension'::regclass, e.oid, 0, 'x' FROM pg_trigger t, pg_extension e
WHERE t.tgname = 'pg_tviews_capture' AND t.tgrelid = 'tb_part'::regclass AND e.extname = 'plpgsql';
TABLE findings;
SELECT pg_tviews_reinstall_triggers();
DROP TRIGGER pg_tviews_truncate ON tb_item;
SELECT pg_tviews_reinstall_triggers() > 0 AS reinstalled;
TABLE findings;

-- Rules: of a backing view refused, of a nested view followed.
CREATE OR REPLACE RULE "_RETURN" AS ON SELECT TO v_item DO INSTEAD SELECT pk_item, upper(name) AS name FROM tb_item;
CREATE RULE writes AS ON INSERT TO v_item DO INSTEAD NOTHING;
CREATE TRIGGER writes INSTEAD OF INSERT ON v_item FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE OR REPLACE RULE "_RETURN" AS ON SELECT TO items DO INSTEAD SELECT pk_item, upper(name) AS name FROM tb_item;
SELECT pg_tviews_wait();
TABLE tv_item;
SELECT * FROM pg_tviews_verify('item');
TABLE findings;
-- Replaced while the library was not loaded.
UPDATE pg_tview_meta SET view_rules = 'another' WHERE tview = 'tv_item'::regclass;
TABLE findings;
SELECT pg_tviews_replace('item', meta.definition) FROM pg_tview_meta AS meta WHERE meta.entity = 'item';
TABLE findings;

SET client_min_messages = warning;
DROP SCHEMA ddl_triggers CASCADE;
