"""A TVIEW is filled online beside writers: their rate against that without a fill, and how long a change of another TVIEW takes
until it is visible, before and meanwhile. Prints the figures; fails where the fill does not end, or its rows differ.

SCALE (default 0.01) is the share of 1,000,000 rows; 1 is the full size.
"""
import os
import random
import threading
import time

from tviews_server import Server, check_equal, run, value

SCALE = float(os.environ.get("SCALE", 0.01))
ROWS = int(1000000 * SCALE)
SECONDS = max(1.0, 10 * SCALE)
SCRIPT = f"""
CREATE TABLE tb_shop (pk_shop int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_item (pk_item int PRIMARY KEY, fk_shop int NOT NULL, price int NOT NULL);
CREATE INDEX ON tb_item (fk_shop);
CREATE TABLE tb_note (pk_note int PRIMARY KEY, body int NOT NULL);
INSERT INTO tb_shop SELECT i, 'shop ' || i FROM generate_series(1, 1000) AS i;
INSERT INTO tb_item SELECT i, 1 + i % 1000, i FROM generate_series(1, {ROWS}) AS i;
INSERT INTO tb_note SELECT i, 0 FROM generate_series(1, 1000) AS i;
CREATE TABLE tv_note AS SELECT pk_note, body FROM tb_note;
"""
CREATE = ("CREATE TABLE tv_item AS SELECT i.pk_item, i.price, jsonb_build_object('price', i.price, 'shop', s.name) AS data"
          " FROM tb_item i JOIN tb_shop s ON s.pk_shop = i.fk_shop WITH NO DATA")


class Writer(threading.Thread):
    def __init__(self, number):
        super().__init__(daemon=True)
        self.random, self.written, self.is_over = random.Random(number), 0, False
        self.session = server.connect("load")
        self.start()

    def run(self):
        while not self.is_over:
            run(self.session, "UPDATE tb_item SET price = price + 1 WHERE pk_item = %s", (self.random.randint(1, ROWS),))
            self.written += 1


class Probe(threading.Thread):
    """How long the reader of its own change waits."""

    def __init__(self):
        super().__init__(daemon=True)
        self.random, self.times, self.is_over = random.Random(0), [], False
        self.session = server.connect("load")
        self.start()

    def run(self):
        while not self.is_over:
            key = self.random.randint(1, 1000)
            run(self.session, "UPDATE tb_note SET body = body + 1 WHERE pk_note = %s", (key,))
            began = time.monotonic()
            run(self.session, "SELECT body FROM tv_note WHERE pk_note = %s", (key,))
            self.times.append(time.monotonic() - began)
            time.sleep(0.005)


def measure(until):
    """Rate of the writers, and the probe's p50 and p99 in ms, until `until` is true."""
    written, seen, began = sum(writer.written for writer in writers), len(probe.times), time.monotonic()
    while not until(time.monotonic() - began):
        time.sleep(0.05)
    seconds = time.monotonic() - began
    times = sorted(probe.times[seen:])
    rate = (sum(writer.written for writer in writers) - written) / seconds
    return seconds, rate, 1000 * times[len(times) // 2], 1000 * times[len(times) * 99 // 100]


with Server("fill_load") as server:
    session = server.prepare("load", SCRIPT)
    run(session, "VACUUM ANALYZE")
    writers, probe = [Writer(1), Writer(2)], Probe()
    _, bare, p50, p99 = measure(lambda spent: spent > SECONDS)
    print(f"without TVIEW over tb_item: {bare:.0f} changes/s; another TVIEW visible after {p50:.1f} ms, p99 {p99:.1f} ms")
    run(session, CREATE)
    is_filled = lambda _: value(session, "SELECT completed_by IS NOT NULL FROM tviews_internal.pg_tview_fill")
    seconds, filling, p50, p99 = measure(is_filled)
    print(f"during the fill of {ROWS} rows, {seconds:.1f} s: {filling:.0f} changes/s; another TVIEW after {p50:.1f} ms, p99 {p99:.1f} ms")
    _, after, p50, p99 = measure(lambda spent: spent > SECONDS)
    print(f"after it: {after:.0f} changes/s; another TVIEW after {p50:.1f} ms, p99 {p99:.1f} ms")
    print(f"the fill leaves writers {filling / after:.2f} of their rate, {filling / bare:.2f} of that without TVIEW")
    for client in [*writers, probe]:
        client.is_over = True
        client.join()
    print("slices", run(session, "SELECT slices, rows_done, restarts FROM tviews_internal.pg_tview_fill")[0])
    check_equal(session, "after the fill")
