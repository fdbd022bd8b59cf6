"""A light TVIEW beside a heavy one: a rank over many rows that are changed all the time. How long is it from a commit until the
session that made it reads the light document, and until one that waits for nothing sees it: in one lane, with the heavy one in a lane of
its own, and with the light one in a lane beside a heavy one in the main lane? Prints the figures; asserts that documents are exact,
and that the heavy one holds up the light one in one lane only.

SCALE (default 0.005) is the share of 600,000 rows and of a minute for each; with SCALE=1 the p99 beside the heavy one has to be below
LIMIT_MS (100, for two busy cores; 20 where cores are idle). ROWS and SECONDS may be set by themselves.
"""
import os
import threading
import time

from tviews_server import Server, check_equal, run, value

SCALE = float(os.environ.get("SCALE", 0.005))
ROWS = int(os.environ.get("ROWS", 600000 * SCALE))
SECONDS = float(os.environ.get("SECONDS", max(1.0, 60 * SCALE)))
LIMIT_MS = float(os.environ.get("LIMIT_MS", 100 if SCALE >= 1 else 0))
SCRIPT = f"""
CREATE TABLE tb_score (pk_score int PRIMARY KEY, points int NOT NULL);
INSERT INTO tb_score SELECT i, (i * 7919::bigint) % {ROWS} FROM generate_series(1, {ROWS}) i;
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text NOT NULL);
INSERT INTO tb_user SELECT i, 'user ' || i FROM generate_series(1, 1000) i;
ANALYZE tb_score, tb_user;
CREATE TABLE tv_user AS SELECT pk_user, jsonb_build_object('name', name) AS data FROM tb_user;
CREATE TABLE tv_place AS SELECT pk_score AS pk_place, rank() OVER (ORDER BY points, pk_score) AS place FROM tb_score;
"""


def change_scores(stop):
    session = server.connect("scores", name="scores")
    number = 0
    while not stop.is_set():
        number += 1
        run(session, "UPDATE tb_score SET points = points + 1 WHERE pk_score = %s", (number % ROWS + 1,))
        stop.wait(0.01)
    session.close()


def until_seen(session, other, number):
    """Milliseconds until the session that changed the row reads it, and until another sees it that waits for nothing."""
    name = f"name {number}"
    begin = time.monotonic()
    run(session, "UPDATE tb_user SET name = %s WHERE pk_user = 1", (name,))
    if other is not None:
        while value(other, "SELECT data ->> 'name' FROM tv_user WHERE pk_user = 1") != name:
            time.sleep(0.0005)
    else:
        shown = value(session, "SELECT data ->> 'name' FROM tv_user WHERE pk_user = 1")
        assert shown == name, (shown, name)
    return (time.monotonic() - begin) * 1000


def measure(beside, waits=True):
    """Sorted milliseconds."""
    stop = threading.Event()
    thread = threading.Thread(target=change_scores, args=(stop,))
    if beside:
        thread.start()
        time.sleep(0.2)
    session = server.connect("scores", name="reader")
    other = None if waits else server.connect("scores", name="other")
    if other is not None:
        run(other, "SET pg_tviews.read_consistency = 'eventual'")
    took, end, number = [], time.monotonic() + SECONDS, 0
    while time.monotonic() < end or len(took) < 2:
        number += 1
        took.append(until_seen(session, other, number))
    stop.set()
    if beside:
        thread.join()
    session.close()
    return sorted(took)


def show(what, took, limit=0.0):
    quantile = lambda share: took[min(len(took) - 1, int(len(took) * share))]
    print(f"note: {what}: {len(took)} reads, p50 {quantile(0.5):.1f} ms, p99 {quantile(0.99):.1f} ms, at most {took[-1]:.1f} ms")
    assert not limit or quantile(0.99) < limit, f"{what}: p99 {quantile(0.99):.1f} ms is above {limit} ms"


def held_up():
    return value(connection, "SELECT held_up FROM pg_tviews_waits WHERE entity = 'place'")


def begin_again(*statements):
    for statement in statements:
        run(connection, statement)
    run(connection, "SELECT pg_tviews_wait('10 min'); SELECT pg_tviews_stats_reset()")


with Server("lane_figures", "pg_tviews.max_helpers = 0\npg_tviews.read_timeout = '10 min'\n") as server:
    connection = server.prepare("scores", SCRIPT)
    run(connection, "SELECT pg_tviews_wait()")
    print(f"note: {ROWS} rows, {os.cpu_count()} cores")
    show("nothing beside", measure(beside=False))
    show("in one lane", measure(beside=True))
    begin_again("ALTER TABLE tv_place SET (pg_tviews.lane = 'slow')")
    show("the heavy one in a lane", measure(beside=True), LIMIT_MS)
    show("the same, seen by another", measure(beside=True, waits=False), LIMIT_MS)
    assert held_up() == 0
    begin_again("ALTER TABLE tv_place RESET (pg_tviews.lane)", "ALTER TABLE tv_user SET (pg_tviews.lane = 'light')")
    show("the light one in a lane", measure(beside=True), LIMIT_MS)
    show("the same, seen by another", measure(beside=True, waits=False), LIMIT_MS)
    assert held_up() == 0
    check_equal(connection, "at the end")
