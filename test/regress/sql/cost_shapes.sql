-- Refreshing what one row affects costs what that row's documents cost: for each shape of query
-- over tables of 40,000 rows, the applier neither scans one nor reads many rows of it, refreshes
-- nothing fully, and rewrites the documents that must change and no others.
SET client_min_messages = warning;
CREATE SCHEMA cost_shapes;
SET search_path = cost_shapes, public;
CREATE TABLE parent (
    pk_parent int PRIMARY KEY,
    fk_boss int,
    code text NOT NULL UNIQUE,
    a int NOT NULL,
    b int NOT NULL,
    most int NOT NULL,
    name text NOT NULL
);
CREATE TABLE child (
    pk_child int PRIMARY KEY,
    fk_parent int NOT NULL,
    num int NOT NULL,
    code text NOT NULL,
    a int NOT NULL,
    b int NOT NULL,
    body text NOT NULL
);
CREATE TABLE grand (pk_grand int PRIMARY KEY, fk_child int NOT NULL, body text NOT NULL);
CREATE TABLE tag (pk_tag int PRIMARY KEY, name text NOT NULL);
CREATE TABLE link (pk_parent int, pk_tag int, PRIMARY KEY (pk_parent, pk_tag));
CREATE TABLE extra (pk_parent int PRIMARY KEY, note text NOT NULL);
CREATE TABLE node (pk_node int PRIMARY KEY, fk_node int, name text NOT NULL);
CREATE TABLE part (fk_parent int NOT NULL, num int NOT NULL, body text NOT NULL,
                   PRIMARY KEY (fk_parent, num)) PARTITION BY HASH (num);
CREATE TABLE part_0 PARTITION OF part FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 2, REMAINDER 1);

-- 2,000 parents with 20 children each: what reads a tenth of a table has not followed an index.
INSERT INTO parent
SELECT i, nullif(i / 10, 0), 'code ' || i, i % 50, i / 50, 5, 'parent ' || i
FROM generate_series(1, 2000) AS i;
INSERT INTO child
SELECT i, 1 + i % 2000, i / 2000, 'code ' || 1 + i % 2000, (1 + i % 2000) % 50, (1 + i % 2000) / 50,
       'child ' || i
FROM generate_series(0, 39999) AS i;
INSERT INTO grand SELECT i, i, 'grand ' || i FROM generate_series(0, 39999) AS i;
INSERT INTO tag SELECT i, 'tag ' || i FROM generate_series(0, 9999) AS i;
INSERT INTO link
SELECT 1 + i % 2000, (i % 2000 * 7 + i / 2000 * 100) % 10000 FROM generate_series(0, 39999) AS i;
INSERT INTO extra SELECT i, 'extra ' || i FROM generate_series(1, 40000) AS i;
INSERT INTO node SELECT i, nullif(i / 100, 0), 'node ' || i FROM generate_series(1, 40000) AS i;
INSERT INTO part SELECT 1 + i % 2000, i / 2000, 'part ' || i FROM generate_series(0, 39999) AS i;
CREATE INDEX ON parent (fk_boss);
CREATE INDEX ON parent (a, b);
CREATE INDEX ON child (fk_parent, num);
CREATE INDEX ON child (code);
CREATE INDEX ON child (a, b);
CREATE INDEX ON grand (fk_child);
CREATE INDEX ON link (pk_tag);
CREATE INDEX ON node (fk_node);
VACUUM ANALYZE parent, child, grand, tag, link, extra, node, part;

CREATE VIEW read_so_far AS
SELECT coalesce(sum(seq_scan), 0) AS scans,
       coalesce(sum(seq_tup_read + idx_tup_fetch), 0) AS rows,
       (SELECT full_refreshes FROM pg_tview_frontier) AS full
FROM pg_stat_user_tables
WHERE schemaname = 'cost_shapes'
  AND relname IN ('child', 'grand', 'link', 'extra', 'node', 'part_0', 'part_1');

-- Creates the TVIEW, makes the changes one by one, and says what each made the applier do. Inside a
-- procedure only appliers report what they have read; a second wait lets them. So the documents are
-- compared here, not by pg_tviews_verify, which reads in a process that reports when it ends.
SET max_parallel_workers_per_gather = 0;
CREATE TABLE result (shape text, strategy text, change text, scans bigint, is_cheap boolean, full_refreshes bigint,
                     rewritten bigint, differences bigint);
CREATE PROCEDURE prove(shape text, query text, VARIADIC changes text[]) LANGUAGE plpgsql AS $$
DECLARE
    change text;
    before read_so_far;
    after read_so_far;
    rewritten bigint;
    strategy text;
BEGIN
    EXECUTE 'CREATE TABLE tv_shape AS ' || query;
    SELECT string_agg(DISTINCT format('%s %s', source, l.strategy), ', ') INTO strategy
    FROM pg_tview_lineage l WHERE tview = 'tv_shape'::regclass;
    COMMIT;
    FOREACH change IN ARRAY changes LOOP
        PERFORM pg_tviews_wait();
        PERFORM pg_tviews_wait();
        COMMIT;
        CREATE TEMPORARY TABLE stood AS SELECT pk_shape, ctid AS place FROM tv_shape;
        SELECT * INTO before FROM read_so_far;
        COMMIT;
        EXECUTE change;
        COMMIT;
        PERFORM pg_tviews_wait();
        PERFORM pg_tviews_wait();
        COMMIT;
        SELECT * INTO after FROM read_so_far;
        SELECT count(*) INTO rewritten
        FROM tv_shape FULL JOIN stood USING (pk_shape)
        WHERE tv_shape.ctid IS DISTINCT FROM stood.place;
        INSERT INTO result
        VALUES (shape, strategy, change, after.scans - before.scans, after.rows - before.rows < 4000,
                after.full - before.full, rewritten,
                (SELECT count(*) FROM ((SELECT v::text FROM v_shape AS v EXCEPT ALL SELECT t::text FROM tv_shape AS t)
                                       UNION ALL
                                       (SELECT t::text FROM tv_shape AS t EXCEPT ALL SELECT v::text FROM v_shape AS v))
                                      AS different));
        DROP TABLE stood;
        COMMIT;
    END LOOP;
    DROP TABLE tv_shape;
    COMMIT;
END $$;

-- joins
CALL prove('inner join, keyed by the child',
    $$SELECT child.pk_child AS pk_shape, child.body, parent.name
      FROM child JOIN parent ON parent.pk_parent = child.fk_parent$$,
    $$UPDATE child SET body = 'changed' WHERE child.pk_child = 7$$,
    $$UPDATE parent SET name = 'changed 1' WHERE parent.pk_parent = 8$$);
CALL prove('left join',
    $$SELECT parent.pk_parent AS pk_shape, parent.name, child.body
      FROM parent LEFT JOIN child ON child.fk_parent = parent.pk_parent AND child.num = 3$$,
    $$UPDATE child SET body = 'changed 2' WHERE child.fk_parent = 7 AND child.num = 3$$,
    $$UPDATE parent SET name = 'changed 2' WHERE parent.pk_parent = 8$$);
CALL prove('right join',
    $$SELECT parent.pk_parent AS pk_shape, parent.name, child.body
      FROM child RIGHT JOIN parent ON child.fk_parent = parent.pk_parent AND child.num = 3$$,
    $$UPDATE child SET body = 'changed 3' WHERE child.fk_parent = 7 AND child.num = 3$$,
    $$UPDATE parent SET name = 'changed 11' WHERE parent.pk_parent = 88$$);
CALL prove('full join',
    $$SELECT pk_parent AS pk_shape, parent.name, present.note
      FROM parent FULL JOIN (SELECT * FROM extra WHERE note <> 'no') AS present USING (pk_parent)$$,
    $$UPDATE extra SET note = 'changed' WHERE extra.pk_parent = 7$$,
    $$UPDATE parent SET name = 'changed 3' WHERE parent.pk_parent = 8$$);
CALL prove('a table several times, and itself',
    $$SELECT parent.pk_parent AS pk_shape, boss.name AS boss, one.body AS one, two.body AS two
      FROM parent
      LEFT JOIN parent AS boss ON boss.pk_parent = parent.fk_boss
      LEFT JOIN child AS one ON one.fk_parent = parent.pk_parent AND one.num = 1
      LEFT JOIN child AS two ON two.fk_parent = parent.pk_parent AND two.num = 2$$,
    $$UPDATE parent SET name = 'changed 4' WHERE parent.pk_parent = 8$$,
    $$UPDATE child SET body = 'changed 4' WHERE child.fk_parent = 7 AND child.num = 2$$);
CALL prove('composite columns',
    $$SELECT parent.pk_parent AS pk_shape,
             (SELECT string_agg(child.body, ',' ORDER BY child.pk_child) FROM child
              WHERE (child.a, child.b) = (parent.a, parent.b)) AS children
      FROM parent$$,
    $$UPDATE child SET body = 'changed 5' WHERE child.pk_child = 7$$);
CALL prove('a self-referencing foreign key, followed down',
    $$SELECT parent.pk_parent AS pk_shape, parent.name,
             (SELECT json_agg(below.name ORDER BY below.pk_parent) FROM parent AS below
              WHERE below.fk_boss = parent.pk_parent) AS below
      FROM parent$$,
    $$UPDATE parent SET name = 'changed 9' WHERE parent.pk_parent = 85$$,
    $$UPDATE parent SET fk_boss = 100 WHERE parent.pk_parent = 86$$);
CALL prove('composite columns in a join',
    $$SELECT child.pk_child AS pk_shape, child.body, parent.name
      FROM child JOIN parent ON parent.a = child.a AND parent.b = child.b$$,
    $$UPDATE child SET body = 'changed 14' WHERE child.pk_child = 31$$,
    $$UPDATE parent SET name = 'changed 10' WHERE parent.pk_parent = 87$$);
CALL prove('other conditions than equality',
    $$SELECT parent.pk_parent AS pk_shape, count(child.pk_child) AS few
      FROM parent LEFT JOIN child ON child.fk_parent = parent.pk_parent AND child.num < parent.most
      GROUP BY parent.pk_parent$$,
    $$UPDATE child SET num = 1000 WHERE child.pk_child = 7$$,
    $$UPDATE parent SET most = 6 WHERE parent.pk_parent = 9$$);
CALL prove('using',
    $$SELECT pk_parent AS pk_shape, parent.name, extra.note FROM parent JOIN extra USING (pk_parent)$$,
    $$UPDATE extra SET note = 'changed 2' WHERE extra.pk_parent = 7$$);
CALL prove('natural',
    $$SELECT pk_parent AS pk_shape, parent.name, extra.note FROM parent NATURAL JOIN extra$$,
    $$UPDATE extra SET note = 'changed 3' WHERE extra.pk_parent = 7$$);
CALL prove('comma and where',
    $$SELECT parent.pk_parent AS pk_shape, child.body
      FROM parent, child WHERE child.fk_parent = parent.pk_parent AND child.num = 3$$,
    $$UPDATE child SET body = 'changed 6' WHERE child.fk_parent = 7 AND child.num = 3$$);
CALL prove('by a text column',
    $$SELECT parent.code AS pk_shape,
             (SELECT count(*) FROM child WHERE child.code = parent.code AND child.body > 'd') AS late
      FROM parent$$,
    $$UPDATE child SET body = 'zzz' WHERE child.pk_child = 7$$);

-- subqueries
CALL prove('scalar subqueries with aggregates',
    $$SELECT parent.pk_parent AS pk_shape,
             (SELECT count(*) FROM child WHERE child.fk_parent = parent.pk_parent) AS n,
             (SELECT sum(num) FROM child WHERE child.fk_parent = parent.pk_parent) AS s,
             (SELECT min(num) FROM child WHERE child.fk_parent = parent.pk_parent) AS least,
             (SELECT max(body) FROM child WHERE child.fk_parent = parent.pk_parent) AS last,
             (SELECT array_agg(num ORDER BY num) FROM child
              WHERE child.fk_parent = parent.pk_parent) AS list,
             (SELECT jsonb_agg(body ORDER BY pk_child) FILTER (WHERE num > 3) FROM child
              WHERE child.fk_parent = parent.pk_parent) AS data
      FROM parent$$,
    $$UPDATE child SET num = 2000 WHERE child.pk_child = 8$$,
    $$DELETE FROM child WHERE child.pk_child = 9$$,
    $$INSERT INTO child VALUES (9, 10, 0, 'code 10', 10, 0, 'new')$$);
CALL prove('exists, not exists, in, not in, any, array',
    $$SELECT parent.pk_parent AS pk_shape,
             EXISTS (SELECT FROM child WHERE child.fk_parent = parent.pk_parent
                     AND child.body = 'sought') AS e,
             NOT EXISTS (SELECT FROM child WHERE child.fk_parent = parent.pk_parent
                         AND child.body = 'sought') AS ne,
             parent.pk_parent IN (SELECT child.fk_parent FROM child
                                  WHERE child.fk_parent = parent.pk_parent
                                    AND child.body = 'sought') AS i,
             5 = ANY (SELECT child.num FROM child WHERE child.fk_parent = parent.pk_parent) AS five,
             ARRAY(SELECT child.num FROM child WHERE child.fk_parent = parent.pk_parent
                   ORDER BY child.num LIMIT 3) AS few
      FROM parent$$,
    $$UPDATE child SET body = 'sought' WHERE child.pk_child = 8$$);
CALL prove('any as a value',
    $$SELECT parent.pk_parent AS pk_shape,
             5000 = ANY (SELECT child.num FROM child WHERE child.fk_parent = parent.pk_parent) AS found
      FROM parent$$,
    $$UPDATE child SET num = 5000 WHERE child.pk_child = 32$$);
CALL prove('array of a subquery',
    $$SELECT parent.pk_parent AS pk_shape,
             ARRAY(SELECT child.body FROM child WHERE child.fk_parent = parent.pk_parent
                   ORDER BY child.pk_child) AS list
      FROM parent$$,
    $$UPDATE child SET body = 'changed 15' WHERE child.pk_child = 33$$);
CALL prove('not exists as a condition',
    $$SELECT parent.pk_parent AS pk_shape, parent.name FROM parent
      WHERE NOT EXISTS (SELECT FROM child WHERE child.fk_parent = parent.pk_parent
                        AND child.body = 'unwanted')$$,
    $$UPDATE child SET body = 'unwanted' WHERE child.pk_child = 34$$);
CALL prove('in as a condition',
    $$SELECT parent.pk_parent AS pk_shape, parent.name FROM parent
      WHERE parent.pk_parent IN (SELECT child.fk_parent FROM child WHERE child.num = 6000)$$,
    $$UPDATE child SET num = 6000 WHERE child.pk_child = 35$$);
CALL prove('not in as a condition',
    $$SELECT parent.pk_parent AS pk_shape, parent.name FROM parent
      WHERE 7000 NOT IN (SELECT child.num FROM child WHERE child.fk_parent = parent.pk_parent)$$,
    $$UPDATE child SET num = 7000 WHERE child.pk_child = 36$$);
CALL prove('exists as a condition',
    $$SELECT parent.pk_parent AS pk_shape, parent.name FROM parent
      WHERE EXISTS (SELECT FROM child WHERE child.fk_parent = parent.pk_parent
                    AND child.body = 'wanted')$$,
    $$UPDATE child SET body = 'wanted' WHERE child.pk_child = 8$$);
CALL prove('grandchildren',
    $$SELECT parent.pk_parent AS pk_shape,
             (SELECT jsonb_agg(grand.body ORDER BY grand.pk_grand)
              FROM child JOIN grand ON grand.fk_child = child.pk_child
              WHERE child.fk_parent = parent.pk_parent) AS data
      FROM parent$$,
    $$UPDATE grand SET body = 'changed' WHERE grand.pk_grand = 7$$);
CALL prove('many to many',
    $$SELECT parent.pk_parent AS pk_shape,
             (SELECT jsonb_agg(tag.name ORDER BY tag.pk_tag)
              FROM link JOIN tag ON tag.pk_tag = link.pk_tag
              WHERE link.pk_parent = parent.pk_parent) AS data
      FROM parent$$,
    $$DELETE FROM link WHERE link.pk_parent = 7 AND link.pk_tag = 42$$,
    $$UPDATE tag SET name = 'changed' WHERE tag.pk_tag = 49$$);
CALL prove('top rows of a correlated subquery',
    $$SELECT parent.pk_parent AS pk_shape,
             ARRAY(SELECT child.body FROM child WHERE child.fk_parent = parent.pk_parent
                   ORDER BY child.num DESC, child.pk_child LIMIT 2) AS top
      FROM parent$$,
    $$UPDATE child SET body = 'changed 7' WHERE child.fk_parent = 7 AND child.num = 19$$);
CALL prove('lateral',
    $$SELECT parent.pk_parent AS pk_shape, top.list
      FROM parent CROSS JOIN LATERAL
           (SELECT jsonb_agg(two.body ORDER BY two.pk_child) AS list
            FROM (SELECT * FROM child WHERE child.fk_parent = parent.pk_parent
                  ORDER BY child.num DESC, child.pk_child LIMIT 2) AS two) AS top$$,
    $$UPDATE child SET body = 'changed 8' WHERE child.fk_parent = 7 AND child.num = 19$$);

-- grouping
CALL prove('joined grouped subquery',
    $$SELECT parent.pk_parent AS pk_shape, parent.name, sums.n
      FROM parent LEFT JOIN (SELECT fk_parent, count(*) AS n FROM child GROUP BY fk_parent) AS sums
        ON sums.fk_parent = parent.pk_parent$$,
    $$DELETE FROM child WHERE child.pk_child = 8$$,
    $$UPDATE parent SET name = 'changed 5' WHERE parent.pk_parent = 8$$);
CALL prove('joined grouped subquery of grandchildren',
    $$SELECT parent.pk_parent AS pk_shape, sums.n, sums.list
      FROM parent LEFT JOIN
           (SELECT child.fk_parent, count(DISTINCT child.num) FILTER (WHERE child.num > 3) AS n,
                   array_agg(grand.body ORDER BY grand.pk_grand) AS list
            FROM child JOIN grand ON grand.fk_child = child.pk_child
            GROUP BY child.fk_parent HAVING count(*) > 1) AS sums
        ON sums.fk_parent = parent.pk_parent$$,
    $$UPDATE grand SET body = 'changed 2' WHERE grand.pk_grand = 37$$,
    $$DELETE FROM child WHERE child.pk_child = 38$$);
CALL prove('joined grouped subquery, many to many',
    $$SELECT parent.pk_parent AS pk_shape, tags.list
      FROM parent LEFT JOIN
           (SELECT link.pk_parent, jsonb_agg(tag.name ORDER BY tag.pk_tag) AS list
            FROM link JOIN tag ON tag.pk_tag = link.pk_tag GROUP BY link.pk_parent) AS tags
        ON tags.pk_parent = parent.pk_parent$$,
    $$DELETE FROM link WHERE link.pk_parent = 8 AND link.pk_tag = 49$$,
    $$UPDATE tag SET name = 'changed 2' WHERE tag.pk_tag = 56$$);
CALL prove('grandchildren, grouped at the top',
    $$SELECT parent.pk_parent AS pk_shape, jsonb_agg(grand.body ORDER BY grand.pk_grand) AS list
      FROM parent LEFT JOIN child ON child.fk_parent = parent.pk_parent
      LEFT JOIN grand ON grand.fk_child = child.pk_child GROUP BY parent.pk_parent$$,
    $$UPDATE grand SET body = 'changed 3' WHERE grand.pk_grand = 39$$);
CALL prove('many to many, grouped at the top',
    $$SELECT parent.pk_parent AS pk_shape, jsonb_agg(tag.name ORDER BY tag.pk_tag) AS list
      FROM parent JOIN link ON link.pk_parent = parent.pk_parent JOIN tag ON tag.pk_tag = link.pk_tag
      GROUP BY parent.pk_parent$$,
    $$UPDATE tag SET name = 'changed 3' WHERE tag.pk_tag = 63$$);
CALL prove('grouping at the top',
    $$SELECT parent.pk_parent AS pk_shape, parent.name, jsonb_agg(child.body ORDER BY child.pk_child)
      FROM parent JOIN child ON child.fk_parent = parent.pk_parent GROUP BY parent.pk_parent$$,
    $$UPDATE child SET body = 'changed 9' WHERE child.pk_child = 6$$,
    $$UPDATE parent SET name = 'changed 6' WHERE parent.pk_parent = 8$$);
CALL prove('grouping of one table, with having, filter and distinct',
    $$SELECT fk_parent AS pk_shape, count(DISTINCT body) AS n, count(*) FILTER (WHERE num > 10) AS m
      FROM child GROUP BY fk_parent HAVING count(*) > 1$$,
    $$UPDATE child SET body = 'changed 10', num = 51 WHERE child.pk_child = 6$$);
CALL prove('distinct', $$SELECT DISTINCT fk_parent AS pk_shape FROM child$$,
    $$UPDATE child SET fk_parent = 3000 WHERE child.pk_child = 6$$);
CALL prove('distinct on',
    $$SELECT DISTINCT ON (fk_parent) fk_parent AS pk_shape, body FROM child
      ORDER BY fk_parent, num DESC, pk_child$$,
    $$UPDATE child SET body = 'changed 11' WHERE child.fk_parent = 7 AND child.num = 19$$);
CALL prove('window partitioned by the key',
    $$SELECT fk_parent AS pk_shape, body
      FROM (SELECT fk_parent, body,
                   row_number() OVER (PARTITION BY fk_parent ORDER BY num DESC, pk_child) AS place
            FROM child) AS placed
      WHERE place = 1$$,
    $$UPDATE child SET body = 'changed 12' WHERE child.fk_parent = 7 AND child.num = 19$$);

-- A value that is found on the way goes into the groups and the partitions.
CALL prove('grouped subquery, joined by another column than the key',
    $$SELECT parent.pk_parent AS pk_shape, parent.name, sums.n
      FROM parent LEFT JOIN (SELECT fk_parent, count(*) AS n FROM child GROUP BY fk_parent) AS sums
        ON sums.fk_parent = parent.fk_boss$$,
    $$DELETE FROM child WHERE child.pk_child = 50$$,
    $$UPDATE parent SET fk_boss = 2500 WHERE parent.pk_parent = 11$$);
CALL prove('the same, the groups first',
    $$SELECT parent.pk_parent AS pk_shape, sums.n
      FROM (SELECT fk_parent, count(*) AS n FROM child GROUP BY fk_parent) AS sums
      RIGHT JOIN parent ON sums.fk_parent = parent.fk_boss$$,
    $$DELETE FROM child WHERE child.pk_child = 51$$);
CALL prove('the same, with a comma',
    $$SELECT parent.pk_parent AS pk_shape, sums.n
      FROM (SELECT fk_parent, count(*) AS n FROM child GROUP BY fk_parent) AS sums, parent
      WHERE sums.fk_parent = parent.fk_boss$$,
    $$DELETE FROM child WHERE child.pk_child = 52$$);
CALL prove('the same, for several keys',
    $$SELECT parent.pk_parent AS pk_shape, sums.n
      FROM parent JOIN (SELECT fk_parent, count(*) AS n FROM child GROUP BY fk_parent) AS sums
        ON sums.fk_parent = parent.fk_boss$$,
    $$UPDATE child SET fk_parent = 55 WHERE child.fk_parent = 54 AND child.num < 5$$);
CALL prove('the same, two joins away',
    $$SELECT grand.pk_grand AS pk_shape, sums.n
      FROM grand JOIN child ON child.pk_child = grand.fk_child
      JOIN (SELECT fk_parent, count(*) AS n FROM child GROUP BY fk_parent) AS sums
        ON sums.fk_parent = child.fk_parent$$,
    $$DELETE FROM child WHERE child.pk_child = 59$$);
CALL prove('in a grouped subquery as a condition',
    $$SELECT parent.pk_parent AS pk_shape, parent.name FROM parent
      WHERE parent.fk_boss IN (SELECT child.fk_parent FROM child GROUP BY child.fk_parent HAVING count(*) > 18)$$,
    $$UPDATE child SET fk_parent = 3002 WHERE child.fk_parent = 77 AND child.num < 5$$,
    $$UPDATE parent SET fk_boss = 77 WHERE parent.pk_parent = 785$$);
CALL prove('distinct subquery, joined by another column than the key',
    $$SELECT parent.pk_parent AS pk_shape, array_agg(nums.num ORDER BY nums.num) AS list
      FROM parent JOIN (SELECT DISTINCT fk_parent, num FROM child) AS nums ON nums.fk_parent = parent.fk_boss
      GROUP BY parent.pk_parent$$,
    $$UPDATE child SET num = 8000 WHERE child.pk_child = 53$$);
CALL prove('latest row per group, joined by another column than the key',
    $$SELECT parent.pk_parent AS pk_shape, latest.body
      FROM parent JOIN (SELECT DISTINCT ON (fk_parent) fk_parent, body FROM child
                        ORDER BY fk_parent, num DESC, pk_child) AS latest
        ON latest.fk_parent = parent.fk_boss$$,
    $$UPDATE child SET body = 'changed 16' WHERE child.fk_parent = 56 AND child.num = 19$$);
CALL prove('ranked rows, joined by another column than the key',
    $$SELECT parent.pk_parent AS pk_shape, placed.body
      FROM parent JOIN (SELECT fk_parent, body,
                               row_number() OVER (PARTITION BY fk_parent ORDER BY num DESC, pk_child) AS place
                        FROM child) AS placed
        ON placed.fk_parent = parent.fk_boss AND placed.place = 1$$,
    $$UPDATE child SET body = 'changed 17' WHERE child.fk_parent = 57 AND child.num = 19$$);
CALL prove('union, joined by another column than the key',
    $$SELECT parent.pk_parent AS pk_shape, array_agg(seen.num ORDER BY seen.num) AS list
      FROM parent JOIN (SELECT fk_parent, num FROM child UNION SELECT fk_parent, num + 1 FROM child) AS seen
        ON seen.fk_parent = parent.fk_boss
      GROUP BY parent.pk_parent$$,
    $$UPDATE child SET num = 9000 WHERE child.pk_child = 57$$);

CALL prove('window partitioned by another column than the key',
    $$SELECT child.pk_child AS pk_shape, count(*) OVER (PARTITION BY child.fk_parent) AS n FROM child$$,
    $$UPDATE child SET fk_parent = 2001 WHERE child.pk_child = 61$$,
    $$UPDATE child SET fk_parent = 61 WHERE child.pk_child = 62$$);
CALL prove('window partitioned by a column with NULLs',
    $$SELECT pk_node AS pk_shape, rank() OVER (PARTITION BY fk_node ORDER BY name) AS place FROM node$$,
    $$UPDATE node SET fk_node = NULL WHERE node.pk_node = 7001$$,
    $$UPDATE node SET fk_node = 70 WHERE node.pk_node = 7001$$);
CALL prove('window over groups',
    $$SELECT parent.pk_parent AS pk_shape,
             rank() OVER (PARTITION BY parent.a ORDER BY sum(child.num), parent.pk_parent) AS place
      FROM parent JOIN child ON child.fk_parent = parent.pk_parent GROUP BY parent.pk_parent$$,
    $$UPDATE child SET num = child.num + 100 WHERE child.pk_child = 63$$);
CALL prove('window below a join',
    $$SELECT grand.pk_grand AS pk_shape, placed.place
      FROM grand JOIN (SELECT pk_child, rank() OVER (PARTITION BY fk_parent ORDER BY num, pk_child) AS place
                       FROM child) AS placed ON placed.pk_child = grand.fk_child$$,
    $$UPDATE child SET num = 9500 WHERE child.pk_child = 64$$);
CALL prove('distinct on another column than the key',
    $$SELECT DISTINCT ON (fk_parent) pk_child AS pk_shape, body FROM child
      ORDER BY fk_parent, num DESC, pk_child$$,
    $$UPDATE child SET body = 'changed 18' WHERE child.fk_parent = 68 AND child.num = 19$$,
    $$UPDATE child SET num = 1 WHERE child.fk_parent = 66 AND child.num = 19$$);
CALL prove('windows partitioned by a linked column, and by another with its mates',
    $$SELECT child.pk_child AS pk_shape, count(*) OVER (PARTITION BY child.fk_parent) AS n,
             rank() OVER (PARTITION BY child.code ORDER BY child.num, child.pk_child) AS place
      FROM child$$,
    $$UPDATE child SET num = 3000 WHERE child.pk_child = 1$$);

-- set operations
CALL prove('union all',
    $$SELECT pk_parent AS pk_shape, name FROM parent
      UNION ALL SELECT pk_parent, note FROM extra WHERE pk_parent > 38000$$,
    $$UPDATE parent SET name = 'changed 7' WHERE parent.pk_parent = 8$$,
    $$UPDATE extra SET note = 'changed 4' WHERE extra.pk_parent = 39000$$);
CALL prove('union',
    $$SELECT pk_parent AS pk_shape FROM parent UNION SELECT fk_parent FROM child$$,
    $$UPDATE child SET fk_parent = 3001 WHERE child.pk_child = 5$$);
CALL prove('intersect',
    $$SELECT pk_parent AS pk_shape FROM parent INTERSECT SELECT fk_parent FROM child WHERE num = 7$$,
    $$UPDATE child SET num = 1007 WHERE child.fk_parent = 7 AND child.num = 7$$);
CALL prove('except',
    $$SELECT pk_parent AS pk_shape FROM parent EXCEPT SELECT fk_parent FROM child WHERE num = 1$$,
    $$UPDATE child SET num = 1001 WHERE child.fk_parent = 7 AND child.num = 1$$);

-- names for parts of a query
CALL prove('cte',
    $$WITH sums AS (SELECT fk_parent, count(*) AS n FROM child GROUP BY fk_parent)
      SELECT parent.pk_parent AS pk_shape, sums.n
      FROM parent LEFT JOIN sums ON sums.fk_parent = parent.pk_parent$$,
    $$DELETE FROM child WHERE child.pk_child = 15$$);
CALL prove('cte used twice, once by another column',
    $$WITH sums AS (SELECT fk_parent, count(*) AS n FROM child GROUP BY fk_parent)
      SELECT parent.pk_parent AS pk_shape, mine.n, boss.n AS of_boss
      FROM parent LEFT JOIN sums AS mine ON mine.fk_parent = parent.pk_parent
      LEFT JOIN sums AS boss ON boss.fk_parent = parent.fk_boss$$,
    $$DELETE FROM child WHERE child.pk_child = 19$$);
CALL prove('materialized cte',
    $$WITH sums AS MATERIALIZED (SELECT fk_parent, count(*) AS n FROM child GROUP BY fk_parent)
      SELECT parent.pk_parent AS pk_shape, sums.n
      FROM parent LEFT JOIN sums ON sums.fk_parent = parent.pk_parent$$,
    $$DELETE FROM child WHERE child.pk_child = 18$$);
CALL prove('cte used twice, both by the key',
    $$WITH sums AS (SELECT fk_parent, count(*) AS n FROM child GROUP BY fk_parent)
      SELECT parent.pk_parent AS pk_shape, sums.n,
             (SELECT max(n) FROM sums AS again WHERE again.fk_parent = parent.pk_parent) AS most
      FROM parent LEFT JOIN sums ON sums.fk_parent = parent.pk_parent$$,
    $$DELETE FROM child WHERE child.pk_child = 40$$);
CREATE VIEW v_sums AS SELECT fk_parent, count(*) AS n FROM child GROUP BY fk_parent;
CREATE VIEW v_named AS
SELECT parent.pk_parent, parent.name, v_sums.n
FROM parent LEFT JOIN v_sums ON v_sums.fk_parent = parent.pk_parent;
CALL prove('nested views', $$SELECT pk_parent AS pk_shape, name, n FROM v_named$$,
    $$DELETE FROM child WHERE child.pk_child = 16$$,
    $$UPDATE parent SET name = 'changed 8' WHERE parent.pk_parent = 8$$);
CREATE VIEW v_busy AS SELECT fk_parent AS who, n FROM v_sums WHERE n > 5;
CALL prove('nested views, joined by another column than the key',
    $$SELECT parent.pk_parent AS pk_shape, v_busy.n
      FROM parent LEFT JOIN v_busy ON v_busy.who = parent.fk_boss$$,
    $$DELETE FROM child WHERE child.pk_child = 58$$);
CREATE TABLE tv_extra AS SELECT pk_parent AS pk_extra, note FROM extra;
CALL prove('a TVIEW as a source',
    $$SELECT parent.pk_parent AS pk_shape, parent.name, tv_extra.note
      FROM parent LEFT JOIN tv_extra ON tv_extra.pk_extra = parent.pk_parent$$,
    $$UPDATE extra SET note = 'changed 5' WHERE extra.pk_parent = 7$$);
DROP TABLE tv_extra;
CREATE TABLE tv_c1 AS
SELECT parent.pk_parent AS pk_c1,
       (SELECT count(*) FROM child WHERE child.fk_parent = parent.pk_parent) AS n FROM parent;
DO $$ BEGIN
    FOR i IN 2..10 LOOP
        EXECUTE format('CREATE TABLE tv_c%s AS SELECT pk_c%s AS pk_c%1$s, n FROM tv_c%2$s', i, i - 1);
    END LOOP;
END $$;
CALL prove('a chain of ten TVIEWs, and a diamond',
    $$SELECT tv_c10.pk_c10 AS pk_shape, tv_c10.n AS last, tv_c1.n AS first
      FROM tv_c10 JOIN tv_c1 ON tv_c1.pk_c1 = tv_c10.pk_c10$$,
    $$DELETE FROM child WHERE child.pk_child = 20$$,
    $$UPDATE child SET body = 'unread' WHERE child.pk_child = 21$$);
SET client_min_messages = error;
DROP TABLE tv_c1 CASCADE;
SET client_min_messages = warning;
CALL prove('partitions',
    $$SELECT parent.pk_parent AS pk_shape,
             (SELECT jsonb_agg(part.body ORDER BY part.num) FROM part
              WHERE part.fk_parent = parent.pk_parent) AS data
      FROM parent$$,
    $$UPDATE part SET body = 'changed' WHERE part.fk_parent = 7 AND part.num = 3$$,
    $$UPDATE part SET num = part.num + 1000 WHERE part.fk_parent = 7 AND part.num = 4$$);
CREATE TABLE heir (more text) INHERITS (extra);
INSERT INTO heir SELECT i, 'heir ' || i FROM generate_series(40001, 41000) AS i;
CALL prove('inheritance',
    $$SELECT pk_parent AS pk_shape, note FROM extra WHERE pk_parent > 38000$$,
    $$UPDATE heir SET note = 'changed' WHERE heir.pk_parent = 40001$$,
    $$UPDATE extra SET note = 'changed 6' WHERE extra.pk_parent = 39000$$);
DROP TABLE heir;
CALL prove('a key that is an expression',
    $$SELECT 'p' || parent.pk_parent AS pk_shape,
             (SELECT count(*) FROM child WHERE child.fk_parent = parent.pk_parent) AS n FROM parent$$,
    $$DELETE FROM child WHERE child.pk_child = 22$$);
CREATE TABLE odd (span int4range PRIMARY KEY, day date NOT NULL UNIQUE, note text);
INSERT INTO odd SELECT int4range(i, i + 1), date '2000-01-01' + i, 'odd ' || i FROM generate_series(1, 2000) AS i;
CALL prove('keys of other types',
    $$SELECT odd.span AS pk_shape, odd.note, twin.note AS twin
      FROM odd JOIN odd AS twin ON twin.day = odd.day + 1$$,
    $$UPDATE odd SET note = 'changed' WHERE odd.day = '2001-01-01'$$);
CALL prove('elements of an array',
    $$SELECT parent.pk_parent AS pk_shape, jsonb_agg(tag.name ORDER BY tag.pk_tag) AS data
      FROM parent CROSS JOIN LATERAL unnest(ARRAY[parent.a, parent.b]) AS element (pk_tag)
      JOIN tag ON tag.pk_tag = element.pk_tag GROUP BY parent.pk_parent$$,
    $$UPDATE parent SET a = 9000 WHERE parent.pk_parent = 8$$);
CALL prove('a tree, walked down',
    $$SELECT root.pk_node AS pk_shape,
             (WITH RECURSIVE below AS (
                  SELECT pk_node, name FROM node WHERE pk_node = root.pk_node
                  UNION ALL
                  SELECT node.pk_node, node.name
                  FROM below JOIN node ON node.fk_node = below.pk_node)
              SELECT count(*) FROM below) AS size
      FROM (SELECT pk_node FROM node WHERE pk_node < 100) AS root$$,
    $$UPDATE node SET fk_node = 99 WHERE node.pk_node = 5000$$);

-- That the measure sees scans: what ranks all rows against each other is refreshed fully.
CALL prove('ranking all rows',
    $$SELECT pk_parent AS pk_shape, rank() OVER (ORDER BY note, pk_parent) AS place
      FROM extra WHERE pk_parent <= 2000$$,
    $$UPDATE extra SET note = 'extra 1000' WHERE extra.pk_parent = 1001$$);

CALL prove('a key of two tables',
    $$SELECT parent.code || '/' || child.num AS pk_shape, child.body
      FROM parent JOIN child ON child.fk_parent = parent.pk_parent WHERE parent.pk_parent < 3$$,
    $$UPDATE child SET body = 'changed 13' WHERE child.fk_parent = 2 AND child.num = 19$$);

\pset format unaligned
SELECT shape, strategy, scans, is_cheap, full_refreshes, rewritten, differences, change FROM result
ORDER BY result.ctid;
DROP SCHEMA cost_shapes CASCADE;
