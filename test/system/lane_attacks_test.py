"""Lanes and those who are in their way: the last TVIEW of a lane is dropped while it computes; two sessions move TVIEWs at once, and
want one lane more than there may be; the extension and the database are dropped beside a lane's batch; no worker is free for a
lane, and there may be none at all. Nobody waits for ever, nothing is lost, and the messages say what to do."""
import random
import threading
import time

import psycopg2

import pauses
from tviews_server import Server, check_equal, run, value, wait_until

TABLES = """
CREATE TABLE tb_item (pk_item int PRIMARY KEY, price int NOT NULL);
INSERT INTO tb_item SELECT i, i FROM generate_series(1, 50) i;
"""
TVIEWS = """
CREATE TABLE tv_item AS SELECT pk_item, price FROM tb_item;
CREATE TABLE tv_sum WITH (pg_tviews.lane = 'slow') AS SELECT 1 AS pk_sum, sum(price) AS total FROM tb_item;
CREATE TABLE tv_double AS SELECT pk_sum AS pk_double, total * 2 AS total FROM tv_sum;
"""
LANES = "SELECT lane FROM pg_tview_frontier ORDER BY lane"


def change(session=None):
    run(session or connection, "UPDATE tb_item SET price = price + 1 WHERE pk_item <= 3")


def truth():
    return value(connection, "SELECT sum(price) FROM tb_item")


def drops_the_last():
    with pauses.pause(server, "items", "lane_mid_refresh") as paused:
        change()
        paused()
        run(connection, "DROP TABLE tv_double, tv_sum")
        run(connection, "SELECT pg_tviews_wait()")
    wait_until(lambda: run(connection, LANES) == [("main",)], "the lane to end")
    assert value(connection, "SELECT count(*) FROM tviews_internal.pg_tview_lane_owed") == 0
    # One of the same name comes at once, and goes again, several times.
    for _ in range(3):
        change()
        run(connection, "CREATE TABLE tv_sum WITH (pg_tviews.lane = 'slow') AS SELECT 1 AS pk_sum, sum(price) AS total FROM tb_item")
        change()
        assert value(connection, "SELECT total FROM tv_sum") == truth()
        run(connection, "DROP TABLE tv_sum")
    run(connection, "CREATE TABLE tv_sum WITH (pg_tviews.lane = 'slow') AS SELECT 1 AS pk_sum, sum(price) AS total FROM tb_item;"
                    "CREATE TABLE tv_double AS SELECT pk_sum AS pk_double, total * 2 AS total FROM tv_sum")
    check_equal(connection, "after drops")


def move_about(tview, failures, seed):
    r = random.Random(seed)
    session = server.connect("items")
    for _ in range(15):
        try:
            run(session, f"ALTER TABLE {tview} SET (pg_tviews.lane = '{r.choice(('main', 'slow', 'other'))}')")
        except psycopg2.errors.DeadlockDetected:
            pass
        except psycopg2.Error as error:
            failures.append(error)
    session.close()


def moves_at_once():
    failures = []
    threads = [threading.Thread(target=move_about, args=(tview, failures, seed))
               for seed, tview in enumerate(("tv_sum", "tv_double", "tv_item"))]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        change()
        assert value(connection, "SELECT s.total * 2 - d.total FROM tv_sum s, tv_double d") == 0
    for thread in threads:
        thread.join()
    assert not failures, failures
    assert value(connection, "SELECT count(DISTINCT coalesce(options ->> 'lane', 'main')) FROM pg_tview_meta WHERE entity IN ('sum', 'double')") == 1
    check_equal(connection, "after moves at once")
    run(connection, "ALTER TABLE tv_item RESET (pg_tviews.lane); ALTER TABLE tv_sum SET (pg_tviews.lane = 'slow')")


def one_lane_too_many():
    """There may be two; two sessions make the second one at once."""
    for end in ("COMMIT", "ROLLBACK"):
        run(connection, "CREATE TABLE tv_a AS SELECT pk_item AS pk_a FROM tb_item; CREATE TABLE tv_b AS SELECT pk_item AS pk_b FROM tb_item")
        first, second = server.connect("items", autocommit=False), server.connect("items")
        run(first, "ALTER TABLE tv_a SET (pg_tviews.lane = 'one')")
        answers = []

        def move():
            try:
                run(second, "ALTER TABLE tv_b SET (pg_tviews.lane = 'two')")
                answers.append("moved")
            except psycopg2.Error as error:
                answers.append((error.pgcode, error.diag.message_hint))
        thread = threading.Thread(target=move)
        thread.start()
        wait_until(lambda: value(connection, "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'",
                                 (second.info.backend_pid,)), "the second one to wait")
        run(first, end)
        thread.join()
        if end == "COMMIT":
            assert answers[0][0] == "53400" and "pg_tviews.max_lanes" in answers[0][1], answers
        else:
            assert answers == ["moved"], answers
        assert value(connection, "SELECT count(*) FROM pg_tviews_lanes") == 3
        check_equal(connection, "after one lane too many")
        first.close()
        second.close()
        run(connection, "DROP TABLE tv_a, tv_b")
        run(connection, "SELECT pg_tviews_wait()")


def extension_goes():
    global connection
    for point in ("lane_after_snapshot", "lane_mid_refresh", "lane_after_apply"):
        with pauses.pause(server, "items", point) as paused:
            run(connection, "SET pg_tviews.read_consistency = 'eventual'")
            change()
            paused()
            run(connection, "DROP EXTENSION pg_tviews CASCADE")
        wait_until(lambda: value(connection, "SELECT count(*) FROM pg_stat_activity WHERE datname = 'items' AND backend_type LIKE 'pg_tviews%%'") == 0,
                   f"the appliers to end, {point}")
        assert "was terminated by signal" not in server.log(), point
        run(connection, "DROP TABLE IF EXISTS tv_item, tv_sum, tv_double CASCADE; DROP VIEW IF EXISTS v_item, v_sum, v_double CASCADE")
        run(connection, "RESET pg_tviews.read_consistency")
        run(connection, "CREATE EXTENSION pg_tviews")
        run(connection, TVIEWS)
        change()
        check_equal(connection, f"a new extension after {point}")


def database_goes():
    session = server.prepare("gone", TABLES + TVIEWS)
    run(session, "SET pg_tviews.read_consistency = 'eventual'")
    with pauses.pause(server, "gone", "lane_mid_refresh") as paused:
        change(session)
        paused()
        # Whoever holds the pause's lock is a session, too.
        run(connection, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'gone' AND application_name <> 'pause' AND backend_type = 'client backend'")
        begin = time.monotonic()
        run(connection, "DROP DATABASE gone WITH (FORCE)")
        assert time.monotonic() - begin < 30
    assert value(connection, "SELECT count(*) FROM pg_tviews_workers WHERE database IS NULL AND kind = 'applier'") == 0


def no_worker():
    """The only one is the main lane's, which stands."""
    run(connection, "SET pg_tviews.read_consistency = 'eventual'")
    with pauses.pause(server, "items", "mid_refresh") as paused:
        run(connection, "SELECT pg_terminate_backend(pid) FROM pg_tviews_workers WHERE lane = 'slow' AND pid IS NOT NULL")
        wait_until(lambda: value(connection, "SELECT count(pid) FROM pg_tviews_workers WHERE lane = 'slow'") == 0, "the lane's applier to end")
        change()
        paused()
        run(connection, "SET pg_tviews.read_consistency = 'session'")
        run(connection, "SET pg_tviews.read_timeout = '500 ms'")
        try:
            run(connection, "UPDATE tb_item SET price = price + 1 WHERE pk_item = 9")
            run(connection, "SELECT total FROM tv_sum")
            raise AssertionError("the lane has a worker")
        except psycopg2.errors.QueryCanceled as error:
            assert "pg_tviews.max_workers" in error.diag.message_hint and "lane" in error.diag.message_hint, error.diag.message_hint
        found = [m for m, in run(connection, "SELECT message FROM pg_tviews_health_check('0') WHERE severity <> 'info'") if "for lane slow" in m]
        assert found and "pg_tviews.max_workers (1)" in found[0], run(connection, "SELECT * FROM pg_tviews_health_check('0')")
        run(connection, "RESET pg_tviews.read_timeout")
    check_equal(connection, "lanes take turns with one worker")
    for _ in range(3):
        change()
        assert value(connection, "SELECT total FROM tv_sum") == truth()
    run(connection, "RESET pg_tviews.read_consistency")


def no_lanes():
    run(connection, "SET pg_tviews.read_timeout = '500 ms'")
    change()
    assert value(connection, "SELECT price FROM tv_item WHERE pk_item = 1") == value(connection, "SELECT price FROM tb_item WHERE pk_item = 1")
    try:
        run(connection, "SELECT total FROM tv_sum")
        raise AssertionError("a lane works where there may be none")
    except psycopg2.errors.QueryCanceled as error:
        assert "pg_tviews.max_lanes" in error.diag.message_hint and '"slow"' in error.diag.message_hint, error.diag.message_hint
    assert run(connection, "SELECT severity FROM pg_tviews_health_check() WHERE message LIKE 'TVIEWs are in 1 lanes%raise pg_tviews.max_lanes%' OR message LIKE '%Raise pg_tviews.max_lanes%'") == [("error",)]
    run(connection, "RESET pg_tviews.read_timeout")
    run(connection, "ALTER TABLE tv_sum RESET (pg_tviews.lane)")
    check_equal(connection, "back in the main lane")


def restart(setting):
    server.stop()
    with open(f"{server.directory}/data/postgresql.auto.conf", "a", encoding="utf-8") as conf:
        conf.write(setting + "\n")
    server.start()
    return server.connect("items")


with Server("lane_attacks", pauses.CONF + "pg_tviews.max_lanes = 2\n") as server:
    connection = server.prepare("items", TABLES + TVIEWS)
    check_equal(connection, "at the start")
    for what in (drops_the_last, moves_at_once, one_lane_too_many, extension_goes, database_goes):
        what()
    connection = restart("pg_tviews.max_workers = 1")
    no_worker()
    connection = restart("pg_tviews.max_workers = 8\npg_tviews.max_lanes = 0")
    no_lanes()
