"""What a package upgrade does, with the library of a release: scripts/upgrade_test.sh runs it.

Arguments: build directory, build directory of the release, its version.
"""
import sys

import psycopg2

import extension_objects
import shop
from tviews_server import Server, bash, check_equal, run, value, wait_until

OLD = sys.argv[3]


def exchange(server, stage):
    """Stops the server and starts it with the programs and the library of another stage."""
    server.stop()
    (server.directory / "stage_path").write_text(f"{stage}\n")
    server.start()
    return server.connect("shop")


def load(server, seed):
    writers = shop.Writers(lambda: server.connect("shop"), sessions=3, seed=seed)
    wait_until(lambda: writers.committed > 200, "the writers to commit")
    return writers


def stage_of(build):
    stage = bash('server_place "$1"', f"{build}/stage")
    bash('"$ROOT/scripts/pg_stage.sh" "$1" "$2"', build, stage)
    return stage


old_stage, new_stage = stage_of(sys.argv[2]), stage_of(sys.argv[1])

with Server("old_library") as server:
    connection = server.prepare("fresh", "SELECT")
    new_version = value(connection, "SELECT extversion FROM pg_extension WHERE extname = 'pg_tviews'")
    new_objects = extension_objects.describe(connection)
    connection.close()
    run(server.connect(), "DROP DATABASE fresh WITH (FORCE)")
    server.stop()
    (server.directory / "stage_path").write_text(f"{old_stage}\n")
    server.start()

    # The release at work.
    connection = server.prepare("shop", shop.SCRIPT)
    old_objects = extension_objects.describe(connection)
    assert value(connection, "SELECT pg_tviews_version()") == OLD
    check_equal(connection, f"with the library of {OLD}")

    # A new library under load: until ALTER EXTENSION, changes are noted and readers are told.
    writers = load(server, 70)
    connection = exchange(server, new_stage)
    writers.stop()
    writers = load(server, 71)
    try:
        run(connection, "SELECT pg_tviews_wait()")
        raise AssertionError("no error although the SQL objects are old")
    except psycopg2.Error as error:
        assert "ALTER EXTENSION pg_tviews UPDATE" in (error.diag.message_hint or ""), error
    assert value(connection, "SELECT count(*) FROM pg_tview_outbox") > 0
    run(connection, "ALTER EXTENSION pg_tviews UPDATE")
    run(connection, "SELECT pg_tviews_wait()")
    writers.stop()
    check_equal(connection, f"after the upgrade from {OLD} under load")
    extension_objects.compare(extension_objects.describe(connection), new_objects,
                              f"pg_tviews--{OLD}--{new_version}.sql")
    run(connection, "CREATE TABLE tv_late AS SELECT pk_customer AS pk_late, name FROM tb_customer")

    # Back: first the SQL objects, under load, then the library.
    writers = load(server, 72)
    run(connection, f"ALTER EXTENSION pg_tviews UPDATE TO '{OLD}'")
    wait_until(lambda: f"still at version {OLD}" in server.log(), "the applier to wait")
    connection = exchange(server, old_stage)
    writers.stop()
    writers = load(server, 73)
    writers.stop()
    check_equal(connection, f"back at {OLD}, with its library")
    extension_objects.compare(extension_objects.describe(connection), old_objects,
                              f"pg_tviews--{new_version}--{OLD}.sql")

    # And forward again.
    connection = exchange(server, new_stage)
    run(connection, "ALTER EXTENSION pg_tviews UPDATE")
    check_equal(connection, "after the second upgrade")
