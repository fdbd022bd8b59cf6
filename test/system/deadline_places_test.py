"""Deadlines in every place of a query where a comparison can stand, in two lanes: moments pass, nobody writes, and all the time each
TVIEW is its query as of its lane's time. What has no moments that its rows determine is refused, and accepted with a period.

Danger: a comparison is found in WHERE and overlooked in the branch of a set operation, the argument of a window, or a sublink of a
sublink; its TVIEW then keeps what was true when the row was written."""
import time

import psycopg2

from tviews_server import Server, check_equal, run, value

SCRIPT = """
CREATE DOMAIN moment AS timestamptz CHECK (VALUE > '2000-01-01');
CREATE TABLE t (pk int PRIMARY KEY, g int NOT NULL, e timestamptz NOT NULL, b timestamptz NOT NULL, n timestamptz,
    local timestamp GENERATED ALWAYS AS (e AT TIME ZONE 'UTC') STORED, dom moment, range tstzrange, span interval NOT NULL DEFAULT '0.3 s');
CREATE TABLE u (pk int PRIMARY KEY, fk int NOT NULL, e timestamptz NOT NULL);
CREATE INDEX ON u (fk);
CREATE TABLE p (pk int NOT NULL, e timestamptz NOT NULL, PRIMARY KEY (pk)) PARTITION BY RANGE (pk);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (1000);
CREATE VIEW live AS SELECT u.fk, u.e FROM u WHERE u.e > now();
SET client_min_messages = warning;
SET TimeZone = 'UTC';
"""
PLACES = {
    "base": "SELECT pk, e, b FROM t",
    "union_arms": "SELECT pk, 'a' AS k FROM t WHERE e > now() UNION ALL SELECT pk + 1000, 'b' FROM t WHERE b <= now()",
    "except_arm": "SELECT pk FROM t EXCEPT SELECT fk FROM u WHERE u.e < now()",
    "cte": "WITH live AS (SELECT pk, e FROM t WHERE e > now()) SELECT pk, e FROM live",
    "cte_twice": "WITH live AS MATERIALIZED (SELECT pk, e FROM t WHERE e > now()) SELECT a.pk, (SELECT count(*) FROM live) AS n FROM live a",
    "recursive": "WITH RECURSIVE r AS (SELECT pk FROM t WHERE pk = 1 UNION SELECT t.pk FROM r JOIN t ON t.pk = r.pk + 1 AND t.e > now()) SELECT pk FROM r",
    "lateral": "SELECT t.pk, l.n FROM t CROSS JOIN LATERAL (SELECT count(*) AS n FROM u WHERE u.fk = t.pk AND u.e > now()) l",
    "window_filter": "SELECT pk, count(*) FILTER (WHERE e > now()) OVER (PARTITION BY g) AS n FROM t",
    "window_order": "SELECT pk, rank() OVER (ORDER BY e > now(), pk) AS n FROM t",
    "window_argument": "SELECT pk, lag(e > now()) OVER (PARTITION BY g ORDER BY pk) AS x FROM t",
    "limited": "SELECT pk, e FROM t WHERE e > now() ORDER BY pk LIMIT 5",
    "distinct_on": "SELECT DISTINCT ON (g) g AS pk, t.pk AS first FROM t WHERE e > now() ORDER BY g, t.pk",
    "grouping_sets": "SELECT coalesce(g, -1) AS pk, count(*) FILTER (WHERE e > now()) AS n FROM t GROUP BY GROUPING SETS ((g), ())",
    "having": "SELECT g AS pk, count(*) AS n FROM t GROUP BY g HAVING bool_or(e > now())",
    "aggregate_order": "SELECT g AS pk, array_agg(pk ORDER BY (e > now()), pk) AS x FROM t GROUP BY g",
    "case_in_sum": "SELECT g AS pk, sum(CASE WHEN e > now() THEN 1 ELSE 0 END) AS n FROM t GROUP BY g",
    "case_twice": "SELECT pk, CASE WHEN e < now() THEN 'past' WHEN b < now() THEN 'open' ELSE 'early' END AS s FROM t",
    "not_in": "SELECT pk FROM t WHERE pk NOT IN (SELECT fk FROM u WHERE u.e > now())",
    "array_sublink": "SELECT pk, pk = ANY (ARRAY(SELECT fk FROM u WHERE u.e > now())) AS x FROM t",
    "exists_join": "SELECT pk FROM t WHERE EXISTS (SELECT FROM u JOIN t t2 ON t2.pk = u.fk WHERE u.fk = t.pk AND u.e > now() AND t2.b < now())",
    "sublink_of_sublink": "SELECT pk, (SELECT count(*) FROM u WHERE u.fk = t.pk AND EXISTS (SELECT FROM t o WHERE o.pk = u.fk + 1 AND o.e > now())) AS n FROM t",
    "outer_join": "SELECT t.pk, bool_or(u.e > now()) AS x, t.e > now() AS y, count(u.pk) AS n FROM t LEFT JOIN u ON u.fk = t.pk AND u.e - interval '0.2 s' > now() GROUP BY t.pk",
    "view_joined": "SELECT t.pk, count(live.e) AS n FROM t LEFT JOIN live ON live.fk = t.pk GROUP BY t.pk",
    "document": "SELECT pk, jsonb_build_object('live', e > now(), 'kids', (SELECT jsonb_agg(u.pk ORDER BY u.pk) FROM u WHERE u.fk = t.pk AND now() < u.e)) AS data FROM t",
    "on_tview": "SELECT pk FROM tv_base WHERE e > now()",
    "on_two_tviews": "SELECT b.pk, o.n FROM tv_base b LEFT JOIN tv_lateral o USING (pk) WHERE b.e > now()",
    "partitions": "SELECT pk FROM p WHERE e > now()",
    "generated": "SELECT pk FROM t WHERE local > LOCALTIMESTAMP",
    "domain": "SELECT pk FROM t WHERE dom > now()",
    "coalesced": "SELECT pk FROM t WHERE coalesce(n, 'infinity') > now()",
    "the_greatest": "SELECT pk FROM t WHERE greatest(e, b) > now()",
    "symmetric": "SELECT pk, now() BETWEEN SYMMETRIC e AND b AS x FROM t",
    "disjunction": "SELECT pk FROM t WHERE e > now() OR b > now() - interval '0.5 s' OR n > now()",
    "negation": "SELECT pk FROM t WHERE NOT (e < now() AND NOT b > now())",
    "three_values": "SELECT pk, (e > now()) IS NOT TRUE AS x, (n > now()) IS UNKNOWN AS y FROM t",
    "compared_truth": "SELECT pk FROM t WHERE (e > now()) = (pk % 2 = 0)",
    "cast_truth": "SELECT pk, (e > now())::int + (b > now())::int AS x FROM t",
    "casts": "SELECT pk FROM t WHERE e::timestamp > now()::timestamp",
    "date_of_now": "SELECT pk FROM t WHERE e > now()::date",
    "truncated": "SELECT pk FROM t WHERE date_trunc('second', e) > date_trunc('second', now())",
    "upper_bound": "SELECT pk FROM t WHERE upper(range) > now()",
    "in_range": "SELECT pk, range @> now() AS x FROM t",
    "own_span": "SELECT pk FROM t WHERE e + span > now()",
    "how_long": "SELECT pk FROM t WHERE e - now() > interval '0'",
    "how_long_ago": "SELECT pk FROM t WHERE now() - b < interval '2 s'",
}
NO_POINTS = {
    "row_comparison": "SELECT pk, (e, pk) > (now(), 1) AS x FROM t",
    "any_of_clocks": "SELECT pk, e > ANY (ARRAY[now(), now() - interval '1 s']) AS x FROM t",
    "distinct_from": "SELECT pk, e IS DISTINCT FROM now() AS x FROM t",
    "any_of_columns": "SELECT pk, now() = ANY (ARRAY[e, b]) AS x FROM t",
    "overlapping": "SELECT pk, (b, e) OVERLAPS (now(), now() + interval '1 s') AS x FROM t",
    "epoch": "SELECT pk FROM t WHERE extract(epoch FROM e) > extract(epoch FROM now())",
    "as_text": "SELECT pk FROM t WHERE e::text > now()::text",
    "before_range": "SELECT pk, range << tstzrange(now(), NULL) AS x FROM t",
    "overlapping_range": "SELECT pk, range && tstzrange(now(), now() + interval '1 s') AS x FROM t",
    "two_relations": "SELECT t.pk FROM t JOIN (VALUES (interval '1 s')) v (i) ON t.e + v.i > now()",
}
ROWS = """
INSERT INTO t (pk, g, e, b, n, dom, range)
SELECT i, i % 4, m, m - interval '1.2 s', CASE WHEN i % 3 > 0 THEN m END, m, tstzrange(m - interval '1 s', m)
FROM (SELECT i, clock_timestamp() + interval '0.5 s' + i * interval '30 ms' AS m FROM generate_series(1, 100) i) x;
INSERT INTO u SELECT i, i % 100 + 1, clock_timestamp() + interval '0.7 s' + i * interval '20 ms' FROM generate_series(1, 150) i;
INSERT INTO p SELECT i, clock_timestamp() + i * interval '30 ms' FROM generate_series(1, 100) i;
"""


def look():
    for entity in PLACES:
        rows = run(connection, "SELECT * FROM pg_tviews_verify(%s) LIMIT 3", (entity,))
        assert rows == [], (entity, rows)


with Server("deadline_places") as server:
    connection = server.prepare("places", SCRIPT)
    for entity, query in PLACES.items():
        run(connection, "SELECT pg_tviews_create(%s, %s, key => 'pk')", (entity, query))
    for entity, query in NO_POINTS.items():
        try:
            run(connection, "SELECT pg_tviews_create(%s, %s, key => 'pk')", (entity, query))
            raise AssertionError(f"{entity} was accepted")
        except psycopg2.Error as error:
            assert error.pgcode == "42P17" and "clock_period" in error.diag.message_hint, error
    run(connection, f"CREATE TABLE tv_epoch WITH (pg_tviews.key = 'pk', pg_tviews.clock_period = '1 s') AS {NO_POINTS['epoch']}")
    for entity in list(PLACES)[1::3]:
        run(connection, f"ALTER TABLE tv_{entity} SET (pg_tviews.lane = 'other')")
    run(connection, ROWS)
    run(connection, "SET pg_tviews.read_consistency = 'eventual'")
    over, looks = "SELECT greatest((SELECT max(e + span) FROM t), (SELECT max(e) FROM u)) < clock_timestamp() - interval '1.1 s'", 0
    records = "SELECT sum(records)::int FROM pg_tviews_workers WHERE kind = 'applier'"
    run(connection, "SELECT pg_tviews_wait()")
    before, end = value(connection, records), time.monotonic() + 60
    while not value(connection, over):
        look()
        looks += 1
        assert time.monotonic() < end
    assert value(connection, records) == before, "somebody wrote"
    # All moments have passed, and the queries show what they always will.
    run(connection, "SET pg_tviews.read_consistency = 'strict'")
    check_equal(connection, "after all moments")
    assert value(connection, "SELECT count(*) FROM pg_tview_dead_letter") == 0
    print(f"note: {len(PLACES)} places, {looks} looks")
