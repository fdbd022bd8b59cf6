"""A light TVIEW beside a heavy one: a rank over ROWS rows that are changed all the time. How long is it from a commit until the
session that made it reads the light document, in one lane and in two? Prints the figures; only that documents are exact is
asserted, and that the heavy one holds up the light one in one lane only.

ROWS (default 2000; 600000 for docs/benchmarks) and SECONDS (default 1, of each) may be set in the environment.
"""
import os
import threading
import time

from tviews_server import Server, check_equal, run, value

ROWS = int(os.environ.get("ROWS", 2000))
SECONDS = float(os.environ.get("SECONDS", 1))
SCRIPT = f"""
CREATE TABLE tb_score (pk_score int PRIMARY KEY, points int NOT NULL);
INSERT INTO tb_score SELECT i, (i * 7919) % {ROWS} FROM generate_series(1, {ROWS}) i;
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


def measure(beside):
    """Sorted milliseconds."""
    stop = threading.Event()
    thread = threading.Thread(target=change_scores, args=(stop,))
    if beside:
        thread.start()
        time.sleep(0.2)
    session = server.connect("scores", name="reader")
    took, end, number = [], time.monotonic() + SECONDS, 0
    while time.monotonic() < end or len(took) < 2:
        number += 1
        name = f"name {number}"
        begin = time.monotonic()
        run(session, "UPDATE tb_user SET name = %s WHERE pk_user = 1", (name,))
        shown = value(session, "SELECT data ->> 'name' FROM tv_user WHERE pk_user = 1")
        took.append((time.monotonic() - begin) * 1000)
        assert shown == name, (shown, name)
    stop.set()
    if beside:
        thread.join()
    session.close()
    return sorted(took)


def show(what, took):
    quantile = lambda share: took[min(len(took) - 1, int(len(took) * share))]
    print(f"note: {what}: {len(took)} reads, p50 {quantile(0.5):.1f} ms, p99 {quantile(0.99):.1f} ms, at most {took[-1]:.1f} ms")


with Server("lane_figures", "pg_tviews.max_helpers = 0\n") as server:
    connection = server.prepare("scores", SCRIPT)
    run(connection, "SELECT pg_tviews_wait()")
    alone = measure(beside=False)
    one = measure(beside=True)
    held_up = value(connection, "SELECT held_up FROM pg_tviews_waits WHERE entity = 'place'")
    run(connection, "ALTER TABLE tv_place SET (pg_tviews.lane = 'slow')")
    run(connection, "SELECT pg_tviews_wait(); SELECT pg_tviews_stats_reset()")
    two = measure(beside=True)
    held_up_in_two = value(connection, "SELECT held_up FROM pg_tviews_waits WHERE entity = 'place'")
    print(f"note: {ROWS} rows, {os.cpu_count()} cores")
    show("nothing beside", alone)
    show("in one lane", one)
    show("in two lanes", two)
    assert held_up_in_two == 0, (held_up, held_up_in_two)
    check_equal(connection, "at the end")
