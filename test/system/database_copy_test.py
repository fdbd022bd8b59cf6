"""CREATE DATABASE ... TEMPLATE of a database with TVIEWs: the copy's TVIEWs work by themselves, although
its metadata, its outbox and its frontier are those of the original (ATTACKS A18, A22)."""
import shop
from tviews_server import Server, check_equal, run, tviews, value, wait_until

with Server("database_copy") as server:
    admin = server.connect()
    original = server.prepare("shop", shop.SCRIPT)
    check_equal(original, "at the start")
    expected = tviews(original)
    # Not applied yet: the copy has these in its outbox, as records of another database.
    run(original, "SELECT pg_tviews_pause()")
    run(original, "UPDATE tb_customer SET name = name || '!'; DELETE FROM tb_line WHERE pk_line % 3 = 0")
    assert value(original, "SELECT count(*) FROM tviews_internal.pg_tview_outbox") > 0
    original.close()
    wait_until(lambda: value(admin, "SELECT count(*) FROM pg_stat_activity WHERE datname = 'shop' "
                                    "AND backend_type = 'client backend'") == 0, "the session to end")
    run(admin, "CREATE DATABASE copy TEMPLATE shop")

    # Nobody connects to the copy: the launcher finds it.
    wait_until(lambda: value(admin, "SELECT count(*) FROM pg_stat_activity WHERE datname = 'copy' "
                                    "AND backend_type = 'pg_tviews applier'") == 1, "an applier of the copy")
    copy = server.connect("copy")
    own = "database_oid = (SELECT oid FROM pg_database WHERE datname = current_database())"
    wait_until(lambda: value(copy, f"SELECT bool_and({own}) FROM pg_tview_meta"), "the TVIEWs to be adopted")
    check_equal(copy, "in the copy")
    assert tviews(copy) == expected
    assert value(copy, "SELECT count(*) FROM tviews_internal.pg_tview_outbox") == 0, "records of the original stay in the outbox"
    run(copy, "DELETE FROM tb_order WHERE pk_order < 50; UPDATE tb_line SET amount = amount + 1")
    check_equal(copy, "in the copy, after changes")
    run(copy, "DROP TABLE tv_spending; CREATE TABLE tv_fresh AS SELECT pk_line AS pk_fresh, amount FROM tb_line")
    check_equal(copy, "in the copy, after DDL")

    original = server.connect("shop")
    run(original, "SELECT pg_tviews_resume()")
    check_equal(original, "in the original")
    assert tviews(original) == expected
    writers = shop.Writers(lambda: server.connect("shop"), sessions=2, seed=70)
    wait_until(lambda: writers.committed > 100, "the writers to commit")
    writers.stop()
    check_equal(original, "in the original, after changes")
    run(original, "DROP EXTENSION pg_tviews CASCADE")
    assert value(original, "SELECT count(*) FROM pg_seclabel") == 0, "labels are left"
    assert value(copy, "SELECT count(*) FROM pg_seclabel") == len(expected)
