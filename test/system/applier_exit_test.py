"""An applier that ends between the commit of its batch and the advance of the queue leaves entries
whose outbox rows are gone, and whose places other transactions take: nothing is deleted that was not
applied, nothing stays behind (ATTACKS A15)."""
from tviews_server import Server, check_equal, run, value, wait_until

LOCK = 4711
SCRIPT = """
CREATE TABLE tb_item (pk_item int PRIMARY KEY, name text);
INSERT INTO tb_item SELECT i, 'start' FROM generate_series(1, 50) AS i;
CREATE TABLE tv_item AS SELECT tb_item.pk_item, tb_item.name FROM tb_item;
"""


def paused_applier():
    """Its pid while it waits at a pause point, outside a transaction."""
    rows = run(connection, """
        SELECT pid FROM pg_stat_activity
        WHERE backend_type = 'pg_tviews applier' AND xact_start IS NULL AND wait_event_type = 'Extension'""")
    return rows[0][0] if rows else None


# The applier stops before it tells readers that its batch is committed: they must not wait for it.
CONF = """
autovacuum = off
pg_tviews.read_consistency = eventual
"""

with Server("applier_exit", CONF) as server:
    connection = server.prepare("items", SCRIPT)
    check_equal(connection, "at the start")
    holder = server.connect("items")
    for round in range(5):
        run(holder, "SELECT pg_advisory_lock(%s)", (LOCK,))
        run(connection, f"ALTER SYSTEM SET pg_tviews.pause_at = 'after_apply:{LOCK}'")
        run(connection, "SELECT pg_reload_conf()")
        for i in range(1, 11):
            run(connection, f"UPDATE tb_item SET name = 'round {round}' WHERE pk_item = {i}")
        wait_until(lambda: value(connection, f"SELECT count(*) FROM tv_item WHERE name = 'round {round}'") > 0,
                   "a batch to be committed")
        victim = wait_until(paused_applier, "the applier to pause after its commit")
        # The places of the rows that the batch has deleted become free, and are taken again.
        run(connection, "VACUUM pg_tview_outbox")
        run(connection, "SELECT pg_terminate_backend(%s)", (victim,))
        for i in range(11, 21):
            run(connection, f"UPDATE tb_item SET name = 'round {round}' WHERE pk_item = {i}")
        run(connection, "ALTER SYSTEM RESET pg_tviews.pause_at")
        run(connection, "SELECT pg_reload_conf()")
        run(holder, "SELECT pg_advisory_unlock(%s)", (LOCK,))
        check_equal(connection, f"round {round}")
        assert value(connection, "SELECT count(*) FROM pg_tview_outbox") == 0, f"round {round}"
