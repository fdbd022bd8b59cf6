-- TVIEWs are written by appliers only; what would stall them or break a TVIEW is refused.
CREATE SCHEMA ddl_protect;
SET search_path = ddl_protect, public;
SET pg_tviews.notice_lineage = off;
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int);
INSERT INTO tb_user VALUES (1, 'one');
CREATE TABLE tv_user AS SELECT pk_user, name FROM tb_user;
CREATE TABLE tv_post AS
SELECT tb_post.pk_post, tv_user.name FROM tb_post JOIN tv_user ON tv_user.pk_user = tb_post.fk_user;

-- Rows.
INSERT INTO tv_user VALUES (2, 'two');
UPDATE tv_post SET name = 'x';
DELETE FROM tv_user;
MERGE INTO tv_user USING tb_user ON tb_user.pk_user = tv_user.pk_user WHEN MATCHED THEN DELETE;
WITH gone AS (DELETE FROM tv_user RETURNING *) SELECT * FROM gone;
COPY tv_user FROM '/dev/null';
TRUNCATE tv_user;
SELECT * FROM tv_user FOR UPDATE;
SELECT * FROM tv_user FOR SHARE;
LOCK TABLE tv_user IN SHARE MODE;
BEGIN;
LOCK TABLE tv_user IN ACCESS SHARE MODE;
COMMIT;
SET pg_tviews.protect = off;
UPDATE tv_user SET name = 'repaired';
RESET pg_tviews.protect;
SELECT key, difference, stored, expected FROM pg_tviews_verify('user');

-- Definition.
ALTER TABLE tv_user ADD COLUMN x int;
ALTER TABLE tv_user DROP COLUMN name;
ALTER TABLE tv_user ALTER COLUMN name TYPE varchar;
ALTER TABLE tv_user RENAME COLUMN name TO x;
ALTER TABLE tv_user ADD CHECK (pk_user > 0);
ALTER TABLE tv_user SET UNLOGGED;
ALTER TABLE tv_user ENABLE ROW LEVEL SECURITY;
ALTER TABLE tv_user ADD FOREIGN KEY (pk_user) REFERENCES tb_user;
ALTER TABLE tv_user SET (fillfactor = 90);
ALTER TABLE tv_user CLUSTER ON tv_user_pkey;
CREATE INDEX ON tv_user (name);
CREATE OR REPLACE VIEW v_user (pk_user, name) AS SELECT pk_user, 'x'::text AS name FROM tb_user;
ALTER VIEW v_user ALTER COLUMN name SET DEFAULT 'x';

-- A session that restores a dump: rows for TVIEWs are left out, they follow from the sources. What
-- counts is the session that executes, not the one that prepared.
PREPARE early AS INSERT INTO ddl_protect.tv_user VALUES (3, 'three');
SET check_function_bodies = off;
SET row_security = off;
SELECT pg_catalog.set_config('search_path', '', false);
EXECUTE early;
PREPARE late AS INSERT INTO ddl_protect.tv_user VALUES (3, 'three');
EXECUTE late;
INSERT INTO ddl_protect.tv_user VALUES (3, 'three') RETURNING *;
UPDATE ddl_protect.tv_user SET name = 'x';
-- What such a session alters stays followed, unless it replaces a view.
BEGIN;
ALTER TABLE ONLY ddl_protect.tb_user ADD CONSTRAINT named CHECK (name <> '');
ALTER TABLE ONLY ddl_protect.tb_user ADD CONSTRAINT tb_user_name_key UNIQUE (name);
SELECT entity, database_oid = 0 AS is_disowned FROM public.pg_tview_meta WHERE tview::text ~ '^ddl_protect' ORDER BY entity;
ROLLBACK;
RESET row_security;
EXECUTE early;
EXECUTE late;
RESET check_function_bodies;
SET search_path = ddl_protect, public;
SELECT * FROM pg_tviews_verify('user');
SELECT count(*) FROM tv_user;

-- Ways to stall the applier.
CREATE TABLE child (fk_user int REFERENCES tv_user);
CREATE TABLE child (fk_user int, FOREIGN KEY (fk_user) REFERENCES tv_user);
ALTER TABLE tb_post ADD FOREIGN KEY (fk_user) REFERENCES tv_user;
ALTER TABLE tb_post ADD COLUMN more int REFERENCES tv_user;
CREATE TABLE child () INHERITS (tv_user);
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER t AFTER INSERT ON tv_user FOR EACH ROW EXECUTE FUNCTION nothing();
CREATE RULE r AS ON INSERT TO tv_user DO INSTEAD NOTHING;
CREATE POLICY p ON tv_user;
VACUUM FULL tviews_internal.pg_tview_outbox;
CLUSTER tviews_internal.pg_tview_outbox;

-- Sources.
ALTER TABLE tb_user SET UNLOGGED;
DROP TRIGGER pg_tviews_capture ON tb_user;
ALTER TRIGGER pg_tviews_capture ON tb_user RENAME TO x;
ALTER TABLE tb_user ALTER COLUMN name TYPE varchar;
ALTER TABLE tb_user DROP COLUMN name;
DROP TABLE tb_user;

SET client_min_messages = warning;
DROP SCHEMA ddl_protect CASCADE;
