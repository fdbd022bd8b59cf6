"""Workers that end at random moments under load: the applier by SIGTERM and pg_terminate_backend and with
its batch at every stage, the launcher, and once by SIGKILL, which restarts the server."""
import os
import random
import signal

import pauses
import shop
from tviews_server import Server, check_equal, kill_process, run, value, wait_until

BATCHES = "SELECT batches FROM pg_tviews_workers WHERE kind = 'applier'"
WORKER = "SELECT pid FROM pg_stat_activity WHERE backend_type = %s"


def worker(kind):
    rows = run(connection, WORKER, (f"pg_tviews {kind}",))
    return rows[0][0] if rows else None


def end(kind, how):
    victim = wait_until(lambda: worker(kind), f"the {kind}")
    if how == "terminate":
        run(connection, "SELECT pg_terminate_backend(%s)", (victim,))
    else:
        os.kill(victim, how)
    return victim


with Server("random_kills", pauses.CONF) as server:
    r = random.Random(5)
    connection = server.prepare("shop", shop.SCRIPT)
    check_equal(connection)

    writers = shop.Writers(lambda: server.connect("shop"), sessions=3, seed=50)
    for _ in range(15):
        # One that ends before it has done anything is a failed start, whose repetition takes time.
        batches = value(connection, BATCHES)
        target = writers.committed + r.randint(1, 60)
        wait_until(lambda: writers.committed >= target and value(connection, BATCHES) > batches, "a batch")
        end("applier", r.choice(["terminate", signal.SIGTERM]))
    writers.stop()
    check_equal(connection, "after terminations")

    # At each stage of a batch; a pg_cancel_backend is no reason to end.
    for stage in ("after_snapshot", "after_take", "before_consume", "before_commit", "after_apply"):
        with pauses.pause(server, "shop", stage) as paused:
            run(connection, "UPDATE tb_customer SET name = %s WHERE pk_customer <= 3", (stage,))
            paused()
            run(connection, "SELECT pg_cancel_backend(%s)", (worker("applier"),))
            end("applier", "terminate")
            run(connection, "DELETE FROM tb_line WHERE pk_line IN (SELECT pk_line FROM tb_line LIMIT 3)")
        check_equal(connection, f"after a termination {stage}")

    # Without a launcher appliers go on; its successor does not start a second one.
    before = worker("applier")
    launcher = end("launcher", "terminate")
    run(connection, "UPDATE tb_customer SET name = 'no launcher'")
    check_equal(connection, "without a launcher")
    wait_until(lambda: worker("launcher") not in (None, launcher), "another launcher")
    end("applier", "terminate")
    run(connection, "UPDATE tb_customer SET name = 'another launcher'")
    check_equal(connection, "with another launcher")
    assert value(connection, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_tviews applier'") == 1
    assert worker("applier") != before

    for kind in ("launcher", "applier"):
        writers = shop.Writers(lambda: server.connect("shop"), sessions=3, seed=60)
        wait_until(lambda: writers.committed > 100, "the writers to commit")
        connection = kill_process(server, "shop", wait_until(lambda: worker(kind), f"the {kind}"))
        writers.stop()
        check_equal(connection, f"after SIGKILL of the {kind}")
