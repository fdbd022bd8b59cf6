-- Lineage of queries that look surgical and are not, or only by a detour: each must be full, or
-- name its detour.
CREATE SCHEMA lineage_counterexamples;
SET search_path = lineage_counterexamples, public;
\pset format unaligned
\pset tuples_only on
CREATE TABLE o (id int PRIMARY KEY, no text, uid int, region int);
CREATE TABLE l (id int PRIMARY KEY, fk_o int, n text, kind int);
CREATE TABLE u (pk int PRIMARY KEY, id int NOT NULL, email text, team int, ref int, name text);
CREATE TABLE r (pk int PRIMARY KEY, id int, a int, b int, name text);
CREATE TABLE ur (u int, r int);
CREATE TABLE c (id int PRIMARY KEY, fk int, a int, parent int, ts timestamptz, code text, author int);
CREATE TABLE cn (id int PRIMARY KEY, fk int NOT NULL);
CREATE TABLE w (cid int, b int);
CREATE TABLE t (pk int PRIMARY KEY, note text);
CREATE TABLE s (u int, theme int);
CREATE TABLE acc (id int PRIMARY KEY, uid int);
CREATE TABLE cfg (ts timestamptz, ver int);
CREATE FUNCTION lineage(query text) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT format('%s %s %s%s', source, strategy, captured,
                CASE WHEN strategy = 'full' THEN ': ' || description END)
  FROM pg_tviews_explain_query(query, 'key')
$$;

-- 1: the key belongs to two occurrences
SELECT lineage($$SELECT o.no || '-' || l.n AS key FROM o JOIN l ON l.fk_o = o.id$$);
-- 2: r must not reach u through the nullable ur
SELECT lineage($$SELECT u.pk AS key, count(ur.r) FROM u CROSS JOIN r
                 LEFT JOIN ur ON ur.u = u.pk AND ur.r = r.id GROUP BY u.pk$$);
-- 3: NOT IN, IN as a value and ALL: a NULL in c changes every row
SELECT lineage($$SELECT pk AS key FROM u WHERE pk NOT IN (SELECT fk FROM c)$$);
SELECT lineage($$SELECT pk AS key, pk IN (SELECT fk FROM c) FROM u$$);
SELECT lineage($$SELECT pk AS key FROM u WHERE team = ALL (SELECT a FROM c)$$);
-- ... unless neither side can be NULL
SELECT lineage($$SELECT pk AS key FROM u WHERE id NOT IN (SELECT fk FROM cn)$$);
SELECT lineage($$SELECT pk AS key, id IN (SELECT fk FROM cn) FROM u$$);
SELECT lineage($$SELECT pk AS key FROM u WHERE id <> ALL (SELECT fk FROM cn)$$);
SELECT lineage($$SELECT pk AS key FROM (SELECT * FROM u) v WHERE id NOT IN (SELECT fk FROM (SELECT * FROM cn) w)$$);
-- 4: coalesce over the nullable side leads nowhere
SELECT lineage($$SELECT t.pk AS key FROM u LEFT JOIN s ON s.u = u.id JOIN t ON t.pk = coalesce(s.theme, 1)$$);
-- ... nor from the other side to it: t 1 belongs to every u without s, which no row of s leads to
SELECT lineage($$SELECT u.pk AS key, t.note FROM u LEFT JOIN s ON s.u = u.pk JOIN t ON t.pk = coalesce(s.theme, 1)$$);
SELECT lineage($$SELECT u.pk AS key FROM u LEFT JOIN s ON s.u = u.pk, t WHERE t.pk IS NOT DISTINCT FROM s.theme$$);
SELECT lineage($$SELECT u.pk AS key FROM s RIGHT JOIN u ON s.u = u.pk JOIN t ON CASE WHEN s.theme = t.pk THEN true ELSE s.theme IS NULL END$$);
-- 5: a condition over three occurrences
SELECT lineage($$SELECT u.pk AS key FROM u, o, acc WHERE u.pk = coalesce(o.uid, acc.uid) AND acc.id = o.id$$);
-- 6: one tree, not c through w and w through c
SELECT lineage($$SELECT r.pk AS key FROM r JOIN c ON c.a = r.a JOIN w ON w.cid = c.id AND w.b = r.b$$);
-- 7: mates of a NULL team; a partition column that an outer join may replace by NULL
SELECT source, lookup FROM pg_tviews_explain_query(
  $$SELECT pk AS key, count(*) OVER (PARTITION BY team) FROM u$$, 'key') WHERE lookup IS NOT NULL;
SELECT lineage($$SELECT u.pk AS key, count(*) OVER (PARTITION BY s.theme) FROM u LEFT JOIN s ON s.u = u.id$$);
-- 8: one anchor per window
SELECT lineage($$SELECT l.id AS key, rank() OVER (PARTITION BY o.region, l.kind ORDER BY l.n)
                 FROM o JOIN l ON l.fk_o = o.id$$);
-- 9: the mates of both windows
SELECT lineage($$SELECT pk AS key, count(*) OVER (PARTITION BY team), count(*) OVER (PARTITION BY ref) FROM u$$);
-- 10: DISTINCT ON: the row itself and its mates
SELECT lineage($$SELECT DISTINCT ON (email) pk AS key, name FROM u ORDER BY email, pk$$);
-- 11: an aggregate as the key; a join on an aggregate; the latest row decides
SELECT lineage($$SELECT min(id) AS key FROM u GROUP BY email$$);
SELECT lineage($$SELECT u.pk AS key FROM u JOIN (SELECT max(fk) AS m, a FROM c GROUP BY a) x ON x.m = u.pk$$);
SELECT lineage($$SELECT pk AS key FROM u WHERE ref = (SELECT ver FROM cfg ORDER BY ts DESC LIMIT 1)$$);
-- 12: correlation above the LIMIT, and inside OR; below the LIMIT it leads
SELECT lineage($$SELECT pk AS key, (SELECT count(*) FROM (SELECT * FROM c ORDER BY ts DESC LIMIT 2) x
                                     WHERE x.fk = u.pk) FROM u$$);
SELECT lineage($$SELECT pk AS key, (SELECT count(*) FROM c WHERE c.fk = u.pk OR c.a IS NULL) FROM u$$);
SELECT lineage($$SELECT pk AS key, (SELECT count(*) FROM (SELECT * FROM c WHERE c.fk = u.pk
                                     ORDER BY ts DESC, id LIMIT 2) x) FROM u$$);
-- 13: the author of the latest comment per post, counted per author
SELECT lineage($$SELECT author AS key, count(*) FROM (SELECT DISTINCT ON (fk) fk, author FROM c
                                                      ORDER BY fk, ts DESC, id) x GROUP BY author$$);
-- 14: a merged column, a default for a missing row, grouping sets
SELECT lineage($$SELECT coalesce(u.pk, acc.id) AS key FROM u FULL JOIN acc ON u.pk = acc.id$$);
SELECT lineage($$SELECT id AS key FROM acc FULL JOIN cn USING (id) FULL JOIN l USING (id)$$);
SELECT lineage($$SELECT coalesce(u.pk, acc.id) AS key FROM u FULL JOIN acc ON u.ref = acc.uid$$);
SELECT lineage($$SELECT coalesce(acc.id, -1) AS key FROM u LEFT JOIN acc ON acc.uid = u.pk$$);
-- ... nor across FULL JOIN: a u without acc has the key -1
SELECT lineage($$SELECT coalesce(acc.id, -1) AS key FROM u FULL JOIN acc ON acc.uid = u.pk$$);
SELECT lineage($$SELECT (acc.id IS NULL)::int AS key FROM u FULL JOIN acc ON acc.uid = u.pk$$);
SELECT lineage($$SELECT t.pk AS key FROM u FULL JOIN acc ON acc.uid = u.pk JOIN t ON t.pk = coalesce(acc.id, 1)$$);
SELECT lineage($$SELECT team AS key, count(*) FROM u GROUP BY ROLLUP (team)$$);
-- 15: a view and a CTE used twice: every occurrence counts
CREATE VIEW v_acc AS SELECT id, uid FROM acc;
SELECT lineage($$SELECT u.pk AS key FROM u LEFT JOIN v_acc a ON a.uid = u.pk LEFT JOIN v_acc b ON b.id = u.ref$$);
SELECT lineage($$WITH x AS (SELECT fk, a FROM c) SELECT u.pk AS key,
                 (SELECT count(*) FROM x WHERE x.fk = u.pk), (SELECT count(*) FROM x WHERE x.a = u.pk) FROM u$$);
-- 16: a collation that equality depends on travels with the column
CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE tag (name text COLLATE blind PRIMARY KEY);
CREATE TABLE tagged (tag text COLLATE blind, plain text);
SELECT lineage($$SELECT name AS key, (SELECT count(*) FROM tagged WHERE tag = name) FROM tag$$);
SELECT lineage($$SELECT name AS key, (SELECT count(*) FROM tagged WHERE plain = name COLLATE "C") FROM tag$$);
-- 17: equality of another family, and casts, never direct; other integers by value
SELECT lineage($$SELECT pk AS key, (SELECT count(*) FROM c WHERE c.fk::text = u.pk::text) FROM u$$);
CREATE TABLE big (id bigint, fk bigint);
SELECT lineage($$SELECT pk AS key, (SELECT count(*) FROM big WHERE big.fk = u.pk) FROM u$$);
SELECT lineage($$SELECT pk AS key, (SELECT count(*) FROM big WHERE big.fk::int = u.pk) FROM u$$);
CREATE TABLE amount (n numeric, x int);
-- 18: grouped under a coarse equality, compared above by a finer one
SELECT lineage($$SELECT x.g AS key FROM (SELECT n AS g, count(*) FROM amount GROUP BY n) x$$);
SELECT lineage($$SELECT t.pk AS key FROM t JOIN (SELECT n AS g, count(*) FROM amount GROUP BY n) x
                 ON x.g::text = t.note$$);
-- 21: the filter guards the cast; it is not in the lookup, whose failure means a full refresh
SELECT source, strategy, lookup FROM pg_tviews_explain_query(
  $$SELECT u.pk AS key FROM u JOIN c ON c.code ~ '^[0-9]+$' AND c.code::int = u.team$$, 'key');
-- a function over a subquery: the way there carries the columns that it is computed from, not only
-- those of the condition
SELECT lineage($$SELECT u.pk AS key, d.a FROM (SELECT DISTINCT a, fk FROM c) d LEFT JOIN LATERAL unnest(ARRAY[d.a, d.fk]) e(x)
                 ON d.fk = e.x FULL JOIN (SELECT pk, team FROM u) u ON e.x = u.team$$);
-- 26: what cannot be tracked is refused
SELECT lineage($$SELECT pk AS key, random() FROM u$$);
SELECT lineage($$SELECT pk AS key, ctid FROM u$$);
SELECT lineage($$SELECT pk AS key FROM u TABLESAMPLE SYSTEM (50)$$);
SELECT lineage($$SELECT pk AS key FROM u FOR UPDATE$$);
SELECT lineage($$SELECT pk AS key, (SELECT count(*) FROM pg_class) FROM u$$);
CREATE TEMPORARY TABLE passing (pk int);
SELECT lineage($$SELECT pk AS key FROM passing$$);
CREATE UNLOGGED TABLE loose (pk int);
SELECT lineage($$SELECT pk AS key FROM loose$$);
CREATE SEQUENCE counter;
SELECT lineage($$SELECT last_value AS key FROM counter$$);
SELECT lineage($$SELECT pk AS key, tableoid FROM u$$);

\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA lineage_counterexamples CASCADE;
