"""No limit below 64 levels and 1,000 TVIEWs: a chain of 64, each reading the one before, and TVIEWs beside it up to
1,000 in all. A change of one row passes through the chain in one batch; a change that all of them read reaches all.
Cycles are refused with the path, plain views included. TVIEWS (default 1,000) may be set in the environment.
"""
# Runs first: it takes long.
import os
import time

import psycopg2

from tviews_server import Server, run, value

LEVELS = 64
TVIEWS = int(os.environ.get("TVIEWS", 1000))

with Server("many_tviews") as server:
    connection = server.prepare("many", "CREATE TABLE tb_base (pk_base int PRIMARY KEY, n int NOT NULL, m int NOT NULL);"
                                        "INSERT INTO tb_base SELECT i, i, i FROM generate_series(1, 10) AS i;")
    run(connection, "SET pg_tviews.notice_lineage = off")
    begin = time.monotonic()
    run(connection, "CREATE TABLE tv_l1 AS SELECT pk_base AS pk_l1, n FROM tb_base")
    for level in range(2, LEVELS + 1):
        run(connection, f"CREATE TABLE tv_l{level} AS SELECT pk_l{level - 1} AS pk_l{level}, n + 1 AS n FROM tv_l{level - 1}")
    chained = time.monotonic()
    for number in range(LEVELS, TVIEWS):
        run(connection, f"CREATE TABLE tv_w{number} AS SELECT pk_base AS pk_w{number}, m + {number} AS m FROM tb_base")
    created = time.monotonic()
    assert value(connection, "SELECT count(*) FROM pg_tview_meta") == TVIEWS
    run(connection, "SELECT pg_tviews_wait()")

    # What a session sets for its own plans does not reach the extension's statements.
    def create_and_drop():
        start = time.monotonic()
        run(connection, "CREATE TABLE tv_measured AS SELECT pk_base AS pk_measured, n FROM tb_base")
        run(connection, "DROP TABLE tv_measured")
        return time.monotonic() - start

    usual = min(create_and_drop() for _ in range(3))
    for setting in ("enable_nestloop", "enable_hashjoin", "enable_mergejoin", "enable_indexscan", "enable_bitmapscan"):
        run(connection, f"SET {setting} = off")
    hostile = min(create_and_drop() for _ in range(3))
    run(connection, "RESET ALL; SET pg_tviews.notice_lineage = off")
    print(f"note: one more created and dropped in {usual * 1000:.0f} ms, under hostile settings in {hostile * 1000:.0f} ms")
    assert hostile < 3 * usual + 0.5, (usual, hostile)

    run(connection, "SELECT pg_tviews_wait()")
    batches = value(connection, "SELECT batches FROM pg_tview_frontier")
    started = time.monotonic()
    run(connection, "UPDATE tb_base SET n = 1000 WHERE pk_base = 3")
    run(connection, "SELECT pg_tviews_wait()")
    deep = time.monotonic() - started
    assert value(connection, f"SELECT n FROM tv_l{LEVELS} WHERE pk_l{LEVELS} = 3") == 1000 + LEVELS - 1
    assert value(connection, "SELECT batches FROM pg_tview_frontier") == batches + 1
    assert value(connection, f"SELECT count(*) FROM pg_tviews_show_cascade_path('l1') WHERE entity_name = 'l{LEVELS}'") == 1

    started = time.monotonic()
    run(connection, "UPDATE tb_base SET m = 5000 WHERE pk_base = 4")
    run(connection, "SELECT pg_tviews_wait()")
    wide = time.monotonic() - started
    for number in (LEVELS, TVIEWS - 1):
        assert value(connection, f"SELECT m FROM tv_w{number} WHERE pk_w{number} = 4") == 5000 + number
        assert value(connection, f"SELECT count(*) FROM pg_tviews_verify('w{number}')") == 0

    # A cycle over all levels, closed through two plain views.
    run(connection, "CREATE VIEW below AS SELECT pk_base, n FROM tb_base")
    run(connection, "CREATE VIEW aside AS SELECT pk_base, n FROM below")
    run(connection, "CREATE TABLE tv_start AS SELECT pk_base AS pk_start, n FROM aside")
    run(connection, "CREATE TABLE tv_end AS SELECT pk_start AS pk_end, n FROM tv_start")
    try:
        run(connection, "CREATE OR REPLACE VIEW below AS SELECT pk_end AS pk_base, n FROM tv_end")
        raise AssertionError("a cycle was accepted")
    except psycopg2.Error as error:
        path = error.diag.message_primary.replace("public.", "").split(": ")[1].split(" reads ")
        at = path.index("tv_end")
        assert (path[:-1] * 2)[at:at + 4] == ["tv_end", "tv_start", "aside", "below"] and path[0] == path[-1], path
    print(f"note: {LEVELS} levels created in {chained - begin:.1f} s, {TVIEWS} TVIEWs in {created - begin:.1f} s; a change through"
          f" all levels applied in {deep * 1000:.0f} ms, one to {TVIEWS - LEVELS} TVIEWs in {wide * 1000:.0f} ms")
