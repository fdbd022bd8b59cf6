"""What the caches and locks of an applier have to hold, by the number of TVIEWs, and what a cache that is too small costs. Two tables
on stdout, for docs/howto/size-a-server.md.

Usage: test/stress/cache_sizes.py BUILD_DIR [--tviews 20,60,150]

Each TVIEW reads a table of its own and two that all of them share. Entries, sizes and locks are counted. Times are CPU seconds of the
applier, so that another load takes little part in them. Every TVIEW is compared with its query at the end of each round.
"""
import argparse
import os
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from tviews_server import Server, check_equal, run, value, wait_until  # noqa: E402

CONF = "shared_buffers = 256MB\nclient_min_messages = warning\npg_tviews.max_helpers = 0\npg_tviews.audit_rate = 0\nautovacuum = off\n" \
       "fsync = off\njit = off\nmax_locks_per_transaction = 1024\npg_tviews.notice_lineage = off\npg_tviews.prepared_stmt_cache_size = {size}\n"
SHARED = """CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_tag (pk_tag int PRIMARY KEY, name text NOT NULL);
INSERT INTO tb_user SELECT n, 'user ' || n FROM generate_series(1, 100) AS n;
INSERT INTO tb_tag SELECT n, 'tag ' || n FROM generate_series(1, 100) AS n;"""
ONE = """CREATE TABLE tb_post_{n} (pk_post int PRIMARY KEY, fk_user int NOT NULL, fk_tag int NOT NULL, title text NOT NULL);
CREATE INDEX ON tb_post_{n} (fk_user);
CREATE INDEX ON tb_post_{n} (fk_tag);
INSERT INTO tb_post_{n} SELECT i, i, 1 + i % 100, 'post' FROM generate_series(1, 100) AS i;
CREATE TABLE tv_post_{n} AS SELECT p.pk_post, jsonb_build_object('title', p.title, 'user', u.name, 'tag', t.name) AS data
FROM tb_post_{n} p JOIN tb_user u ON u.pk_user = p.fk_user JOIN tb_tag t ON t.pk_tag = p.fk_tag"""


def applier(connection):
    return value(connection, "SELECT pid FROM pg_tviews_workers WHERE kind = 'applier' AND database = current_database()")


def cpu(pid):
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9


def private_memory(pid):
    """MB of the process beyond what it shares."""
    lines = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines())
    return int(lines["RssAnon"].split()[0]) / 1024


def plan_cache(connection):
    return run(connection, "SELECT entries, evictions, estimated_size FROM pg_tviews_cache_stats"
                           " WHERE cache_type = 'plan_cache' AND process_kind = 'applier'")[0]


def most_locks(server, pid, ended):
    """Looked at while a batch runs: at least so many."""
    most = 0
    watcher = server.connect(name="watcher")
    while not ended.is_set():
        most = max(most, value(watcher, f"SELECT count(*) FROM pg_locks WHERE pid = {pid}"))
    return most


def changes(connection, count):
    """One, then twenty rows of each source, each in a batch of its own; then rows that all TVIEWs show."""
    for rows in (1, 20):
        for n in range(count):
            run(connection, f"UPDATE tb_post_{n} SET title = title || '!' WHERE pk_post <= {rows}")
            run(connection, "SELECT pg_tviews_wait()")
    run(connection, "UPDATE tb_user SET name = name || '!' WHERE pk_user = 1")
    run(connection, "SELECT pg_tviews_wait()")
    run(connection, "UPDATE tb_tag SET name = name || '!' WHERE pk_tag = 1")
    run(connection, "SELECT pg_tviews_wait()")


def measured(count, size):
    with Server("cache_sizes", CONF.format(size=size)) as server:
        connection = server.connect()
        run(connection, "CREATE EXTENSION pg_tviews")
        run(connection, SHARED)
        for n in range(count):
            run(connection, ONE.format(n=n))
        run(connection, "ANALYZE; SELECT pg_tviews_wait()")
        wait_until(lambda: applier(connection) is not None, "an applier")
        changes(connection, count)  # what is prepared once
        pid = applier(connection)
        before = cpu(pid)
        changes(connection, count)
        seconds = cpu(pid) - before
        ended, locks = threading.Event(), []
        thread = threading.Thread(target=lambda: locks.append(most_locks(server, pid, ended)))
        thread.start()
        for _ in range(3):
            run(connection, "UPDATE tb_user SET name = name || '.'")
            run(connection, "SELECT pg_tviews_wait()")
        ended.set()
        thread.join()
        check_equal(connection)
        return {"seconds": seconds, "plans": plan_cache(connection), "memory": private_memory(pid), "locks": locks[0]}


def main():
    print("| TVIEWs | statements prepared | of each TVIEW | room of one | applier's own memory | locks of a batch of all |")
    print("|---|---|---|---|---|---|")
    for count in ARGUMENTS.tviews:
        found = measured(count, 10000)
        entries, evictions, size = found["plans"]
        assert evictions == 0 and entries > count, found
        print(f"| {count} | {entries:,} | {entries / count:.1f} | {size / entries / 1024:.0f} kB | {found['memory']:.0f} MB | {found['locks']:,} |",
              flush=True)
    count = ARGUMENTS.tviews[len(ARGUMENTS.tviews) // 2]
    print(f"\n| `pg_tviews.prepared_stmt_cache_size`, {count} TVIEWs | statements kept | evictions | CPU of a round | memory |")
    print("|---|---|---|---|---|")
    for size in (50, 500, 2000):
        found = measured(count, size)
        print(f"| {size} | {found['plans'][0]:,} | {found['plans'][1]:,} | {found['seconds']:.2f} s | {found['memory']:.0f} MB |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--tviews", default="20,60,150", type=lambda text: [int(part) for part in text.split(",")])
    ARGUMENTS = parser.parse_args()
    os.environ.setdefault("BUILD", ARGUMENTS.build)
    main()
