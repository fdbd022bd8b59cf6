"""TVIEWs are filled in slices beside writers: the applier and the server are killed between slices and in them, sources
are emptied, a dump is taken. The mark never goes back by a crash, nobody reads half of a TVIEW, and in the end every one
equals its query. Another TVIEW follows all the time.
"""
import contextlib
import random
import subprocess
import threading

import psycopg2

from tviews_server import Server, bash, check_equal, kill_process, run, value, wait_until

ROWS = 12000
CONF = "pg_tviews.fill_budget = 0.2\npg_tviews.transaction_memory = '64kB'\n"
SCRIPT = f"""
CREATE TABLE tb_shop (pk_shop int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_item (pk_item int PRIMARY KEY, fk_shop int NOT NULL, price int NOT NULL);
CREATE INDEX ON tb_item (fk_shop);
INSERT INTO tb_shop SELECT i, 'shop ' || i FROM generate_series(1, 50) AS i;
INSERT INTO tb_item SELECT i, 1 + i % 50, i FROM generate_series(1, {ROWS}) AS i;
ANALYZE;
CREATE TABLE tv_shop AS SELECT s.pk_shop, s.name, sum(i.price) AS total FROM tb_shop s JOIN tb_item i ON i.fk_shop = s.pk_shop GROUP BY s.pk_shop;
"""
CREATE = ("CREATE TABLE {0} AS SELECT i.pk_item AS pk_{1}, s.name, jsonb_build_object('price', i.price, 'shop', s.name) AS data"
          " FROM tb_item i JOIN tb_shop s ON s.pk_shop = i.fk_shop WITH NO DATA")
SEED = random.randrange(1 << 30)
print("seed", SEED)


class Writer(threading.Thread):
    """Changes keys everywhere: those that are filled already and those that are not. Comes back after a crash."""

    def __init__(self, server, number):
        super().__init__(daemon=True)
        self.server, self.random, self.number = server, random.Random(SEED + number), number
        self.is_over, self.written = False, 0
        self.start()

    def statement(self):
        key, kind = self.random.randrange(ROWS), self.random.randrange(10)
        if kind == 0:
            return f"DELETE FROM tb_item WHERE pk_item % 1000 = {key % 1000} AND pk_item % 2 = {self.number}"
        if kind == 1:
            return f"INSERT INTO tb_item VALUES ({key}, 1 + {key} % 50, {key}) ON CONFLICT (pk_item) DO UPDATE SET price = excluded.price + 1"
        if kind == 2:
            return f"INSERT INTO tb_item VALUES ({2 * ROWS + key}, 1, 0) ON CONFLICT DO NOTHING"
        if kind == 3:
            return f"UPDATE tb_item SET pk_item = pk_item + {4 * ROWS} WHERE pk_item = {key}"
        return f"UPDATE tb_item SET price = price + 1 WHERE pk_item = {key}"

    def run(self):
        while not self.is_over:
            with contextlib.suppress(psycopg2.Error):
                with contextlib.closing(self.server.connect("fill")) as session:
                    while not self.is_over:
                        run(session, self.statement())
                        self.written += 1


def progress(session, tview):
    return run(session, "SELECT rows_done, slices, restarts, completed_by IS NOT NULL FROM tviews_internal.pg_tview_fill"
                        " WHERE tview = %s::regclass", (tview,))[0]


def await_slices(session, tview, more):
    before = progress(session, tview)[1]
    wait_until(lambda: progress(session, tview)[1] >= before + more, f"{more} slices of {tview}")
    found = progress(session, tview)
    assert not found[3], "the fill was over too soon"
    return found


def await_fill(session, tview):
    wait_until(lambda: progress(session, tview)[3], f"the fill of {tview}")


def budget(session, share):
    run(session, f"ALTER SYSTEM SET pg_tviews.fill_budget = {share}")
    run(session, "SELECT pg_reload_conf()")


def check_unreadable(tview):
    with contextlib.closing(server.connect("fill")) as reader:
        try:
            run(reader, f"SELECT count(*) FROM {tview}")
        except psycopg2.Error as error:
            assert error.pgcode == "55000" and "has not been populated" in str(error) and "percent are filled" in str(error), error
        else:
            raise AssertionError("half a TVIEW was read")


def applier(session):
    return value(session, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_tviews applier' AND datname = 'fill'")


def check_crashes(session):
    run(session, CREATE.format("tv_item", "item"))
    for crash in range(3):
        before = await_slices(session, "tv_item", 1)
        check_unreadable("tv_item")
        if crash < 2:
            session = kill_process(server, "fill", applier(session))
        else:
            server.kill()
            server.start()
            session = server.connect("fill")
        after = progress(session, "tv_item")
        assert after[0] >= before[0] and after[2] == 0, (before, after)
    return session


def check_end(session):
    """Who has an older snapshot is told, and not shown what was there."""
    old = server.connect("fill", autocommit=False)
    run(old, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SET pg_tviews.read_consistency = eventual; SELECT 1")
    with contextlib.suppress(psycopg2.Error):
        run(old, "SAVEPOINT s; SELECT count(*) FROM tb_shop")
    budget(session, 1)
    await_fill(session, "tv_item")
    try:
        run(old, "SELECT count(*) FROM tv_item")
        raise AssertionError("an old snapshot read the TVIEW")
    except psycopg2.Error as error:
        assert error.pgcode == "40001", error
    old.close()
    shown = run(session, "SELECT * FROM pg_tviews_progress WHERE operation = 'online fill'")
    assert shown == [], shown


def check_emptied(session):
    """What changes everything begins the fill anew, whether a source is emptied or its changes are too many to be told."""
    budget(session, 0.2)
    run(session, CREATE.format("tv_again", "again"))
    await_slices(session, "tv_again", 1)
    run(session, "UPDATE tb_item SET price = price + 1")  # more than transaction_memory
    wait_until(lambda: progress(session, "tv_again")[2] == 1, "the fill to begin again")
    await_slices(session, "tv_again", 1)
    run(session, f"BEGIN; TRUNCATE tb_item; INSERT INTO tb_item SELECT i, 1 + i % 50, -i FROM generate_series(1, {ROWS}, 2) AS i; COMMIT")
    wait_until(lambda: progress(session, "tv_again")[2] == 2, "the fill to begin again")
    budget(session, 1)
    await_fill(session, "tv_again")


def check_dump(session):
    """A dump is taken in the middle; what is restored of it is compared with its query."""
    budget(session, 0.02)
    run(session, CREATE.format("tv_dumped", "dumped"))
    await_slices(session, "tv_dumped", 1)
    tools = bash("pg_config --bindir")
    arguments = ["-h", server.socket, "-U", "postgres"]
    dump = subprocess.run([f"{tools}/pg_dump", *arguments, "fill"], capture_output=True, text=True, check=True).stdout
    assert not progress(session, "tv_dumped")[3], "the fill was over too soon"
    run(session, "CREATE DATABASE restored")
    subprocess.run([f"{tools}/psql", *arguments, "-qX", "-v", "ON_ERROR_STOP=1", "restored"], input=dump, capture_output=True,
                   text=True, check=True)
    restored = server.connect("restored")
    tviews = value(session, "SELECT count(*) FROM pg_tview_meta")
    wait_until(lambda: value(restored, "SELECT count(*) FROM pg_tview_meta WHERE database_oid <> 0") == tviews, "their adoption")
    run(restored, "SELECT pg_tviews_wait()")
    check_equal(restored, "what was restored")
    assert value(restored, "SELECT count(*) FROM tv_dumped") == value(restored, "SELECT count(*) FROM tb_item")
    restored.close()


def check_prepared(session):
    """Created in a prepared transaction, over a TVIEW that is not filled yet."""
    other = server.connect("fill", autocommit=False)
    run(other, "CREATE TABLE tv_over AS SELECT pk_dumped AS pk_over, name FROM tv_dumped WITH NO DATA")
    run(other, "PREPARE TRANSACTION 'over'")
    other.close()
    run(session, "COMMIT PREPARED 'over'")
    wait_until(lambda: run(session, "SELECT phase FROM pg_tviews_progress WHERE entity = 'over'") == [("waiting",)], "tv_over to wait")
    budget(session, 1)
    await_fill(session, "tv_dumped")
    await_fill(session, "tv_over")


with Server("online_fill", CONF) as server:
    first = server.prepare("fill", SCRIPT)
    check_equal(first, "creation")
    writers = [Writer(server, 0), Writer(server, 1)]
    now = check_crashes(first)
    check_end(now)
    check_emptied(now)
    for writer in writers:
        writer.is_over = True
    for writer in writers:
        writer.join()
        assert writer.written > 0
    check_equal(now, "after fills beside writers")
    check_dump(now)
    check_prepared(now)
    check_equal(now, "in the end")
    letters = run(now, "SELECT * FROM pg_tview_dead_letter")
    assert letters == [], letters
