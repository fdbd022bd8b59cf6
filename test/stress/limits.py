"""Tries how far the engine goes: size, depth, width, documents, sessions, batches. One table on stdout.

Usage: test/stress/limits.py BUILD_DIR [--only depth,width] [--scale 0.1]

Each figure of docs/reference/limits.md is a line of this program's output at scale 1. Every trial ends with
the comparison of each TVIEW with its query; a difference ends the program.
"""
import argparse
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from tviews_server import Server, check_equal, run, value  # noqa: E402

CONF = """
max_connections = 250
max_locks_per_transaction = 1024
shared_buffers = 1GB
max_wal_size = 8GB
client_min_messages = warning
"""
TRIALS = {}


def trial(function):
    TRIALS[function.__name__] = function
    return function


def wait(connection):
    """Seconds until everything committed is applied."""
    began = time.monotonic()
    run(connection, "SELECT pg_tviews_wait()")
    return time.monotonic() - began


def timed(connection, statement):
    began = time.monotonic()
    run(connection, statement)
    return time.monotonic() - began


def report(what, tried, *figures):
    print(f"| {what} | {tried} | {'; '.join(figures)} |", flush=True)


@trial
def size(server, scale):
    rows = int(1_000_000 * scale)
    with_data = server.prepare("size", f"""
        CREATE TABLE tb_item (pk_item int PRIMARY KEY, fk_group int NOT NULL, name text NOT NULL);
        INSERT INTO tb_item SELECT n, n % 1000, 'item ' || n FROM generate_series(1, {rows}) n""")
    created = timed(with_data, """CREATE TABLE tv_item AS
        SELECT tb_item.pk_item, jsonb_build_object('name', tb_item.name, 'group', tb_item.fk_group) AS data FROM tb_item""")
    run(with_data, "UPDATE tb_item SET name = name || '!' WHERE pk_item = 17")
    one = wait(with_data)
    check_equal(with_data, "size")
    report("rows of a TVIEW", f"{rows:,}", f"created in {created:.1f} s", f"one row changed: {one * 1000:.1f} ms")
    run(with_data, "UPDATE tb_item SET name = name || '!'")
    everything = wait(with_data)
    check_equal(with_data, "batch")
    report("keys in one batch", f"{rows:,}", f"applied in {everything:.1f} s after the commit")


@trial
def depth(server, scale):
    levels = max(10, int(64 * scale))
    connection = server.prepare("depth", "CREATE TABLE tb_root (pk_root int PRIMARY KEY, n int NOT NULL);"
                                "INSERT INTO tb_root SELECT n, n FROM generate_series(1, 100) n;"
                                "CREATE TABLE tv_1 AS SELECT tb_root.pk_root AS pk_1, tb_root.n FROM tb_root")
    created = sum(timed(connection, f"CREATE TABLE tv_{level} AS SELECT tv_{level - 1}.pk_{level - 1} AS pk_{level},"
                                    f" tv_{level - 1}.n + 1 AS n FROM tv_{level - 1}") for level in range(2, levels + 1))
    wait(connection)
    run(connection, "UPDATE tb_root SET n = n + 1 WHERE pk_root = 5")
    one = wait(connection)
    check_equal(connection, "depth")
    report("levels of TVIEWs over TVIEWs", levels, f"created in {created:.1f} s",
           f"one row changed, all levels right: {one * 1000:.1f} ms")


@trial
def width(server, scale):
    tviews = max(10, int(1000 * scale))
    connection = server.prepare("width", "CREATE TABLE tb_root (pk_root int PRIMARY KEY, n int NOT NULL);"
                                "INSERT INTO tb_root SELECT n, n FROM generate_series(1, 100) n")
    created = sum(timed(connection, f"CREATE TABLE tv_{number} AS SELECT tb_root.pk_root AS pk_{number},"
                                    f" tb_root.n + {number} AS n FROM tb_root") for number in range(tviews))
    wait(connection)
    run(connection, "UPDATE tb_root SET n = n + 1 WHERE pk_root = 5")
    one = wait(connection)
    check_equal(connection, "width")
    run(connection, "UPDATE tb_root SET n = n + 1 WHERE pk_root = 6")
    again = wait(connection)
    report("TVIEWs over one table", f"{tviews:,}", f"created in {created:.1f} s",
           f"one row changed, all right: {one * 1000:.0f} ms, again {again * 1000:.0f} ms")


@trial
def document(server, scale):
    megabytes = max(1, int(100 * scale))
    connection = server.prepare("document", f"""
        CREATE TABLE tb_part (pk_part int PRIMARY KEY, fk_whole int NOT NULL, body text NOT NULL);
        CREATE INDEX ON tb_part (fk_whole);
        CREATE TABLE tb_whole (pk_whole int PRIMARY KEY);
        INSERT INTO tb_whole VALUES (1);
        INSERT INTO tb_part SELECT n, 1, repeat(md5(n::text), 32768) FROM generate_series(1, {megabytes}) n;
        CREATE TABLE tv_whole AS
        SELECT tb_whole.pk_whole, jsonb_build_object('parts', (SELECT jsonb_agg(tb_part.body ORDER BY tb_part.pk_part)
            FROM tb_part WHERE tb_part.fk_whole = tb_whole.pk_whole)) AS data FROM tb_whole""")
    wait(connection)
    run(connection, "UPDATE tb_part SET body = 'short' WHERE pk_part = 1")
    one = wait(connection)
    check_equal(connection, "document")
    stored = value(connection, "SELECT length(data::text) FROM tv_whole")
    report("document size", f"{stored / 1048576:.0f} MB", f"rewritten in {one:.2f} s after the commit")


@trial
def sessions(server, scale):
    count, rounds = max(10, int(200 * scale)), 50
    connection = server.prepare("sessions", f"""
        CREATE TABLE tb_counter (pk_counter int PRIMARY KEY, n int NOT NULL);
        INSERT INTO tb_counter SELECT n, 0 FROM generate_series(1, {count}) n;
        CREATE TABLE tv_counter AS SELECT tb_counter.pk_counter, tb_counter.n FROM tb_counter;
        CREATE TABLE tv_total AS SELECT 1 AS pk_total, sum(tb_counter.n) AS n FROM tb_counter""")
    failures = []

    def write(number):
        try:
            session = server.connect("sessions")
            for _ in range(rounds):
                run(session, "UPDATE tb_counter SET n = n + 1 WHERE pk_counter = %s", (number,))
            session.close()
        except Exception as error:  # reported below, after the other threads have ended
            failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(1, count + 1)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - began
    if failures:
        raise failures[0]
    behind = wait(connection)
    check_equal(connection, "sessions")
    if value(connection, "SELECT n FROM tv_total") != count * rounds:
        raise AssertionError("transactions are missing")
    report("sessions that write at once", count, f"{count * rounds / seconds:.0f} transactions/s",
           f"all applied {behind * 1000:.0f} ms after the last")


@trial
def record(server, scale):
    tables = max(10, int(200 * scale))
    connection = server.prepare("record", "".join(f"""
        CREATE TABLE tb_{n} (pk_{n} int PRIMARY KEY, n int NOT NULL);
        CREATE TABLE tv_{n} AS SELECT tb_{n}.pk_{n}, tb_{n}.n FROM tb_{n};""" for n in range(tables)))
    run(connection, "".join(f"INSERT INTO tb_{n} SELECT m, m FROM generate_series(1, 1000) m;" for n in range(tables)))
    behind = wait(connection)
    check_equal(connection, "record")
    report("source tables changed by one transaction", tables, f"1,000 rows each, applied in {behind:.1f} s")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--only", default=",".join(TRIALS))
    parser.add_argument("--scale", type=float, default=1)
    options = parser.parse_args()
    print("| what | tried | outcome |\n|---|---|---|", flush=True)
    with Server("limits", CONF) as server:
        for name in options.only.split(","):
            TRIALS[name](server, options.scale)


if __name__ == "__main__":
    main()
