"""pg_tviews_wait_for(xid8) with transactions that end in every way (ATTACKS A13): it returns once the
transaction is over and never before, also where nothing was written that an applier would see."""
import threading

import psycopg2

import pauses
from tviews_server import Server, check_equal, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_a (pk_a int PRIMARY KEY, name text);
CREATE TABLE tb_other (name text);
INSERT INTO tb_a SELECT i, 'old' FROM generate_series(1, 10) i;
CREATE TABLE tv_a AS SELECT pk_a, name FROM tb_a;
"""
CONF = pauses.CONF + "pg_tviews.queue_size = 8\n"


class Waiter(threading.Thread):
    def __init__(self, xid):
        super().__init__()
        self.connection, self.xid, self.done, self.error = server.connect("waits"), xid, False, None
        self.start()
        wait_until(lambda: value(connection, "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Extension'",
                                 (self.connection.info.backend_pid,)), "the waiter to wait")

    def run(self):
        try:
            run(self.connection, "SELECT pg_tviews_wait_for(%s::text::xid8)", (self.xid,))
            self.done = True
        except psycopg2.Error as error:
            self.error = error
        self.connection.close()

    def must_wait(self):
        # A batch goes by, whose snapshot lists this transaction among those in progress.
        run(connection, "INSERT INTO tb_other VALUES ('later')")
        run(connection, "SELECT pg_tviews_wait()")
        assert not self.done and self.error is None, self.error

    def must_return(self, what):
        wait_until(lambda: self.done or self.error, f"pg_tviews_wait_for of {what}", timeout=5)
        assert self.error is None, f"{what}: {self.error}"


def begin(*statements):
    session = server.connect("waits")
    run(session, "BEGIN")
    xid = value(session, "SELECT pg_current_xact_id()::text")
    for statement in statements:
        run(session, statement)
    return session, xid


with Server("wait_for", CONF) as server:
    connection = server.prepare("waits", SCRIPT)
    check_equal(connection)

    writes = "UPDATE tb_a SET name = name || '+'"
    many = "INSERT INTO tb_a SELECT i, repeat('x', 50) FROM generate_series(100, 3000) i ON CONFLICT (pk_a) DO UPDATE SET name = tb_a.name || '+'"
    for what, statements, end in (
            ("a committed transaction", [writes], "COMMIT"),
            ("an aborted transaction", [writes], "ROLLBACK"),
            ("one that writes elsewhere", ["INSERT INTO tb_other VALUES ('x')"], "COMMIT"),
            ("one that writes nothing", [], "COMMIT"),
            ("an aborted one that writes nothing", [], "ROLLBACK"),
            ("one larger than the queue", [many], "COMMIT"),
            ("an aborted one larger than the queue", [many], "ROLLBACK")):
        session, xid = begin(*statements)
        waiter = Waiter(xid)
        waiter.must_wait()
        run(session, end)
        waiter.must_return(what)
        session.close()
        assert what.startswith("an aborted") or not run(connection, "SELECT 1 FROM tb_a EXCEPT SELECT 1 FROM tv_a"), what

    for end in ("COMMIT PREPARED 'w'", "ROLLBACK PREPARED 'w'"):
        session, xid = begin(writes)
        run(session, "PREPARE TRANSACTION 'w'")
        waiter = Waiter(xid)
        waiter.must_wait()
        run(connection, end)
        waiter.must_return(end)
        run(connection, f"SELECT pg_tviews_wait_for({xid}::text::xid8)")
        session.close()
    check_equal(connection, "at the end")

    # Its own transaction, one of the future, a timeout.
    for statement, sqlstate in (("SELECT pg_tviews_wait_for(pg_current_xact_id())", "55000"),
                                ("SELECT pg_tviews_wait_for('4000000000000')", "22023")):
        try:
            run(connection, statement)
            raise AssertionError(f"{statement} returned")
        except psycopg2.Error as error:
            assert error.pgcode == sqlstate, error
    session, xid = begin(writes)
    try:
        run(connection, f"SELECT pg_tviews_wait_for('{xid}', '50 ms')")
        raise AssertionError("waited for an open transaction, but returned")
    except psycopg2.Error as error:
        assert error.pgcode == "57014", error
    session.close()
