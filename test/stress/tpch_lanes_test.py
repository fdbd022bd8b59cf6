"""The 22 queries of TPC-H as TVIEWs in a lane, and one of the nations in the main lane: a session changes a nation, or a nation and six line
items, and reads the nation's document. Prints how long that takes, in milliseconds; the lane is exact in the end.

SF (0.002) is the scale factor and READS (20) how often; with SF=1 the p99 has to be below LIMIT_MS (100, for two busy cores).
"""
import os
import pathlib
import sys
import time

from tviews_server import Server, check_equal, run, value

sys.path.insert(0, str(pathlib.Path(__file__).parent / "tpch"))
from queries import QUERIES

SF = float(os.environ.get("SF", 0.002))
READS = int(os.environ.get("READS", 20))
LIMIT_MS = float(os.environ.get("LIMIT_MS", 100 if SF >= 1 else 0))
SCHEMA = (pathlib.Path(__file__).parent / "tpch" / "schema.sql").read_text()
CONF = "shared_buffers = 512MB\nmax_wal_size = 4GB\nwork_mem = 64MB\npg_tviews.audit_rate = 0\n"
CHANGES = {
    "a nation": ["UPDATE nation SET n_comment = 'read {0}' WHERE n_nationkey = 8"],
    "a nation and six line items": ["UPDATE nation SET n_comment = 'read {0}' WHERE n_nationkey = 8",
                                    "UPDATE lineitem SET l_quantity = l_quantity + 1 WHERE l_orderkey IN (1, 2, 3, 4, 5, 6) AND l_linenumber = 1"],
}


def measure(statements):
    session = server.connect("tpch", name="reader")
    took = []
    for number in range(READS):
        begin = time.monotonic()
        run(session, "BEGIN; " + "; ".join(statements).format(number) + "; COMMIT")
        shown = value(session, "SELECT data ->> 'comment' FROM tv_nation WHERE pk_nation = 8")
        took.append((time.monotonic() - begin) * 1000)
        assert shown == f"read {number}", shown
    session.close()
    return sorted(took)


with Server("tpch_lanes", CONF) as server:
    connection = server.prepare("tpch", SCHEMA.replace(":scale", str(SF)))
    for number, query in QUERIES.items():
        run(connection, f"CREATE TABLE tv_q{number} WITH (pg_tviews.key = 'key', pg_tviews.lane = 'reports') AS {query}")
    run(connection, "CREATE TABLE tv_nation AS SELECT n_nationkey AS pk_nation, jsonb_build_object('name', n_name, 'comment', n_comment) AS data FROM nation")
    run(connection, "SELECT pg_tviews_wait('1 hour')")
    print(f"note: SF {SF}, {os.cpu_count()} cores")
    for what, changes in CHANGES.items():
        times = measure(changes)
        p99 = times[min(len(times) - 1, int(len(times) * 0.99))]
        print(f"note: after a change of {what}: {len(times)} reads, p50 {times[len(times) // 2]:.1f} ms, p99 {p99:.1f} ms, at most {times[-1]:.1f} ms")
        assert not LIMIT_MS or p99 < LIMIT_MS, times
    run(connection, "SELECT pg_tviews_wait('1 hour')")
    check_equal(connection, "at the end")
