"""The 22 queries of TPC-H as TVIEWs (`tpch/`): single rows of every table are changed, orders come (RF1) and go (RF2), and
after each change every TVIEW is its query.

Danger: shapes that people write and generators do not: sublinks under HAVING, a view that is read twice, joins of eight tables, groups
of expressions; and costs that grow with the data where nothing says so.

SF (0.002) is the scale factor; SF=1 needs about 4 GB and an hour, and then the table in docs/benchmarks/README.md is what is printed.
"""
import os
import pathlib
import sys
import time

from tviews_server import Server, check_equal, run, value

sys.path.insert(0, str(pathlib.Path(__file__).parent / "tpch"))
from queries import QUERIES

SF = float(os.environ.get("SF", 0.002))
SCHEMA = (pathlib.Path(__file__).parent / "tpch" / "schema.sql").read_text()
ORDERS = max(1500, int(1500000 * SF))
RF = max(3, int(1500 * SF))  # as many orders come, and as many go

# {name: statements}. `line item` and so on are what the figures are about.
CHANGES = {
    "line item": ["UPDATE lineitem SET l_quantity = l_quantity + 1 WHERE l_orderkey = 7 AND l_linenumber = 1"],
    "line items come and go": ["DELETE FROM lineitem WHERE l_orderkey = 9 AND l_linenumber = 1",
                               "UPDATE lineitem SET l_returnflag = 'R', l_shipmode = 'MAIL', l_shipdate = date '1994-03-01' WHERE l_orderkey = 11",
                               "UPDATE lineitem SET l_discount = 0.06, l_quantity = 5, l_shipdate = date '1995-09-10' WHERE l_orderkey = 12"],
    "order": ["UPDATE orders SET o_orderdate = date '1993-08-01', o_orderpriority = '1-URGENT', o_totalprice = o_totalprice + 1 WHERE o_orderkey = 13"],
    "order of another": ["UPDATE orders SET o_custkey = o_custkey + 3, o_orderstatus = 'F', o_comment = 'special requests' WHERE o_orderkey = 14"],
    "customer": ["UPDATE customer SET c_acctbal = c_acctbal + 1000, c_phone = '13' || substring(c_phone FROM 3) WHERE c_custkey = 4"],
    "customer moves": ["UPDATE customer SET c_nationkey = (c_nationkey + 1) % 25, c_mktsegment = 'BUILDING' WHERE c_custkey IN (1, 7)"],
    "part": ["UPDATE part SET p_size = 15, p_type = 'PROMO ANODIZED BRASS', p_name = 'forest green' WHERE p_partkey = 5"],
    "partsupp": ["UPDATE partsupp SET ps_supplycost = 1, ps_availqty = 9000 WHERE ps_partkey = 5"],
    "supplier": ["UPDATE supplier SET s_nationkey = 7, s_comment = 'Customer Complaints' WHERE s_suppkey = 3"],
    "nation": ["UPDATE nation SET n_name = 'CHILE' WHERE n_nationkey = 8", "UPDATE nation SET n_regionkey = 3 WHERE n_nationkey = 9"],
    "region": ["UPDATE region SET r_name = 'OCEANIA' WHERE r_regionkey = 2", "UPDATE region SET r_name = 'ASIA' WHERE r_regionkey = 4"],
    "RF1": [f"SELECT add_orders({ORDERS + 1}, {ORDERS + RF})"],
    "RF2": [f"DELETE FROM orders WHERE o_orderkey <= {RF}"],
}
SPENT = "SELECT entity, total_refreshes * coalesce(avg_refresh_ms, 0)::float8 FROM pg_tviews_performance_summary"


def seconds(statement):
    began = time.monotonic()
    run(connection, statement)
    return time.monotonic() - began


def report(scratch, costs):
    columns = ["line item", "order", "customer", "RF1"]
    print("note: ms of a query from scratch, and of the refresh after a change of one " + ", ".join(columns[:-1]) + f"; after {RF} orders (RF1)")
    for number in QUERIES:
        row = [f"{costs[name].get(f'q{number}', 0):.1f}" for name in columns]
        print(f"note: Q{number} scratch {1000 * scratch[number]:.1f}, " + ", ".join(f"{name} {cost}" for name, cost in zip(columns, row)))


with Server("tpch", "shared_buffers = 512MB\nmax_wal_size = 4GB\nwork_mem = 64MB\npg_tviews.audit_rate = 0\npg_tviews.read_timeout = 20min\n") as server:
    connection = server.prepare("tpch", SCHEMA.replace(":scale", str(SF)))
    scratch = {}
    for number, query in QUERIES.items():
        run(connection, query)
        scratch[number] = seconds(query)
        run(connection, f"CREATE TABLE tv_q{number} WITH (pg_tviews.key = 'key') AS {query}")
    filled = {number: value(connection, f"SELECT count(*) FROM tv_q{number}") for number in QUERIES}
    empty = [number for number, rows in filled.items() if rows == 0]
    assert SF < 0.01 or not empty, f"nothing to see in {empty}"
    assert len(empty) < 8, f"nothing to see in {empty}"
    check_equal(connection, "at first")
    costs = {}
    for name, statements in CHANGES.items():
        for statement in statements:
            before = dict(run(connection, SPENT))
            run(connection, statement)
            run(connection, "SELECT pg_tviews_wait('20 min')")
            costs.setdefault(name, {entity: spent - before[entity] for entity, spent in run(connection, SPENT)})
            check_equal(connection, statement)
    left = run(connection, "SELECT tview::text, sqlstate, error FROM pg_tview_dead_letter")
    assert left == [], left
    report(scratch, costs)
    print(f"note: {value(connection, 'SELECT count(*) FROM lineitem')} line items, {sum(filled.values())} rows in 22 TVIEWs, empty: {empty}")
