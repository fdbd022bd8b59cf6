-- CREATE TABLE tv_x AS and pg_tviews_create() give the same TVIEW, transactionally.
CREATE SCHEMA ddl_create;
SET search_path = ddl_create, public;
CREATE TABLE tb_user (pk_user bigint PRIMARY KEY, id uuid, name varchar(20) COLLATE "C" NOT NULL);
CREATE TABLE tb_post (pk_post bigint PRIMARY KEY, id uuid, fk_user bigint REFERENCES tb_user, title text);
CREATE INDEX ON tb_post (fk_user);
INSERT INTO tb_user SELECT i, NULL, 'user ' || i FROM generate_series(1, 3) AS i;
INSERT INTO tb_post SELECT i, NULL, i % 3 + 1, 'post ' || i FROM generate_series(1, 200) AS i;

CREATE TABLE tv_post AS
SELECT tb_post.pk_post, tb_post.id, tb_post.fk_user, tb_user.name,
       jsonb_build_object('title', tb_post.title, 'author', tb_user.name) AS data
FROM tb_post JOIN tb_user ON tb_user.pk_user = tb_post.fk_user -- a comment at the end
WITH DATA;
\d tv_post
SELECT reloptions FROM pg_class WHERE oid = 'tv_post'::regclass;
SELECT attcompression FROM pg_attribute WHERE attrelid = 'tv_post'::regclass AND attname = 'data';
SELECT count(*), min(data::text) FROM tv_post;

-- The function, with and without prefix and schema.
SELECT pg_tviews_create('one', 'SELECT pk_user AS pk_one, name FROM tb_user;');
SELECT pg_tviews_create('tv_two', 'SELECT pk_user AS pk_two, name FROM tb_user');
SELECT pg_tviews_create('ddl_create.three', 'SELECT pk_user AS pk_three, name FROM tb_user');
SELECT pg_tviews_create('ddl_create."tv_Vier"', 'SELECT pk_user AS "pk_Vier", name FROM tb_user');
CREATE TABLE tv_one_too AS SELECT pk_user AS pk_one, name FROM tb_user;
SELECT a.attname, a.atttypid::regtype, a.atttypmod, a.attcollation::regcollation, a.attnotnull,
       a.attcompression, b.attname IS NOT NULL AS same
FROM pg_attribute a
LEFT JOIN pg_attribute b
  ON b.attrelid = 'tv_one_too'::regclass AND b.attnum = a.attnum
 AND (b.attname, b.atttypid, b.atttypmod, b.attcollation, b.attnotnull, b.attcompression)
   = (a.attname, a.atttypid, a.atttypmod, a.attcollation, a.attnotnull, a.attcompression)
WHERE a.attrelid = 'tv_one'::regclass AND a.attnum > 0 ORDER BY a.attnum;
SELECT tview, entity, backing_view, key_column, dependencies::regclass[], nested_views, state
FROM pg_tview_meta WHERE tview::text IN ('tv_post', 'tv_one', 'tv_two', 'tv_three', '"tv_Vier"')
ORDER BY tview::text;

-- Capture triggers stand once on each source, ENABLE ALWAYS.
SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger
WHERE tgrelid IN ('tb_user'::regclass, 'tb_post'::regclass) AND NOT tgisinternal ORDER BY 1, 2;

-- A TVIEW may read views and other TVIEWs.
CREATE VIEW v_short AS SELECT pk_user, left(name, 3) AS short FROM tb_user;
CREATE TABLE tv_nested AS
SELECT v_short.pk_user AS pk_nested, v_short.short, count(tv_post.pk_post) AS posts
FROM v_short LEFT JOIN tv_post ON tv_post.fk_user = v_short.pk_user GROUP BY 1, 2;
TABLE tv_nested ORDER BY 1;
SELECT dependencies::regclass[], nested_views::regclass[] FROM pg_tview_meta WHERE entity = 'nested';

-- Options, column names, IF NOT EXISTS, SELECT INTO.
CREATE TABLE people (person, called)
WITH (pg_tviews.entity = 'person', pg_tviews.key = 'person', fillfactor = 80, toast.autovacuum_enabled = off) AS
SELECT pk_user, name FROM tb_user;
\d people
SELECT entity, backing_view, key_column FROM pg_tview_meta WHERE tview = 'people'::regclass;
CREATE TABLE IF NOT EXISTS tv_one AS SELECT 1 AS nothing;
SELECT pk_user, name INTO tv_into FROM tb_user;
SELECT definition FROM pg_tview_meta WHERE entity = 'into';

-- What stays an ordinary table.
CREATE TABLE tv_plain (pk_plain int);
CREATE TEMPORARY TABLE tv_temp AS SELECT 1 AS pk_temp;
CREATE MATERIALIZED VIEW tv_mat AS SELECT 1 AS pk_mat;
SELECT count(*) FROM pg_tview_meta WHERE entity IN ('plain', 'temp', 'mat');

-- Rolled back, savepointed, in a function, in a DO block, in REPEATABLE READ.
SET pg_tviews.notice_lineage = off;
BEGIN;
CREATE TABLE tv_gone AS SELECT pk_user AS pk_gone FROM tb_user;
ROLLBACK;
BEGIN;
SAVEPOINT a;
CREATE TABLE tv_gone AS SELECT pk_user AS pk_gone FROM tb_user;
ROLLBACK TO a;
CREATE TABLE tv_kept AS SELECT pk_user AS pk_kept FROM tb_user;
COMMIT;
SELECT to_regclass('tv_gone'), to_regclass('v_gone'), to_regclass('tv_kept');
CREATE FUNCTION make(entity text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE made bigint;
BEGIN
    EXECUTE format('CREATE TABLE %I AS SELECT pk_user AS %I FROM tb_user', 'tv_' || entity, 'pk_' || entity);
    GET DIAGNOSTICS made = ROW_COUNT;
    RETURN made;
END $$;
SELECT make('made');
DO $$
BEGIN
    CREATE TABLE tv_done AS SELECT pk_user AS pk_done FROM tb_user;
    BEGIN
        CREATE TABLE tv_undone AS SELECT pk_user AS pk_undone FROM tb_user;
        RAISE EXCEPTION 'no';
    EXCEPTION WHEN raise_exception THEN NULL;
    END;
END $$;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM tb_user;
CREATE TABLE tv_repeatable AS SELECT pk_user AS pk_repeatable FROM tb_user;
INSERT INTO tb_user VALUES (4, NULL, 'user 4');
COMMIT;
SELECT pg_tviews_wait();
SELECT entity FROM pg_tview_meta JOIN pg_class ON pg_class.oid = tview
WHERE relnamespace = 'ddl_create'::regnamespace ORDER BY entity COLLATE "C";
SELECT entity, (SELECT count(*) FROM pg_tviews_verify(entity)) AS differences
FROM pg_tview_meta JOIN pg_class ON pg_class.oid = tview
WHERE relnamespace = 'ddl_create'::regnamespace AND entity NOT LIKE 'V%' ORDER BY entity COLLATE "C";
SELECT count(*) FROM pg_tviews_verify('"Vier"');

SET client_min_messages = warning;
DROP SCHEMA ddl_create CASCADE;
SELECT count(*) FROM pg_tview_lineage WHERE NOT EXISTS (SELECT FROM pg_class WHERE oid = tview);
