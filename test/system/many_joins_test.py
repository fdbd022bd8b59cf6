"""Lineage of hundreds of joins takes seconds, not minutes, and can be cancelled at any time."""
import time

import psycopg2

from tviews_server import Server, run, value

SCRIPT = """
CREATE TABLE tb_x (pk_x int PRIMARY KEY, fk_x int, v int);
CREATE INDEX tb_x_fk_x ON tb_x (fk_x);
"""


def joined(n, shape):
    on = {"chain": "JOIN tb_x t{0} ON t{0}.pk_x = t{1}.fk_x",
          "left": "LEFT JOIN tb_x t{0} ON t{0}.pk_x = t{1}.fk_x",
          "star": "LEFT JOIN tb_x t{0} ON t{0}.fk_x = t0.pk_x"}[shape]
    joins = " ".join(on.format(i, i - 1) for i in range(1, n))
    columns = ", ".join(f"t{i}.v AS v{i}" for i in range(n))
    return f"SELECT t0.pk_x AS pk_many, {columns} FROM tb_x t0 {joins}"


def seconds(n, shape):
    begin = time.monotonic()
    paths = value(connection, "SELECT count(*) FROM pg_tviews_explain_query(%s, 'pk_many')", (joined(n, shape),))
    assert paths >= 1, paths
    return time.monotonic() - begin


with Server("many_joins") as server:
    connection = server.prepare("joins", SCRIPT)
    for shape in ("chain", "left", "star"):
        seconds(20, shape)
        small, large = seconds(100, shape), seconds(400, shape)
        # Each of 400 paths is written with up to 400 tables: more than 16 times as much. The degree was 4: 256 times.
        assert large < 15 and large < 100 * max(small, 0.05), (shape, small, large)
    # Cancelled in the midst. The server itself is deaf while it copies the tree of the query, about a second.
    whole = seconds(800, "chain")
    for share in (0.1, 0.25, 0.5):
        is_cancelled = False
        while not is_cancelled:  # a run that ends before its limit says how fast the machine has become
            limit = max(int(1000 * share * whole), 1)
            run(connection, f"SET statement_timeout = {limit}")
            begin = time.monotonic()
            try:
                run(connection, "SELECT * FROM pg_tviews_explain_query(%s, 'pk_many')", (joined(800, "chain"),))
                whole = min(whole / 2, time.monotonic() - begin)
                assert whole > 0.1, "800 joins in no time"
            except psycopg2.errors.QueryCanceled:
                is_cancelled = True
        assert time.monotonic() - begin < limit / 1000 + 3, time.monotonic() - begin
