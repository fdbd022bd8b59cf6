"""A queue far too small for the load loses nothing and blocks nobody: records spill to the outbox,
which the applier scans."""
import shop
from tviews_server import Server, check_equal, run, value, wait_until

with Server("tiny_queue") as server:
    connection = server.connect()
    smallest = value(connection, "SELECT min_val::int FROM pg_settings WHERE name = 'pg_tviews.queue_size'")
    assert smallest <= 64, f"the smallest queue is {smallest} kB: too large for this test"
    run(connection, f"ALTER SYSTEM SET pg_tviews.queue_size = {smallest}")
    server.stop()
    server.start()
    connection = server.prepare("shop", shop.SCRIPT)
    writers = shop.Writers(lambda: server.connect("shop"), sessions=6, seed=40)
    wait_until(lambda: writers.committed > 1500, "the writers to commit")
    writers.stop()
    check_equal(connection, "after the load")

    # One transaction larger than the whole queue.
    run(connection, "INSERT INTO tb_line (fk_order, item, amount) SELECT pk_order, 'bulk', i FROM tb_order, generate_series(1, 300) i")
    run(connection, "UPDATE tb_line SET amount = amount + 1")
    check_equal(connection, "after transactions larger than the queue")

    # Nobody waits for the applier: a lock on a source holds it up while writers of another go on.
    holder = server.connect("shop", autocommit=False)
    run(holder, "LOCK TABLE tb_customer IN ACCESS EXCLUSIVE MODE")
    run(connection, "SET statement_timeout = '10s'")
    for i in range(2000):
        run(connection, f"UPDATE tb_order SET state = 'state {i}' WHERE pk_order = {i % 200 + 1}")
    run(connection, "RESET statement_timeout")
    holder.rollback()
    check_equal(connection, "after writing past a full queue")
