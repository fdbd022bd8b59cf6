"""Errors at every named point of the protocol, as if the disk or the memory were used up there: the
writer's transaction fails as a whole, the applier tries again, and nothing is lost or put aside."""
import psycopg2

import pauses
import shop
from tviews_server import Server, check_equal, run, value, wait_until

RETRIES = "SELECT retries FROM pg_tviews_workers WHERE kind = 'applier' AND database = 'shop'"


def shown(name):
    return value(connection, "SELECT count(*) FROM tv_customer WHERE data ->> 'name' = %s", (name,))


def fail_at(setting):
    run(connection, f"ALTER SYSTEM SET pg_tviews.fail_at = '{setting}'")
    run(connection, "SELECT pg_reload_conf()")


with Server("failure_points") as server:
    connection = server.prepare("shop", shop.SCRIPT)
    check_equal(connection, "at the start")
    for point in ("after_capture", "after_outbox", "after_publish"):
        for state in ("53100", "53200"):
            session = server.connect("shop")
            run(session, f"SET pg_tviews.fail_at = '{point}:{state}'")
            try:
                run(session, "UPDATE tb_customer SET name = %s WHERE pk_customer <= 3", (point,))
                raise AssertionError(f"no failure {point}")
            except psycopg2.Error as error:
                assert error.pgcode == state, error
            run(session, "RESET pg_tviews.fail_at")
            check_equal(connection, f"after a failure {point}")
            assert shown(point) == 0, point
            run(session, "UPDATE tb_customer SET name = %s WHERE pk_customer <= 3", (point + "!",))
            check_equal(connection, f"in the same session after a failure {point}")
            assert shown(point + "!") == 3, point

    for point in pauses.APPLIER:
        fail_at(f"{point}:53100")
        retries = value(connection, RETRIES)
        # In the background every batch fails, while writers do not.
        writers = shop.Writers(lambda: server.connect("shop"), sessions=2, seed=72)
        run(connection, "UPDATE tb_customer SET name = %s WHERE pk_customer <= 3", (point,))
        wait_until(lambda: value(connection, RETRIES) > retries + 3, f"failures {point}")
        before = writers.committed
        wait_until(lambda: writers.committed > before + 20, "the writers to go on")
        writers.stop()
        fail_at("")
        check_equal(connection, f"after failures {point}")
    assert value(connection, "SELECT count(*) FROM pg_tview_dead_letter") == 0
