-- Which indexes are missing: by all that a condition compares, by what indexes there are, by the key, and by size. What
-- is advised can be executed, is used, and is not advised again.
CREATE SCHEMA index_advice;
SET search_path = index_advice, public;
SET pg_tviews.notice_lineage = off;
\pset format unaligned
\pset tuples_only on
\set wait 'SELECT pg_tviews_wait() \\gset waited_'
CREATE FUNCTION advice(entity text) RETURNS SETOF text LANGUAGE sql AS
$$ SELECT index_suggestion FROM pg_tviews_suggest_indexes('index_advice.' || entity) $$;
-- Makes the change, and says which of the indexes that no constraint has made were read for it.
CREATE PROCEDURE used_by(change text) LANGUAGE plpgsql AS $$
DECLARE used text;
BEGIN
    -- Another wait lets the applier report.
    PERFORM pg_tviews_wait();
    PERFORM pg_tviews_wait();
    COMMIT;
    CREATE TEMPORARY TABLE before AS SELECT indexrelid, idx_scan FROM pg_stat_user_indexes WHERE schemaname = 'index_advice';
    EXECUTE change;
    COMMIT;
    PERFORM pg_tviews_wait();
    PERFORM pg_tviews_wait();
    COMMIT;
    SELECT string_agg(indexrelname, ', ' ORDER BY indexrelname) INTO used FROM pg_stat_user_indexes s JOIN before USING (indexrelid)
    WHERE s.idx_scan > before.idx_scan AND relname LIKE 'tb%' AND indexrelname NOT LIKE '%\_pkey';
    DROP TABLE before;
    RAISE INFO 'used: %', coalesce(used, 'none');
END $$;

-- 1. Conditions over several columns: a primary key or an index with these columns, in whatever order, serves.
CREATE TABLE tb_project (tenant int, project_id int, name text, PRIMARY KEY (tenant, project_id));
CREATE TABLE tb_task (id int PRIMARY KEY, tenant int NOT NULL, project_id int NOT NULL, title text);
INSERT INTO tb_project SELECT i % 5, i, 'p' || i FROM generate_series(1, 5000) i;
INSERT INTO tb_task SELECT i, i % 5, i % 5000, 't' || i FROM generate_series(1, 20000) i;
VACUUM ANALYZE tb_project, tb_task;
CREATE TABLE tv_task AS SELECT t.id AS pk_task, t.title, p.name FROM tb_task t JOIN tb_project p ON p.tenant = t.tenant AND p.project_id = t.project_id;
SELECT advice('task');
SELECT advice('task') \gexec
SELECT advice('task');
ANALYZE tb_task;
CALL used_by('UPDATE tb_project SET name = ''x'' WHERE project_id = 7');
DROP INDEX tb_task_tenant_project_id_idx;
CREATE INDEX ON tb_task (project_id, tenant, title);
SELECT advice('task');
DROP INDEX tb_task_project_id_tenant_title_idx;
-- One column that leaves few rows is enough; one that leaves many is not, nor a partial or invalid index.
CREATE INDEX ON tb_task (tenant);
CREATE INDEX ON tb_task (project_id, tenant) WHERE title > '';
SELECT advice('task');
CREATE INDEX ON tb_task USING hash (project_id);
SELECT advice('task');
CALL used_by('UPDATE tb_project SET name = ''y'' WHERE project_id = 7');
DROP TABLE tv_task;

-- 2. The key itself: an expression, a grouping column, a composite of columns, a column without a constraint.
CREATE TABLE tb_line (no int NOT NULL, label text NOT NULL, region text COLLATE "C" NOT NULL, amount int NOT NULL);
INSERT INTO tb_line SELECT i, 'l' || i % 5000, 'r' || i % 4000, i FROM generate_series(1, 20000) i;
VACUUM ANALYZE tb_line;
CREATE TABLE tv_expression WITH (pg_tviews.key = 'k') AS SELECT 'l-' || no AS k, amount FROM tb_line;
CREATE TABLE tv_group WITH (pg_tviews.key = 'label') AS SELECT label, sum(amount) AS total FROM tb_line GROUP BY label;
CREATE TABLE tv_composite WITH (pg_tviews.key = 'k') AS SELECT label || '/' || region || '/' || no AS k, amount FROM tb_line;
CREATE TABLE tv_lower WITH (pg_tviews.key = 'k') AS SELECT lower(region) COLLATE "C" AS k, sum(amount) AS total FROM tb_line GROUP BY lower(region) COLLATE "C";
CREATE TABLE tv_inside WITH (pg_tviews.key = 'no') AS SELECT no, n FROM (SELECT no, sum(amount) AS n FROM tb_line GROUP BY no) s;
SELECT e, advice(e) FROM unnest(ARRAY['expression', 'group', 'composite', 'lower', 'inside']) e;
SELECT advice(e) FROM unnest(ARRAY['expression', 'group', 'composite', 'lower', 'inside']) e \gexec
ANALYZE tb_line;
SELECT e, advice(e) FROM unnest(ARRAY['expression', 'group', 'composite', 'lower', 'inside']) e;
SELECT indexdef FROM pg_indexes WHERE tablename = 'tb_line' ORDER BY 1;
CALL used_by('UPDATE tb_line SET amount = amount + 1 WHERE amount = 7');
-- Where the whole is compared anyway no index on the key helps; where settings decide what it is there can be none.
CREATE TABLE tv_least WITH (pg_tviews.key = 'k') AS SELECT min(label) AS k FROM tb_line;
SELECT advice('least');
DROP TABLE tv_expression, tv_group, tv_composite, tv_lower, tv_inside, tv_least;

-- 3. Conditions over expressions, and on types whose operators an index on the column would not know.
CREATE TABLE tb_person (id int PRIMARY KEY, mail text, code varchar(20));
CREATE TABLE tb_order (id int PRIMARY KEY, mail text, code text, doc jsonb, at timestamptz);
INSERT INTO tb_person SELECT i, 'M' || i, 'c' || i FROM generate_series(1, 1000) i;
INSERT INTO tb_order SELECT i, 'm' || i % 1000, 'c' || i % 1000, jsonb_build_object('person', i % 1000), '2020-01-01' FROM generate_series(1, 3000) i;
VACUUM ANALYZE tb_person, tb_order;
CREATE TABLE tv_mail AS SELECT p.id AS pk_mail, (SELECT count(*) FROM tb_order o WHERE lower(o.mail) = lower(p.mail)) AS orders FROM tb_person p;
CREATE TABLE tv_code AS SELECT p.id AS pk_code, (SELECT count(*) FROM tb_order o WHERE o.code = p.code) AS orders FROM tb_person p;
CREATE TABLE tv_doc AS SELECT p.id AS pk_doc, (SELECT count(*) FROM tb_order o WHERE (o.doc ->> 'person')::int = p.id) AS orders FROM tb_person p;
CREATE TABLE tv_collated AS SELECT p.id AS pk_collated, (SELECT count(*) FROM tb_order o WHERE o.code = p.code COLLATE "C") AS orders FROM tb_person p;
SELECT e, advice(e) FROM unnest(ARRAY['mail', 'code', 'doc', 'collated']) e;
SELECT advice(e) FROM unnest(ARRAY['mail', 'code', 'doc', 'collated']) e \gexec
ANALYZE tb_person, tb_order;
SELECT e, advice(e) FROM unnest(ARRAY['mail', 'code', 'doc', 'collated']) e;
CALL used_by('UPDATE tb_person SET mail = ''m9'', code = ''c9'' WHERE id = 7');
CALL used_by('INSERT INTO tb_order VALUES (0, ''m9'', ''c9'', ''{"person": 9}'')');
SELECT m.tview, v.* FROM pg_tview_meta m JOIN pg_class ON oid = m.tview, pg_tviews_verify(m.tview::text) v WHERE relnamespace = 'index_advice'::regnamespace;
DROP TABLE tv_mail, tv_code, tv_doc, tv_collated;

-- 4. Tables of a few pages need none, until they grow; of an empty one nothing is known.
CREATE TABLE tb_few (id int PRIMARY KEY, fk_person int, note text);
CREATE TABLE tv_few AS SELECT p.id AS pk_few, (SELECT count(*) FROM tb_few f WHERE f.fk_person = p.id) AS n FROM tb_person p;
SELECT advice('few');
INSERT INTO tb_few VALUES (1, 1, 'x');
SELECT advice('few');
INSERT INTO tb_few SELECT i, i, repeat('x', 100) FROM generate_series(2, 1000) i;
SELECT advice('few');
-- Two conditions of which one begins the other want one index.
CREATE TABLE tv_both AS SELECT p.id AS pk_both, (SELECT count(*) FROM tb_few f WHERE f.fk_person = p.id) AS n,
    (SELECT count(*) FROM tb_few f WHERE f.fk_person = p.id AND f.note = p.mail) AS of_mail FROM tb_person p;
SELECT advice('both');

-- 5. All this, and what a change costs, is said before the fill: here that fails.
SET pg_tviews.notice_lineage = on;
CREATE TABLE tb_wide (id int PRIMARY KEY, fk_person int, amount int);
INSERT INTO tb_wide SELECT i, i % 50, 0 FROM generate_series(1, 120000) i;
VACUUM ANALYZE tb_wide;
CREATE FUNCTION slow(bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$ BEGIN RAISE EXCEPTION 'filling'; END $$;
CREATE TABLE tv_wide WITH (pg_tviews.group_state = off) AS SELECT p.id AS pk_wide, slow((SELECT count(*) FROM tb_wide w WHERE w.fk_person = p.id)) AS n FROM tb_person p;
CREATE INDEX ON tb_wide (fk_person);
CREATE TABLE tv_wide WITH (pg_tviews.group_state = off) AS SELECT p.id AS pk_wide, slow((SELECT count(*) FROM tb_wide w WHERE w.fk_person = p.id)) AS n FROM tb_person p;
CREATE TABLE tv_wide AS SELECT w.id AS pk_wide, rank() OVER (ORDER BY w.id) FROM tb_wide w WITH NO DATA;
DROP TABLE tv_wide;
CREATE TABLE tv_wide AS SELECT w.id AS pk_wide, slow(rank() OVER (ORDER BY w.id)) FROM tb_wide w;
CREATE TABLE tv_wide AS SELECT p.id AS pk_wide, (SELECT w.id FROM tb_wide w WHERE w.fk_person = p.id ORDER BY w.id LIMIT 1) AS one FROM tb_person p WHERE p.id < 9;
\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA index_advice CASCADE;
