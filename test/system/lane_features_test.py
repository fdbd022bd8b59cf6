"""What works in the main lane works in another: helpers, quarantine of keys and its end, TVIEWs left aside for a lock, requests
to refresh, the auditor, online fills, notifications, deadlines and periods of the clock. What happens in the lane is no matter
of the main one, and the other way round. A dump brings lanes and targets back, and so does a copy of the database."""
import select
import time

import psycopg2

from tviews_server import Server, bash, check_equal, run, value, wait_until

ROWS = 12000
CONF = """
log_min_messages = debug1
max_parallel_workers = 8
pg_tviews.max_helpers = 2
parallel_setup_cost = 0
parallel_tuple_cost = 0
pg_tviews.audit_rate = 0
"""
SCRIPT = f"""
CREATE TABLE tb_group (pk_group int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_item (pk_item int PRIMARY KEY, fk_group int NOT NULL, n int NOT NULL, parts int NOT NULL);
CREATE INDEX ON tb_item (fk_group);
INSERT INTO tb_group SELECT i, 'group ' || i FROM generate_series(0, 9) i;
INSERT INTO tb_item SELECT i, i % 10, 0, 1 FROM generate_series(1, {ROWS}) i;
CREATE TABLE tb_offer (pk_offer int PRIMARY KEY, expires_at timestamptz NOT NULL);
CREATE INDEX ON tb_offer (expires_at);
ANALYZE;
CREATE TABLE tv_group AS SELECT pk_group, name FROM tb_group;
CREATE TABLE tv_item WITH (pg_tviews.lane = 'slow', pg_tviews.notify) AS
SELECT i.pk_item, g.name, i.n, 100 / i.parts AS share FROM tb_item i JOIN tb_group g ON g.pk_group = i.fk_group;
CREATE TABLE tv_above AS SELECT pk_item AS pk_above, n FROM tv_item;
CREATE TABLE tv_offer WITH (pg_tviews.lane = 'slow') AS SELECT pk_offer, expires_at FROM tb_offer WHERE expires_at > now();
CREATE TABLE tv_live AS SELECT pk_offer AS pk_live FROM tb_offer WHERE expires_at > now();
"""


def lane_frontier(column, lane="slow"):
    return value(connection, f"SELECT {column} FROM pg_tview_frontier WHERE lane = %s", (lane,))


def helpers():
    before = server.log().count("helpers recompute")
    run(connection, "UPDATE tb_item SET n = n + 1")
    check_equal(connection, "a large batch of the lane")
    assert server.log().count("helpers recompute") > before, "no helper recomputed for the lane"


def quarantine():
    run(connection, "UPDATE tb_item SET parts = 0 WHERE pk_item = 7; UPDATE tb_item SET n = 5 WHERE pk_item = 8")
    run(connection, "SELECT pg_tviews_wait()")
    assert run(connection, "SELECT key FROM pg_tview_dead_letter WHERE tview = 'tv_item'::regclass") == [("7",)]
    assert value(connection, "SELECT n FROM tv_item WHERE pk_item = 8") == 5
    found = run(connection, "SELECT message FROM pg_tviews_health_check() WHERE component = 'quarantine' AND severity <> 'info'")
    assert found and "item" in found[0][0], found
    run(connection, "SET pg_tviews.read_consistency = 'strict'")
    assert value(connection, "SELECT count(*) FROM tv_group") == 10
    run(connection, "RESET pg_tviews.read_consistency")
    run(connection, "UPDATE tb_item SET parts = 1 WHERE pk_item = 7")
    run(connection, "SELECT pg_tviews_wait()")
    assert value(connection, "SELECT count(*) FROM pg_tview_dead_letter") == 0
    check_equal(connection, "after the quarantine")


def left_aside():
    holder = server.connect("features", autocommit=False)
    run(holder, "SET pg_tviews.protect = off")
    run(holder, "LOCK TABLE tv_item IN SHARE MODE")
    run(connection, "UPDATE tb_item SET n = n + 1 WHERE pk_item <= 10; UPDATE tb_group SET name = name || '!' WHERE pk_group = 3")
    assert value(connection, "SELECT name FROM tv_group WHERE pk_group = 3").endswith("!")
    wait_until(lambda: run(connection, "SELECT tview::text FROM pg_tview_behind ORDER BY 1") == [("tv_above",), ("tv_item",)],
               "the lane to leave them aside")
    states = dict(run(connection, "SELECT name::text, lane || ' ' || state FROM tviews"))
    assert states["tv_item"] == "slow behind" and states["tv_group"] == "main active" and states["tv_offer"] == "slow active", states
    holder.rollback()
    check_equal(connection, "after a lock in the lane")
    assert value(connection, "SELECT count(*) FROM pg_tview_behind") == 0
    holder.close()


def requests():
    run(connection, "SET pg_tviews.protect = off; UPDATE tv_item SET n = -1 WHERE pk_item <= 3; RESET pg_tviews.protect")
    batches = lane_frontier("batches", "main")
    assert run(connection, "SELECT * FROM pg_tviews_refresh('item')") == [(0, 3, 0)]
    assert lane_frontier("batches", "main") == batches, "the main lane was asked"
    check_equal(connection, "after a request")


def audit():
    run(connection, "ALTER SYSTEM SET pg_tviews.audit_rate = 10000")
    run(connection, "SELECT pg_reload_conf()")
    run(connection, "SET pg_tviews.protect = off; DELETE FROM tv_item WHERE pk_item = 9; RESET pg_tviews.protect")
    wait_until(lambda: value(connection, "SELECT differences FROM pg_tviews_audit_status WHERE entity = 'item'") == 1, "the audit")
    run(connection, "ALTER SYSTEM RESET pg_tviews.audit_rate")
    run(connection, "SELECT pg_reload_conf()")
    check_equal(connection, "after the audit")


def fills():
    run(connection, """CREATE TABLE tv_filled WITH (pg_tviews.lane = 'slow') AS SELECT i.pk_item AS pk_filled, g.name, i.n
                       FROM tb_item i JOIN tb_group g ON g.pk_group = i.fk_group WITH NO DATA""")
    try:
        run(connection, "SET pg_tviews.read_timeout = '1 ms'")
        run(connection, "SELECT count(*) FROM tv_filled")
    except psycopg2.Error as error:
        assert error.pgcode in ("55000", "57014"), error
    run(connection, "RESET pg_tviews.read_timeout")
    for number in range(5):
        run(connection, "UPDATE tb_item SET n = n + 1 WHERE pk_item %% 100 = %s", (number,))
    wait_until(lambda: value(connection, "SELECT count(*) FROM pg_tviews_progress WHERE entity = 'filled'") == 0, "the fill")
    assert value(connection, "SELECT count(*) FROM tv_filled") == ROWS
    # One that has not been filled yet changes the lane.
    run(connection, """CREATE TABLE tv_moved AS SELECT i.pk_item AS pk_moved, i.n FROM tb_item i WITH NO DATA;
                       ALTER TABLE tv_moved SET (pg_tviews.lane = 'third')""")
    wait_until(lambda: value(connection, "SELECT count(*) FROM pg_tviews_progress WHERE entity = 'moved'") == 0, "the other fill")
    check_equal(connection, "after fills in lanes")
    run(connection, "DROP TABLE tv_moved")


def notifies():
    listener = server.connect("features")
    run(listener, "LISTEN tv_item")
    run(connection, "UPDATE tb_item SET n = n + 1 WHERE pk_item = 11")
    end = time.monotonic() + 60
    while not listener.notifies and time.monotonic() < end:
        select.select([listener], [], [], 1)
        listener.poll()
    assert listener.notifies and '"updated": [11]' in listener.notifies[0].payload, listener.notifies
    listener.close()


def deadlines():
    """No write in between: rows leave in both lanes, and each lane's rows agree with its own clock."""
    run(connection, """CREATE TABLE tv_age WITH (pg_tviews.lane = 'slow', pg_tviews.clock_period = '1 s') AS
                       SELECT pk_group AS pk_age, now() AS shown FROM tb_group""")
    run(connection, "SET pg_tviews.read_consistency = 'eventual'")
    run(connection, "INSERT INTO tb_offer SELECT i, clock_timestamp() + '300 ms' + i * interval '2 ms' FROM generate_series(1, 300) i")
    run(connection, "SELECT pg_tviews_wait()")
    look = """SELECT (SELECT array_agg(pk_offer ORDER BY 1) FROM tv_offer) IS NOT DISTINCT FROM
                     (SELECT array_agg(pk_offer ORDER BY 1) FROM tb_offer WHERE expires_at > (SELECT date_trunc('milliseconds', clock) FROM pg_tview_frontier WHERE lane = 'slow')),
                     (SELECT array_agg(pk_live ORDER BY 1) FROM tv_live) IS NOT DISTINCT FROM
                     (SELECT array_agg(pk_offer ORDER BY 1) FROM tb_offer WHERE expires_at > (SELECT date_trunc('milliseconds', clock) FROM pg_tview_frontier WHERE lane = 'main')),
                     (SELECT count(*) FROM tv_offer), (SELECT count(*) FROM tv_live)"""
    seen = set()
    end = time.monotonic() + 60
    while time.monotonic() < end:
        of_lane, of_main, offers, live = run(connection, look)[0]
        assert of_lane and of_main, (of_lane, of_main, offers, live)
        seen.add(offers)
        if offers == live == 0:
            break
    assert offers == live == 0, (offers, live)
    assert len(seen) > 2, seen
    shown = value(connection, "SELECT max(shown) FROM tv_age")
    wait_until(lambda: value(connection, "SELECT min(shown) FROM tv_age") > shown, "the period of the lane")
    # With the main lane at rest and the lane paused, time stands still in the lane only.
    assert value(connection, "SELECT pg_tviews_pause('slow')")
    stands = value(connection, "SELECT max(shown) FROM tv_age")
    run(connection, "INSERT INTO tb_offer VALUES (999, clock_timestamp() + '100 ms')")
    wait_until(lambda: value(connection, "SELECT count(*) FROM tb_offer WHERE expires_at < clock_timestamp() AND pk_offer = 999"), "the moment")
    wait_until(lambda: value(connection, "SELECT count(*) FROM tv_live") == 0, "the main lane's deadline")
    assert value(connection, "SELECT max(shown) FROM tv_age") == stands
    run(connection, "SELECT pg_tviews_resume('slow')")
    run(connection, "RESET pg_tviews.read_consistency")
    run(connection, "SELECT pg_tviews_wait()")
    assert value(connection, "SELECT count(*) FROM tv_offer") == 0
    run(connection, "DROP TABLE tv_age")


def dumps():
    run(connection, "ALTER TABLE tv_item SET (pg_tviews.lag_target = '1500 ms')")
    options = "SELECT tview::text, options ->> 'lane', options ->> 'lag_target' FROM pg_tview_meta ORDER BY 1"
    expected = run(connection, options)
    assert ("tv_above", "slow", None) in expected and ("tv_item", "slow", "1500") in expected, expected
    binaries = bash('server_bin "$1"', server.directory)
    bash('as_server sh -c "$1"', f"cd '{server.directory}' && '{binaries}/createdb' -h '{server.socket}' -U postgres restored && "
         f"'{binaries}/pg_dump' -h '{server.socket}' -U postgres -Fc features | '{binaries}/pg_restore' -h '{server.socket}' -U postgres --exit-on-error -d restored")
    run(server.connect(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'features' AND backend_type = 'client backend'")
    bash('as_server "$1" -h "$2" -U postgres -T features copied', f"{binaries}/createdb", server.socket)
    for database in ("restored", "copied"):
        session = server.connect(database)
        wait_until(lambda: run(session, options) == expected, f"{database}: lanes and targets to be adopted")
        run(session, "UPDATE tb_item SET n = n + 1 WHERE pk_item = 1; UPDATE tb_group SET name = 'new' WHERE pk_group = 1")
        check_equal(session, database)
        wait_until(lambda: run(session, "SELECT lane, tviews FROM pg_tviews_lanes ORDER BY lane") == [("main", 2), ("slow", 4)], "its lanes")
        assert value(session, "SELECT count(*) FROM pg_tviews_lanes WHERE lag_target = '1.5 s' AND snapshot IS NOT NULL") == 1
        session.close()


with Server("lane_features", CONF) as server:
    connection = server.prepare("features", SCRIPT)
    check_equal(connection, "at the start")
    for what in (helpers, quarantine, left_aside, requests, audit, fills, notifies, deadlines):
        what()
    dumps()
