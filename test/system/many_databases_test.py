"""Ten databases with TVIEWs, a smaller pool, and databases that go or are renamed.

Danger: a database is never served; DROP or RENAME fails because an applier is connected. Right answer: every
database is served in turn, both work at once, and databases without the extension cost nothing."""
# Runs alone: it measures how long DDL beside appliers takes.
import time

from tviews_server import Server, check_equal, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_thing (pk_thing int PRIMARY KEY, name text);
INSERT INTO tb_thing VALUES (1, 'old');
CREATE TABLE tv_thing AS SELECT pk_thing, name FROM tb_thing;
"""
# The launcher and the server's own launcher of logical replication take two of the workers.
CONF = """
pg_tviews.max_workers = 3
pg_tviews.max_databases = 4
max_worker_processes = 5
max_parallel_workers = 0
"""
NAMES = [f"db{i}" for i in range(10)]
APPLIERS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_tviews applier'"


def is_named(name, text):
    return value(connections[name], "SELECT name FROM tv_thing") == text


with Server("many_databases", CONF) as server:
    admin = server.connect()
    run(admin, "CREATE DATABASE plain")  # without the extension
    connections = {name: server.prepare(name, SCRIPT) for name in NAMES}
    # All at once: nobody asks, each is served.
    began = time.monotonic()
    for name in NAMES:
        run(connections[name], "UPDATE tb_thing SET name = 'in all'")
    most = 0
    for name in NAMES:
        def served(name=name):
            global most
            most = max(most, value(admin, APPLIERS))
            return is_named(name, "in all")
        wait_until(served, f"{name} to be served")
    print(f"ten databases took {time.monotonic() - began:.1f} s with {most} appliers at a time")
    assert most <= 3, f"{most} appliers of 3"

    # DROP and RENAME with the applier connected work at once.
    for name, command in (("db8", "ALTER DATABASE db8 RENAME TO renamed"), ("db9", "DROP DATABASE db9")):
        run(connections[name], "UPDATE tb_thing SET name = 'before'")
        wait_until(lambda: is_named(name, "before"), f"{name} to be served")
        connections.pop(name).close()
        wait_until(lambda: value(admin, "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND backend_type = 'client backend'",
                                 (name,)) == 0, "the session to end")
        began = time.monotonic()
        run(admin, command)
        took = time.monotonic() - began
        assert took < 5, f"{command} took {took:.1f} s"
    connections["renamed"] = server.connect("renamed")
    run(connections["renamed"], "UPDATE tb_thing SET name = 'after'")
    wait_until(lambda: is_named("renamed", "after"), "the renamed database to be served")

    # A database without the extension has no slot and no applier.
    assert value(connections["db0"], "SELECT count(*) FROM pg_tviews_workers WHERE database = 'plain'") == 0
    plain = server.connect("plain")
    run(plain, "CREATE TABLE tv_plain AS SELECT 1 AS pk_plain")
    assert value(admin, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_tviews applier' AND datname = 'plain'") == 0
    for name in ("db0", "renamed"):
        check_equal(connections[name], name)
