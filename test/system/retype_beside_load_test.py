"""Types of columns change beside writers and readers, and the server is killed on the way.

Danger: a reader finds a rewritten TVIEW empty, or rows of both types; a change that is captured with the old type is lost, or
read as one of the new; a crash leaves a view without its query. Right answer: every read shows the invariant, or is refused
with 40001; afterwards every TVIEW equals its query, and has the types of it."""
import os
import signal
import threading

import psycopg2

from tviews_server import Server, check_equal, run, value, wait_until

ACCOUNTS = 40
SCRIPT = f"""
CREATE TABLE tb_account (pk_account int PRIMARY KEY, fk_holder int NOT NULL, amount int NOT NULL, label varchar(10));
CREATE TABLE tb_holder (pk_holder int PRIMARY KEY, name varchar(20));
CREATE INDEX ON tb_account (fk_holder);
INSERT INTO tb_holder SELECT i, 'holder ' || i FROM generate_series(1, 5) AS i;
INSERT INTO tb_account SELECT i, 1 + i % 5, 100, 'a' || i FROM generate_series(1, {ACCOUNTS}) AS i;
CREATE TABLE tv_account AS SELECT pk_account, fk_holder, amount, label FROM tb_account;
CREATE TABLE tv_holder AS SELECT pk_holder, name, sum(amount) AS amount FROM tb_holder JOIN tv_account ON fk_holder = pk_holder GROUP BY 1, 2;
CREATE VIEW balance AS SELECT count(*), sum(amount) FROM tv_account;
"""
READS = ["SELECT * FROM balance", "SELECT count(*), sum(amount) FROM tv_account",
         f"SELECT {ACCOUNTS}, sum(amount) FROM tv_holder"]
# What others change meanwhile does not depend on the types.
ALTERS = ["ALTER TABLE tb_account ALTER amount TYPE bigint, ALTER label TYPE varchar(30)",
          "ALTER TABLE tb_account ALTER fk_holder TYPE bigint",
          "ALTER TABLE tb_account ALTER amount TYPE numeric(12, 2)",
          "ALTER TABLE tb_holder ALTER name TYPE text",
          "ALTER TABLE tb_account ALTER pk_account TYPE bigint, ALTER amount TYPE int",
          "ALTER TABLE tb_account ALTER label TYPE text, ALTER fk_holder TYPE int, ALTER pk_account TYPE int"]


class Client(threading.Thread):
    """Does one thing again and again until it is stopped."""

    def __init__(self, number, isolation=None):
        super().__init__()
        self.number, self.isolation = number, isolation
        self.rounds, self.refused, self.problem = 0, 0, None
        self.is_over = False
        self.session = server.connect("retyped")
        self.start()

    def run(self):
        try:
            while not self.is_over:
                try:
                    self.once()
                except psycopg2.errors.SerializationFailure:
                    self.refused += 1
                    run(self.session, "ROLLBACK")
                self.rounds += 1
        except Exception as problem:  # is raised by stop()
            self.problem = problem

    def stop(self):
        self.is_over = True
        self.join()
        if self.problem:
            raise self.problem


class Writer(Client):
    def once(self):
        source, target = 1 + self.rounds * 7 % ACCOUNTS, 1 + (self.rounds * 11 + self.number) % ACCOUNTS
        with self.session.cursor() as cursor:
            cursor.execute("BEGIN")
            # in one order, so that writers do not deadlock
            for account in sorted({source, target}):
                step = (1 if account == target else 0) - (1 if account == source else 0)
                cursor.execute("UPDATE tb_account SET amount = amount + %s WHERE pk_account = %s", (step, account))
            cursor.execute("COMMIT")


class Reader(Client):
    def once(self):
        with self.session.cursor() as cursor:
            if self.isolation:
                cursor.execute(f"BEGIN ISOLATION LEVEL {self.isolation}")
                cursor.execute("SELECT 1")
            for read in READS:
                cursor.execute(read)
                count, total = cursor.fetchone()
                assert (count, int(total)) == (ACCOUNTS, 100 * ACCOUNTS), (read, self.isolation, count, total)
            if self.isolation:
                cursor.execute("COMMIT")


def types():
    with server.connect("retyped") as session, session.cursor() as cursor:
        cursor.execute("SELECT v.attrelid::regclass::text, v.attname FROM pg_attribute v"
                       " JOIN pg_tview_meta m ON m.backing_view = v.attrelid"
                       " JOIN pg_attribute t ON t.attrelid = m.tview AND t.attnum = v.attnum"
                       " WHERE (t.atttypid, t.atttypmod) <> (v.atttypid, v.atttypmod)")
        assert cursor.fetchall() == []
    with server.connect("retyped") as session:
        return value(session, "SELECT string_agg(format_type(atttypid, atttypmod), ' ' ORDER BY attnum)"
                              " FROM pg_attribute WHERE attrelid = 'tv_account'::regclass AND attnum > 0")


def check(expected):
    session = server.connect("retyped")
    run(session, "SELECT pg_tviews_wait('60 s')")
    check_equal(session)
    assert types() == expected, types()
    session.close()


with Server("retype_beside_load", "pg_tviews.read_timeout = '120 s'\n") as server:
    session = server.prepare("retyped", SCRIPT)
    run(session, "SELECT pg_tviews_wait()")
    clients = [Writer(1), Writer(2), Reader(1), Reader(2, "REPEATABLE READ"), Reader(3, "READ COMMITTED")]
    try:
        for alter in ALTERS:
            before = [client.rounds for client in clients]
            run(session, alter)
            wait_until(lambda: all(c.problem or c.rounds > b + 2 for c, b in zip(clients, before)), "clients to go on")
    finally:
        for client in clients:
            client.is_over = True
    for client in clients:
        client.stop()
    check("integer integer integer text")

    # Whoever alters is killed before the commit: everything is as before.
    run(session, "BEGIN")
    run(session, ALTERS[0])
    os.kill(value(session, "SELECT pg_backend_pid()"), signal.SIGKILL)
    wait_until(lambda: server.log().count("database system is ready to accept connections") > 1, "the server to come back")
    check("integer integer integer text")

    # The server is killed right after the commit: what it has committed stays.
    session = server.connect("retyped")
    run(session, "UPDATE tb_account SET amount = amount + 1 WHERE pk_account = 1")
    run(session, ALTERS[0])
    run(session, "UPDATE tb_account SET amount = amount - 1 WHERE pk_account = 1")
    server.kill()
    server.start()
    check("integer integer bigint character varying(30)")
