-- pg_tviews_restore_dropped makes what the former owner had defined: its query and its indexes run as that owner, whoever
-- calls. The health check tells superusers to call it.
CREATE SCHEMA security_restore;
SET search_path = security_restore, public;
SET client_min_messages = warning;
CREATE ROLE regress_res_owner;
CREATE ROLE regress_res_gone;
GRANT USAGE, CREATE ON SCHEMA security_restore TO regress_res_owner, regress_res_gone;
CREATE TABLE seen (what text, as_role text, as_session text);
GRANT INSERT ON seen TO PUBLIC;
CREATE TABLE tb_part (pk_part int PRIMARY KEY, name text, gone int);
INSERT INTO tb_part VALUES (1, 'one'), (2, 'two');
GRANT SELECT, TRIGGER ON tb_part TO regress_res_owner, regress_res_gone;

SET ROLE regress_res_owner;
CREATE FUNCTION note(what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN INSERT INTO security_restore.seen VALUES (what, current_user, session_user); END $$;
CREATE FUNCTION who(what text, value text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN PERFORM security_restore.note(what); RETURN value; END $$;
CREATE DOMAIN name_of AS text CHECK (security_restore.who('domain', VALUE) IS NOT NULL);
CREATE TABLE tv_part AS SELECT pk_part, who('query', name)::name_of AS name, gone FROM tb_part;
CREATE INDEX part_name ON tv_part (who('expression', name));
CREATE INDEX part_some ON tv_part (pk_part) WHERE who('predicate', name) <> '';
CREATE TABLE tv_other AS SELECT pk_part AS pk_other, who('query', name) AS name, gone FROM tb_part;
RESET ROLE;
SET ROLE regress_res_gone;
CREATE TABLE tv_orphan AS SELECT pk_part AS pk_orphan, name, gone FROM tb_part;
RESET ROLE;
SELECT pg_tviews_wait();

ALTER TABLE tb_part DROP COLUMN gone CASCADE;
ALTER TABLE tb_part ADD COLUMN gone int;
REVOKE ALL ON tb_part FROM regress_res_gone;
REVOKE ALL ON SCHEMA security_restore FROM regress_res_gone;
DROP ROLE regress_res_gone;
TRUNCATE seen;
SELECT pg_tviews_restore_dropped('part');
SELECT pg_tviews_restore_dropped('other', 'SELECT pk_part AS pk_other, who(''other query'', name) AS name FROM tb_part');
SELECT pg_tviews_restore_dropped('orphan');
SELECT pg_tviews_wait();
SELECT what, as_role, as_session FROM seen GROUP BY 1, 2, 3 ORDER BY 1;
SELECT relname, relowner::regrole FROM pg_class WHERE relname ~ '^[tv]+_(part|other|orphan)$' AND relkind IN ('r', 'v') ORDER BY 1;
SELECT indexname FROM pg_indexes WHERE tablename = 'tv_part' ORDER BY 1;
SELECT * FROM tv_part ORDER BY 1;
SELECT * FROM tv_other ORDER BY 1;
-- What the former owner may not do any more is refused.
DROP TABLE tv_other;
REVOKE TRIGGER ON tb_part FROM regress_res_owner;
SELECT pg_tviews_restore_dropped('other');
GRANT TRIGGER ON tb_part TO regress_res_owner;
-- The owner: at once.
SET SESSION AUTHORIZATION regress_res_owner;
BEGIN;
SELECT pg_tviews_restore_dropped('other');
SELECT count(*) FROM tv_other;
ROLLBACK;
RESET SESSION AUTHORIZATION;

DROP SCHEMA security_restore CASCADE;
DROP ROLE regress_res_owner;
