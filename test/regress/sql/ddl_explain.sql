-- pg_tviews_explain_ddl: what a command would mean, without running it.
CREATE SCHEMA ddl_explain;
SET search_path = ddl_explain, public;
SET pg_tviews.notice_lineage = off;
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE FUNCTION shown(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT upper($1) $$;
CREATE TABLE tb_owner (pk_owner int PRIMARY KEY, name varchar(20), mood mood, age int, spare text);
CREATE TABLE tb_pet (pk_pet int, year int, fk_owner int, name text, PRIMARY KEY (pk_pet, year)) PARTITION BY LIST (year);
CREATE TABLE tb_pet_1 PARTITION OF tb_pet FOR VALUES IN (1);
CREATE VIEW named AS SELECT pk_owner, name FROM tb_owner;
CREATE TABLE tv_owner AS SELECT pk_owner, name, age FROM tb_owner;
CREATE TABLE tv_named AS SELECT pk_owner AS pk_named, shown(name) AS name FROM named;
CREATE TABLE tv_pet AS SELECT pk_pet, tb_pet.name, tv_owner.name AS owner FROM tb_pet JOIN tv_owner ON pk_owner = fk_owner;
CREATE TABLE tv_row AS SELECT pk_owner AS pk_row, to_jsonb(o) AS data FROM tb_owner o;
CREATE TABLE tv_mood AS SELECT pk_owner AS pk_mood, mood FROM tb_owner;
SELECT pg_tviews_wait();
CREATE FUNCTION explained(sql text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT format('%s: %s%s', tview, effect, ', ' || reason) FROM pg_tviews_explain_ddl(sql)
    WHERE effect <> 'untouched' AND tview::text !~ '\.' ORDER BY tview::text
$$;
SELECT explained('ALTER TABLE tb_owner ALTER name TYPE varchar(40)');
SELECT explained('ALTER TABLE tb_owner ALTER name TYPE text, ALTER age TYPE bigint');
SELECT explained('ALTER TABLE tb_owner ALTER name TYPE varchar(20), ALTER age TYPE int4');
SELECT explained('ALTER TABLE tb_owner ALTER name TYPE varchar(10)');
SELECT explained('ALTER TABLE tb_owner ALTER name TYPE int USING length(name)');
SELECT explained('ALTER TABLE tb_owner ALTER spare TYPE jsonb USING to_jsonb(spare)');
SELECT explained('ALTER TABLE tb_owner ADD COLUMN more int');
SELECT explained('ALTER TABLE tb_owner DROP COLUMN spare');
SELECT explained('ALTER TABLE tb_owner DROP COLUMN age');
SELECT explained('ALTER TABLE tb_owner DROP COLUMN name CASCADE');
SELECT explained('ALTER TABLE tb_owner SET (fillfactor = 80), ALTER name SET STATISTICS 10');
SELECT explained('ALTER TABLE tb_owner SET UNLOGGED');
SELECT explained('ALTER TABLE tb_owner RENAME COLUMN name TO label');
SELECT explained('ALTER TABLE tv_owner ADD COLUMN x int');
SELECT explained('ALTER TABLE tv_owner SET (fillfactor = 80)');
SELECT explained('ALTER TYPE mood RENAME VALUE ''bad'' TO ''awful''');
SELECT explained('ALTER TYPE mood ADD VALUE ''so so''');
SELECT explained('CREATE OR REPLACE FUNCTION shown(text) RETURNS text LANGUAGE sql IMMUTABLE AS $f$ SELECT lower($1) $f$');
SELECT explained('CREATE OR REPLACE VIEW named AS SELECT pk_owner, name FROM tb_owner WHERE age > 3');
SELECT explained('CREATE OR REPLACE VIEW v_owner AS SELECT 1 AS pk_owner');
SELECT explained('CREATE TABLE tb_pet_2 PARTITION OF tb_pet FOR VALUES IN (2)');
SELECT explained('ALTER TABLE tb_pet DETACH PARTITION tb_pet_1');
SELECT explained('DROP TABLE tb_pet_1');
SELECT explained('DROP TABLE tb_pet');
SELECT explained('DROP TABLE tb_owner CASCADE; DROP TABLE tv_mood');
SELECT explained('TRUNCATE tb_pet');
SELECT explained('CREATE TABLE unrelated (a int); SELECT 1; VACUUM; DROP TABLE nothing');
SELECT explained('');
SELECT explained('ALTER TABEL');
SELECT pg_tviews_explain_ddl(NULL);
-- Nothing has happened, and nothing is locked.
BEGIN;
SELECT explained('ALTER TABLE tb_owner ALTER age TYPE bigint; DROP TABLE tv_mood; TRUNCATE tb_pet');
SELECT relation::regclass, mode FROM pg_locks WHERE pid = pg_backend_pid() AND mode <> 'AccessShareLock' AND relation::regclass::text ~ 't[bv]_';
COMMIT;
SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'tb_owner'::regclass AND attname IN ('name', 'age') ORDER BY 1;
-- As who asks: names are looked up with their rights.
CREATE ROLE explain_stranger NOLOGIN;
SET ROLE explain_stranger;
SELECT pg_tviews_explain_ddl('DROP TABLE ddl_explain.tb_owner');
RESET ROLE;
DROP ROLE explain_stranger;
SET client_min_messages = warning;
DROP SCHEMA ddl_explain CASCADE;
RESET client_min_messages;
