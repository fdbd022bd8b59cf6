"""A batch looks up the rows that it needs, whatever random_page_cost says of the disk; what reads everything, and
sessions, go by the setting."""
from tviews_server import Server, check_equal, run, value, wait_until

ROWS = 20000
SCRIPT = f"""
CREATE TABLE tb_owner (pk_owner int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_thing (pk_thing int PRIMARY KEY, fk_owner int NOT NULL, n int NOT NULL);
CREATE INDEX ON tb_thing (fk_owner);
INSERT INTO tb_owner SELECT i, 'owner ' || i FROM generate_series(1, {ROWS}) i;
INSERT INTO tb_thing SELECT i, i * 7919 % {ROWS} + 1, 0 FROM generate_series(1, {ROWS}) i;
ANALYZE tb_owner, tb_thing;
CREATE TABLE tv_thing AS SELECT t.pk_thing, t.n, o.name FROM tb_thing t JOIN tb_owner o ON o.pk_owner = t.fk_owner;
ALTER DATABASE costs SET random_page_cost = 1000;
"""


def scans(table):
    return run(connection, "SELECT seq_scan, idx_scan FROM pg_stat_user_tables WHERE relname = %s", (table,))[0]


with Server("page_costs") as server:
    connection = server.prepare("costs", SCRIPT)
    run(connection, "SELECT pg_stat_force_next_flush()")  # creation's own scans
    run(connection, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE backend_type = 'pg_tviews applier'")
    connection = server.connect("costs")
    if value(connection, "SHOW random_page_cost") != "1000":
        raise AssertionError("the setting does not reach new sessions")
    before = {table: scans(table) for table in ("tb_owner", "tb_thing")}
    # By key here, so that no scan of the writer's is counted.
    run(connection, "SET enable_seqscan = off; UPDATE tb_thing SET n = 1 WHERE pk_thing IN (SELECT generate_series(1, 500))")
    run(connection, "SELECT pg_tviews_wait()")  # a batch of both would have keys enough for a scan
    run(connection, "UPDATE tb_owner SET name = name || '!' WHERE pk_owner IN (SELECT generate_series(1, 500))")
    run(connection, "SELECT pg_tviews_wait()")
    wait_until(lambda: scans("tb_owner")[1] >= before["tb_owner"][1] + 1000, "the batch's lookups to be counted")
    for table, (sequential, _) in before.items():
        if scans(table)[0] != sequential:
            raise AssertionError(f"{table} was scanned {scans(table)[0] - sequential} times")
    check_equal(connection, "after looking up")
    run(connection, "RESET enable_seqscan")
    plan = "\n".join(line for (line,) in run(connection, """EXPLAIN SELECT FROM tb_thing t JOIN tb_owner o ON o.pk_owner = t.fk_owner
        WHERE t.pk_thing = ANY (ARRAY(SELECT generate_series(1, 500)))"""))
    if "Seq Scan" not in plan:
        raise AssertionError(f"a session's plan does not go by random_page_cost:\n{plan}")
