"""Rows expire one after the other, each a document: nobody writes, every statement shows just those that are left at the frontier's
time, by key. Prints how late they leave.

SCALE (default 0.02) is the share of 100,000 rows, over a tenth of a minute; with SCALE=1 it is a minute, and none may leave later than
LATE_MS (100). ROWS and SECONDS may be set by themselves.
"""
import os
import statistics

from tviews_server import Server, run, value

SCALE = float(os.environ.get("SCALE", 0.02))
ROWS = int(os.environ.get("ROWS", 100000 * SCALE))
SECONDS = float(os.environ.get("SECONDS", 60 if SCALE >= 1 else 6))
LATE_MS = float(os.environ.get("LATE_MS", 100 if SCALE >= 1 else 0))

SCRIPT = """
CREATE TABLE tb_offer (pk_offer int PRIMARY KEY, title text NOT NULL, expires_at timestamptz NOT NULL);
CREATE INDEX ON tb_offer (expires_at);
CREATE TABLE tv_offer AS SELECT tb_offer.pk_offer, jsonb_build_object('title', tb_offer.title) AS data FROM tb_offer WHERE tb_offer.expires_at > now();
"""
LOOK = """
WITH shown AS (SELECT date_trunc('milliseconds', clock) AS clock FROM pg_tview_frontier)
SELECT (SELECT count(*) FROM tv_offer), (SELECT count(*) FROM tb_offer WHERE expires_at > shown.clock), shown.clock,
       greatest(0, extract(epoch FROM statement_timestamp() - (SELECT min(expires_at) FROM tb_offer WHERE expires_at > shown.clock)) * 1000)::float8 FROM shown
"""
WORK = "SELECT records, full_refreshes FROM pg_tviews_workers WHERE kind = 'applier' AND database = current_database()"

with Server("expiry") as server:
    connection = server.prepare("expiry", SCRIPT)
    run(connection, "SET pg_tviews.read_consistency = 'eventual'")
    run(connection, "INSERT INTO tb_offer SELECT i, 'offer ' || i, clock_timestamp() + interval '5 s' + (random() * %s + %s::float8 / 10000) * interval '1 s' FROM generate_series(1, %s) AS i",
        (SECONDS, ROWS, ROWS))
    run(connection, "VACUUM ANALYZE tb_offer")
    run(connection, "SELECT pg_tviews_wait()")
    before = run(connection, WORK)
    end = value(connection, "SELECT max(expires_at) FROM tb_offer")
    lateness, counts, clock = [], set(), None
    while clock is None or clock < end:
        shown, expected, now, late = run(connection, LOOK)[0]
        assert shown == expected and (clock is None or now >= clock), (shown, expected, clock, now)
        clock = now
        counts.add(shown)
        lateness.append(late or 0)
    assert value(connection, "SELECT count(*) FROM tv_offer") == 0 and len(counts) > 5, counts
    assert run(connection, WORK) == before, (before, run(connection, WORK))
    assert run(connection, "SELECT * FROM pg_tviews_verify('offer')") == []
    lateness.sort()
    print(f"note: {ROWS:,} rows over {SECONDS:.0f} s, {len(lateness)} looks: late by {statistics.median(lateness):.0f} ms at the median,"
          f" {lateness[int(len(lateness) * 0.99)]:.0f} ms at p99, {lateness[-1]:.0f} ms at most")
    if LATE_MS:
        assert lateness[-1] <= LATE_MS, lateness[-10:]
