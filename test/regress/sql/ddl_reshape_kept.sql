-- What belongs to a column by its name stays with the name, whatever place the column gets; what goes is said.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_tviews;
CREATE SCHEMA reshape_kept;
SET search_path = reshape_kept, public;
SET pg_tviews.notice_lineage = off;
SET client_min_messages = notice;
CREATE ROLE reshape_kept;
CREATE TABLE tb_person (pk_person int PRIMARY KEY, name text, salary int, note text);
INSERT INTO tb_person VALUES (1, 'Ada', 100, 'n');
CREATE TABLE tv_person AS SELECT pk_person, name, salary, note FROM tb_person;
CREATE FUNCTION told() RETURNS TABLE (relation name, number smallint, name name, comment text, granted boolean) LANGUAGE sql AS $$
    SELECT c.relname, (row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum))::smallint, a.attname, col_description(a.attrelid, a.attnum), a.attacl IS NOT NULL
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
    WHERE c.oid IN ('v_person'::regclass, 'tv_person'::regclass) AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'pk_person' ORDER BY 1, 2 $$;
COMMENT ON COLUMN v_person.name IS 'what to call them';
COMMENT ON COLUMN v_person.salary IS 'confidential';
COMMENT ON COLUMN tv_person.name IS 'what to call them';
COMMENT ON COLUMN tv_person.note IS 'for us';
GRANT SELECT (name), UPDATE (note) ON tv_person TO reshape_kept;

-- In another order; with another column before; with fewer.
SELECT pg_tviews_replace('person', 'SELECT pk_person, salary, name, note FROM tb_person');
SELECT * FROM told();
SELECT pg_tviews_replace('person', 'SELECT pk_person, pk_person AS id, name, salary, note FROM tb_person');
SELECT * FROM told();
SELECT pg_tviews_replace('person', 'SELECT pk_person, note, name FROM tb_person');
SELECT * FROM told();
SELECT * FROM tv_person;
-- One that has gone leaves nothing for the next of its name.
SELECT pg_tviews_replace('person', 'SELECT pk_person, note FROM tb_person');
SELECT pg_tviews_replace('person', 'SELECT pk_person, note, name FROM tb_person');
SELECT * FROM told();

SET client_min_messages = warning;
DROP SCHEMA reshape_kept CASCADE;
DROP ROLE reshape_kept;
