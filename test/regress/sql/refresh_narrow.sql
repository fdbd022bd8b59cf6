-- Values that are found on the way to a subquery with groups or windows go into it (narrow_query.h): whether one of the
-- 20,000 items' key reads many of them, and that the rows are those of the query, also where the groups' equality is
-- not the join's.
SET client_min_messages = warning;
CREATE SCHEMA refresh_narrow;
SET search_path = refresh_narrow, public;
CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TYPE place AS (street text, number int);
CREATE TABLE holder (
    pk_holder int PRIMARY KEY,
    big bigint,
    num numeric,
    code varchar(20),
    name text COLLATE folded,
    team int
);
CREATE TABLE item (
    pk_item int PRIMARY KEY,
    fk_holder int,
    num numeric,
    code text,
    name text COLLATE folded,
    spot place,
    list int[],
    price int NOT NULL
);
INSERT INTO holder
SELECT i, 1 + i % 500, (1 + i % 500)::numeric(10, 1), 'c' || i % 500, 'N' || i % 500, nullif(i % 100, 0)
FROM generate_series(1, 2000) AS i;
INSERT INTO item
SELECT i, nullif(i % 600, 0), CASE WHEN i % 2 = 0 THEN (i % 600)::numeric(10, 2) ELSE i % 600 END, 'c' || i % 600,
       CASE WHEN i % 2 = 0 THEN 'n' ELSE 'N' END || i % 600, ROW('s' || i % 600, 1)::place, ARRAY[i % 600], i % 70
FROM generate_series(1, 20000) AS i;
CREATE INDEX ON holder (big);
CREATE INDEX ON holder (num);
CREATE INDEX ON holder (code);
CREATE INDEX ON holder (name);
CREATE INDEX ON holder (team);
CREATE INDEX ON item (fk_holder);
CREATE INDEX ON item ((fk_holder + 0));
CREATE INDEX ON item (num);
CREATE INDEX ON item (code);
CREATE INDEX ON item (name);
CREATE INDEX ON item (spot);
CREATE INDEX ON item (list);
VACUUM ANALYZE holder, item;
CREATE VIEW v_sums AS SELECT fk_holder, count(*) AS n, sum(price) AS total FROM item GROUP BY fk_holder;
CREATE VIEW v_seen AS
SELECT fk_holder AS who, count(*) AS n, true AS is_item FROM item GROUP BY fk_holder
UNION ALL SELECT big, 1, false FROM holder;
CREATE VIEW v_more AS SELECT who, n FROM v_seen UNION ALL (SELECT team, 2 FROM holder UNION ALL SELECT who, 3 FROM v_seen);
CREATE VIEW v_except AS SELECT who, n FROM v_more EXCEPT SELECT who, n FROM v_seen;
CREATE VIEW v_codes AS SELECT code, fk_holder FROM item GROUP BY code, fk_holder;

-- Changes everything that a shape may depend on, in several batches.
CREATE PROCEDURE change() LANGUAGE plpgsql AS $$
DECLARE
    statement text;
BEGIN
    FOREACH statement IN ARRAY ARRAY[
        'UPDATE item SET price = price + 1000 WHERE pk_item IN (7, 607, 1200)',
        'UPDATE item SET fk_holder = NULL, num = NULL, code = NULL, name = NULL, spot = NULL, list = NULL WHERE pk_item = 8',
        'UPDATE item SET fk_holder = 9, num = 9.000, code = ''c9'', name = ''n9'', spot = ROW(''s9'', 1), list = ''{9}'' WHERE pk_item IN (8, 600, 10)',
        'UPDATE holder SET big = NULL, num = NULL, code = NULL, name = NULL, team = NULL WHERE pk_holder IN (11, 12)',
        'UPDATE holder SET big = 9, num = 9.00, code = ''c9'', name = ''N9'', team = 9 WHERE pk_holder IN (11, 13)',
        'DELETE FROM item WHERE pk_item IN (14, 15)',
        'INSERT INTO item SELECT 30000 + i, i, i, ''c'' || i, ''N'' || i, ROW(''s'' || i, 1)::place, ARRAY[i], 5 FROM generate_series(13, 17) AS i',
        'DELETE FROM item WHERE pk_item > 30000'] LOOP
        EXECUTE statement;
        COMMIT;
        PERFORM pg_tviews_wait();
        COMMIT;
    END LOOP;
END $$;

CREATE TABLE result (shape text, strategy text, reads_many bool, differences bigint, full_refreshes bigint);
CREATE PROCEDURE prove(shape text, query text) LANGUAGE plpgsql AS $$
DECLARE
    most numeric;
    strategy text;
    whole bigint;
    wrong bigint;
BEGIN
    EXECUTE 'CREATE TABLE tv_shape AS ' || query;
    SELECT string_agg(DISTINCT format('%s %s', source, l.strategy), ', ') INTO strategy
    FROM pg_tview_lineage l WHERE tview = 'tv_shape'::regclass;
    COMMIT;
    CALL change();
    -- Rows that a node of the plan returned, or dropped.
    SELECT max(rows[1]::numeric * coalesce(rows[2], '1')::numeric) INTO most
    FROM pg_tviews_analyze_cascade('shape', '13') AS line,
         regexp_match(line, '(?:actual.* rows=|Rows Removed[^:]*: )(\d+)(?: loops=(\d+))?') AS rows;
    SELECT full_refreshes INTO whole FROM pg_tviews_performance_summary WHERE entity = 'shape';
    SELECT count(*) INTO wrong FROM pg_tviews_verify('shape');
    INSERT INTO result VALUES (shape, strategy, most > 5000, wrong, whole);
    DROP TABLE tv_shape;
    COMMIT;
END $$;

-- groups
CALL prove('equal integers of other types',
    $$SELECT pk_holder AS pk_shape, n, total FROM holder LEFT JOIN v_sums ON v_sums.fk_holder = holder.big$$);
CALL prove('numbers, equal but not the same',
    $$SELECT pk_holder AS pk_shape, n FROM holder
      JOIN (SELECT num, count(*) AS n FROM item GROUP BY num) AS sums ON sums.num = holder.num$$);
CALL prove('text that is stored as varchar',
    $$SELECT pk_holder AS pk_shape, n FROM holder
      JOIN (SELECT code, count(*) AS n FROM item GROUP BY code) AS sums ON sums.code = holder.code$$);
CALL prove('text that ignores case, grouped that way',
    $$SELECT pk_holder AS pk_shape, n FROM holder
      LEFT JOIN (SELECT name, count(*) AS n FROM item GROUP BY name) AS sums ON sums.name = holder.name$$);
CALL prove('text that ignores case, grouped exactly: not handed down',
    $$SELECT pk_holder AS pk_shape, count(sums.n) AS groups, sum(sums.n) AS n FROM holder
      LEFT JOIN (SELECT name COLLATE "C" AS name, count(*) AS n FROM item GROUP BY 1) AS sums
        ON sums.name COLLATE folded = holder.name GROUP BY pk_holder$$);
CALL prove('text that is exact, grouped ignoring case: not handed down',
    $$SELECT pk_holder AS pk_shape, count(sums.n) AS groups FROM holder
      LEFT JOIN (SELECT name, count(*) AS n FROM item GROUP BY name) AS sums
        ON lower(sums.name COLLATE "C") = lower(holder.name COLLATE "C") GROUP BY pk_holder$$);
CALL prove('an expression',
    $$SELECT pk_holder AS pk_shape, n FROM holder
      JOIN (SELECT fk_holder + 0 AS next, count(*) AS n FROM item WHERE fk_holder IS NOT NULL GROUP BY 1) AS sums
        ON sums.next = holder.big$$);
CALL prove('two columns, one of them of another table',
    $$SELECT holder.pk_holder AS pk_shape, sums.n FROM holder
      JOIN holder AS twin ON twin.pk_holder = holder.big
      JOIN (SELECT fk_holder, code, count(*) AS n FROM item GROUP BY fk_holder, code) AS sums
        ON sums.fk_holder = twin.big AND sums.code = holder.code$$);
CALL prove('two groupings that meet',
    $$SELECT holder.pk_holder AS pk_shape, one.n, two.n AS most FROM holder
      JOIN (SELECT fk_holder, count(*) AS n FROM item GROUP BY fk_holder) AS one ON one.fk_holder = holder.big
      JOIN (SELECT fk_holder, max(price) AS n FROM item GROUP BY fk_holder) AS two
        ON two.fk_holder = one.fk_holder AND two.fk_holder = holder.big$$);
CALL prove('groups on the preserved side: not handed down',
    $$SELECT holder.pk_holder AS pk_shape, count(sums.fk_holder) AS n FROM holder
      JOIN (v_sums AS sums LEFT JOIN holder AS twin ON twin.pk_holder = sums.fk_holder AND twin.big = sums.n)
        ON coalesce(twin.pk_holder, 1) = holder.big GROUP BY holder.pk_holder$$);
CALL prove('groups behind a nullable table',
    $$SELECT holder.pk_holder AS pk_shape, v_sums.n FROM holder
      LEFT JOIN holder AS twin ON twin.pk_holder = holder.big AND twin.team = 9
      LEFT JOIN v_sums ON v_sums.fk_holder = twin.pk_holder$$);
CALL prove('groups in brackets, exchanged',
    $$SELECT holder.pk_holder AS pk_shape, v_sums.n, twin.team FROM (v_sums LEFT JOIN holder AS twin ON twin.pk_holder = v_sums.n)
      JOIN holder ON v_sums.fk_holder = holder.big$$);
CALL prove('full join: not handed down',
    $$SELECT pk_holder AS pk_shape, v_sums.n FROM holder FULL JOIN v_sums ON v_sums.fk_holder = holder.pk_holder
      WHERE pk_holder IS NOT NULL$$);
CALL prove('having, and a limit inside of the groups: not handed down',
    $$SELECT pk_holder AS pk_shape, sums.n FROM holder
      LEFT JOIN (SELECT * FROM (SELECT fk_holder, count(*) AS n FROM item GROUP BY fk_holder HAVING count(*) > 3) AS all_sums
                 ORDER BY fk_holder LIMIT 400) AS sums ON sums.fk_holder = holder.big$$);
CALL prove('a CTE three times',
    $$WITH sums AS MATERIALIZED (SELECT fk_holder, count(*) AS n FROM item GROUP BY fk_holder),
           more AS (SELECT fk_holder, n + 1 AS n FROM sums)
      SELECT pk_holder AS pk_shape, a.n AS a, b.n AS b, (SELECT max(n) FROM sums WHERE fk_holder = holder.team) AS c
      FROM holder LEFT JOIN sums AS a ON a.fk_holder = holder.big LEFT JOIN more AS b ON b.fk_holder = holder.team$$);
CALL prove('except, of groups',
    $$SELECT pk_holder AS pk_shape, array_agg(seen.price ORDER BY seen.price) AS list FROM holder
      JOIN (SELECT fk_holder, price FROM item EXCEPT SELECT fk_holder, max(price) FROM item GROUP BY fk_holder) AS seen
        ON seen.fk_holder = holder.big GROUP BY pk_holder$$);
CALL prove('union all of other types',
    $$SELECT pk_holder AS pk_shape, sum(seen.n) AS n FROM holder
      JOIN (SELECT fk_holder AS who, count(*) AS n FROM item GROUP BY fk_holder
            UNION ALL SELECT big, 1 FROM holder) AS seen ON seen.who = holder.big GROUP BY pk_holder$$);
CALL prove('union all as the TVIEW itself',
    $$SELECT pk_item AS pk_shape, price FROM item UNION ALL SELECT -pk_holder, team FROM holder$$);
CALL prove('groups, and union all as the TVIEW itself',
    $$SELECT fk_holder AS pk_shape, sum(price) AS n FROM item WHERE fk_holder IS NOT NULL GROUP BY fk_holder
      UNION ALL SELECT -pk_holder, team FROM holder$$);
CALL prove('union all of a view',
    $$SELECT pk_holder AS pk_shape, v_seen.n FROM holder LEFT JOIN v_seen ON v_seen.who = holder.big AND v_seen.is_item$$);
CALL prove('union all of a view below that of a view',
    $$SELECT pk_holder AS pk_shape, sum(v_more.n) AS n FROM holder JOIN v_more ON v_more.who = holder.big GROUP BY pk_holder$$);
CALL prove('union all of a view below groups',
    $$SELECT pk_holder AS pk_shape, sums.n FROM holder
      JOIN (SELECT who, sum(n) AS n FROM v_more GROUP BY who) AS sums ON sums.who = holder.big$$);
CALL prove('except, of views',
    $$SELECT pk_holder AS pk_shape, count(*) AS n FROM holder JOIN v_except ON v_except.who = holder.big GROUP BY pk_holder$$);
CALL prove('in a view that is a union all',
    $$SELECT pk_holder AS pk_shape FROM holder WHERE big IN (SELECT who FROM v_more WHERE n > 30)$$);

CALL prove('in subqueries with groups, NULLs among them',
    $$SELECT pk_holder AS pk_shape FROM holder
      WHERE num IN (SELECT num FROM item GROUP BY num HAVING count(*) > 3) AND big IN (SELECT fk_holder FROM v_codes)$$);
CALL prove('the same as a value: not handed down',
    $$SELECT pk_holder AS pk_shape, big IN (SELECT fk_holder FROM v_codes) AS has_items FROM holder$$);
CALL prove('not in such a one: not handed down',
    $$SELECT pk_holder AS pk_shape FROM holder
      WHERE num NOT IN (SELECT num FROM item WHERE num IS NOT NULL GROUP BY num HAVING count(*) > 34)$$);

-- partitions
CALL prove('window partitioned by a column that can be NULL',
    $$SELECT pk_item AS pk_shape, sum(price) OVER (PARTITION BY fk_holder) AS total FROM item$$);
CALL prove('by two columns, and in another window by one',
    $$SELECT pk_item AS pk_shape, sum(price) OVER (PARTITION BY fk_holder, code) AS total,
             count(*) OVER (PARTITION BY num) AS n FROM item$$);
CALL prove('by text that ignores case',
    $$SELECT pk_item AS pk_shape, sum(price) OVER (PARTITION BY name) AS total FROM item$$);
CALL prove('by a composite',
    $$SELECT pk_item AS pk_shape, sum(price) OVER (PARTITION BY spot) AS total FROM item$$);
CALL prove('by an array: all rows',
    $$SELECT pk_item AS pk_shape, sum(price) OVER (PARTITION BY list) AS total FROM item$$);
CALL prove('by an expression',
    $$SELECT pk_item AS pk_shape, sum(price) OVER (PARTITION BY fk_holder + 0) AS total FROM item$$);
CALL prove('ranks, of which the first are kept',
    $$SELECT pk_item AS pk_shape, place FROM
      (SELECT pk_item, rank() OVER (PARTITION BY fk_holder ORDER BY price, pk_item) AS place FROM item) AS placed
      WHERE place <= 3$$);
CALL prove('windows over windows',
    $$SELECT pk_item AS pk_shape, sum(n) OVER (PARTITION BY code) AS total FROM
      (SELECT pk_item, code, count(*) OVER (PARTITION BY fk_holder) AS n FROM item) AS counted$$);
CALL prove('over groups, by the column of a primary key',
    $$SELECT pk_holder AS pk_shape, rank() OVER (PARTITION BY team ORDER BY count(pk_item), pk_holder) AS place
      FROM holder LEFT JOIN item ON item.fk_holder = holder.big GROUP BY pk_holder$$);
CALL prove('distinct windows: all rows',
    $$SELECT DISTINCT pk_item AS pk_shape, count(*) OVER (PARTITION BY fk_holder) AS n FROM item$$);
CALL prove('distinct on',
    $$SELECT DISTINCT ON (fk_holder) pk_item AS pk_shape, price FROM item ORDER BY fk_holder, price DESC, pk_item$$);
CALL prove('windows below a join',
    $$SELECT pk_holder AS pk_shape, placed.place FROM holder
      LEFT JOIN (SELECT pk_item, rank() OVER (PARTITION BY fk_holder ORDER BY price, pk_item) AS place FROM item) AS placed
        ON placed.pk_item = holder.big$$);
-- What refers to the windows cannot be referred to by them.
CALL prove('windows that a LATERAL subquery refers to',
    $$SELECT x.pk_item AS pk_shape, y.n FROM (SELECT pk_item, count(*) OVER (PARTITION BY fk_holder) AS n FROM item) AS y
      CROSS JOIN LATERAL (SELECT DISTINCT y.pk_item, holder.team FROM holder WHERE holder.big <= 1) AS x WHERE y.pk_item = x.pk_item
      EXCEPT SELECT -1, -1$$);
CALL prove('windows below the left side of such a join',
    $$SELECT x.pk_item AS pk_shape, y.n
      FROM (SELECT w.pk_item, w.n FROM (SELECT pk_item, count(*) OVER (PARTITION BY fk_holder) AS n FROM item) AS w JOIN item AS i ON i.pk_item = w.pk_item) AS y,
      LATERAL (SELECT DISTINCT y.pk_item, holder.team FROM holder WHERE holder.big <= 1) AS x WHERE y.pk_item = x.pk_item$$);

\pset format unaligned
SELECT shape, strategy, reads_many, differences, full_refreshes FROM result ORDER BY result.ctid;
DROP SCHEMA refresh_narrow CASCADE;
