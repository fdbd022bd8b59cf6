"""More databases with TVIEWs than slots and workers: everything is applied, in turn (ATTACKS B9, B10).

Also: an applier that had nothing to do for a while ends and the next commit brings another one, at
once each time; DROP EXTENSION gives the slot back."""
# Runs alone: it measures how soon a process is there again.
import pathlib
import time

import shop
from tviews_server import Server, check_equal, run, value, wait_until

CONF = """
pg_tviews.max_databases = 1
pg_tviews.max_workers = 1
"""
NAMES = ("first", "second", "third")


def applier(database):
    found = run(admin, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_tviews applier' AND datname = %s", (database,))
    return found[0][0] if found else None


def is_named(database, name):
    return value(connections[database], "SELECT bool_and(data->>'name' = %s) FROM tv_customer", (name,))


with Server("databases", CONF) as server:
    admin = server.connect()
    connections = {name: server.prepare(name, shop.SCRIPT) for name in NAMES}
    for name in NAMES:
        check_equal(connections[name], name)

    began = time.monotonic()
    for name in NAMES:
        run(connections[name], "UPDATE tb_customer SET name = 'in all databases'")
    for name in NAMES:
        wait_until(lambda: is_named(name, "in all databases"),
                   f"{name} to be served without anybody asking")
    print(f"three databases took {time.monotonic() - began:.1f} s")

    # A prepared transaction of a database that has lost its slot is seen when it commits.
    run(connections["first"], "BEGIN; UPDATE tb_customer SET name = 'prepared'; PREPARE TRANSACTION 'first'")
    run(connections["second"], "UPDATE tb_customer SET name = 'meanwhile'")
    wait_until(lambda: is_named("second", "meanwhile"),
               "the second database to be served beside a prepared transaction of the first")
    run(connections["first"], "COMMIT PREPARED 'first'")
    wait_until(lambda: is_named("first", "prepared"),
               "the prepared transaction to be applied")

    # One busy database does not keep the others out.
    writers = shop.Writers(lambda: server.connect("first"), sessions=2, seed=1)
    wait_until(lambda: writers.committed > 50, "the writers to commit")
    run(connections["third"], "UPDATE tb_customer SET name = 'beside a busy one'")
    wait_until(lambda: is_named("third", "beside a busy one"),
               "the third database to be served beside a busy one")
    writers.stop()
    for name in NAMES:
        check_equal(connections[name], name)

    # DROP EXTENSION gives the only slot back.
    run(connections["third"], "DROP EXTENSION pg_tviews CASCADE")
    run(connections["second"], "DROP EXTENSION pg_tviews CASCADE")
    check_equal(connections["first"], "after the other extensions are gone")
    run(connections["third"], "CREATE EXTENSION pg_tviews; CREATE TABLE tv_again AS SELECT pk_customer AS pk_again, name FROM tb_customer")
    run(connections["third"], "UPDATE tb_customer SET name = 'again'")
    check_equal(connections["third"], "with a new extension")

    # Idle appliers end; the next commit brings one, as quickly the fourth time as the first.
    run(admin, "ALTER SYSTEM SET pg_tviews.applier_idle_timeout = 1")
    run(admin, "SELECT pg_reload_conf()")
    for i in range(4):
        pid = applier("first")
        wait_until(lambda: applier("first") is None, "the idle applier to end")
        # The process itself ends later, in an instrumented server by a second or more: there can be no other until then.
        wait_until(lambda: pid is None or not pathlib.Path(f"/proc/{pid}").exists(), "its process to be gone")
        began = time.monotonic()
        run(connections["first"], f"UPDATE tb_customer SET name = 'woken {i}'")
        wait_until(lambda: is_named("first", f"woken {i}"),
                   "a new applier to apply the commit")
        took = time.monotonic() - began
        assert took < 2, f"the commit after idle exit {i + 1} waited {took:.1f} s for an applier"
    check_equal(connections["first"], "after idle exits")
