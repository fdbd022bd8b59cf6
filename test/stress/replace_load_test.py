# Runs alone: it measures time
"""Replacing a large TVIEW beside writers and readers: the longest wait of any of them, online and in one command.

SCALE (default 0.005) is the share of 1,000,000 rows. The writer's rate, some hundred a second, is compared with that before."""
import os
import threading
import time

from tviews_server import Server, check_equal, run, value, wait_until

ROWS = int(1000000 * float(os.environ.get("SCALE", 0.005)))
SECONDS = 1  # of the rate before
SCRIPT = f"""
CREATE TABLE tb_shop (pk_shop int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_good (pk_good int PRIMARY KEY, fk_shop int NOT NULL, name text NOT NULL, price int NOT NULL);
INSERT INTO tb_shop SELECT i, 'shop ' || i FROM generate_series(1, 1000) AS i;
INSERT INTO tb_good SELECT i, 1 + i % 1000, 'good ' || i, i % 500 FROM generate_series(1, {ROWS}) AS i;
CREATE INDEX ON tb_good (fk_shop);
ANALYZE;
CREATE TABLE tv_good AS SELECT pk_good, jsonb_build_object('name', g.name, 'shop', s.name) AS data, price
    FROM tb_good g JOIN tb_shop s ON pk_shop = fk_shop;
CREATE INDEX ON tv_good (price);
"""
WIDER = "SELECT pk_good, jsonb_build_object('name', g.name, 'shop', s.name, 'price', price) AS data, price, {0} FROM tb_good g JOIN tb_shop s ON pk_shop = fk_shop"


class Worker(threading.Thread):
    """Does a statement again and again, and keeps the longest time that one took."""

    def __init__(self, statement):
        super().__init__(daemon=True)
        self.statement, self.is_over, self.done, self.longest = statement, False, 0, 0.0
        self.start()

    def run(self):
        session = server.connect("goods")
        run(session, "SET pg_tviews.read_timeout = '300s'")
        pace = threading.Event()
        while not self.is_over and not pace.wait(0.002):
            began = time.monotonic()
            run(session, self.statement.format(1 + self.done * 7919 % ROWS))
            self.longest = max(self.longest, time.monotonic() - began)
            self.done += 1
        session.close()


def measure(replacement):
    """Runs `replacement` beside workers: its seconds, the longest waits, and the writer's rate in it."""
    workers = {"writer": Worker("UPDATE tb_good SET price = price + 1 WHERE pk_good = {0}"),
               "reader": Worker("SELECT data FROM tv_good WHERE pk_good = {0}")}
    begun = time.monotonic()
    wait_until(lambda: time.monotonic() - begun > SECONDS, "a rate to compare with")
    before = workers["writer"].done / SECONDS
    for worker in workers.values():
        worker.longest = 0.0
    began, done = time.monotonic(), workers["writer"].done
    replacement()
    run(session, "SELECT pg_tviews_wait('300 s')")
    took = time.monotonic() - began
    ratio = (workers["writer"].done - done) / took / before
    for worker in workers.values():
        worker.is_over = True
        worker.join()
    return took, {name: worker.longest for name, worker in workers.items()}, ratio


def online():
    run(session, "SELECT pg_tviews_replace('good', %s, online => true)", (WIDER.format("g.name AS label"),))
    wait_until(lambda: value(session, "SELECT phase FROM pg_tviews_progress WHERE operation = 'online replacement'") == "ready to finish",
               "the new rows to be complete", timeout=1800)
    began = time.monotonic()
    run(session, "SELECT pg_tviews_replace_finish('good')")
    exchange.append(time.monotonic() - began)


def at_once():
    run(session, "SELECT pg_tviews_replace('good', %s)", (WIDER.format("s.name AS shop"),))


with Server("replace_load", "max_wal_size = 4GB\n") as server:
    session = server.prepare("goods", SCRIPT)
    exchange = []
    for name, replacement in (("online", online), ("in one command", at_once)):
        took, longest, ratio = measure(replacement)
        print(f"note: {ROWS} rows {name}: {took:.1f} s, longest wait of a reader {1000 * longest['reader']:.0f} ms, of a writer"
              f" {1000 * longest['writer']:.0f} ms, writer at {ratio:.2f} of its rate")
        check_equal(session)
    print(f"note: the exchange took {1000 * exchange[0]:.0f} ms")
