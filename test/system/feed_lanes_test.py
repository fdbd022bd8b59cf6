"""The durable feed of TVIEWs in several lanes: one order, that of the commits. A consumer that asks for what follows its position
gets every change once, whatever lane it is of, and what it got leads to the documents; appliers of lanes are terminated and killed
meanwhile, and definitions fail. A lane that has been computing for long keeps no other lane's changes back."""
import random
import threading

import pauses
import shop
from tviews_server import Server, check_equal, kill_process, run, tviews, value, wait_until

SCRIPT = shop.SCRIPT + """
CREATE TABLE tb_part (pk_part int PRIMARY KEY, pieces int NOT NULL, text text NOT NULL);
INSERT INTO tb_part SELECT i, 1, repeat('long ', 2000) || i FROM generate_series(1, 40) i;
ALTER TABLE tb_part ALTER text SET STORAGE EXTERNAL;
CREATE TABLE tv_part AS SELECT pk_part, jsonb_build_object('share', 100 / pieces, 'text', text) AS data FROM tb_part;
"""
LANES = {"tv_spending": "slow", "tv_order": "slow", "tv_part": "slow", "tv_summary": "third"}


def documents():
    """{tview: {key: document}}."""
    found = {}
    for tview, _ in tviews(connection):
        key, has_data = run(connection, """SELECT key_column, EXISTS (SELECT FROM pg_attribute WHERE attrelid = tview AND attname = 'data'
            AND atttypid = 'jsonb'::regtype) FROM pg_tview_meta WHERE tview = %s::regclass""", (tview,))[0]
        found[tview] = dict(run(connection, f'SELECT t."{key}"::text, {"t.data" if has_data else "to_jsonb(t)"} FROM {tview} AS t'))
    return found


class Consumer:
    """Follows by position alone, as the documents say; every change must fit exactly what it has."""

    def __init__(self):
        self.state, self.position, self.changes = documents(), 0, 0

    def read(self, session):
        for position, tview, key, operation, old, new in run(session, """SELECT position, tview::text, key, operation, old_data, new_data
                FROM pg_tviews_feed WHERE position > %s ORDER BY position LIMIT 500""", (self.position,)):
            rows = self.state[tview]
            assert (key in rows) == (operation != "insert"), (position, tview, key, operation)
            assert operation == "insert" or rows[key] == old, (position, tview, key)
            if operation == "delete":
                del rows[key]
            else:
                rows[key] = new
            self.position, self.changes = position, self.changes + 1

    def check(self, context):
        check_equal(connection, context)
        before = -1
        while before != self.position:
            before = self.position
            self.read(connection)
        wanted = documents()
        for tview, rows in wanted.items():
            assert self.state[tview] == rows, f"{context}: the feed does not lead to {tview}"
        assert value(connection, "SELECT count(*) FROM pg_tviews_feed") == self.changes, "a change came before its turn"


def follow(is_over):
    session = server.connect("shop", name="consumer")
    try:
        while not is_over.is_set():
            consumer.read(session)
    except Exception as error:  # pylint: disable=broad-except
        failures.append(error)
    session.close()


def apart():
    """The lane has written its documents and computes on: the main one's changes come, and its own later, behind them."""
    with pauses.pause(server, "shop", "lane_mid_refresh") as paused:
        run(connection, "UPDATE tb_part SET text = text || '+' WHERE pk_part = 1")
        paused()
        run(connection, "UPDATE tb_customer SET name = name || '+' WHERE pk_customer = 1")
        run(connection, "SELECT pg_tviews_wait('1 min', 'main')")
        last = value(connection, "SELECT max(position) FROM pg_tviews_feed")
        assert value(connection, "SELECT entity FROM pg_tviews_feed WHERE position = %s", (last,)) == "customer"
        consumer.read(connection)
        assert value(connection, "SELECT count(*) FROM pg_tviews_feed WHERE entity = 'part'") == 0
    run(connection, "SELECT pg_tviews_wait()")
    assert value(connection, "SELECT min(position) FROM pg_tviews_feed WHERE entity = 'part'") > last


def fails():
    """What a subtransaction took back is not told: some keys fail, others do not; then they heal."""
    for pieces in (0, 1, 0, 2):
        run(connection, "BEGIN; UPDATE tb_part SET text = text || '-'; UPDATE tb_part SET pieces = %s WHERE pk_part %% 7 = 3; COMMIT", (pieces,))
        run(connection, "SELECT pg_tviews_wait()")
        assert (value(connection, "SELECT count(*) FROM pg_tview_dead_letter") == 6) == (pieces == 0)


# What a batch has to tell does not stay in memory.
with Server("feed_lanes", pauses.CONF + "work_mem = '64kB'\n") as server:
    connection = server.prepare("shop", SCRIPT)
    for name, _ in tviews(connection):
        run(connection, f"ALTER TABLE {name} SET (pg_tviews.feed = data)")
    for name, lane in LANES.items():
        run(connection, f"ALTER TABLE {name} SET (pg_tviews.lane = '{lane}')")
    check_equal(connection, "at the start")
    assert value(connection, "SELECT count(*) FROM pg_tviews_feed") == 0
    consumer, failures = Consumer(), []
    apart()
    fails()
    consumer.check("after failures")
    r = random.Random(20)
    for kill in (False, True):
        over = threading.Event()
        reader = threading.Thread(target=follow, args=(over,))
        reader.start()
        writers = shop.Writers(lambda: server.connect("shop"), sessions=3, seed=200 + kill)
        for turn in range(5):
            target = writers.committed + r.randint(1, 60)
            wait_until(lambda: writers.committed >= target, "writers")
            run(connection, "SELECT pg_terminate_backend(pid) FROM pg_tviews_workers WHERE lane = %s AND pid IS NOT NULL", (r.choice(("main", "slow", "third")),))
            # One changes the lane.
            run(connection, f"ALTER TABLE tv_summary SET (pg_tviews.lane = '{('main', 'third')[turn % 2]}')")
        over.set()
        reader.join()
        assert not failures, failures
        if kill:
            connection = kill_process(server, "shop", value(connection, "SELECT pid FROM pg_tviews_lanes WHERE lane = 'slow'")
                                      or value(connection, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_tviews launcher'"))
        writers.stop()
        consumer.check("killed" if kill else "appliers of lanes ended")
    print("note: feed rows", consumer.changes)
