"""Consumers of the change feed: each does everything once, whether it keeps its position with its effects or
acknowledges in their transaction, with two workers, and whatever is killed; rows stay for the slowest, within limits."""
import random
import threading

import psycopg2
import psycopg2.extras

import shop
from tviews_server import Server, check_equal, run, tviews, value, wait_until


def setting(name, text):
    run(connection, f"ALTER SYSTEM SET pg_tviews.{name} = '{text}'")
    run(connection, "SELECT pg_reload_conf()")


class Consumer(threading.Thread):
    """Copies documents into a table of its own database, and goes on after every error of a connection.

    With `stored`, the position is a row beside the copies, in another database, and is acknowledged afterwards;
    otherwise the copies are in the database of the feed and the acknowledgement is in their transaction."""

    def __init__(self, name, stored, seed):
        super().__init__()
        self.consumer, self.stored, self.random = name, stored, random.Random(seed)
        self.stopping, self.failure = False, None
        self.start()

    def run(self):
        while not self.stopping and self.failure is None:
            try:
                self.work()
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                pass
            except Exception as error:  # shown by stop()
                self.failure = error

    def work(self):
        feed = server.connect("shop", autocommit=self.stored)
        target = server.connect("copies", autocommit=False) if self.stored else feed
        while not self.stopping:
            after = value(target, "SELECT position FROM progress WHERE consumer = %s", (self.consumer,)) if self.stored else None
            end = value(feed, "SELECT pg_tviews_feed_end()")
            size = self.random.randint(1, 200)
            rows = run(feed, """SELECT position, tview::text, key, operation, old_data, new_data
                                FROM pg_tviews_feed_read(%s, %s, %s)""", (self.consumer, size, after))
            for _, tview, key, operation, old, new in rows:
                with target.cursor() as cursor:
                    self.apply(cursor, tview, key, operation, old, new)
            done = rows[-1][0] if len(rows) == size else max(end, *(row[0] for row in rows), 0)
            if self.stored:
                run(target, "UPDATE progress SET position = %s WHERE consumer = %s", (done, self.consumer))
                target.commit()
            run(feed, "SELECT pg_tviews_feed_ack(%s, %s)", (self.consumer, done))
            if not self.stored:
                feed.commit()

    def apply(self, cursor, tview, key, operation, old, new):
        place = (self.consumer, tview, key)
        if operation == "insert":  # a second time is a duplicate key
            cursor.execute("INSERT INTO copy VALUES (%s, %s, %s, %s)", (*place, psycopg2.extras.Json(new)))
            return
        cursor.execute("SELECT data FROM copy WHERE (consumer, tview, key) = (%s, %s, %s)", place)
        assert cursor.fetchone() == (old,), f"{place}: an {operation} of another document"
        if operation == "delete":
            cursor.execute("DELETE FROM copy WHERE (consumer, tview, key) = (%s, %s, %s)", place)
        else:
            cursor.execute("UPDATE copy SET data = %s WHERE (consumer, tview, key) = (%s, %s, %s)",
                           (psycopg2.extras.Json(new), *place))

    def stop(self):
        self.stopping = True
        self.join()
        if self.failure is not None:
            raise self.failure


COPIES = """
CREATE TABLE copy (consumer text, tview text, key text, data jsonb, PRIMARY KEY (consumer, tview, key));
CREATE TABLE progress (consumer text PRIMARY KEY, position bigint NOT NULL);
"""


def follows(name):
    return value(connection, "SELECT changes_behind = 0 FROM pg_tviews_feed_consumers WHERE consumer = %s", (name,))


def documents():
    found = set()
    for tview, _ in tviews(connection):
        key = value(connection, "SELECT key_column FROM pg_tview_meta WHERE tview = %s::regclass", (tview,))
        has_data = value(connection, """SELECT count(*) FROM pg_attribute WHERE attrelid = %s::regclass AND attname = 'data'
                                        AND atttypid = 'jsonb'::regtype""", (tview,))
        document = "t.data" if has_data else "to_jsonb(t)"
        found |= set(run(connection, f'SELECT %s, t."{key}"::text, ({document})::text FROM {tview} AS t', (tview,)))
    return found


def copies(target, name):
    return set(run(target, "SELECT tview, key, data::text FROM copy WHERE consumer = %s", (name,)))


def check_everything_once():
    for tview, _ in tviews(connection):
        run(connection, f"ALTER TABLE {tview} SET (pg_tviews.feed = data)")
    run(connection, "SELECT pg_tviews_wait()")
    run(connection, COPIES)
    run(connection, "CREATE DATABASE copies")
    target = server.connect("copies")
    run(target, COPIES)
    for place, name in ((target, "stored"), (connection, "inside")):
        begins = value(connection, "SELECT pg_tviews_feed_register(%s)", (name,))
        run(place, "INSERT INTO progress VALUES (%s, %s)", (name, begins))
        for tview, key, data in documents():
            run(place, "INSERT INTO copy VALUES (%s, %s, %s, %s)", (name, tview, key, data))
    consumers = [Consumer("stored", True, 1), Consumer("inside", False, 2), Consumer("inside", False, 3)]
    writers = shop.Writers(lambda: server.connect("shop"), sessions=2, seed=60)
    r = random.Random(9)
    victims = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = 'shop'
                 AND (backend_type = 'pg_tviews applier' OR query LIKE '%%feed%%' AND pid <> pg_backend_pid())"""
    for _ in range(4):
        aim = writers.committed + r.randint(10, 40)
        wait_until(lambda: writers.committed >= aim, "writers")
        run(connection, victims)
    return consumers, writers, target


with Server("feed_consumers") as server:
    connection = server.prepare("shop", shop.SCRIPT)
    check_equal(connection)
    consumers, writers, target = check_everything_once()
    server.kill()
    writers.stop()
    server.start()
    connection = server.connect("shop")
    target = server.connect("copies")
    run(connection, "UPDATE tb_customer SET name = name || '!'")
    check_equal(connection)
    for name in ("stored", "inside"):
        wait_until(lambda: any(not consumer.is_alive() for consumer in consumers) or follows(name), name)
    for consumer in consumers:
        consumer.stop()
    expected = documents()
    for place, name in ((target, "stored"), (connection, "inside")):
        found = copies(place, name)
        assert found == expected, (name, len(found), len(expected), list(found ^ expected)[:4])
    print("note: feed rows", value(connection, "SELECT count(*) FROM pg_tviews_feed"))

    # Rows stay for the slowest of them, and for those that have acknowledged they go.
    run(connection, "SELECT pg_tviews_feed_register('slow'), pg_tviews_feed_register('quick')")
    begins = value(connection, "SELECT pg_tviews_feed_end()")
    run(connection, "UPDATE tb_customer SET name = name || '?'")
    check_equal(connection)
    rows = value(connection, "SELECT count(*) FROM pg_tviews_feed WHERE position > %s", (begins,))
    for name in ("stored", "inside", "quick"):
        run(connection, "SELECT pg_tviews_feed_ack(%s, pg_tviews_feed_end())", (name,))
    setting("feed_retention", "1s")
    run(connection, "SELECT pg_tviews_wait()")
    removed = "SELECT removed_through FROM pg_tview_feed_horizon"
    wait_until(lambda: value(connection, removed) == begins, "what all have acknowledged to be removed")
    message = lambda: value(connection, "SELECT message FROM pg_tviews_health_check() WHERE component = 'feed'")
    wait_until(lambda: "Consumer slow of the change feed keeps rows" in message(), "the health check to name it")
    assert len(run(connection, "SELECT * FROM pg_tviews_feed_read('slow', 100000)")) == rows > 0

    # Until there are too many: it is let go, it is told, and the others go on.
    setting("feed_consumer_max_rows", "1")
    wait_until(lambda: value(connection, removed) > begins, "the limit to let go")
    assert value(connection, "SELECT has_missed FROM pg_tviews_feed_consumers WHERE consumer = 'slow'")
    assert "Consumer slow of the change feed has missed changes" in message(), message()
    for statement, state in (("SELECT * FROM pg_tviews_feed_read('slow')", "55000"),
                             (f"SELECT pg_tviews_feed_ack('slow', {begins + 1})", "22023"),
                             (f"SELECT pg_tviews_feed_register('late', {begins})", "22023")):
        try:
            run(connection, statement)
            raise AssertionError(f"{statement}: it has missed changes")
        except psycopg2.Error as error:
            assert error.pgcode == state, (statement, error)
    assert run(connection, "SELECT * FROM pg_tviews_feed_read('quick')") == []
    # One that has kept its position elsewhere, and was further than it had acknowledged, has missed nothing.
    run(connection, "SELECT pg_tviews_feed_ack('slow', pg_tviews_feed_end())")
    assert not value(connection, "SELECT has_missed FROM pg_tviews_feed_consumers WHERE consumer = 'slow'")
    assert message() == "Consumers of the change feed follow.", message()

    # The same by age.
    setting("feed_consumer_max_rows", "0")
    setting("feed_consumer_max_age", "1s")
    run(connection, "UPDATE tb_customer SET name = name || '.'")
    check_equal(connection)
    wait_until(lambda: value(connection, "SELECT bool_and(has_missed) FROM pg_tviews_feed_consumers"), "old rows to go")
