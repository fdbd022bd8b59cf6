"""A full disk, as a small file system under a tablespace: below a TVIEW it holds up the applier, which goes
on as soon as there is room; below a source it fails the writer's statement and nothing else. And a
batch of far more keys than pg_tviews.batch_memory is done in bounded memory."""
import pathlib
import subprocess

import psycopg2

import shop
from tviews_server import Server, bash, check_equal, run, value, wait_until

RETRIES = "SELECT retries FROM pg_tviews_workers WHERE kind = 'applier' AND database = 'shop'"


def mount(directory, size, options=""):
    bash('make_server_dir "$1"', directory)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"{options}size={size}", "tmpfs", directory], capture_output=True)
    if done.returncode == 0:
        bash('chown "$SERVER_USER:" "$1"', directory)
    return done.returncode == 0


def check_memory(connection):
    """The keys of this batch would need some 10 MB; what its memory grows by is far less."""
    run(connection, "ALTER SYSTEM SET pg_tviews.batch_memory = '64kB'")
    run(connection, "SELECT pg_reload_conf()")
    run(connection, "CREATE TABLE tb_many (pk_many bigint PRIMARY KEY, fk_one int, amount int)")
    run(connection, "INSERT INTO tb_many SELECT i, i % 10, 1 FROM generate_series(1, 100000) i")
    run(connection, "CREATE TABLE tv_many AS SELECT pk_many, fk_one, amount FROM tb_many")
    run(connection, "CREATE TABLE tv_one AS SELECT fk_one AS pk_one, sum(amount) AS total FROM tb_many GROUP BY fk_one")
    run(connection, "UPDATE tb_many SET amount = 2 WHERE pk_many < 10")
    check_equal(connection, "before the large batch")
    pid = value(connection, "SELECT pid FROM pg_tviews_workers WHERE kind = 'applier' AND database = 'shop'")
    status = pathlib.Path(f"/proc/{pid}/status")
    anonymous = lambda: int(status.read_text().split("RssAnon:")[1].split()[0])
    before, full = anonymous(), value(connection, "SELECT full_refreshes FROM pg_tviews_workers WHERE pid = %s", (pid,))
    run(connection, "UPDATE tb_many SET amount = 3")
    check_equal(connection, "after the large batch")
    assert value(connection, "SELECT full_refreshes FROM pg_tviews_workers WHERE pid = %s", (pid,)) > full
    grown = anonymous() - before
    assert grown < 6000, f"the applier's memory has grown by {grown} kB"


def check_disk(server, connection, place):
    run(connection, f"CREATE TABLESPACE small LOCATION '{place}'")
    run(connection, "ALTER TABLE tv_order SET TABLESPACE small")
    # Documents that do not fit; the other TVIEWs stay at the same frontier as this one.
    retries = value(connection, RETRIES)
    run(connection, "INSERT INTO tb_order SELECT i, gen_random_uuid(), i % 40 + 1, repeat(md5(i::text), 40) FROM generate_series(1000, 9000) i")
    wait_until(lambda: value(connection, RETRIES) > retries + 5, "batches that find no room")
    assert "No space left on device" in server.log()
    writers = shop.Writers(lambda: server.connect("shop"), sessions=2, seed=33)
    wait_until(lambda: writers.committed > 100, "the writers to go on")
    writers.stop()
    subprocess.run(["mount", "-o", "remount,size=64m", place], check=True)
    check_equal(connection, "with room again")
    assert value(connection, "SELECT count(*) FROM pg_tview_dead_letter") == 0

    run(connection, "CREATE TABLE tb_full (pk_full int PRIMARY KEY, text text) TABLESPACE small")
    run(connection, "CREATE TABLE tv_full AS SELECT pk_full, length(text) AS length FROM tb_full")
    run(connection, "INSERT INTO tb_full VALUES (1, 'one')")
    try:
        run(connection, "INSERT INTO tb_full SELECT i, (SELECT string_agg(md5((i * j)::text), '') FROM generate_series(1, 50) j) FROM generate_series(2, 30000) i")
        raise AssertionError("the disk is not full")
    except psycopg2.errors.DiskFull:
        pass
    run(connection, "INSERT INTO tb_full VALUES (2, 'two')")
    check_equal(connection, "after a writer's disk was full")
    assert value(connection, "SELECT count(*) FROM tv_full") == 2


with Server("disk_full") as server:
    connection = server.prepare("shop", shop.SCRIPT)
    check_equal(connection, "at the start")
    check_memory(connection)
    place = f"{server.directory}/small"
    if mount(place, "4m"):
        try:
            check_disk(server, connection, place)
        finally:
            connection.close()
            server.stop("immediate")
            subprocess.run(["umount", place], check=True)
    else:
        print("note: skipped: nothing can be mounted here; failure_points_test.py has errors of this kind")
