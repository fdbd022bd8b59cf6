"""Orderly restarts under load, fast and immediate: committed changes are applied by the next start."""
import shop
from tviews_server import Server, check_equal, run, wait_until

with Server("restart") as server:
    connection = server.prepare("shop", shop.SCRIPT)
    for round_number, mode in enumerate(("fast", "immediate", "fast")):
        writers = shop.Writers(lambda: server.connect("shop"), sessions=3, seed=20 + round_number)
        wait_until(lambda: writers.committed > 200, "the writers to commit")
        server.stop(mode)
        writers.stop()
        server.start()
        connection = server.connect("shop")
        check_equal(connection, f"after a {mode} restart")

    # Work that is committed while no applier may run is found by the next start.
    run(connection, "ALTER SYSTEM SET pg_tviews.enabled = off")
    server.stop()
    server.start()
    connection = server.connect("shop")
    run(connection, "UPDATE tb_customer SET name = 'while disabled' WHERE pk_customer = 1")
    run(connection, "ALTER SYSTEM RESET pg_tviews.enabled")
    server.stop()
    server.start()
    connection = server.connect("shop")
    check_equal(connection, "after a start without workers")
