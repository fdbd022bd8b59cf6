"""kill -9 of the whole server during a write load: after a restart every TVIEW equals its query
without any manual step, several times in a row."""
import shop
from tviews_server import Server, check_equal, run, value, wait_until

ROUNDS = 4

with Server("crash_server") as server:
    connection = server.prepare("shop", shop.SCRIPT)
    for round_number in range(ROUNDS):
        writers = shop.Writers(lambda: server.connect("shop"), sessions=4, seed=round_number)
        wait_until(lambda: writers.committed > 300, "the writers to commit")
        server.kill()
        writers.stop()
        server.start()
        connection = server.connect("shop")
        check_equal(connection, f"after crash {round_number + 1}")
        print(f"crash {round_number + 1}: {writers.committed} transactions committed before it")

    # The last commit before the crash is not lost either, although nobody touches its rows again.
    run(connection, "UPDATE tb_customer SET name = 'the last' WHERE pk_customer = 1")
    server.kill()
    server.start()
    connection = server.connect("shop")
    check_equal(connection, "after the last crash")
    name = value(connection, "SELECT data->>'name' FROM tv_customer WHERE pk_customer = 1")
    assert name == "the last", name
