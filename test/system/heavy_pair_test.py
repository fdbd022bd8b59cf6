"""A heavy TVIEW beside a light one in one lane, right after a restart, computed with helpers: a reader of the light one that runs into
its timeout is told which TVIEW the batch is at, since when, and what to do; the statistics have the share of each and who waited for
whom; the health check proposes a lane with figures. What it proposes is done as it stands, and nobody waits any more. Then the same within
the lane that there is: another one is proposed."""
import re
import threading

import psycopg2

from tviews_server import Server, check_equal, run, value, wait_until

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
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_item (pk_item int PRIMARY KEY, n int NOT NULL);
INSERT INTO tb_user SELECT i, 'user ' || i FROM generate_series(1, 100) i;
INSERT INTO tb_item SELECT i, 0 FROM generate_series(1, {ROWS}) i;
ANALYZE;
-- In the applier and its helpers only: ten of them take half a second.
CREATE FUNCTION slowly(pk int, n int) RETURNS int IMMUTABLE PARALLEL SAFE COST 1000 LANGUAGE plpgsql AS $$BEGIN
  IF n > 0 AND pk % 500 = 0 AND current_setting('application_name') LIKE 'pg_tviews %' THEN PERFORM pg_sleep(0.05); END IF;
  RETURN n; END$$;
CREATE TABLE tv_user AS SELECT pk_user, jsonb_build_object('name', name) AS data FROM tb_user;
CREATE TABLE tv_item AS SELECT pk_item, slowly(pk_item, n) AS n FROM tb_item;
"""
WAITS = "SELECT batch_share, held_up, held_up_ms, lane FROM pg_tviews_waits WHERE entity = %s"
FINDING = "SELECT message FROM pg_tviews_health_check() WHERE severity = 'warning' AND message LIKE 'TVIEW item takes %'"


def change_items(stop):
    session = server.connect("pair", name="items")
    while not stop.is_set():
        run(session, "UPDATE tb_item SET n = n + 1")
        run(session, "SELECT pg_tviews_wait()")
    session.close()


def read_users(number):
    """Changes a user and reads it; returns the error of a timeout."""
    try:
        run(reader, "UPDATE tb_user SET name = %s WHERE pk_user = 1", (f"name {number}",))
        assert value(reader, "SELECT data ->> 'name' FROM tv_user WHERE pk_user = 1") == f"name {number}"
    except psycopg2.errors.QueryCanceled as error:
        return error
    return None


class Load:
    def __enter__(self):
        self.stop = threading.Event()
        self.thread = threading.Thread(target=change_items, args=(self.stop,))
        self.thread.start()

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def is_proposed(lane):
    """Readers wait until the health check has something to say; returns the statement that it proposes."""
    with Load():
        numbers = iter(range(1000))
        run(reader, "SET pg_tviews.read_timeout = '150 ms'")
        error = wait_until(lambda: read_users(next(numbers)), "a reader to run into its timeout")
        assert re.search('The batch is at TVIEW "(public.)?tv_item" since 20.*, for [0-9.]+ s', error.diag.message_detail), error.diag.message_detail
        assert f"SET (pg_tviews.lane = '{lane}')" in error.diag.message_hint, error.diag.message_hint
        run(reader, "RESET pg_tviews.read_timeout")
        found = wait_until(lambda: read_users(next(numbers)) or run(connection, FINDING), "the health check to propose a lane")
    share, held_up, held_up_ms, present = run(connection, WAITS, ("item",))[0]
    assert share > 0.5 and held_up > 0 and held_up_ms > 1000, (share, held_up, held_up_ms)
    message = found[0][0]
    assert re.match(rf"TVIEW item takes [0-9]+ % of the time that batches of lane {present} spend on TVIEWs, and readers of others waited "
                    r"for it \(waits so far: [0-9]+\), [0-9.]+ s in all, the last at ", message), message
    return re.search(r"ALTER TABLE \S+ SET \(pg_tviews.lane = '\w+'\)", message)[0]


def is_followed(statement, lane):
    assert f"'{lane}'" in statement, statement
    run(connection, statement)
    run(connection, "SELECT pg_tviews_wait()")
    run(connection, "SELECT pg_tviews_stats_reset()")
    with Load():
        for number in range(50):
            assert read_users(number) is None
    assert run(connection, WAITS, ("item",))[0][1] == 0
    assert run(connection, FINDING) == []
    check_equal(connection, f"in lane {lane}")


with Server("heavy_pair", CONF) as server:
    connection = server.prepare("pair", SCRIPT)
    check_equal(connection, "at the start")
    server.stop()
    server.start()
    connection, reader = server.connect("pair"), server.connect("pair", name="reader")
    statement = is_proposed("slow")
    assert "helpers recompute" in server.log()
    is_followed(statement, "slow")
    # Both in one lane again, which is not the main one.
    run(connection, "ALTER TABLE tv_user SET (pg_tviews.lane = 'slow')")
    run(connection, "SELECT pg_tviews_wait()")
    is_followed(is_proposed("slow_2"), "slow_2")
