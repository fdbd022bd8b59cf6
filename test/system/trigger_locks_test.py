"""Triggers are installed on many sources, and dropped from them, beside sessions that write and read the same sources in
other orders: nobody is in a deadlock, and the TVIEWs are right afterwards.

Danger: a function that locks all sources keeps the lock of one while it waits for the next, or asks for a stronger lock on
one when it has the others. A writer that has the second and goes on to the first is then in a deadlock with it, and so is a
reader that goes on to write."""
import itertools
import threading
import time

import psycopg2

from tviews_server import Server, check_equal, run, value

SECONDS = 3  # of writing beside each command
SCRIPT = """
CREATE TABLE tb_a (pk_a int PRIMARY KEY, n int NOT NULL);
CREATE TABLE tb_b (pk_b int PRIMARY KEY, n int NOT NULL);
CREATE TABLE tb_c (pk_c int PRIMARY KEY, n int NOT NULL) PARTITION BY RANGE (pk_c);
CREATE TABLE tb_c1 PARTITION OF tb_c FOR VALUES FROM (0) TO (100);
CREATE TABLE tb_c2 PARTITION OF tb_c FOR VALUES FROM (100) TO (200);
CREATE TABLE tb_d (pk_d int PRIMARY KEY, n int NOT NULL);
CREATE TABLE tb_e (pk_e int PRIMARY KEY, n int NOT NULL);
INSERT INTO tb_a SELECT i, 0 FROM generate_series(1, 10) AS i;
INSERT INTO tb_b SELECT i, 0 FROM generate_series(1, 10) AS i;
INSERT INTO tb_c SELECT i, 0 FROM generate_series(1, 110) AS i;
INSERT INTO tb_d SELECT i, 0 FROM generate_series(1, 10) AS i;
INSERT INTO tb_e SELECT i, 0 FROM generate_series(1, 10) AS i;
CREATE TABLE tv_a AS SELECT pk_a, tb_a.n, b.n AS other FROM tb_a JOIN tb_b AS b ON b.pk_b = pk_a;
CREATE TABLE tv_c AS SELECT pk_c, n FROM tb_c;
"""
PAIR = "CREATE TABLE tv_d AS SELECT pk_d, d.n, e.n AS other FROM tb_d AS d JOIN tb_e AS e ON e.pk_e = pk_d"

# What a session does again and again: every order of two sources, written, or read and then written.
TABLES = [("tb_a", "pk_a", 0), ("tb_b", "pk_b", 0), ("tb_c1", "pk_c", 0), ("tb_c2", "pk_c", 100), ("tb_d", "pk_d", 0), ("tb_e", "pk_e", 0)]


def write(table, row):
    name, key, first = table
    return f"UPDATE {name} SET n = n + 1 WHERE {key} = {first + row}"


def read(table, row):
    name, key, first = table
    return f"SELECT n FROM {name} WHERE {key} = {first + row}"


class Session(threading.Thread):
    """Its own rows, so that only locks on tables can be in the way."""

    def __init__(self, row, tables, first):
        super().__init__()
        self.connection = server.connect("locks", name="writer")
        self.row, self.tables, self.first = row, tables, first
        self.count, self.errors = 0, []
        self.start()

    def run(self):
        run(self.connection, "SET pg_tviews.read_consistency = eventual")
        for one, other in itertools.cycle(itertools.permutations(self.tables, 2)):
            if stopped.is_set():
                break
            try:
                run(self.connection, "BEGIN")
                run(self.connection, self.first(one, self.row))
                run(self.connection, write(other, self.row))
                run(self.connection, "COMMIT")
                self.count += 1
            except psycopg2.Error as error:
                self.errors.append(str(error))
                run(self.connection, "ROLLBACK")


def beside_sessions(what, *commands, tables=TABLES, seconds=SECONDS):
    stopped.clear()
    sessions = [Session(row, tables, first) for row, first in enumerate((write, write, write, read, read), 1)]
    end = time.monotonic() + seconds
    rounds = 0
    try:
        while not rounds or time.monotonic() < end:
            for command in commands:
                run(connection, command)
            rounds += 1
    finally:
        stopped.set()
        for session in sessions:
            session.join()
            session.connection.close()
    print(f"note: {what}: {rounds} rounds beside {sum(session.count for session in sessions)} transactions")
    assert not any(session.errors for session in sessions), (what, [session.errors[:2] for session in sessions])
    assert all(session.count for session in sessions), (what, "a session that wrote nothing")
    check_equal(connection, what)


def deadlocks():
    return server.log().count("deadlock detected")


ORPHANS = [f"CREATE TRIGGER pg_tviews_truncate AFTER TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION pg_tviews_capture()"
           for table in ("tb_d", "tb_e")]

stopped = threading.Event()
with Server("trigger_locks") as server:
    connection = server.prepare("locks", SCRIPT)
    check_equal(connection)
    sources = TABLES[:4]
    beside_sessions("statement triggers", "SELECT pg_tviews_install_stmt_triggers()", "SELECT pg_tviews_uninstall_stmt_triggers()",
                    tables=sources)
    beside_sessions("reinstalled triggers", "SELECT pg_tviews_reinstall_triggers()", tables=sources)
    beside_sessions("a TVIEW that comes and goes", PAIR, "DROP TABLE tv_d")
    beside_sessions("triggers that nobody needs", *ORPHANS, "SELECT * FROM pg_tviews_drop_orphans()")
    beside_sessions("a view that leaves two sources for two others",
                    "CREATE VIEW pair AS SELECT pk_d AS pk, d.n, e.n AS other FROM tb_d AS d JOIN tb_e AS e ON e.pk_e = pk_d",
                    "CREATE TABLE tv_pair AS SELECT pk AS pk_pair, n, other FROM pair",
                    "CREATE OR REPLACE VIEW pair AS SELECT pk_a AS pk, a.n, b.n AS other FROM tb_a AS a JOIN tb_b AS b ON b.pk_b = pk_a",
                    "DROP TABLE tv_pair", "DROP VIEW pair")
    assert deadlocks() == 0, f"{deadlocks()} deadlocks"
    triggers = value(connection, "SELECT count(*) FROM pg_trigger WHERE tgrelid IN ('tb_d'::regclass, 'tb_e'::regclass)")
    assert triggers == 0, f"{triggers} triggers that nobody needs"
    beside_sessions("the extension that goes and comes", "DROP EXTENSION pg_tviews CASCADE",
                    "DROP TABLE tv_a, tv_c CASCADE", "DROP VIEW IF EXISTS v_a, v_c", "CREATE EXTENSION pg_tviews",
                    "CREATE TABLE tv_a AS SELECT pk_a, tb_a.n, b.n AS other FROM tb_a JOIN tb_b AS b ON b.pk_b = pk_a",
                    "CREATE TABLE tv_c AS SELECT pk_c, n FROM tb_c", tables=sources, seconds=1)
    assert deadlocks() == 0, f"{deadlocks()} deadlocks"
