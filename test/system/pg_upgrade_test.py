"""pg_upgrade carries TVIEWs, their data and what waits in the outbox into a new cluster.

With UPGRADE_BUILD=DIR, a build for a newer major version, the new cluster is of that version.
"""
import os

import shop
from tviews_server import Server, bash, check_equal, run, value, wait_until

PG_UPGRADE = """as_server env -C "$2" "$(server_bin "$2")/pg_upgrade" -U "$SERVER_USER" \\
    -d "$1/data" -D "$2/data" -b "$(server_bin "$1")" -B "$(server_bin "$2")" -s "$2" """

# The default of initdb from 18 on; both clusters must agree.
WITHOUT_CHECKSUMS = 'as_server "$(server_bin "$1")/pg_checksums" --disable -D "$1/data"'


def has_checksums(server):
    connection = server.connect()
    checksums = value(connection, "SHOW data_checksums") == "on"
    connection.close()
    return checksums


with Server("pg_upgrade_old") as old, Server("pg_upgrade", build=os.environ.get("UPGRADE_BUILD")) as new:
    connection = old.prepare("shop", shop.SCRIPT)
    lacks_checksums = has_checksums(new) and not has_checksums(old)
    run(connection, "CREATE VIEW v_names AS SELECT pk_customer, name FROM tb_customer")
    run(connection, "CREATE TABLE tv_named AS SELECT v_names.pk_customer AS pk_named, v_names.name FROM v_names")
    check_equal(connection, "before pg_upgrade")
    run(connection, "SELECT pg_tviews_pause()")
    run(connection, "UPDATE tb_customer SET name = 'changed last' WHERE pk_customer = 7")
    assert value(connection, "SELECT name FROM tv_named WHERE pk_named = 7") != "changed last"
    tviews = value(connection, "SELECT count(*) FROM pg_tview_meta")
    old.stop()
    new.stop()
    if lacks_checksums:
        bash(WITHOUT_CHECKSUMS, new.directory)
    print(bash(PG_UPGRADE, old.directory, new.directory))

    new.start()
    connection = new.connect("shop")
    assert value(connection, "SELECT count(*) FROM pg_tview_meta") == tviews
    check_equal(connection, "after pg_upgrade")
    assert value(connection, "SELECT name FROM tv_named WHERE pk_named = 7") == "changed last"
    writers = shop.Writers(lambda: new.connect("shop"), sessions=2, seed=80)
    wait_until(lambda: writers.committed > 100, "the writers to commit")
    writers.stop()
    check_equal(connection, "after writes in the new cluster")
    run(connection, "CREATE TABLE tv_late AS SELECT tb_order.pk_order AS pk_late, tb_order.state FROM tb_order")
    run(connection, "DROP TABLE tv_named")
    check_equal(connection, "after DDL in the new cluster")
