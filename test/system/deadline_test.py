"""Deadlines: a row leaves, comes or changes at its moment, without a write. In every statement all TVIEWs show their
queries at the frontier's time, and that is never long ago."""
import datetime
import statistics

from tviews_server import Server, cpu_seconds, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_shop (pk_shop int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_offer (pk_offer int PRIMARY KEY, fk_shop int NOT NULL, begins timestamptz NOT NULL, expires_at timestamptz NOT NULL);
CREATE INDEX ON tb_offer (fk_shop);
CREATE INDEX ON tb_offer (begins);
CREATE INDEX ON tb_offer (expires_at);
INSERT INTO tb_shop SELECT i, 'shop ' || i FROM generate_series(1, 20) AS i;
CREATE FUNCTION is_over(at timestamptz) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT at <= now()';
CREATE TABLE tv_offer AS SELECT tb_offer.pk_offer, tb_shop.name FROM tb_offer JOIN tb_shop ON pk_shop = fk_shop
WHERE now() BETWEEN begins AND expires_at;
CREATE TABLE tv_shop AS SELECT tb_shop.pk_shop, count(*) FILTER (WHERE is_over(tb_offer.expires_at)) AS past,
       EXISTS (SELECT FROM tb_offer AS o WHERE o.fk_shop = tb_shop.pk_shop AND o.begins > now()) AS more
FROM tb_shop LEFT JOIN tb_offer ON fk_shop = pk_shop GROUP BY pk_shop;
CREATE TABLE tv_stage AS SELECT tb_offer.pk_offer AS pk_stage, tstzrange(begins, expires_at, '[]') @> now() AS open,
       CASE WHEN isfinite(expires_at) THEN now() - expires_at > '300 ms' END AS past, CASE WHEN isfinite(begins) THEN begins - now() >= '00:00:00.2' END AS early
FROM tb_offer;
CREATE TABLE tv_live AS SELECT fk_shop AS pk_live, min(begins) > now() AS early FROM tb_offer GROUP BY fk_shop HAVING max(expires_at) >= now();
CREATE TABLE tv_total AS SELECT 1 AS pk_total, count(*) AS offers FROM tv_offer;
"""
AT = "(SELECT date_trunc('milliseconds', clock) FROM pg_tview_frontier)"
LOOK = f"""
SELECT (SELECT array_agg(pk_offer ORDER BY pk_offer) FROM tv_offer)
           IS NOT DISTINCT FROM (SELECT array_agg(pk_offer ORDER BY pk_offer) FROM tb_offer WHERE {AT} BETWEEN begins AND expires_at),
       (SELECT array_agg((pk_shop, past, more)::text ORDER BY pk_shop) FROM tv_shop)
           = (SELECT array_agg((pk_shop, past, more)::text ORDER BY pk_shop) FROM (
              SELECT pk_shop, count(*) FILTER (WHERE expires_at <= {AT}) AS past,
                     EXISTS (SELECT FROM tb_offer o WHERE o.fk_shop = pk_shop AND o.begins > {AT}) AS more
              FROM tb_shop LEFT JOIN tb_offer ON fk_shop = pk_shop GROUP BY pk_shop) AS shop),
       (SELECT offers FROM tv_total) = (SELECT count(*) FROM tv_offer)
           AND NOT EXISTS (SELECT FROM tv_stage FULL JOIN tb_offer ON pk_offer = pk_stage
                           WHERE (open, past, early) IS DISTINCT FROM (begins <= {AT} AND expires_at >= {AT}, CASE WHEN isfinite(expires_at) THEN expires_at + interval '300 ms' < {AT} END,
                                                                       CASE WHEN isfinite(begins) THEN begins >= {AT} + interval '200 ms' END))
           AND NOT EXISTS (SELECT FROM tv_live FULL JOIN (SELECT fk_shop, min(begins) > {AT} AS early FROM tb_offer GROUP BY 1 HAVING max(expires_at) >= {AT}) AS live ON fk_shop = pk_live
                           WHERE (pk_live, tv_live.early) IS DISTINCT FROM (fk_shop, live.early)),
       (SELECT count(*) FROM tv_offer), (SELECT clock FROM pg_tview_frontier),
       (SELECT max(clock_timestamp() - moment) FROM tb_offer CROSS JOIN LATERAL (VALUES (begins), (expires_at)) AS m (moment)
        WHERE moment > (SELECT clock FROM pg_tview_frontier) AND moment < clock_timestamp())
"""


def look():
    """Checks one statement; returns how many offers there are, the frontier's time, and how late it is."""
    (offers, shops, total, count, clock, late), = run(connection, LOOK)
    assert offers and shops and total, (offers, shops, total, count, clock)
    return count, clock, late or datetime.timedelta()


with Server("deadline") as server:
    connection = server.prepare("deadline", SCRIPT)
    run(connection, "SET pg_tviews.read_consistency = 'eventual'")
    run(connection, """INSERT INTO tb_offer SELECT i, i % 20 + 1, clock_timestamp() + i * interval '1 ms', clock_timestamp() + interval '1 second' + i * interval '2 ms'
                       FROM generate_series(1, 2000) AS i""")
    run(connection, "INSERT INTO tb_offer VALUES (3000, 1, '-infinity', 'infinity')")
    run(connection, "SELECT pg_tviews_wait()")
    end = value(connection, "SELECT max(expires_at) FROM tb_offer WHERE isfinite(expires_at)")
    seen, lateness, clock = set(), [], look()[1]
    while clock < end:
        count, now, late = look()
        assert now >= clock, (now, clock)
        clock = now
        seen.add(count)
        lateness.append(late.total_seconds())
    assert look()[0] == 1 and len(seen) > 5, seen
    assert run(connection, "SELECT * FROM pg_tviews_verify('offer')") == run(connection, "SELECT * FROM pg_tviews_verify('shop')") == []
    assert run(connection, "SELECT * FROM pg_tviews_verify('stage')") == run(connection, "SELECT * FROM pg_tviews_verify('live')") == []
    print(f"note: {len(lateness)} looks, late by {1000 * statistics.median(lateness):.0f} ms at most half of the time,"
          f" {1000 * max(lateness):.0f} ms at most")
    # Full refreshes are none of its business.
    assert value(connection, "SELECT full_refreshes FROM pg_tview_frontier") <= 3 + value(connection, "SELECT count(*) FROM pg_tview_frontier"), \
        run(connection, "TABLE pg_tview_frontier")

    # A strict reader sees what has expired before it began.
    strict = server.connect("deadline")
    run(strict, "SET pg_tviews.read_consistency = 'strict'")
    run(strict, "INSERT INTO tb_offer VALUES (4000, 1, now(), clock_timestamp() + interval '300 ms')")
    moment = value(strict, "SELECT expires_at FROM tb_offer WHERE pk_offer = 4000")
    wait_until(lambda: value(strict, "SELECT clock_timestamp() > %s", (moment,)), "it expires")
    assert value(strict, "SELECT count(*) FROM tv_offer WHERE pk_offer = 4000") == 0

    # Nothing ahead, nothing to do.
    wait_until(lambda: value(connection, "SELECT count(*) FROM pg_tview_frontier WHERE clock > %s::timestamptz + interval '300 ms'", (moment,)) == 1, "the last has passed")
    batches, = run(connection, "SELECT batches, clock_timestamp() FROM pg_tview_frontier")
    pids = [pid for pid, in run(connection, "SELECT pid FROM pg_stat_activity WHERE backend_type IN ('pg_tviews applier', 'pg_tviews launcher')")]
    used = cpu_seconds(pids)
    wait_until(lambda: value(connection, "SELECT clock_timestamp() - %s > '3 seconds'", (batches[1],)), "time passes")
    assert value(connection, "SELECT batches FROM pg_tview_frontier") == batches[0]
    assert len(pids) == 2 and cpu_seconds(pids) - used < 0.3, (pids, cpu_seconds(pids) - used)

    # What expires while the server is down is gone when it is back.
    run(connection, "INSERT INTO tb_offer VALUES (5000, 1, now() - interval '1 second', clock_timestamp() + interval '2 seconds')")
    run(connection, "SELECT pg_tviews_wait()")
    # On a machine that has stopped for two seconds it is over already.
    assert value(connection, "SELECT EXISTS (SELECT FROM tv_offer WHERE pk_offer = 5000) OR (SELECT clock FROM pg_tview_frontier) >= expires_at"
                             " FROM tb_offer WHERE pk_offer = 5000")
    server.stop("immediate")
    server.start()
    connection = server.connect("deadline")
    run(connection, "SELECT pg_tviews_wait()")  # a crash may have undone the last batch
    wait_until(lambda: look()[0] == 1, "the offer is gone")
