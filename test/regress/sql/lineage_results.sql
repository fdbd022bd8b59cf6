-- Counterexamples of lineage that only a refresh can show, by their numbers: each change must leave every
-- TVIEW equal to its query, byte by byte.
CREATE SCHEMA lineage_results;
SET search_path = lineage_results, public;
SET pg_tviews.notice_lineage = off;
\pset format unaligned
\pset tuples_only on
-- Waits; then the TVIEWs that differ from their queries.
CREATE PROCEDURE look() LANGUAGE plpgsql AS $$
DECLARE wrong text;
BEGIN
    PERFORM pg_tviews_wait();
    COMMIT;
    SELECT string_agg(m.tview::text, ' ') INTO wrong FROM pg_tview_meta m JOIN pg_class ON oid = m.tview
    WHERE relnamespace = 'lineage_results'::regnamespace AND EXISTS (SELECT FROM pg_tviews_verify(m.tview::text));
    RAISE INFO 'different: %', coalesce(wrong, 'none');
END $$;

-- 1: a key of two tables, and both rows go at once
CREATE TABLE o (id int PRIMARY KEY, no text, uid int, region int);
CREATE TABLE l (id int PRIMARY KEY, fk_o int REFERENCES o ON DELETE CASCADE, n text, kind int);
INSERT INTO o VALUES (1, 'a', 1, 1), (2, 'b', 2, 1);
INSERT INTO l VALUES (1, 1, 'x', 1), (2, 1, 'y', 2), (3, 2, 'x', 1);
CREATE TABLE tv_line WITH (pg_tviews.key = 'key') AS SELECT o.no || '-' || l.n AS key FROM o JOIN l ON l.fk_o = o.id;
-- 8: ranks over two tables, and both rows go at once
CREATE TABLE tv_rank AS SELECT l.id AS pk_rank, rank() OVER (PARTITION BY o.region, l.kind ORDER BY l.n, l.id) AS place
FROM o JOIN l ON l.fk_o = o.id;
DELETE FROM o WHERE id = 1;
CALL look();
TABLE tv_line;
TABLE tv_rank;
-- 5: a row goes, and one that stands in for it comes, in one batch
CREATE TABLE u (pk int PRIMARY KEY, team int, name text);
CREATE TABLE acc (id int PRIMARY KEY, uid int);
INSERT INTO u VALUES (1, 1, 'one'), (2, 1, 'two'), (3, NULL, 'three'), (4, NULL, 'four');
INSERT INTO acc VALUES (2, 1);
CREATE TABLE tv_either AS SELECT u.pk AS pk_either, count(*) AS n FROM u
JOIN acc ON true LEFT JOIN o ON o.id = acc.id WHERE u.pk = coalesce(o.uid, acc.uid) GROUP BY u.pk;
BEGIN;
DELETE FROM o;
UPDATE acc SET uid = 3;
COMMIT;
CALL look();
TABLE tv_either;
-- 6: both ends of a triangle change together
CREATE TABLE r (pk int PRIMARY KEY, a int, b int);
CREATE TABLE c (id int PRIMARY KEY, a int);
CREATE TABLE w (cid int, b int);
INSERT INTO r VALUES (1, 1, 1), (2, 2, 2);
INSERT INTO c VALUES (1, 1), (2, 2);
INSERT INTO w VALUES (1, 1), (2, 2);
CREATE TABLE tv_triangle AS SELECT r.pk AS pk_triangle, c.id FROM r JOIN c ON c.a = r.a JOIN w ON w.cid = c.id AND w.b = r.b;
BEGIN;
UPDATE c SET id = 11 WHERE id = 1;
UPDATE w SET cid = 11 WHERE cid = 1;
UPDATE w SET cid = 12, b = 3 WHERE cid = 2;
COMMIT;
CALL look();
TABLE tv_triangle;
-- 7: the mates of a NULL
CREATE TABLE tv_team AS SELECT pk AS pk_team, count(*) OVER (PARTITION BY team) AS mates FROM u;
DELETE FROM u WHERE pk = 3;
CALL look();
UPDATE u SET team = NULL WHERE pk = 1;
CALL look();
SELECT * FROM tv_team ORDER BY 1;
-- 11: the smallest of a group goes
CREATE TABLE tv_first AS SELECT min(pk) AS pk_first, team FROM u GROUP BY team;
DELETE FROM u WHERE pk = 1;
CALL look();
-- 3, 13: a NULL among what NOT IN compares with; the latest per group, counted per author
CREATE TABLE post (pk int PRIMARY KEY, thread int, author int, at int);
INSERT INTO post VALUES (1, 1, 1, 1), (2, 1, 2, 2), (3, 2, 1, 1);
CREATE TABLE tv_silent AS SELECT pk AS pk_silent FROM u WHERE pk NOT IN (SELECT author FROM post);
CREATE TABLE tv_last AS SELECT author AS pk_last, count(*) FROM
(SELECT DISTINCT ON (thread) thread, author FROM post WHERE author > 0 ORDER BY thread, at DESC, pk) AS latest GROUP BY author;
INSERT INTO post VALUES (4, 1, NULL, 3), (5, 2, 2, 2);
CALL look();
DELETE FROM post WHERE pk IN (2, 4);
CALL look();
TABLE tv_last;

-- 19: equal is not the same: jsonb 1.0 and 1.00, json, point, numeric keys
CREATE TABLE image (pk numeric PRIMARY KEY, doc jsonb, plain json, place point);
INSERT INTO image VALUES (1.0, '{"n": 1.0}', '{"n": 1.0}', '(1,2)'), (2, '{}', '{}', NULL);
CREATE TABLE tv_image AS SELECT pk AS pk_image, doc, plain, place FROM image;
CREATE TABLE tv_above AS SELECT pk_image AS pk_above, doc, plain FROM tv_image;
UPDATE image SET doc = '{"n": 1.00}' WHERE pk = 1;
CALL look();
SELECT * FROM tv_above ORDER BY 1;
UPDATE image SET plain = '{"n":  1.0}' WHERE pk = 1;
CALL look();
SELECT plain FROM tv_above ORDER BY pk_above;
UPDATE image SET place = '(1,3)' WHERE pk = 1;
CALL look();
UPDATE image SET pk = 1.000 WHERE pk = 1;
CALL look();
SELECT pk_above FROM tv_above ORDER BY 1;
-- ... several images of one key in a batch: its row is updated once, and deleted once
CREATE TABLE amount (pk numeric PRIMARY KEY);
CREATE TABLE item (id int PRIMARY KEY, fk numeric);
INSERT INTO amount VALUES (1), (2);
INSERT INTO item VALUES (1, 1.0), (2, 1.00), (3, 2), (4, 2.0);
CREATE TABLE tv_amount AS SELECT pk AS pk_amount, (SELECT count(*) FROM item WHERE fk = pk) AS n FROM amount;
DELETE FROM item WHERE id > 2;
CALL look();
BEGIN;
DELETE FROM item;
DELETE FROM amount WHERE pk = 1.000;
COMMIT;
CALL look();
TABLE tv_amount;
SELECT count(*) FROM pg_tview_dead_letter WHERE tview = 'tv_amount'::regclass;
-- ... and out of quarantine under another image than it went in
CREATE TABLE ratio (pk numeric PRIMARY KEY, d int);
INSERT INTO ratio VALUES (1.0, 1);
CREATE TABLE tv_ratio AS SELECT pk AS pk_ratio, 10 / d AS q FROM ratio;
UPDATE ratio SET d = 0;
SELECT pg_tviews_wait();
SELECT key, sqlstate FROM pg_tview_dead_letter WHERE tview = 'tv_ratio'::regclass;
UPDATE ratio SET pk = 1.000;
SELECT pg_tviews_wait();
UPDATE ratio SET d = 5;
CALL look();
TABLE tv_ratio;
SELECT count(*) FROM pg_tview_dead_letter WHERE tview = 'tv_ratio'::regclass;
-- 20: arrays as keys, and as what paths start from
CREATE TABLE list (pk int[] PRIMARY KEY, tags text[]);
CREATE TABLE entry (id int PRIMARY KEY, fk int[], tag text);
INSERT INTO list VALUES ('{1,2}', '{a,b}'), ('{}', '{}'), ('{NULL,3}', '{c,NULL}');
INSERT INTO entry VALUES (1, '{1,2}', 'a'), (2, '{}', 'c');
CREATE TABLE tv_list AS SELECT pk AS pk_list, tags, (SELECT count(*) FROM entry WHERE fk = pk) AS n,
(SELECT jsonb_agg(entry.id ORDER BY id) FROM entry WHERE tag = ANY (tags)) AS tagged FROM list;
INSERT INTO entry VALUES (3, '{NULL,3}', 'b'), (4, '{{1},{2}}', NULL);
UPDATE entry SET fk = '{}', tag = 'b' WHERE id = 1;
CALL look();
UPDATE list SET pk = '{{1},{2}}', tags = '{b}' WHERE pk = '{1,2}';
DELETE FROM entry WHERE id = 2;
CALL look();
SELECT * FROM tv_list ORDER BY 1;
-- 21: a filter guards a cast
CREATE TABLE fact (id int PRIMARY KEY, kind text, data jsonb);
INSERT INTO fact VALUES (1, 'user', '{"u": 2}'), (2, 'note', '{"u": "none"}');
CREATE TABLE tv_fact AS SELECT pk AS pk_fact, (SELECT count(*) FROM fact WHERE kind = 'user' AND (data ->> 'u')::int = u.pk) AS n FROM u;
INSERT INTO fact VALUES (3, 'note', '{"u": "nobody"}'), (4, 'user', '{"u": 4}');
CALL look();
SELECT * FROM tv_fact ORDER BY 1;
SELECT count(*) FROM pg_tview_dead_letter JOIN pg_class ON oid = tview WHERE relnamespace = 'lineage_results'::regnamespace;
-- 22: a row without a key
CREATE TABLE tv_null AS SELECT r.pk AS pk_null, c.id FROM c LEFT JOIN r ON r.a = c.a;
INSERT INTO c VALUES (20, 20);
SELECT pg_tviews_wait();
SELECT key IS NULL, sqlstate, error FROM pg_tview_dead_letter WHERE tview = 'tv_null'::regclass;
DELETE FROM c WHERE id = 20;
SELECT FROM pg_tviews_retry('null');
CALL look();
-- 23: TVIEWs above one that the same batch writes
CREATE TABLE tv_both AS SELECT pk_null AS pk_both, r.b FROM tv_null JOIN r ON r.pk = pk_null;
BEGIN;
UPDATE r SET a = a + 10, b = b + 10;
UPDATE c SET a = a + 10;
COMMIT;
CALL look();
SELECT * FROM tv_both ORDER BY 1;
-- 24: TRUNCATE, and rows again
BEGIN;
TRUNCATE c;
INSERT INTO c VALUES (30, 11);
COMMIT;
CALL look();
SELECT * FROM tv_null ORDER BY 1;
-- 27: a partition read by itself, and through the root; columns in another order
CREATE TABLE log (pk int, half int, label text) PARTITION BY LIST (half);
CREATE TABLE log_1 PARTITION OF log FOR VALUES IN (1);
CREATE TABLE log_2 (gone int, label text, half int, pk int);
ALTER TABLE log_2 DROP COLUMN gone;
ALTER TABLE log ATTACH PARTITION log_2 FOR VALUES IN (2);
CREATE TABLE tv_log AS SELECT pk AS pk_log, label FROM log;
CREATE TABLE tv_log_2 AS SELECT pk AS pk_log_2, label FROM log_2;
INSERT INTO log VALUES (1, 1, 'a'), (2, 2, 'b');
INSERT INTO log_2 (pk, half, label) VALUES (3, 2, 'c');
CALL look();
UPDATE log SET half = 3 - half;
UPDATE log_2 SET label = 'moved';
CALL look();
SELECT * FROM tv_log ORDER BY 1;
SELECT * FROM tv_log_2 ORDER BY 1;
-- 28: what changes with time or settings: a notice, and the owner's settings are not the session's
SET pg_tviews.notice_lineage = on;
CREATE TABLE moment (pk int PRIMARY KEY, at timestamptz, f float8);
INSERT INTO moment VALUES (1, '2024-01-01 00:00+00', 0.1);
CREATE TABLE tv_moment WITH (pg_tviews.clock_period = '1 day') AS SELECT pk AS pk_moment, at::text AS at, f::text AS f, age(at) AS age FROM moment;
SET pg_tviews.notice_lineage = off;

\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA lineage_results CASCADE;
