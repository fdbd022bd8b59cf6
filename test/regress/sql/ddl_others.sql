-- What others do around TVIEWs: event triggers, triggers that are created past the utility hook, views of other
-- roles over tables with row security, renamed schemas, dumps without labels.
CREATE SCHEMA ddl_others;
SET search_path = ddl_others, public;
SET pg_tviews.notice_lineage = off;
\set VERBOSITY terse
CREATE ROLE ddl_others_user;
CREATE ROLE ddl_others_viewer;
GRANT USAGE, CREATE ON SCHEMA ddl_others TO ddl_others_user, ddl_others_viewer;

-- Event triggers find their tables on the session's path, and the session's role.
CREATE TABLE ddl_log (line serial, who text, tag text, object text);
GRANT INSERT ON ddl_log TO PUBLIC;
GRANT USAGE ON SEQUENCE ddl_log_line_seq TO PUBLIC;
CREATE FUNCTION log_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ddl_log (who, tag, object)
    SELECT current_user, c.command_tag, c.object_identity FROM pg_event_trigger_ddl_commands() AS c WHERE c.schema_name = 'ddl_others';
END $$;
CREATE FUNCTION log_drop() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ddl_log (who, tag, object) SELECT current_user, tg_tag, o.object_identity FROM pg_event_trigger_dropped_objects() AS o WHERE o.original;
END $$;
CREATE TABLE tb_item (pk_item int PRIMARY KEY, id int, name text);
CREATE TABLE tb_parts (pk_part int PRIMARY KEY, name text) PARTITION BY RANGE (pk_part);
GRANT SELECT, TRIGGER ON tb_item, tb_parts TO ddl_others_user;
CREATE EVENT TRIGGER ddl_others_log ON ddl_command_end EXECUTE FUNCTION log_ddl();
CREATE EVENT TRIGGER ddl_others_drop ON sql_drop EXECUTE FUNCTION log_drop();
SET ROLE ddl_others_user;
CREATE TABLE tv_item AS SELECT pk_item, id, name FROM tb_item;
SELECT pg_tviews_create('part', 'SELECT pk_part, name FROM tb_parts');
ALTER TABLE tv_item RENAME TO tv_thing;
RESET ROLE;
CREATE TABLE tb_part1 PARTITION OF tb_parts FOR VALUES FROM (1) TO (10);
ALTER TABLE tb_item DISABLE TRIGGER ALL;
DROP TABLE tv_part;
SELECT who, tag, object FROM ddl_log ORDER BY line;
DROP EVENT TRIGGER ddl_others_log;
DROP EVENT TRIGGER ddl_others_drop;
INSERT INTO tb_item VALUES (1, 1, 'one');
SELECT pg_tviews_wait();
TABLE tv_thing;

-- Triggers on a TVIEW's table, from inside of our own statements: refused as everywhere, before and after it is one.
CREATE FUNCTION follow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION add_trigger() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    IF tg_tag = 'CREATE VIEW' THEN
        CREATE TRIGGER follow AFTER INSERT ON ddl_others.tv_thing FOR EACH ROW EXECUTE FUNCTION ddl_others.follow();
    END IF;
END $$;
CREATE EVENT TRIGGER ddl_others_add ON ddl_command_end EXECUTE FUNCTION add_trigger();
CREATE TABLE tv_other AS SELECT pk_item AS pk_other, name FROM tb_item;
DROP EVENT TRIGGER ddl_others_add;
CREATE FUNCTION add_early() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    IF tg_tag = 'CREATE TABLE AS' THEN
        CREATE TRIGGER follow AFTER INSERT ON ddl_others.tv_other FOR EACH ROW EXECUTE FUNCTION ddl_others.follow();
    END IF;
END $$;
CREATE EVENT TRIGGER ddl_others_add ON ddl_command_end EXECUTE FUNCTION add_early();
CREATE TABLE tv_other AS SELECT pk_item AS pk_other, name FROM tb_item;
DROP EVENT TRIGGER ddl_others_add;
-- nor columns, or anything on the view
CREATE OR REPLACE FUNCTION add_early() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    IF tg_tag = 'CREATE TABLE AS' THEN ALTER TABLE ddl_others.tv_other ADD COLUMN more int DEFAULT 5; END IF;
END $$;
CREATE EVENT TRIGGER ddl_others_add ON ddl_command_end EXECUTE FUNCTION add_early();
CREATE TABLE tv_other AS SELECT pk_item AS pk_other, name FROM tb_item;
CREATE OR REPLACE FUNCTION add_early() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    IF tg_tag = 'CREATE TABLE AS' THEN CREATE RULE r AS ON INSERT TO ddl_others.v_other DO INSTEAD NOTHING; END IF;
END $$;
CREATE TABLE tv_other AS SELECT pk_item AS pk_other, name FROM tb_item;
CREATE OR REPLACE FUNCTION add_early() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    IF tg_tag = 'CREATE TABLE AS' THEN ALTER TABLE ddl_others.tv_other ALTER name SET NOT NULL; END IF;
END $$;
CREATE TABLE tv_other AS SELECT pk_item AS pk_other, name FROM tb_item;
DROP EVENT TRIGGER ddl_others_add;

-- A table that promises what refreshes do not ask becomes no TVIEW, nor when it comes in a dump.
CREATE VIEW v_promise AS SELECT pk_item AS pk_promise, name FROM tb_item;
CREATE TABLE tv_promise (pk_promise int PRIMARY KEY, name text CHECK (name <> ''));
SELECT pg_tviews_convert_table('tv_promise');
DROP TABLE tv_promise;
CREATE TABLE tv_promise (pk_promise int PRIMARY KEY, name text NOT NULL);
SELECT pg_tviews_convert_table('tv_promise');
-- nobody but this session tries, and so the warning of the first attempt is its own
SELECT pg_tviews_pause();
SECURITY LABEL FOR pg_tviews ON TABLE tv_promise IS '{"entity": "promise", "key": "pk_promise", "view": "ddl_others.v_promise"}';
SELECT adopted, pending, reasons FROM pg_tviews_adopt();
DROP TABLE tv_promise;
SELECT pg_tviews_resume();
CREATE TABLE tv_promise (pk_promise int PRIMARY KEY, name text GENERATED ALWAYS AS ('x') STORED);
SELECT pg_tviews_convert_table('tv_promise');
DROP TABLE tv_promise;
CREATE TABLE tv_promise (pk_promise int, name text, EXCLUDE (name WITH =));
SELECT pg_tviews_convert_table('tv_promise');
DROP TABLE tv_promise;
CREATE TABLE tv_promise (pk_promise int NOT NULL DEFAULT 5, name text DEFAULT 'x' UNIQUE);
SELECT pg_tviews_convert_table('tv_promise');
DROP TABLE tv_promise;

-- A view reads with its owner's rights: row security that applies to that role.
CREATE TABLE tb_secret (pk_secret int PRIMARY KEY, name text);
INSERT INTO tb_secret VALUES (1, 'a'), (2, 'b');
GRANT SELECT ON tb_secret TO ddl_others_viewer;
CREATE POLICY few ON tb_secret USING (pk_secret = 1);
CREATE VIEW theirs AS SELECT pk_secret, name FROM tb_secret;
ALTER VIEW theirs OWNER TO ddl_others_viewer;
CREATE VIEW outer_view AS SELECT pk_secret, name FROM theirs;
CREATE TABLE tv_secret AS SELECT pk_secret, name FROM outer_view;
\set VERBOSITY default
ALTER TABLE tb_secret ENABLE ROW LEVEL SECURITY;
\set VERBOSITY terse
DROP TABLE tv_secret;
ALTER TABLE tb_secret ENABLE ROW LEVEL SECURITY;
CREATE TABLE tv_secret AS SELECT pk_secret, name FROM theirs;
CREATE TABLE tv_secret AS SELECT pk_secret, name FROM outer_view;
CREATE TABLE tv_secret AS SELECT pk_secret, (SELECT max(name) FROM theirs) AS name FROM tb_secret;
ALTER VIEW theirs SET (security_invoker = true);
CREATE TABLE tv_secret AS SELECT pk_secret, name FROM theirs;
ALTER VIEW theirs RESET (security_invoker);
ALTER VIEW theirs OWNER TO CURRENT_USER;
ALTER VIEW theirs OWNER TO ddl_others_viewer;
INSERT INTO tb_secret VALUES (3, 'c');
SELECT pg_tviews_wait();
TABLE tv_secret ORDER BY 1;

-- Labels follow the schema's name.
CREATE SCHEMA ddl_others_old;
CREATE TABLE ddl_others_old.tv_moved AS SELECT pk_item AS pk_moved, name FROM tb_item;
ALTER SCHEMA ddl_others_old RENAME TO ddl_others_new;
SELECT objoid::regclass, label::jsonb ->> 'view' AS view FROM pg_seclabel WHERE provider = 'pg_tviews' AND objoid = 'ddl_others_new.tv_moved'::regclass;
UPDATE tb_item SET name = 'moved';
SELECT pg_tviews_wait();
TABLE ddl_others_new.tv_moved;

-- A restored table whose label names the schema as it was, and why it is not adopted yet.
SELECT pg_tviews_pause();
CREATE TABLE late (pk_late int, name text);
ALTER TABLE late RENAME TO tv_late;
SECURITY LABEL FOR pg_tviews ON TABLE tv_late IS '{"entity": "late", "key": "pk_late", "view": "once.v_late"}';
SELECT pending > 0 AS is_pending, r FROM pg_tviews_adopt(), unnest(reasons) AS r WHERE r LIKE 'ddl_others.tv_late:%';
SELECT severity, message FROM pg_tviews_health_check() WHERE message LIKE '%tv_late%';
SELECT sqlstate, error FROM pg_tview_dead_letter WHERE tview = 'tv_late'::regclass;
CREATE VIEW v_late AS SELECT pk_item AS pk_late, name FROM tb_item;
SELECT pending > 0 AS is_pending, r FROM pg_tviews_adopt(), unnest(reasons) AS r WHERE r LIKE 'ddl_others.tv_late:%';
ALTER TABLE tv_late ADD PRIMARY KEY (pk_late);
SELECT adopted FROM pg_tviews_adopt();
SELECT pg_tviews_resume();
SELECT pg_tviews_wait();
TABLE tv_late;
SELECT count(*) FROM pg_tview_dead_letter WHERE tview = 'tv_late'::regclass;
SELECT severity, message FROM pg_tviews_health_check() WHERE message LIKE '%tv_late%';

-- One that reads no table is adopted too, and is not taken for the stand-in that a dump creates first.
CREATE TABLE fixed (pk_fixed int PRIMARY KEY, name varchar(10));
INSERT INTO fixed VALUES (1, 'one');
ALTER TABLE fixed RENAME TO tv_fixed;
SECURITY LABEL FOR pg_tviews ON TABLE tv_fixed IS '{"entity": "fixed", "key": "pk_fixed", "view": "ddl_others.v_fixed"}';
SELECT pg_tviews_pause();
CREATE VIEW v_fixed AS SELECT NULL::int AS pk_fixed, NULL::varchar(10) AS name;
SELECT r FROM pg_tviews_adopt(), unnest(reasons) AS r WHERE r LIKE 'ddl_others.tv_fixed:%';
CREATE OR REPLACE VIEW v_fixed AS SELECT n AS pk_fixed, 'one'::varchar(10) AS name FROM generate_series(1, 2) AS n;
SELECT adopted FROM pg_tviews_adopt();
SELECT pg_tviews_resume();
SELECT pg_tviews_wait();
TABLE tv_fixed ORDER BY 1;
DROP TABLE tv_fixed;

-- A dump without labels leaves a table and a view.
CREATE TABLE plain (pk_bare int PRIMARY KEY, name text);
ALTER TABLE plain RENAME TO tv_bare;
CREATE VIEW v_bare AS SELECT pk_item AS pk_bare, name FROM tb_item;
CREATE TABLE plain (pk_unlike int PRIMARY KEY, name text);
ALTER TABLE plain RENAME TO tv_unlike;
CREATE VIEW v_unlike AS SELECT pk_item AS pk_unlike FROM tb_item;
SELECT severity, message FROM pg_tviews_health_check() WHERE message LIKE '%bare%' OR message LIKE '%unlike%';
SELECT pg_tviews_convert_table('ddl_others.tv_bare');
SELECT pg_tviews_wait();
TABLE tv_bare;
SELECT count(*) FROM pg_tviews_health_check() WHERE message LIKE '%tv_bare%';

SET client_min_messages = warning;
DROP SCHEMA ddl_others, ddl_others_new CASCADE;
DROP ROLE ddl_others_user, ddl_others_viewer;
