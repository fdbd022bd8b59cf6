"""DROP DATABASE and DROP EXTENSION while an applier is connected; other databases go on."""
import shop
from tviews_server import Server, check_equal, run, value, wait_until

APPLIERS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_tviews applier' AND datname = %s"

with Server("drop_database") as server:
    admin = server.connect()
    other = server.prepare("other", shop.SCRIPT)
    for name in ("first", "second"):
        connection = server.prepare(name, shop.SCRIPT)
        check_equal(connection)
        wait_until(lambda: value(admin, APPLIERS, (name,)) == 1, "the applier to be connected")
        connection.close()
        wait_until(lambda: value(admin, "SELECT count(*) FROM pg_stat_activity WHERE datname = %s "
                                        "AND backend_type = 'client backend'", (name,)) == 0, "the session to end")
        run(admin, f"DROP DATABASE {name}")
        assert value(admin, APPLIERS, (name,)) == 0

    run(other, "UPDATE tb_customer SET name = 'still here' WHERE pk_customer = 1")
    check_equal(other, "in the other database")

    run(other, "DROP EXTENSION pg_tviews CASCADE")
    wait_until(lambda: value(admin, APPLIERS, ("other",)) == 0, "the applier of a dropped extension to end")
    run(other, "UPDATE tb_customer SET name = 'without' WHERE pk_customer = 1")
    run(other, "CREATE EXTENSION pg_tviews")
    run(other, "CREATE TABLE tv_again AS SELECT pk_customer AS pk_again, name FROM tb_customer")
    run(other, "UPDATE tb_customer SET name = 'with' WHERE pk_customer = 1")
    check_equal(other, "after CREATE EXTENSION again")
