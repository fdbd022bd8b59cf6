"""No process of ours keeps a barrier of the server waiting (DROP DATABASE, DROP TABLESPACE): not while it starts, and not
when another interrupt comes with it.

Danger: the server tells every process, and waits until each has taken note. An error that another interrupt raises
leaves the barrier undone, and an idle worker has no reason to look again."""
import threading
import time

from tviews_server import Server, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_a (pk_a int PRIMARY KEY, name text);
INSERT INTO tb_a SELECT i, 'a' FROM generate_series(1, 10) AS i;
CREATE TABLE tv_a AS SELECT pk_a, name FROM tb_a;
"""
PIDS = "SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'pg_tviews %'"
APPLIER = "SELECT pid FROM pg_tviews_workers WHERE kind = 'applier' AND database = 'kept'"
LONGEST = 4  # seconds; an idle worker looks every five


def timed(statement):
    began = time.monotonic()
    run(connection, statement)
    took = time.monotonic() - began
    assert took < LONGEST, f"{statement} took {took:.1f} s"
    return took


class Interrupter(threading.Thread):
    """Cancels whatever our workers do, as often as it can."""

    def __init__(self):
        super().__init__()
        self.is_over = False
        self.session = server.connect()
        self.start()

    def run(self):
        while not self.is_over:
            run(self.session, f"SELECT pg_cancel_backend(pid) FROM ({PIDS}) AS workers")

    def stop(self):
        self.is_over = True
        self.join()
        self.session.close()


with Server("barrier", "pg_tviews.audit_rate = 10000\n") as server:
    kept = server.prepare("kept", SCRIPT)
    run(kept, "SELECT pg_tviews_wait()")
    connection = server.connect()

    slowest = 0
    for turn in range(20):
        pid = wait_until(lambda: run(kept, APPLIER), "an applier")[0][0]
        run(connection, f"CREATE DATABASE gone{turn} STRATEGY file_copy")
        run(connection, "SELECT pg_terminate_backend(%s)", (pid,))
        run(kept, "UPDATE tb_a SET name = name || '!'")  # which starts another
        slowest = max(slowest, timed(f"DROP DATABASE gone{turn}"))
    print(f"note: beside starts {slowest:.2f} s")

    for turn in range(20):
        run(connection, f"CREATE DATABASE gone{turn}")
    interrupter = Interrupter()
    slowest = max(timed(f"DROP DATABASE gone{turn}") for turn in range(20))
    interrupter.stop()
    print(f"note: beside cancels {slowest:.2f} s")

    run(kept, "UPDATE tb_a SET name = 'end'")
    run(kept, "SELECT pg_tviews_wait()")
    assert value(kept, "SELECT count(*) FROM tv_a WHERE name = 'end'") == 10
