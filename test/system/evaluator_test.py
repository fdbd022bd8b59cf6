"""The process that evaluates a definition for a session: it ends with the caller's statement, however that ends; it
waits a while where no worker is free; and the server knows that the session waits for it."""
import threading
import time

import psycopg2

from tviews_server import Server, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_a (pk_a int PRIMARY KEY, n int);
CREATE TABLE tb_b (pk_b int PRIMARY KEY, n int);
CREATE TABLE slow (seconds int);
INSERT INTO tb_a SELECT i, i FROM generate_series(1, 10) AS i;
INSERT INTO tb_b SELECT i, i FROM generate_series(1, 10) AS i;
CREATE FUNCTION may_take_long(value int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN PERFORM pg_sleep(seconds) FROM public.slow; RETURN value; END $$;
CREATE TABLE tv_a AS SELECT pk_a, may_take_long(n) AS n FROM tb_a;
CREATE TABLE tv_b AS SELECT pk_b, n FROM tb_b;
"""
EVALUATORS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_tviews evaluator'"


class Call(threading.Thread):
    """A statement in a session of its own; `state` is its SQLSTATE."""

    def __init__(self, sql, setup=None):
        super().__init__()
        self.connection = server.connect("evaluator", autocommit=setup is None)
        self.pid = self.connection.get_backend_pid()
        if setup is not None:
            run(self.connection, setup)
        self.sql, self.state, self.rows = sql, None, None
        self.start()

    def run(self):
        try:
            self.rows, self.state = run(self.connection, self.sql), "00000"
        except psycopg2.Error as error:
            self.state = error.pgcode or "lost"

    def end(self, expected):
        self.join(30)
        assert not self.is_alive(), f"{self.sql} still runs"
        assert self.state in expected, (self.sql, self.state)
        self.connection.close()


def is_evaluating(count=1):
    wait_until(lambda: value(connection, EVALUATORS) == count, f"{count} evaluators")


with Server("evaluator", "max_worker_processes = 5\nmax_parallel_workers = 0\nmax_logical_replication_workers = 0\n") as server:
    connection = server.prepare("evaluator", SCRIPT)
    run(connection, "SELECT pg_tviews_wait()")
    run(connection, "INSERT INTO slow VALUES (600)")
    calls = ("SELECT * FROM pg_tviews_verify('a')", "SELECT * FROM pg_tviews_analyze_cascade('a', 1)")
    for sql in calls:
        # A cancel, once.
        call = Call(sql)
        is_evaluating()
        value(connection, "SELECT pg_cancel_backend(%s)", (call.pid,))
        call.end(["57014"])
        is_evaluating(0)
        # A timeout of the caller; the session goes on.
        call = Call(f"SET statement_timeout = '300ms'; {sql}")
        call.end(["57014"])
        is_evaluating(0)
        # The session ends.
        call = Call(sql)
        is_evaluating()
        value(connection, "SELECT pg_terminate_backend(%s)", (call.pid,))
        call.end(["57P01", "lost"])
        is_evaluating(0)
        # Somebody ends the process.
        call = Call(sql)
        is_evaluating()
        value(connection, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'pg_tviews evaluator'")
        call.end(["58000", "57P01"])
        is_evaluating(0)

    # Whoever has called leaves nothing behind, also where his session ends at once: there are five places for workers.
    for _ in range(12):
        session = server.connect("evaluator")
        assert run(session, "SELECT * FROM pg_tviews_verify('b')") == []
        session.close()
    for _ in range(6):
        call = Call(calls[0])
        is_evaluating()
        value(connection, "SELECT pg_terminate_backend(%s)", (call.pid,))
        call.end(["57P01", "lost"])
        is_evaluating(0)

    # All workers are taken: a clear error after a while, or an answer if one becomes free.
    busy = [Call(calls[0]) for _ in range(3)]
    is_evaluating(3)
    began = time.monotonic()
    Call("SELECT * FROM pg_tviews_verify('b')").end(["53400"])
    assert 5 < time.monotonic() - began < 25, time.monotonic() - began
    waiting = Call("SELECT * FROM pg_tviews_verify('b')")
    value(connection, "SELECT pg_cancel_backend(%s)", (busy[0].pid,))
    busy[0].end(["57014"])
    waiting.end(["00000"])
    assert waiting.rows == [], waiting.rows
    for call in busy[1:]:
        value(connection, "SELECT pg_cancel_backend(%s)", (call.pid,))
        call.end(["57014"])
    run(connection, "TRUNCATE slow")

    # Two sessions that wait for each other, one of them by way of its evaluator, are a deadlock.
    first = server.connect("evaluator", autocommit=False)
    run(first, "LOCK TABLE tb_a IN ACCESS EXCLUSIVE MODE")
    other = Call("LOCK TABLE tb_a IN ACCESS EXCLUSIVE MODE", setup="LOCK TABLE tb_b IN ACCESS EXCLUSIVE MODE")
    wait_until(lambda: value(connection, "SELECT count(*) FROM pg_locks WHERE NOT granted") == 1, "the other to wait")
    try:
        assert run(first, "SELECT * FROM pg_tviews_verify('b')") == []
        outcome = "00000"
    except psycopg2.Error as error:
        outcome = error.pgcode
    first.rollback()
    first.close()
    other.join(30)
    assert sorted([outcome, other.state]) == ["00000", "40P01"], (outcome, other.state)
    other.connection.close()
    assert run(connection, "SELECT * FROM pg_tviews_verify('a')") == []
    assert value(connection, EVALUATORS) in (0, 1)
