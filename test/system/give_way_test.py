"""A long batch gives way to whoever waits for a lock that it holds, as autovacuum does.

Danger: ALTER TABLE on a source waits for the batch, and every writer of the table waits behind the ALTER, for as long as the
batch takes. Right answer: a fraction of a second; the TVIEWs show nothing of the batch that was given up, and it comes to an
end although DDL goes on."""
import threading
import time

from tviews_server import Server, check_equal, run, value, wait_until

DOCUMENTS = 300
SCRIPT = f"""
CREATE FUNCTION slowly(n int) RETURNS int LANGUAGE plpgsql STABLE AS $$
BEGIN
  -- in the applier, not in the sessions that compare
  IF n % 2 = 1 AND current_setting('give_way.compares', true) IS NULL THEN PERFORM pg_sleep(0.01); END IF;
  RETURN n;
END $$;
CREATE TABLE tb_post (pk_post int PRIMARY KEY, n int NOT NULL);
CREATE TABLE tb_part (pk_part int, n int NOT NULL, PRIMARY KEY (pk_part)) PARTITION BY RANGE (pk_part);
CREATE TABLE tb_part_1 PARTITION OF tb_part FOR VALUES FROM (0) TO (1000000);
CREATE TABLE tb_quick (pk_quick int PRIMARY KEY, n int NOT NULL);
INSERT INTO tb_post SELECT i, 0 FROM generate_series(1, {DOCUMENTS}) AS i;
INSERT INTO tb_part VALUES (1, 0);
INSERT INTO tb_quick VALUES (1, 0);
CREATE TABLE tv_post WITH (pg_tviews.function_reads = 'none') AS SELECT pk_post, slowly(p.n) AS n, coalesce(q.n, 0) AS m
FROM tb_post p LEFT JOIN tb_part q ON q.pk_part = p.pk_post;
CREATE TABLE tv_quick AS SELECT pk_quick, n FROM tb_quick;
"""
# Each in turn, beside a batch that takes three seconds at least.
DDL = ["ALTER TABLE tb_post ADD COLUMN more int", "CREATE INDEX ON tv_post (n)", "ALTER TABLE tb_part_1 ADD CHECK (n >= 0)",
       "LOCK TABLE tb_part IN ACCESS EXCLUSIVE MODE"]
LONGEST = 2.5  # seconds, on a machine that is busy with other things


def refreshing():
    return value(reader, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'refresh%tv_post%keys'")


def is_shown(number):
    return value(reader, "SELECT count(*) FROM tv_post WHERE pk_post > 1 AND n = %s", (number,)) > 0


def timed(session, statement):
    began = time.monotonic()
    run(session, f"BEGIN; {statement}; COMMIT")
    return time.monotonic() - began


class Writer(threading.Thread):
    """Writes the source as soon as a session waits for a lock, and remembers how long it had to wait behind it."""

    def __init__(self, pid):
        super().__init__()
        self.pid = pid
        self.longest = 0
        self.is_over = False
        self.session = server.connect("ways")
        self.start()

    def is_due(self):
        return self.is_over or value(self.session, "SELECT count(*) FROM pg_locks WHERE pid = %s AND NOT granted", (self.pid,))

    def run(self):
        wait_until(self.is_due, "a session to wait for a lock")
        # an even number takes no time to refresh
        self.longest = timed(self.session, "UPDATE tb_post SET n = n + 2 WHERE pk_post = 1")

    def stop(self):
        self.is_over = True
        self.join()


def check(number, statement):
    # One transaction over both: no reader may see half of it.
    run(connection, f"BEGIN; UPDATE tb_post SET n = {number} WHERE pk_post > 1; UPDATE tb_quick SET n = {number}; COMMIT")
    wait_until(refreshing, "the batch to be under way")
    writer = Writer(connection.info.backend_pid)
    took = timed(connection, statement)
    writer.stop()
    print(f"note: {statement}: {took:.2f} s, writers behind it {writer.longest:.2f} s")
    assert took < LONGEST and writer.longest < LONGEST, f"{statement} waited {took:.1f} s, a writer {writer.longest:.1f} s"
    behind = run(reader, "SELECT tview::text FROM pg_tview_behind")
    shown = value(reader, "SELECT count(*) FROM tv_post WHERE pk_post > 1 AND n = %s", (number,))
    assert shown in (0, DOCUMENTS - 1), f"{shown} documents of a batch that was given up are shown; behind: {behind}"
    wait_until(lambda: value(reader, "SELECT n FROM tv_quick") == number, "the others to go on", 30)


with Server("give_way", "deadlock_timeout = 1s\npg_tviews.audit_rate = 0\n") as server:
    connection = server.prepare("ways", SCRIPT)
    reader = server.connect("ways")
    run(reader, "SET pg_tviews.read_consistency = eventual")
    run(connection, "SET pg_tviews.protect = off; SET give_way.compares = on")
    check_equal(connection)
    number = 1
    for statement in DDL:
        number += 2
        check(number, statement)
        check_equal(connection, f"after {statement}")

    # DDL that never ends does not keep it behind for ever, and each of its statements has its turn, but for those of a while.
    number += 2
    run(connection, f"UPDATE tb_post SET n = {number} WHERE pk_post > 1")
    began = time.monotonic()
    times = []
    while not is_shown(number):
        times.append(timed(connection, "ALTER TABLE tb_part ALTER COLUMN n SET STATISTICS 100; LOCK TABLE tb_post IN ACCESS EXCLUSIVE MODE"))
        assert time.monotonic() - began < 240, f"never refreshed beside DDL: {times}"
        wait_until(lambda: refreshing() or is_shown(number), "the batch to begin again")
    late = [took for took in times if took > LONGEST]
    print(f"note: refreshed after {time.monotonic() - began:.0f} s beside {len(times)} statements, {len(late)} of which waited")
    assert len(late) <= 1, late
    check_equal(connection, "after much DDL")
