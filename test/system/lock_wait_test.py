"""A batch that cannot get its locks gives up, holds nobody up, and catches up afterwards."""
import time

import shop
from tviews_server import Server, check_equal, run, value, wait_until

RETRIES = "SELECT retries FROM pg_tviews_workers WHERE kind = 'applier'"

with Server("lock_wait", "pg_tviews.lock_timeout = 50ms\n") as server:
    connection = server.prepare("shop", shop.SCRIPT)
    check_equal(connection)
    holder = server.connect("shop", autocommit=False)
    for table in ("tb_order", "tv_spending"):
        run(holder, "SET pg_tviews.protect = off")
        run(holder, f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        run(connection, "SET statement_timeout = '5s'")
        before = value(connection, RETRIES)
        run(connection, "UPDATE tb_customer SET name = 'blocked by ' || %s", (table,))
        wait_until(lambda: value(connection, RETRIES) >= before + 8, "the batch to give up several times")
        # Sessions read and write everything else, also with strong locks of their own.
        slowest = 0
        for i in range(50):
            began = time.monotonic()
            run(connection, f"UPDATE tb_line SET amount = {i} WHERE pk_line = {i + 1}")
            run(connection, "SELECT count(*) FROM tv_customer")
            if i % 10 == 0:
                run(connection, "BEGIN; LOCK TABLE tb_line, tb_customer IN ACCESS EXCLUSIVE MODE; COMMIT")
            slowest = max(slowest, time.monotonic() - began)
        assert slowest < 2, f"a session waited {slowest:.1f} s"
        assert value(connection, "SELECT count(*) FROM tv_customer WHERE data->>'name' = 'blocked by ' || %s", (table,)) == 0
        assert value(connection, "SELECT count(*) FROM pg_tview_dead_letter") == 0
        holder.rollback()
        run(connection, "RESET statement_timeout")
        check_equal(connection, f"after the lock on {table}")
    # One line per episode, not one per attempt.
    assert server.log().count("a batch failed and is tried again") <= 4, server.log()
