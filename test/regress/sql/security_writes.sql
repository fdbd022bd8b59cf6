-- Nobody writes a TVIEW, whatever the statement looks like and whatever its session looks like; nobody attaches
-- anything to a backing view or to the extension's own tables.
CREATE SCHEMA security_writes;
SET search_path = security_writes, public;
SET client_min_messages = warning;
CREATE ROLE regress_writer;
GRANT USAGE, CREATE ON SCHEMA security_writes TO regress_writer;
SET ROLE regress_writer;
CREATE TABLE tb_post (pk_post int PRIMARY KEY, title text);
INSERT INTO tb_post VALUES (1, 'one');
CREATE TABLE tv_post AS SELECT pk_post, title FROM tb_post;
CREATE VIEW posts AS SELECT pk_post, title FROM tv_post;
CREATE VIEW more_posts AS SELECT * FROM posts;
CREATE TABLE tb_log (pk_post int, title text);
CREATE RULE also AS ON INSERT TO tb_log DO ALSO INSERT INTO security_writes.tv_post VALUES (new.pk_post, new.title);
CREATE FUNCTION sneak() RETURNS void LANGUAGE sql AS 'INSERT INTO security_writes.tv_post VALUES (7, $$function$$)';
CREATE FUNCTION sneak_later() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO security_writes.tv_post VALUES (8, 'plpgsql');
END $$;
CREATE FUNCTION swallow(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE command;
  RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
  RETURN SQLERRM;
END $$;
CREATE TABLE tb_other (pk_other int, title text);
PREPARE early AS INSERT INTO security_writes.tv_post VALUES (9, 'prepared');

-- A session that looks like a restore's.
SET check_function_bodies = off;
SET row_security = off;
SELECT pg_catalog.set_config('search_path', '', false);
INSERT INTO security_writes.posts VALUES (2, 'through a view');
INSERT INTO security_writes.more_posts VALUES (2, 'through two views');
WITH written AS (INSERT INTO security_writes.tv_post VALUES (3, 'in a CTE') RETURNING 1) SELECT * FROM written;
WITH written AS (INSERT INTO security_writes.tv_post VALUES (3, 'in a CTE') RETURNING 1) INSERT INTO security_writes.tb_other SELECT 4, 'other' FROM written;
MERGE INTO security_writes.tv_post USING (VALUES (4)) AS new (pk) ON pk_post = pk WHEN NOT MATCHED THEN INSERT VALUES (pk, 'merged');
MERGE INTO security_writes.tv_post USING (VALUES (1)) AS new (pk) ON pk_post = pk WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED THEN INSERT VALUES (5, 'merged');
EXECUTE early;
INSERT INTO security_writes.tb_log VALUES (6, 'by a rule');
SELECT security_writes.sneak();
SELECT security_writes.sneak_later();
UPDATE security_writes.tv_post SET title = 'updated';
DELETE FROM security_writes.tv_post;
SELECT * FROM security_writes.tv_post FOR UPDATE;
-- What a restore does: rows are left out, in every form that dumps have.
INSERT INTO security_writes.tv_post VALUES (10, 'values');
INSERT INTO security_writes.tv_post VALUES (10, 'values'), (11, 'more values');
INSERT INTO security_writes.tv_post (title, pk_post) OVERRIDING SYSTEM VALUE VALUES ('columns', 12) ON CONFLICT DO NOTHING;
INSERT INTO security_writes.tv_post SELECT i, 'selected' FROM pg_catalog.generate_series(20, 30) AS i;
COPY security_writes.tv_post (pk_post, title) FROM stdin;
13	copied
\.
-- One that has failed leaves no door open.
SELECT security_writes.swallow('INSERT INTO security_writes.tv_post VALUES (14, 1 / 0)'),
       security_writes.swallow('INSERT INTO security_writes.posts VALUES (14, $$after a failure$$)');
SELECT security_writes.swallow('COPY security_writes.tv_post FROM $$/nowhere$$') <> 'no error' AS copy_fails,
       security_writes.swallow('INSERT INTO security_writes.posts VALUES (15, $$after a failure$$)');
RESET check_function_bodies;
RESET row_security;
SET search_path = security_writes, public;
INSERT INTO posts VALUES (16, 'plainly');
SELECT * FROM tv_post ORDER BY pk_post;
SELECT count(*) AS differences FROM pg_tviews_verify('post');

-- LOCK TABLE reaches through views.
BEGIN;
LOCK TABLE posts IN EXCLUSIVE MODE;
ROLLBACK;
BEGIN;
LOCK TABLE more_posts IN SHARE MODE;
ROLLBACK;
BEGIN;
LOCK TABLE tb_post, more_posts IN ACCESS EXCLUSIVE MODE NOWAIT;
ROLLBACK;
BEGIN;
LOCK TABLE more_posts IN ROW EXCLUSIVE MODE;
LOCK TABLE v_post IN SHARE MODE;
ROLLBACK;

-- Nothing is attached to a TVIEW or to its view.
CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER t INSTEAD OF INSERT ON v_post FOR EACH ROW EXECUTE FUNCTION instead();
CREATE TRIGGER t AFTER INSERT ON v_post FOR EACH STATEMENT EXECUTE FUNCTION instead();
CREATE RULE r AS ON INSERT TO v_post DO INSTEAD NOTHING;
CREATE OR REPLACE RULE "_RETURN" AS ON SELECT TO v_post DO INSTEAD SELECT 1 AS pk_post, 'x'::text AS title;
CREATE TRIGGER t BEFORE INSERT ON tv_post FOR EACH ROW EXECUTE FUNCTION instead();
CREATE RULE r AS ON INSERT TO tv_post DO INSTEAD NOTHING;
CREATE TABLE tv_odd (pk_odd int PRIMARY KEY);
CREATE VIEW v_odd AS SELECT pk_post AS pk_odd FROM tb_post;
CREATE TRIGGER t INSTEAD OF INSERT ON v_odd FOR EACH ROW EXECUTE FUNCTION instead();
SELECT pg_tviews_convert_table('tv_odd');
DROP TRIGGER t ON v_odd;
CREATE RULE r AS ON DELETE TO v_odd DO INSTEAD NOTHING;
SELECT pg_tviews_convert_table('tv_odd');
DROP VIEW v_odd;
DROP TABLE tv_odd;
RESET ROLE;

-- The extension's own tables, after the GRANT that many say.
BEGIN;
GRANT ALL ON ALL TABLES IN SCHEMA public TO regress_writer;
SET ROLE regress_writer;
SAVEPOINT s;
UPDATE pg_tview_lineage SET lookup = 'SELECT 1';
ROLLBACK TO s;
DELETE FROM pg_tview_meta;
ROLLBACK TO s;
INSERT INTO pg_tview_frontier (id) VALUES (2);
ROLLBACK TO s;
WITH gone AS (DELETE FROM pg_tview_behind RETURNING 1) SELECT * FROM gone;
ROLLBACK TO s;
\copy pg_tview_meta from /dev/null
ROLLBACK TO s;
SELECT * FROM pg_tview_meta FOR UPDATE;
ROLLBACK TO s;
-- nor through the views that show what is private, which are the extension's
INSERT INTO pg_tview_dead_letter (tview, sqlstate, error, attempts, first_seen, last_seen) VALUES (0, 'x', 'x', 1, now(), now());
ROLLBACK TO s;
DELETE FROM pg_tview_dead_letter;
ROLLBACK TO s;
UPDATE pg_tview_audit_log SET performed_by = 'nobody';
ROLLBACK TO s;
DELETE FROM pg_tviews_feed;
ROLLBACK TO s;
CREATE TEMP VIEW letters AS SELECT * FROM pg_tview_dead_letter;
DELETE FROM letters;
ROLLBACK TO s;
SELECT error FROM pg_tview_dead_letter FOR UPDATE;
ROLLBACK TO s;
LOCK TABLE pg_tview_dead_letter IN ROW EXCLUSIVE MODE;
ROLLBACK TO s;
LOCK TABLE pg_tview_audit_log;
ROLLBACK TO s;
LOCK TABLE pg_tviews_performance_summary IN SHARE MODE;
ROLLBACK TO s;
TRUNCATE pg_tview_lineage;
ROLLBACK TO s;
LOCK TABLE pg_tview_meta IN ACCESS EXCLUSIVE MODE;
ROLLBACK TO s;
CREATE TRIGGER t AFTER INSERT ON pg_tview_meta FOR EACH ROW EXECUTE FUNCTION instead();
ROLLBACK TO s;
CREATE TRIGGER t AFTER UPDATE ON pg_tview_frontier FOR EACH STATEMENT EXECUTE FUNCTION instead();
ROLLBACK TO s;
CREATE TABLE refers (id int REFERENCES pg_tview_frontier);
ROLLBACK TO s;
ALTER TABLE tb_log ADD FOREIGN KEY (pk_post) REFERENCES pg_tview_frontier;
ROLLBACK TO s;
RESET ROLE;
CREATE RULE r AS ON UPDATE TO pg_tview_frontier DO INSTEAD NOTHING;
ROLLBACK TO s;
CREATE POLICY p ON pg_tview_meta USING (false);
ROLLBACK;

DROP SCHEMA security_writes CASCADE;
DROP ROLE regress_writer;
