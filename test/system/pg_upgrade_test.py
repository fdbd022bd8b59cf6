"""pg_upgrade carries TVIEWs, their data and what waits in the outbox into a new cluster."""
import shop
from tviews_server import Server, bash, check_equal, run, value, wait_until

PG_UPGRADE = """as_server env -C "$2" "$(server_bin "$2")/pg_upgrade" -U "$SERVER_USER" \\
    -d "$1/data" -D "$2/data" -b "$(server_bin "$1")" -B "$(server_bin "$2")" -s "$2" """

with Server("pg_upgrade_old") as old, Server("pg_upgrade") as new:
    connection = old.prepare("shop", shop.SCRIPT)
    run(connection, "CREATE VIEW v_names AS SELECT pk_customer, name FROM tb_customer")
    run(connection, "CREATE TABLE tv_named AS SELECT v_names.pk_customer AS pk_named, v_names.name FROM v_names")
    check_equal(connection, "before pg_upgrade")
    run(connection, "SELECT pg_tviews_pause()")
    run(connection, "UPDATE tb_customer SET name = 'changed last' WHERE pk_customer = 7")
    assert value(connection, "SELECT name FROM tv_named WHERE pk_named = 7") != "changed last"
    tviews = value(connection, "SELECT count(*) FROM pg_tview_meta")
    old.stop()
    new.stop()
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
