-- A version of a row that fails a condition on itself alone concerns nobody: it names no key, and nothing is recomputed.
-- Each change is followed by how many documents were recomputed for it, and every TVIEW stays equal to its query.
SET client_min_messages = warning;
CREATE SCHEMA lineage_filters;
SET search_path = lineage_filters, public;
SET pg_tviews.notice_lineage = off;
\pset format unaligned
\pset tuples_only on
CREATE TYPE state AS ENUM ('draft', 'paid', 'void');
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text, born date, fk_best int);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, published bool, kind text, status state, at date, score int, hidden_at timestamptz);
CREATE TABLE tb_gone (fk_user int);
INSERT INTO tb_user SELECT i, 'u' || i, '2000-01-01', i FROM generate_series(1, 9) i;
INSERT INTO tb_post SELECT i, 1 + i % 9, i % 2 = 0, 'k' || i % 3, 'paid', date '2020-01-01' + i, i % 5, NULL FROM generate_series(1, 90) i;
CREATE INDEX ON tb_post (fk_user);
-- Recomputed documents since the last call; what differs from its query.
CREATE TABLE counted AS SELECT 0::bigint AS rows, 0::bigint AS full;
CREATE PROCEDURE change(statement text) LANGUAGE plpgsql AS $$
DECLARE
    recomputed bigint;
    compared bigint;
    wrong text;
BEGIN
    PERFORM pg_tviews_wait();
    COMMIT;
    UPDATE counted SET (rows, "full") = (SELECT rows_inserted + rows_updated + rows_deleted + rows_unchanged, full_refreshes FROM pg_tview_frontier);
    EXECUTE statement;
    COMMIT;
    PERFORM pg_tviews_wait();
    COMMIT;
    SELECT rows_inserted + rows_updated + rows_deleted + rows_unchanged - rows, full_refreshes - "full" INTO recomputed, compared
    FROM pg_tview_frontier, counted;
    SELECT string_agg(m.tview::text, ' ') INTO wrong FROM pg_tview_meta m JOIN pg_class ON oid = m.tview
    WHERE relnamespace = 'lineage_filters'::regnamespace AND EXISTS (SELECT FROM pg_tviews_verify(m.tview::text));
    RAISE INFO 'recomputed: %, compared as a whole: %, different: %', recomputed, compared, coalesce(wrong, 'none');
END $$;
CREATE FUNCTION followed(entity text) RETURNS SETOF text LANGUAGE sql AS
$$ SELECT concat_ws(' ', source, strategy, description) FROM pg_tview_lineage WHERE tview = entity::regclass AND source = 'tb_post'::regclass ORDER BY path $$;

-- 1. Tests that cost nothing: booleans, IS NULL, comparisons with constants, lists, an enum.
CREATE TABLE tv_user AS SELECT pk_user, name,
    (SELECT count(*) FROM tb_post p WHERE p.fk_user = u.pk_user AND published AND hidden_at IS NULL AND kind IN ('k1', 'k2') AND status <> 'void'
     AND at >= date '2020-01-01' AND at < date '2020-01-01' + interval '1 year' AND NOT (score < 1 OR score > 3)) AS posts FROM tb_user u;
SELECT followed('tv_user');
CALL change('INSERT INTO tb_post SELECT i, 1, false, ''k1'', ''paid'', ''2020-03-01'', 2, NULL FROM generate_series(101, 110) i');
CALL change('INSERT INTO tb_post VALUES (111, 2, true, ''k1'', ''void'', ''2020-03-01'', 2, NULL), (112, 3, true, ''k1'', ''paid'', ''2021-03-01'', 2, NULL),
    (113, 4, NULL, ''k1'', ''paid'', ''2020-03-01'', 2, NULL), (114, 5, true, ''k3'', ''paid'', ''2020-03-01'', 2, NULL), (115, 6, true, ''k1'', ''paid'', ''2020-03-01'', 2, now()),
    (116, 7, true, ''k1'', ''paid'', ''2020-03-01'', 4, NULL), (117, 8, true, ''k1'', ''paid'', NULL, 2, NULL)');
-- Either version counts by itself.
CALL change('UPDATE tb_post SET published = true WHERE pk_post = 101');
CALL change('UPDATE tb_post SET published = NULL, fk_user = 2 WHERE pk_post = 101');
CALL change('UPDATE tb_post SET published = true, fk_user = 3 WHERE pk_post = 101');
CALL change('UPDATE tb_post SET score = score WHERE pk_post BETWEEN 102 AND 110');
CALL change('UPDATE tb_post SET score = 3 - score WHERE pk_post BETWEEN 102 AND 110');
CALL change('DELETE FROM tb_post WHERE pk_post BETWEEN 101 AND 103');
CALL change('DO $d$ BEGIN UPDATE tb_post SET published = true WHERE pk_post = 104; UPDATE tb_post SET published = false, fk_user = 9 WHERE pk_post = 104; END $d$');
DROP TABLE tv_user;

-- 2. Where a condition stands decides what it is: only what it removes counts for nobody.
CREATE TABLE tv_on AS SELECT pk_user AS pk_on, count(p.pk_post) AS n FROM tb_user u LEFT JOIN tb_post p ON p.fk_user = u.pk_user AND p.published GROUP BY pk_user;
CREATE TABLE tv_right AS SELECT pk_user AS pk_right, count(p.pk_post) AS n FROM tb_post p RIGHT JOIN tb_user u ON p.fk_user = u.pk_user AND p.published GROUP BY pk_user;
CREATE TABLE tv_anti AS SELECT pk_user AS pk_anti FROM tb_user u LEFT JOIN tb_post p ON p.fk_user = u.pk_user AND p.pk_post > 90 WHERE p.pk_post IS NULL;
CREATE TABLE tv_anti_bool AS SELECT pk_user AS pk_anti_bool FROM tb_user u LEFT JOIN tb_post p ON p.fk_user = u.pk_user AND p.pk_post > 90 WHERE p.published IS NOT TRUE AND u.name > '' GROUP BY pk_user;
CREATE TABLE tv_having AS SELECT fk_user AS pk_having, count(*) FILTER (WHERE published) AS n FROM tb_post p WHERE fk_user IS NOT NULL GROUP BY fk_user HAVING bool_or(published);
CREATE TABLE tv_group AS SELECT fk_user AS pk_group, sum(score) AS total FROM tb_post WHERE published GROUP BY fk_user HAVING fk_user IS NOT NULL;
CREATE TABLE tv_preserved AS SELECT p.pk_post AS pk_preserved, u.name FROM tb_post p LEFT JOIN tb_user u ON u.pk_user = p.fk_user AND p.published;
CREATE TABLE tv_not_in AS SELECT pk_user AS pk_not_in FROM tb_user WHERE pk_user NOT IN (SELECT pk_post FROM tb_post WHERE published AND pk_post > 90);
CREATE TABLE tv_full AS SELECT pk_user AS pk_full, p.n FROM tb_user FULL JOIN (SELECT fk_user AS pk_user, count(*) AS n FROM tb_post WHERE published AND fk_user IS NOT NULL GROUP BY 1) p USING (pk_user);
CREATE TABLE tv_window AS SELECT pk_post AS pk_window, rank() OVER (PARTITION BY fk_user ORDER BY score, pk_post) AS place FROM tb_post WHERE published;
CREATE TABLE tv_distinct AS SELECT DISTINCT ON (fk_user) fk_user AS pk_distinct, pk_post FROM tb_post WHERE published AND fk_user IS NOT NULL ORDER BY fk_user, score, pk_post;
CREATE TABLE tv_union AS SELECT pk_post AS pk_union, 'p' AS what FROM tb_post WHERE published UNION ALL SELECT -pk_post, 'n' FROM tb_post WHERE NOT published;
CREATE VIEW shown AS SELECT * FROM tb_post WHERE published;
CREATE TABLE tv_nested AS SELECT pk_user AS pk_nested, (SELECT max(score) FROM (SELECT * FROM shown WHERE kind = 'k1') s WHERE s.fk_user = pk_user) AS most FROM tb_user;
CREATE TABLE tv_twice AS SELECT pk_user AS pk_twice, (SELECT count(*) FROM tb_post a WHERE a.fk_user = pk_user AND published) AS shown,
    (SELECT count(*) FROM tb_post b WHERE b.fk_user = pk_user) AS n FROM tb_user;
CREATE TABLE tv_limit AS SELECT pk_user AS pk_limit, (SELECT string_agg(k, ',' ORDER BY k) FROM
    (SELECT pk_post::text AS k FROM tb_post WHERE fk_user = pk_user AND published ORDER BY pk_post DESC LIMIT 2) s) AS newest FROM tb_user;
CALL change('INSERT INTO tb_post SELECT i, i % 9, false, ''k1'', ''paid'', ''2020-03-01'', 2, NULL FROM generate_series(201, 205) i');
CALL change('UPDATE tb_post SET score = 0 WHERE pk_post BETWEEN 201 AND 205');
CALL change('UPDATE tb_post SET published = true WHERE pk_post = 202');
CALL change('UPDATE tb_post SET published = NULL WHERE pk_post IN (202, 203)');
CALL change('UPDATE tb_post SET published = pk_post < 205, fk_user = 10 - fk_user WHERE pk_post > 200');
CALL change('DELETE FROM tb_post WHERE pk_post > 90 AND fk_user = 1');
CALL change('DELETE FROM tb_post WHERE published');
CALL change('UPDATE tb_post SET published = true');
CALL change('UPDATE tb_post SET fk_user = NULL, published = NOT published WHERE pk_post % 3 = 0');

-- 3. Conditions that can fail are not asked of rows that the query would not ask them of.
DROP TABLE tv_on, tv_right, tv_anti, tv_anti_bool, tv_having, tv_group, tv_preserved, tv_not_in, tv_full, tv_window, tv_distinct, tv_union, tv_nested, tv_twice, tv_limit;
CREATE FUNCTION picky(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN IF $1 < 0 THEN RAISE 'negative'; END IF; RETURN $1 > 1; END $$;
CREATE TABLE tv_fail AS SELECT pk_user AS pk_fail, (SELECT count(*) FROM (SELECT * FROM tb_post OFFSET 0) p WHERE p.fk_user = pk_user AND kind = 'k1') AS n,
    (SELECT count(*) FROM tb_post p WHERE p.fk_user = pk_user AND CASE WHEN score > 0 THEN picky(score) END AND CASE WHEN score <> 0 THEN 10 / score > 1 END) AS m FROM tb_user;
CALL change('INSERT INTO tb_post VALUES (301, 1, true, ''k1'', ''paid'', NULL, -1, NULL), (302, 2, true, ''k1'', ''paid'', NULL, 0, NULL), (303, 3, true, ''k1'', ''paid'', NULL, 3, NULL)');
CALL change('UPDATE tb_post SET score = score + 1 WHERE pk_post > 300');
DROP TABLE tv_fail;

-- 4. Constants mean what they meant, whatever happens to the settings and to the names of an enum's values.
SET DateStyle = 'SQL, DMY';
SET IntervalStyle = 'sql_standard';
CREATE TABLE tv_meaning AS SELECT pk_user AS pk_meaning, (SELECT count(*) FROM tb_post p WHERE p.fk_user = pk_user AND status = 'paid'
    AND at >= '01/02/2020' AND hidden_at IS NOT DISTINCT FROM NULL AND at < date '01/12/2020' + interval '-1 2:00:00') AS n FROM tb_user;
RESET DateStyle;
RESET IntervalStyle;
SELECT lookup ~ '2020-02-01' AS is_iso FROM pg_tview_lineage WHERE tview = 'tv_meaning'::regclass AND source = 'tb_post'::regclass;
CALL change('INSERT INTO tb_post VALUES (401, 1, true, ''k1'', ''paid'', ''2020-01-02'', 1, NULL), (402, 2, true, ''k1'', ''paid'', ''2020-02-01'', 1, NULL), (403, 3, true, ''k1'', ''paid'', ''2020-11-30'', 1, NULL)');
ALTER TYPE state RENAME VALUE 'void' TO 'lost';
ALTER TYPE state RENAME VALUE 'paid' TO 'void';
ALTER TYPE state RENAME VALUE 'lost' TO 'paid';
CALL change('SELECT 1');
CALL change('INSERT INTO tb_post VALUES (404, 4, true, ''k1'', ''paid'', ''2020-05-02'', 1, NULL), (405, 5, true, ''k1'', ''void'', ''2020-05-02'', 1, NULL)');
DROP TABLE tv_meaning;

-- 5. TPC-H Q20: line items outside of the year concern no supplier.
CREATE TABLE part (p_partkey int PRIMARY KEY, p_name text);
CREATE TABLE supplier (s_suppkey int PRIMARY KEY, s_name text);
CREATE TABLE partsupp (ps_partkey int, ps_suppkey int, ps_availqty int, PRIMARY KEY (ps_partkey, ps_suppkey));
CREATE TABLE lineitem (l_id int PRIMARY KEY, l_partkey int, l_suppkey int, l_quantity numeric, l_shipdate date);
INSERT INTO part SELECT i, CASE i % 2 WHEN 0 THEN 'forest ' ELSE 'lake ' END || i FROM generate_series(1, 20) i;
INSERT INTO supplier SELECT i, 's' || i FROM generate_series(1, 10) i;
INSERT INTO partsupp SELECT p, s, 5000 FROM generate_series(1, 20) p, generate_series(1, 10) s WHERE (p + s) % 3 = 0;
INSERT INTO lineitem SELECT i, 1 + i % 20, 1 + i % 10, i % 50, date '1993-01-01' + i * 3 FROM generate_series(1, 500) i;
CREATE INDEX ON lineitem (l_partkey, l_suppkey);
CREATE TABLE tv_q20 WITH (pg_tviews.key = 's_suppkey') AS SELECT s_suppkey, s_name FROM supplier WHERE s_suppkey IN (
    SELECT ps_suppkey FROM partsupp WHERE ps_partkey IN (SELECT p_partkey FROM part WHERE p_name LIKE 'forest%') AND ps_availqty > (
        SELECT 0.5 * sum(l_quantity) FROM lineitem WHERE l_partkey = ps_partkey AND l_suppkey = ps_suppkey
        AND l_shipdate >= date '1994-01-01' AND l_shipdate < date '1994-01-01' + interval '1 year'));
SELECT source, strategy, description FROM pg_tview_lineage WHERE tview = 'tv_q20'::regclass ORDER BY 1;
CALL change('INSERT INTO lineitem SELECT i, 1 + i % 20, 1 + i % 10, 1000, ''1996-01-01'' FROM generate_series(1001, 1300) i');
CALL change('DELETE FROM lineitem WHERE l_shipdate > ''1995-01-01''');
CALL change('UPDATE lineitem SET l_quantity = 1000 WHERE l_shipdate BETWEEN ''1994-02-01'' AND ''1994-02-20''');
-- 6. Rows that a path passes meet their conditions too, unless they are changed as well, when their own path counts.
CREATE TABLE tb_comment (pk_comment int PRIMARY KEY, fk_post int, body text);
CREATE INDEX ON tb_comment (fk_post);
UPDATE tb_post SET published = pk_post % 2 = 0, fk_user = 1 + pk_post % 9;
CREATE TABLE tv_talk AS SELECT pk_user AS pk_talk, (SELECT count(*) FROM tb_comment c JOIN tb_post p ON p.pk_post = c.fk_post
    WHERE p.fk_user = u.pk_user AND p.published AND c.body IS NOT NULL) AS comments FROM tb_user u;
CREATE TABLE tv_talk_outer AS SELECT pk_user AS pk_talk_outer, count(c.pk_comment) AS comments
FROM tb_user u LEFT JOIN (tb_post p LEFT JOIN tb_comment c ON c.fk_post = p.pk_post) ON p.fk_user = u.pk_user AND p.published GROUP BY pk_user;
SELECT tview, strategy, description FROM pg_tview_lineage WHERE source = 'tb_comment'::regclass ORDER BY 1::text;
CALL change('INSERT INTO tb_comment SELECT i, 1 + 2 * i, ''x'' FROM generate_series(1, 20) i');
CALL change('UPDATE tb_comment SET fk_post = 302 WHERE pk_comment = 1');
CALL change('DO $d$ BEGIN UPDATE tb_post SET published = true WHERE pk_post = 5; UPDATE tb_comment SET body = ''y'' WHERE fk_post = 5; END $d$');
CALL change('DO $d$ BEGIN UPDATE tb_comment SET body = ''z'' WHERE fk_post = 5; UPDATE tb_post SET published = false WHERE pk_post = 5; DELETE FROM tb_comment WHERE fk_post = 5; END $d$');
CALL change('DO $d$ BEGIN DELETE FROM tb_comment WHERE fk_post = 302; DELETE FROM tb_post WHERE pk_post = 302; END $d$');
DROP TABLE tv_talk, tv_talk_outer;
-- 7. What is only its own document, and what has no path, is asked for where it is written.
CREATE TABLE tb_job (note text, pk_job int PRIMARY KEY, state state, size int, done bool, kind varchar(9)) PARTITION BY LIST (pk_job);
CREATE TABLE tb_job_even PARTITION OF tb_job FOR VALUES IN (0, 2, 4, 6, 8);
CREATE TABLE tb_job_odd (gone int, kind varchar(9), done bool, pk_job int NOT NULL, size int, state state, note text);
ALTER TABLE tb_job_odd DROP COLUMN gone;
ALTER TABLE tb_job ATTACH PARTITION tb_job_odd DEFAULT;
INSERT INTO tb_job SELECT 'n', i, 'draft', i, i > 5, 'k' || i % 2 FROM generate_series(0, 9) AS i;
CREATE TABLE tv_job AS SELECT pk_job, note FROM tb_job WHERE state = 'paid';
CREATE TABLE tv_jobs AS SELECT 1 AS pk_jobs, count(*) AS n, sum(size) AS size FROM tb_job WHERE state = 'paid' AND done;
SELECT tview, strategy FROM pg_tview_lineage WHERE source = 'tb_job'::regclass ORDER BY 1::text;
CALL change('UPDATE tb_job SET note = ''m'', size = size + 1');
CALL change('INSERT INTO tb_job VALUES (''x'', 11, ''draft'', 1, true), (''x'', 13, NULL, 1, true)');
CALL change('DELETE FROM tb_job WHERE pk_job > 9');
CALL change('UPDATE tb_job SET state = ''paid'' WHERE pk_job IN (2, 3)');
CALL change('UPDATE tb_job SET note = ''o'' WHERE pk_job < 6');
CALL change('UPDATE tb_job SET done = true WHERE pk_job = 3');
CALL change('UPDATE tb_job SET state = ''draft'' WHERE pk_job IN (3, 4)');
CALL change('UPDATE tb_job SET pk_job = pk_job + 15 WHERE pk_job = 2');
CALL change('MERGE INTO tb_job USING (VALUES (1), (6)) AS v (k) ON pk_job = k WHEN MATCHED THEN UPDATE SET note = ''p'', done = false');
CALL change('DO $d$ BEGIN UPDATE tb_job SET state = ''paid'' WHERE pk_job = 8; BEGIN UPDATE tb_job SET state = ''draft''; RAISE division_by_zero; EXCEPTION WHEN OTHERS THEN NULL; END; END $d$');
CALL change('DELETE FROM tb_job_even');
-- A TVIEW that counts others is asked for as well, and nothing is where one counts every row.
CREATE TABLE tv_drafts AS SELECT pk_job AS pk_drafts, note FROM tb_job WHERE state = 'draft' AND kind IN ('k0', 'k1');
CALL change('UPDATE tb_job SET note = ''q'', size = 0');
CREATE TABLE tv_every AS SELECT pk_job AS pk_every, size FROM tb_job;
CALL change('UPDATE tb_job SET size = 7');
DROP TABLE tv_every;
-- Other definitions, names and types of what is asked.
SELECT pg_tviews_replace('drafts', 'SELECT pk_job AS pk_drafts, note FROM tb_job WHERE state <> ''paid''');
CALL change('INSERT INTO tb_job VALUES (''x'', 13, ''void'', 1, true, ''k5'')');
ALTER TYPE state RENAME VALUE 'void' TO 'lost';
ALTER TABLE tb_job RENAME COLUMN state TO stands;
CALL change('UPDATE tb_job SET note = ''r''');
ALTER TABLE tb_job DETACH PARTITION tb_job_odd;
CALL change('UPDATE tb_job_odd SET note = ''s''');
ALTER TABLE tb_job ATTACH PARTITION tb_job_odd DEFAULT;
CALL change('UPDATE tb_job SET note = ''t'' WHERE pk_job = 13');
DROP TABLE tv_drafts;
CREATE TABLE tv_kind AS SELECT pk_job AS pk_kind, note FROM tb_job WHERE kind = 'k1' AND size > 5;
ALTER TABLE tb_job ALTER COLUMN kind TYPE text, ALTER COLUMN size TYPE bigint;
CALL change('UPDATE tb_job SET size = 6, note = ''u'' WHERE pk_job IN (1, 13)');
-- What is not the same at every moment, or for every reader, is not asked: nor what a row of NULLs meets.
CREATE TABLE tb_stamp (pk_stamp int PRIMARY KEY, at timestamptz, n int, word text, doc jsonb);
CREATE TABLE tv_stamp AS SELECT pk_stamp, n FROM tb_stamp WHERE at > date '2020-01-01' AND word ILIKE 'a%' AND doc ->> 'k' = '1';
SELECT filters IS NULL AS is_not_asked FROM pg_tview_lineage WHERE tview = 'tv_stamp'::regclass;
CREATE TABLE tv_outer AS SELECT u.pk_user AS pk_outer, s.n FROM tb_user u LEFT JOIN tb_stamp s ON s.pk_stamp = u.pk_user WHERE s.n IS NULL;
SELECT filters IS NULL AS is_not_asked FROM pg_tview_lineage WHERE tview = 'tv_outer'::regclass AND source = 'tb_stamp'::regclass;
CALL change('INSERT INTO tb_stamp VALUES (1, now(), 5, ''b'', ''{}''), (2, now(), NULL, ''ab'', ''{"k": 1}'')');
-- LIKE a constant, unless that can fail.
CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE tb_word (pk_word int PRIMARY KEY, word text, code varchar(9), fixed char(4), folded text COLLATE folded);
CREATE TABLE tv_word AS SELECT pk_word, code FROM tb_word WHERE word LIKE 'a\_%' AND code NOT LIKE '%z' AND fixed LIKE 'x%';
CREATE TABLE tv_escape AS SELECT pk_word AS pk_escape FROM tb_word WHERE word LIKE code;
SELECT tview, filters IS NULL AS is_not_asked FROM pg_tview_lineage WHERE source = 'tb_word'::regclass ORDER BY 1::text;
DROP TABLE tv_escape;
CALL change('INSERT INTO tb_word VALUES (1, ''a_1'', ''y'', ''x''), (2, ''ab1'', ''y'', ''x''), (3, ''a_1'', ''z'', ''x''), (4, ''a_1'', ''y'', ''y''), (5, NULL, ''y'', ''x'')');
CALL change('UPDATE tb_word SET word = CASE WHEN pk_word < 3 THEN ''a_'' || word END');
CREATE TABLE tv_ends AS SELECT pk_word AS pk_ends FROM tb_word WHERE pk_word > 100 AND word LIKE 'a\';
SELECT filters::text ~ ':opno 1209' AS asks_pattern FROM pg_tview_lineage WHERE tview = 'tv_ends'::regclass;
CALL change('INSERT INTO tb_word VALUES (6, ''a'', ''y'', ''x'')');
-- A row that is asked for by hand is recomputed, whatever it looks like now.
SELECT pk_job, stands FROM tb_job WHERE pk_job IN (SELECT pk_job FROM tv_job) OR pk_job = 3 ORDER BY 1;
CALL change('SELECT pg_tviews_cascade(''tb_job''::regclass::oid, ''3'')');
DROP SCHEMA lineage_filters CASCADE;
