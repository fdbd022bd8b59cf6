"""Keys of several columns cost what keys of one column do: the same documents, of two tables that differ in
their key alone, and one changed row of a query that pairs two tables. Prints the ratios; what is compared are medians
of rounds in turn. Every TVIEW equals its query afterwards."""
# Runs alone: it measures.
import os
import statistics
import time

from tviews_server import Server, check_equal, run, value

ROWS = int(os.environ.get("ROWS", 200000))
ROUNDS = int(os.environ.get("ROUNDS", 5))
TENANTS = 20
PAIRS = 2000  # rows on either side

SCRIPT = f"""
CREATE TABLE tb_tenant (id int PRIMARY KEY, name text);
INSERT INTO tb_tenant SELECT i, 'tenant ' || i FROM generate_series(0, {TENANTS - 1}) AS i;
CREATE TABLE tb_single (id bigint PRIMARY KEY, tenant_id int NOT NULL, n int NOT NULL) WITH (fillfactor = 70);
CREATE TABLE tb_composite (tenant_id int, id bigint, n int NOT NULL, PRIMARY KEY (tenant_id, id)) WITH (fillfactor = 70);
INSERT INTO tb_single SELECT i, i * {TENANTS} / {ROWS}, 0 FROM generate_series(0, {ROWS - 1}) AS i;
INSERT INTO tb_composite SELECT i * {TENANTS} / {ROWS}, i, 0 FROM generate_series(0, {ROWS - 1}) AS i;
CREATE INDEX ON tb_single (tenant_id);
CREATE TABLE tb_left (id int PRIMARY KEY, x int, name text);
CREATE TABLE tb_right (id int PRIMARY KEY, x int, name text);
INSERT INTO tb_left SELECT i, i % 50, 'l' || i FROM generate_series(1, {PAIRS}) AS i;
INSERT INTO tb_right SELECT i, i % 50, 'r' || i FROM generate_series(1, {PAIRS}) AS i;
CREATE INDEX ON tb_left (x);
CREATE INDEX ON tb_right (x);
ANALYZE tb_tenant, tb_single, tb_composite, tb_left, tb_right;
CREATE TABLE tv_single WITH (pg_tviews.key = 'id') AS
SELECT s.id, s.tenant_id, jsonb_build_object('n', s.n, 'tenant', t.name) AS data FROM tb_single s JOIN tb_tenant t ON t.id = s.tenant_id;
CREATE TABLE tv_composite WITH (pg_tviews.key = 'tenant_id, id') AS
SELECT c.tenant_id, c.id, jsonb_build_object('n', c.n, 'tenant', t.name) AS data FROM tb_composite c JOIN tb_tenant t ON t.id = c.tenant_id;
CREATE TABLE tv_pair WITH (pg_tviews.key = 'left_id, right_id') AS
SELECT l.id AS left_id, r.id AS right_id, l.name || r.name AS names FROM tb_left l JOIN tb_right r ON r.x = l.x;
"""


def seconds(statement):
    """From the commit of a statement until every document is right."""
    run(connection, statement)
    began = time.monotonic()
    run(connection, "SELECT pg_tviews_wait()")
    return time.monotonic() - began


def compare(label, where):
    times = {"single": [], "composite": []}
    for turn in range(ROUNDS):
        for kind in ("single", "composite") if turn % 2 else ("composite", "single"):
            times[kind].append(seconds(f"UPDATE tb_{kind} SET n = n + 1 WHERE {where}"))
    single, composite = (statistics.median(times[kind]) for kind in ("single", "composite"))
    print(f"note: {label}: single {1000 * single:.1f} ms, composite {1000 * composite:.1f} ms, ratio {composite / single:.2f}")


with Server("composite_keys", conf="autovacuum = off\n") as server:
    connection = server.prepare("composite", SCRIPT)
    run(connection, "SELECT pg_tviews_wait()")
    compare("1 key", f"id = {ROWS // 2} AND tenant_id = {TENANTS // 2}")
    compare("100 keys, scattered", f"id % {ROWS // 100} = 0")
    compare(f"{ROWS // 20} keys, one tenant", "tenant_id = 7")
    compare(f"{ROWS // 20} keys, scattered", "id % 20 = 0")
    compare(f"{ROWS} keys", "true")
    for side in ("left", "right"):
        times = [seconds(f"UPDATE tb_{side} SET name = name || '.' WHERE id = {7 * turn + 1}") for turn in range(ROUNDS)]
        print(f"note: one changed row of the {side} side of {PAIRS * PAIRS // 50} pairs: {1000 * statistics.median(times):.1f} ms")
    check_equal(connection)
    # Ranges with gaps, rows of others within their bounds, keys that go, and tenants of a few keys beside large ones.
    run(connection, "DELETE FROM tb_composite WHERE id % 7 = 0")
    run(connection, f"INSERT INTO tb_composite SELECT {TENANTS - 1}, {ROWS} + i, 0 FROM generate_series(1, 3000) AS i WHERE i % 6 > 0")
    run(connection, "UPDATE tb_composite SET n = n + 1 WHERE tenant_id IN (3, 5) OR id % 1000 = 1")
    run(connection, "UPDATE tb_composite SET tenant_id = tenant_id - 1 WHERE tenant_id = 5")
    check_equal(connection)
    assert value(connection, "SELECT sum(full_refreshes) FROM pg_tviews_performance_summary") == 0
