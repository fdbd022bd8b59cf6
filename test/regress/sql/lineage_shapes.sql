-- Lineage of the shapes that are refreshed by key: per source the strategy and, where it is a
-- lookup, its query.
CREATE SCHEMA lineage_shapes;
SET search_path = lineage_shapes, public;
\pset format unaligned
\pset tuples_only on
\pset null '-'
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text, team int NOT NULL, email text);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int NOT NULL, title text, tags text[], blog int, number int);
CREATE TABLE tb_comment (pk_comment int PRIMARY KEY, fk_post int NOT NULL, fk_user int, body text, at timestamptz);
CREATE TABLE tb_like (fk_comment int, fk_user int, PRIMARY KEY (fk_comment, fk_user));
CREATE TABLE tb_tag (tag text PRIMARY KEY, label text);
CREATE TABLE tb_node (pk_node int PRIMARY KEY, parent int, name text);
CREATE FUNCTION lineage(query text) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT format('%s %s %s %s', source, strategy, captured,
                coalesce(regexp_replace(replace(lookup, 'lineage_shapes.', ''), '\s+', ' ', 'g'), description))
  FROM pg_tviews_explain_query(query, 'key')
$$;

-- a parent, and children in a correlated subquery
SELECT lineage($$SELECT pk_post AS key, title, u.name,
  (SELECT jsonb_agg(body ORDER BY pk_comment) FROM tb_comment c WHERE c.fk_post = p.pk_post) AS comments
  FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user$$);
-- grandchildren, and links through a second table, by GROUP BY at the top
SELECT lineage($$SELECT p.pk_post AS key, jsonb_agg(u.name ORDER BY u.pk_user)
  FROM tb_post p LEFT JOIN tb_comment c ON c.fk_post = p.pk_post
  LEFT JOIN tb_like l ON l.fk_comment = c.pk_comment LEFT JOIN tb_user u ON u.pk_user = l.fk_user
  GROUP BY p.pk_post$$);
-- a joined grouped subquery, HAVING and FILTER inside
SELECT lineage($$SELECT pk_post AS key, x.n FROM tb_post LEFT JOIN
  (SELECT fk_post, count(*) FILTER (WHERE body <> '') AS n FROM tb_comment GROUP BY fk_post HAVING count(*) > 1) x
  ON x.fk_post = pk_post$$);
-- the key is the grouping column of the children
SELECT lineage($$SELECT fk_post AS key, count(*) FROM tb_comment GROUP BY fk_post$$);
-- top-N per key
SELECT lineage($$SELECT pk_post AS key, x.body FROM tb_post p LEFT JOIN LATERAL
  (SELECT c.body, u.name FROM tb_comment c LEFT JOIN tb_user u ON u.pk_user = c.fk_user
   WHERE c.fk_post = p.pk_post ORDER BY c.at DESC, c.pk_comment LIMIT 3) x ON true$$);
-- several columns, RIGHT, comma and NATURAL joins, a condition that is no equality
SELECT lineage($$SELECT a.pk_post AS key FROM tb_post b RIGHT JOIN tb_post a
  ON a.blog = b.blog AND a.number = b.number + 1$$);
SELECT lineage($$SELECT pk_post AS key FROM tb_post p, tb_user u, tb_comment c
  WHERE p.fk_user = u.pk_user AND c.fk_post = p.pk_post$$);
SELECT lineage($$SELECT pk_post AS key FROM tb_post NATURAL JOIN (SELECT fk_post AS pk_post FROM tb_comment) c$$);
SELECT lineage($$SELECT pk_comment AS key FROM tb_comment c JOIN tb_post p ON p.number < c.pk_comment$$);
-- sublinks in WHERE
SELECT lineage($$SELECT pk_user AS key FROM tb_user u WHERE EXISTS
  (SELECT FROM tb_post p WHERE p.fk_user = u.pk_user AND NOT EXISTS
    (SELECT FROM tb_comment c WHERE c.fk_post = p.pk_post AND c.fk_user = u.pk_user))$$);
SELECT lineage($$SELECT pk_user AS key FROM tb_user WHERE pk_user IN (SELECT fk_user FROM tb_comment)$$);
SELECT lineage($$SELECT pk_user AS key FROM tb_user WHERE pk_user NOT IN (SELECT fk_user FROM tb_post)$$);
-- set operations with a root each
SELECT lineage($$SELECT pk_user AS key, name FROM tb_user UNION SELECT -pk_post, title FROM tb_post
  UNION ALL SELECT 0, count(*)::text FROM tb_comment$$);
-- a CTE used twice
SELECT lineage($$WITH x AS MATERIALIZED (SELECT fk_post, count(*) AS n FROM tb_comment GROUP BY fk_post)
  SELECT pk_post AS key, (SELECT n FROM x WHERE x.fk_post = pk_post), y.n FROM tb_post
  LEFT JOIN x y ON y.fk_post = number$$);
-- windows by the key and by a column linked to it; the rank within a team
SELECT lineage($$SELECT DISTINCT p.pk_post AS key, count(*) OVER (PARTITION BY p.pk_post)
  FROM tb_post p JOIN tb_comment c ON c.fk_post = p.pk_post$$);
SELECT lineage($$SELECT pk_user AS key, rank() OVER (PARTITION BY team ORDER BY email) FROM tb_user$$);
-- views of views
CREATE VIEW v_author AS SELECT pk_user AS id, name AS author FROM tb_user;
CREATE VIEW v_post AS SELECT p.pk_post AS id, p.title, a.author FROM tb_post p LEFT JOIN v_author a ON a.id = p.fk_user;
SELECT lineage($$SELECT id AS key, author FROM v_post$$);
-- a function in FROM: from the array's elements to the row and back
SELECT lineage($$SELECT pk_post AS key, jsonb_agg(t.label ORDER BY t.tag) FROM tb_post p
  LEFT JOIN LATERAL unnest(p.tags) AS e(tag) ON true LEFT JOIN tb_tag t ON t.tag = e.tag GROUP BY pk_post$$);
-- functions over functions, in a sublink; a key of two tables' numbers as text
SELECT lineage($$SELECT 'p' || pk_post AS key, (SELECT jsonb_agg(t.label ORDER BY t.tag) FROM tb_tag t,
    unnest(p.tags) AS e(list), regexp_split_to_table(e.list, ',') AS f(tag) WHERE t.tag = f.tag)
  FROM tb_post p UNION ALL SELECT 'u' || pk_user, NULL FROM tb_user$$);
-- a subquery joined as a whole on the way
SELECT lineage($$SELECT p.pk_post AS key FROM tb_post p
  JOIN (SELECT fk_post, max(fk_user) AS last FROM tb_comment GROUP BY fk_post) x ON x.fk_post = p.pk_post
  JOIN tb_user u ON u.pk_user = x.last$$);
-- trees: paths from the root, ancestors of a node, size below a node
SELECT lineage($$WITH RECURSIVE t AS (SELECT pk_node, name FROM tb_node WHERE parent IS NULL
    UNION ALL SELECT n.pk_node, t.name || '/' || n.name FROM t JOIN tb_node n ON n.parent = t.pk_node)
  SELECT pk_node AS key, name FROM t$$);
SELECT lineage($$SELECT n.pk_node AS key, (WITH RECURSIVE up AS (SELECT pk_node, parent, name, 1 AS level
      FROM tb_node WHERE pk_node = n.parent UNION ALL SELECT p.pk_node, p.parent, p.name, level + 1
      FROM tb_node p JOIN up ON p.pk_node = up.parent)
    SELECT jsonb_agg(name ORDER BY level) FROM up) FROM tb_node n$$);
SELECT lineage($$WITH RECURSIVE d AS (SELECT pk_node AS root, pk_node FROM tb_node
    UNION ALL SELECT d.root, n.pk_node FROM d JOIN tb_node n ON n.parent = d.pk_node)
  SELECT root AS key, count(*) FROM d GROUP BY root$$);
-- what is read, and what follows from the key alone
SELECT source, relevant FROM pg_tviews_explain_query(
  $$SELECT pk_user AS key, u FROM tb_user u JOIN v_post ON v_post.id = u.team$$, 'key');

\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA lineage_shapes CASCADE;
