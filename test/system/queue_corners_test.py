"""Small corners of the change queue: a transaction that stays in its commit for long at the head of a
small queue (ATTACKS B4), overflows between a batch's snapshot and its scan (A4), transactions that are
prepared meanwhile (A5, B6)."""
import threading

import psycopg2

import pauses
from tviews_server import Server, check_equal, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_a (pk_a int PRIMARY KEY, name text, pair int);
INSERT INTO tb_a SELECT i, 'old', 0 FROM generate_series(1, 200) i;
CREATE TABLE tv_a AS SELECT pk_a, name, pair FROM tb_a;
CREATE TABLE tv_sum AS SELECT 1 AS pk_sum, sum(pair) AS total FROM tb_a;
"""
CONF = pauses.CONF.replace("after_publish:6", "unused:6") + "pg_tviews.queue_size = 8\n"


class SlowCommit(threading.Thread):
    """A session that stays between publishing its record and committing, or preparing to."""

    def __init__(self, key, name, prepare=False):
        super().__init__()
        self.session = server.connect("corners")
        self.pid = self.session.info.backend_pid
        self.statement = f"UPDATE tb_a SET name = '{name}' WHERE pk_a = {key}"
        if prepare:
            self.statement = f"BEGIN; {self.statement}; PREPARE TRANSACTION '{name}'"
        self.start()

    def run(self):
        run(self.session, "SET pg_tviews.pause_at = 'after_publish:6'")
        try:
            run(self.session, self.statement)
        except psycopg2.OperationalError:  # terminated by the test
            pass
        self.session.close()


def move(i, session=None):
    """Two rows in one transaction: their sum never changes."""
    run(session or connection, f"UPDATE tb_a SET pair = pair + CASE pk_a WHEN {i % 90 + 1} THEN 1 ELSE -1 END WHERE pk_a IN ({i % 90 + 1}, {i % 90 + 101})")


def check_sum():
    total, of_rows = run(connection, "SELECT (SELECT total FROM tv_sum), (SELECT sum(pair) FROM tv_a)")[0]
    assert total == of_rows == 0, (total, of_rows)


with Server("queue_corners", CONF) as server:
    connection = server.prepare("corners", SCRIPT)
    check_equal(connection)

    # Transactions that stay at the head of the ring.
    with pauses.pause(server, "corners", "after_publish") as paused:
        slow = [SlowCommit(196 + i, f"slow {i}") for i in range(4)]
        paused(4)
        scans = "SELECT outbox_scans FROM pg_tviews_workers WHERE kind = 'applier'"
        for i in range(1500):
            move(i)
        run(connection, "SELECT pg_tviews_wait('10 s')")
        check_sum()
        assert value(connection, "SELECT count(*) FROM tv_a WHERE name LIKE 'slow%'") == 0
        # Once the ring has been tidied, records pass through it again.
        run(connection, "SELECT pg_tviews_wait()")
        before = value(connection, scans)
        for i in range(30):
            move(i)
            run(connection, "SELECT pg_tviews_wait()")
        assert value(connection, scans) - before < 10, "the entries at the head block the queue"
        run(connection, "SELECT pg_terminate_backend(%s)", (slow[1].pid,))
        slow[1].join()
        for i in range(300):
            move(i)
        run(connection, "SELECT pg_tviews_wait()")
    for thread in slow:
        thread.join()
    check_equal(connection, "after slow commits")
    assert run(connection, "SELECT name FROM tv_a WHERE pk_a BETWEEN 196 AND 199 ORDER BY pk_a") == [("slow 0",), ("old",), ("slow 2",), ("slow 3",)]

    # Overflows at each point of a batch.
    points = ("after_snapshot", "after_take", "before_consume", "before_commit", "after_apply")
    for number, (point, outbox) in enumerate((point, outbox) for point in points for outbox in (False, True)):
        with pauses.pause(server, "corners", point) as paused:
            if outbox:
                # The batch that stops there is one that reads the outbox.
                run(connection, "SELECT pg_tviews_pause()")
                for i in range(400):
                    move(i)
                run(connection, "SELECT pg_tviews_resume()")
            move(0)
            paused()
            for i in range(400):
                move(i)
            # Of a row that no record in the ring names: another record would make up for its loss.
            run(connection, f"UPDATE tb_a SET name = 'overflow' WHERE pk_a = {91 + number}")
            other = server.connect("corners", autocommit=False)
            move(7, other)
        check_sum()
        run(connection, "SELECT pg_tviews_wait()")
        check_sum()
        other.commit()
        other.close()
        check_equal(connection, f"after overflows at {point}")
    assert value(connection, "SELECT count(*) FROM tviews_internal.pg_tview_outbox") == 0

    # Transactions on their way into being prepared; two that are are only in the outbox.
    with pauses.pause(server, "corners", "after_publish") as paused:
        slow = [SlowCommit(191 + i, f"prepared {i}", prepare=True) for i in range(3)]
        paused(3)
        for i in range(20):
            move(i)
        run(connection, "SELECT pg_tviews_wait('10 s')")
        run(connection, "SELECT pg_terminate_backend(%s)", (slow[2].pid,))
        slow[2].join()
        run(connection, "SELECT pg_tviews_pause()")
        for i in range(400):
            move(i)
        for i in (3, 4):
            run(connection, f"BEGIN; UPDATE tb_a SET name = 'prepared {i}' WHERE pk_a = {191 + i}; PREPARE TRANSACTION 'prepared {i}'")
        run(connection, "SELECT pg_tviews_resume()")
        run(connection, "SELECT pg_tviews_wait('10 s')")
    for thread in slow:
        thread.join()
    move(0)
    check_equal(connection, "while prepared")
    before = value(connection, scans)
    for i in range(30):
        move(i)
        run(connection, "SELECT pg_tviews_wait()")
    assert value(connection, scans) == before, "prepared transactions make batches scan the outbox"
    assert value(connection, "SELECT count(*) FROM tv_a WHERE name LIKE 'prepared%'") == 0
    for i, end in ((0, "COMMIT"), (1, "ROLLBACK"), (3, "COMMIT"), (4, "ROLLBACK")):
        run(connection, f"{end} PREPARED 'prepared {i}'")
    check_equal(connection, "after prepared transactions")
    shown = run(connection, "SELECT pk_a FROM tv_a WHERE name LIKE 'prepared%' ORDER BY pk_a")
    assert shown == [(191,), (194,)], shown
    wait_until(lambda: value(connection, "SELECT count(*) FROM tviews_internal.pg_tview_outbox") == 0, "the outbox to be empty")

    # Prepared without an entry in the ring, and nothing has ended since when the outbox is scanned: the snapshot's xmax
    # is its own id.
    run(connection, "SELECT pg_tviews_pause()")
    for i in range(400):
        move(i)
    run(connection, "BEGIN; UPDATE tb_a SET name = 'the last one' WHERE pk_a = 196; PREPARE TRANSACTION 'the last one'")
    run(connection, "SELECT pg_tviews_resume()")
    run(connection, "SELECT pg_tviews_wait()")
    run(connection, "COMMIT PREPARED 'the last one'")
    check_equal(connection, "after the last prepared transaction")
    assert value(connection, "SELECT name FROM tv_a WHERE pk_a = 196") == "the last one"
