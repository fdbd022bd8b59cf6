"""A long pause leaves many records in the outbox: the applier reads and deletes them without a list of them in its memory.

Danger: 16 bytes for each of 100 million records, and as much again while the list grows; where memory is limited, the batch
fails for ever. SCALE=1 has ten million, otherwise there are a million."""
import os
import resource
import time

from tviews_server import Server, bash, check_equal, run, value, wait_until

RECORDS = 10_000_000 if os.environ.get("SCALE") else 1_000_000
ROOM = RECORDS * 16 // 2 + 8 * 1024 * 1024  # bytes: less than any list of them takes

SCRIPT = """
CREATE TABLE tb_a (pk_a int PRIMARY KEY, name text);
INSERT INTO tb_a SELECT i, 'a' FROM generate_series(1, 10) AS i;
CREATE TABLE tv_a AS SELECT pk_a, name FROM tb_a;
"""
APPLIER = "SELECT pid FROM pg_tviews_workers WHERE kind = 'applier' AND database = 'long' AND pid IS NOT NULL"


def virtual_size(pid):
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[0]) * resource.getpagesize()


with Server("long_outbox", "pg_tviews.audit_rate = 0\nshared_buffers = 256MB\nmax_wal_size = 8GB\n") as server:
    connection = server.prepare("long", SCRIPT)
    run(connection, "SET pg_tviews.protect = off")
    check_equal(connection)
    outbox = value(connection, "SELECT oid::regclass::text FROM pg_class WHERE relname = 'pg_tview_outbox' AND relkind = 'r'")
    run(connection, "SELECT pg_tviews_pause()")
    run(connection, "UPDATE tb_a SET name = name || '!'")
    began = time.monotonic()
    run(connection, f"INSERT INTO {outbox} SELECT payload FROM {outbox} CROSS JOIN generate_series(1, {RECORDS})")
    print(f"note: {RECORDS} records written in {time.monotonic() - began:.0f} s")
    # What it has not been told of, a new applier looks for.
    run(connection, f"SELECT pg_terminate_backend(pid, 20000) FROM ({APPLIER}) AS a")
    run(connection, "UPDATE tb_a SET name = name || '!' WHERE pk_a = 1")
    applier = wait_until(lambda: run(connection, APPLIER), "another applier")[0][0]
    limit = virtual_size(applier) + ROOM
    bash('as_server prlimit --pid "$1" --as="$2"', applier, limit)  # what ulimit -v sets
    began = time.monotonic()
    run(connection, "SELECT pg_tviews_resume()")
    run(connection, "SELECT pg_tviews_wait('10 min')")
    print(f"note: applied in {time.monotonic() - began:.0f} s")
    assert run(connection, APPLIER)[0][0] == applier, "the applier has ended"
    assert value(connection, f"SELECT count(*) FROM {outbox}") == 0
    assert value(connection, "SELECT retries FROM pg_tviews_workers WHERE kind = 'applier' AND database = 'long'") == 0
    check_equal(connection, "at the end")
