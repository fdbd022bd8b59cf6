"""DDL commits after a batch has taken its snapshot (ATTACKS A1, A2, A3).

Danger: catalogs are not read under the snapshot, so the batch would see an emptied or rewritten table,
a foreign partition or another view, and write documents that no snapshot has ever shown. Right answer:
what the batch commits is the state before the DDL or the state after it."""
import pauses
from tviews_server import Server, check_equal, run, tviews, value, wait_until

SCRIPT = """
CREATE TABLE tb_truncated (pk_truncated int PRIMARY KEY, name text);
CREATE TABLE tb_rewritten (pk_rewritten int PRIMARY KEY, name text, note varchar(10));
CREATE TABLE tb_viewed (pk_viewed int PRIMARY KEY, name text);
CREATE VIEW v_plain AS SELECT pk_viewed, name FROM tb_viewed;
CREATE TABLE tb_parts (pk_parts int PRIMARY KEY, name text) PARTITION BY RANGE (pk_parts);
CREATE TABLE tb_parts_low PARTITION OF tb_parts FOR VALUES FROM (0) TO (100);
CREATE TABLE tb_parts_high PARTITION OF tb_parts FOR VALUES FROM (200) TO (300);
CREATE TABLE tb_parts_new (LIKE tb_parts);
ALTER TABLE tb_parts_new ADD PRIMARY KEY (pk_parts);
CREATE TABLE tb_deep (pk_deep int PRIMARY KEY, name text) PARTITION BY RANGE (pk_deep);
CREATE TABLE tb_deep_sub PARTITION OF tb_deep FOR VALUES FROM (0) TO (300) PARTITION BY RANGE (pk_deep);
CREATE TABLE tb_deep_low PARTITION OF tb_deep_sub FOR VALUES FROM (0) TO (100);
CREATE TABLE tb_deep_new (LIKE tb_deep);
ALTER TABLE tb_deep_new ADD PRIMARY KEY (pk_deep);
CREATE TABLE tb_besides (pk_besides int PRIMARY KEY, name text);

INSERT INTO tb_truncated SELECT i, 'old' FROM generate_series(1, 3) i;
INSERT INTO tb_rewritten SELECT i, 'old', 'note' FROM generate_series(1, 3) i;
INSERT INTO tb_viewed SELECT i, 'old' FROM generate_series(1, 3) i;
INSERT INTO tb_parts SELECT i, 'old' FROM unnest('{1, 2, 201}'::int[]) i;
INSERT INTO tb_parts_new VALUES (101, 'foreign');
INSERT INTO tb_deep SELECT i, 'old' FROM generate_series(1, 3) i;
INSERT INTO tb_deep_new VALUES (101, 'foreign');
INSERT INTO tb_besides VALUES (1, 'old');

CREATE TABLE tv_truncated AS SELECT 1 AS pk_truncated, b.name AS besides, (SELECT array_agg(t.name ORDER BY 1) FROM tb_truncated t) AS names FROM tb_besides b;
CREATE TABLE tv_rewritten AS SELECT pk_rewritten, name, (SELECT count(*) FROM tb_rewritten) AS all_rows FROM tb_rewritten;
CREATE TABLE tv_viewed AS SELECT pk_viewed, name FROM v_plain;
CREATE TABLE tv_parts AS SELECT pk_parts, name, (SELECT count(*) FROM tb_parts) AS all_rows FROM tb_parts;
CREATE TABLE tv_deep AS SELECT pk_deep, name, (SELECT count(*) FROM tb_deep) AS all_rows FROM tb_deep;
"""

# What: TVIEW, the change that the batch is about, the DDL that commits behind its snapshot.
CASES = {
    "TRUNCATE and INSERT": ("tv_truncated", "UPDATE tb_besides SET name = name || '+'",
                            "TRUNCATE tb_truncated; INSERT INTO tb_truncated SELECT i, 'new' FROM generate_series(1, 4) i"),
    "a rewrite": ("tv_rewritten", "UPDATE tb_rewritten SET name = name || '+'",
                  "ALTER TABLE tb_rewritten ALTER note TYPE char(12)"),
    "another rewrite": ("tv_rewritten", "UPDATE tb_rewritten SET name = name || '+' WHERE pk_rewritten = 1",
                        "ALTER TABLE tb_rewritten ALTER note TYPE char(20)"),
    "a replaced view": ("tv_viewed", "UPDATE tb_viewed SET name = name || '+'",
                        "CREATE OR REPLACE VIEW v_plain AS SELECT pk_viewed, upper(name) AS name FROM tb_viewed WHERE pk_viewed <> 2"),
    "ATTACH PARTITION": ("tv_parts", "UPDATE tb_parts SET name = name || '+' WHERE pk_parts = 1",
                         "ALTER TABLE tb_parts ATTACH PARTITION tb_parts_new FOR VALUES FROM (100) TO (200)"),
    "TRUNCATE of a partition": ("tv_parts", "UPDATE tb_parts SET name = name || '+' WHERE pk_parts = 1",
                                "TRUNCATE tb_parts_high; INSERT INTO tb_parts VALUES (202, 'new'), (203, 'new')"),
    "DETACH PARTITION": ("tv_parts", "UPDATE tb_parts SET name = name || '+' WHERE pk_parts = 1",
                         "ALTER TABLE tb_parts DETACH PARTITION tb_parts_high"),
    "ATTACH to a partition": ("tv_deep", "UPDATE tb_deep SET name = name || '+' WHERE pk_deep = 1",
                              "ALTER TABLE tb_deep_sub ATTACH PARTITION tb_deep_new FOR VALUES FROM (100) TO (200)"),
    "TRUNCATE of a partition's partition": ("tv_deep", "UPDATE tb_deep SET name = name || '+' WHERE pk_deep = 1",
                                            "TRUNCATE tb_deep_low; INSERT INTO tb_deep VALUES (7, 'new')"),
}


def rows(relation):
    return run(connection, f"SELECT * FROM {relation} ORDER BY 1")


def applier():
    found = run(connection, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_tviews applier' AND datname = 'ddl'")
    return found[0][0] if found else None


def replace_applier():
    """The new one is at its first batch: it has not read yet which relations concern it."""
    old = applier()
    run(connection, "SELECT pg_terminate_backend(%s)", (old,))
    wait_until(lambda: applier() not in (None, old), "another applier")


def check_case(what, is_fresh):
    tview, change, ddl = CASES[what]
    view = tview.replace("tv_", "v_")
    what = f"{what}{' under a new applier' if is_fresh else ''}"
    check_equal(connection, f"before {what}")
    with pauses.pause(server, "ddl", "after_apply") as applied:
        with pauses.pause(server, "ddl", "after_snapshot") as has_snapshot:
            run(connection, change)
            has_snapshot()
            if is_fresh:
                replace_applier()
                has_snapshot()
            before = rows(view)
            run(connection, ddl)
            after = rows(view)
        applied()
        seen = rows(tview)
        assert seen in (before, after), f"{what}: {seen} is neither {before} nor {after}"
    check_equal(connection, f"after {what}")
    print("ok:", what)


# Rows are looked at while the applier is stopped.
with Server("ddl_during_batch", pauses.CONF + "pg_tviews.read_consistency = eventual\n") as server:
    for is_fresh in (False, True):
        connection = server.connect()
        run(connection, "DROP DATABASE IF EXISTS ddl")
        connection = server.prepare("ddl", SCRIPT)
        for case in CASES:
            check_case(case, is_fresh)
        connection.close()
