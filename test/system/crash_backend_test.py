"""kill -9 of a writer, and of the applier, in the middle of a load: the server restarts its
processes by itself, and every TVIEW equals its query without any manual step."""
import shop
from tviews_server import Server, check_equal, kill_process, run, value, wait_until


def applier(connection):
    rows = run(connection, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_tviews applier' AND datname = 'shop'")
    return rows[0][0] if rows else None


def writer(connection):
    rows = run(connection, "SELECT pid FROM pg_stat_activity WHERE application_name = 'writer' LIMIT 1")
    return rows[0][0] if rows else None


with Server("crash_backend") as server:
    connection = server.prepare("shop", shop.SCRIPT)
    for who, find in (("a writer", writer), ("the applier", applier), ("the applier", applier)):
        writers = shop.Writers(lambda: server.connect("shop", name="writer"), sessions=4, seed=7)
        wait_until(lambda: writers.committed > 200, "the writers to commit")
        victim = wait_until(lambda: find(connection), who)
        connection = kill_process(server, "shop", victim)
        writers.stop()
        check_equal(connection, f"after kill -9 of {who}")

    # An applier that is terminated in an orderly way is replaced; no session is disturbed.
    writers = shop.Writers(lambda: server.connect("shop", name="writer"), sessions=2, seed=8)
    wait_until(lambda: writers.committed > 100, "the writers to commit")
    victim = wait_until(lambda: applier(connection), "the applier")
    run(connection, "SELECT pg_terminate_backend(%s)", (victim,))
    before = writers.committed
    wait_until(lambda: writers.committed > before + 100, "the writers to go on")
    writers.stop()
    check_equal(connection, "after pg_terminate_backend of the applier")
    assert applier(connection) != victim
