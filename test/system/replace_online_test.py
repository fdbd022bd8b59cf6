"""A TVIEW is replaced online, again and again, beside writers and readers in every consistency level. Every read finds the
rows of one definition only, complete, or is told 40001. The session, the applier and the server are killed at every named
point of it; each time the TVIEW is what it was before, or what it was to become, and equal to its query.
"""
import contextlib
import random
import threading

import psycopg2

import pauses
from tviews_server import Server, check_equal, kill_process, run, value, wait_until

ACCOUNTS = 2000
TOTAL = ACCOUNTS * 100
CONF = pauses.CONF + "pg_tviews.fill_budget = 1\npg_tviews.lock_timeout = '50ms'\n"
SCRIPT = f"""
CREATE TABLE tb_owner (pk_owner int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_account (pk_account int PRIMARY KEY, number text NOT NULL UNIQUE, fk_owner int NOT NULL, balance int NOT NULL);
CREATE INDEX ON tb_account (fk_owner);
CREATE TABLE other (a int);
INSERT INTO tb_owner SELECT i, 'owner ' || i FROM generate_series(1, 30) AS i;
INSERT INTO tb_account SELECT i, 'DE' || i, 1 + i % 30, 100 FROM generate_series(1, {ACCOUNTS}) AS i;
ANALYZE;
CREATE TABLE tv_account AS SELECT pk_account, 1 AS factor, balance FROM tb_account;
CREATE INDEX account_balance ON tv_account (balance);
CREATE TABLE tv_bank AS SELECT 1 AS pk_bank, min(factor) AS least, max(factor) AS most, sum(balance) AS balance FROM tv_account;
"""
# Each says by its factor which one it is; money is moved, and neither made nor lost.
QUERIES = {
    2: ("SELECT pk_account, 2 AS factor, 2 * balance AS balance, o.name FROM tb_account JOIN tb_owner o ON pk_owner = fk_owner", None),
    3: ("SELECT pk_account, 3 AS factor, 3 * balance AS balance, number FROM tb_account", "number"),
    5: ("SELECT pk_account, 5 AS factor, 5 * balance AS balance, fk_owner FROM tb_account", "fk_owner, pk_account"),
    1: ("SELECT pk_account, 1 AS factor, balance FROM tb_account", "pk_account"),
}
SEED = random.randrange(1 << 30)
print("seed", SEED)


CALM = threading.Lock()  # held while nothing is written


class Session(threading.Thread):
    """Comes back after a crash."""

    def __init__(self, number):
        super().__init__(daemon=True)
        self.random, self.is_over, self.done, self.problem = random.Random(SEED + number), False, 0, None
        self.start()

    def run(self):
        while not self.is_over and self.problem is None:
            session = None
            try:
                session = server.connect("bank", name=type(self).__name__)
                self.begin(session)
                while not self.is_over and self.problem is None:
                    self.step(session)
            except psycopg2.Error as error:
                if error.pgcode is not None and not error.pgcode.startswith("57P"):  # of the crash
                    self.problem = error
            finally:
                if session is not None:
                    session.close()

    def begin(self, session):
        pass


class Writer(Session):
    def step(self, session):
        threading.Event().wait(0.01)  # verify waits for what is written, and readers do
        with CALM:
            self.write(session)

    def write(self, session):
        sender, receiver = self.random.sample(range(1, ACCOUNTS + 1), 2)
        amount = self.random.randrange(1, 20)
        with contextlib.suppress(psycopg2.errors.DeadlockDetected):
            run(session, f"UPDATE tb_account SET balance = balance + CASE pk_account WHEN {receiver} THEN {amount} ELSE -{amount} END"
                         f" WHERE pk_account IN ({sender}, {receiver})")
            if self.random.randrange(20) == 0:
                run(session, f"UPDATE tb_owner SET name = name || '.' WHERE pk_owner = {self.random.randrange(1, 31)}")
            self.done += 1


class Reader(Session):
    """`level`: of consistency. A statement that finds several definitions at once, or money lost, is a problem."""

    def __init__(self, number, level, isolation):
        self.level, self.isolation, self.aborted = level, isolation, 0
        super().__init__(number)

    def begin(self, session):
        run(session, f"SET pg_tviews.read_consistency = '{self.level}'; SET pg_tviews.read_timeout = '60s'")

    def step(self, session):
        try:
            run(session, f"BEGIN ISOLATION LEVEL {self.isolation}")
            if self.isolation != "READ COMMITTED":
                run(session, "SELECT count(*) FROM other")
                run(session, "SELECT pg_sleep(0.2)")
            found = run(session, "SELECT count(*), min(factor), max(factor), sum(balance) FROM tv_account")[0]
            bank = run(session, "SELECT least, most, balance FROM tv_bank")[0]
            both = run(session, "SELECT (SELECT sum(balance) FROM tv_account) - balance FROM tv_bank")[0][0]
            run(session, "COMMIT")
        except (psycopg2.errors.SerializationFailure, psycopg2.errors.DeadlockDetected) as error:
            run(session, "ROLLBACK")
            self.aborted += error.pgcode == "40001"
            return
        if found[:3] != (ACCOUNTS, found[1], found[1]) or found[3] != TOTAL * found[1]:
            self.problem = (self.level, self.isolation, found)
        if bank != (bank[0], bank[0], TOTAL * bank[0]):
            self.problem = (self.level, self.isolation, bank)
        # Who does not wait may find the reader of a TVIEW before the batch that follows the exchange.
        if both != 0 and self.level != "eventual":
            self.problem = (self.level, self.isolation, "both", both)
        self.done += 1


def begin(session, factor):
    query, key = QUERIES[factor]
    run(session, "SELECT pg_tviews_replace('account', %s, online => true, key => %s)", (query, key))


def await_ready(session):
    wait_until(lambda: run(session, "SELECT phase FROM pg_tviews_progress WHERE entity = 'account' AND operation = 'online replacement'")
               == [("ready to finish",)], "the new rows to be complete")


def finish(session):
    run(session, "SELECT pg_tviews_replace_finish('account')")


def check(session, factor):
    with CALM:
        run(session, "SELECT pg_tviews_wait()")
        check_equal(session, f"factor {factor}")
    assert run(session, "SELECT least, most, balance FROM tv_bank") == [(factor, factor, TOTAL * factor)], factor
    assert value(session, "SELECT 'tv_account'::regclass::oid") == relation
    assert value(session, "SELECT count(*) FROM pg_index WHERE indrelid = 'tv_account'::regclass AND indisvalid") >= 2


def replace_all(session):
    for factor in QUERIES:
        begin(session, factor)
        await_ready(session)
        finish(session)
        check(session, factor)


def attempt(step, *arguments):
    """In a session that is killed on its way."""
    def body():
        with contextlib.suppress(psycopg2.Error):
            with contextlib.closing(server.connect("bank", name="victim")) as session:
                step(session, *arguments)
    thread = threading.Thread(target=body)
    thread.start()
    return thread


def kill_at(session, point, step, arguments, whole):
    with pauses.pause(server, "bank", point) as paused:
        thread = attempt(step, *arguments)
        paused()
        if whole:
            server.kill()
            server.start()
        else:
            session = kill_process(server, "bank", value(
                session, "SELECT pid FROM pg_stat_activity WHERE query = %s LIMIT 1", (f"paused at {point}",)))
        thread.join()
    if whole:
        session = server.connect("bank")
    return session


def check_crashes(session):
    before, after = 1, 2
    for whole in (False, True):
        if not whole:
            session = kill_at(session, "shadow_begun", begin, (after,), whole)
            assert value(session, "SELECT to_regclass('tv_account__new')") is None
            check(session, before)
        begin(session, after)
        await_ready(session)
        for point in ("rows_exchanged",) if whole else ("shadow_locked", "rows_exchanged", "shadow_gone"):
            session = kill_at(session, point, finish, (), whole)
            check(session, before)
        # In the batch that sees the exchange first.
        session = kill_at(session, "debts_taken", finish, (), whole)
        check(session, after)
        begin(session, before)
        run(session, "SELECT pg_tviews_replace_cancel('account')")
        check(session, after)
        before, after = after, before
    return session


with Server("replace_online", CONF) as server:
    connection = server.prepare("bank", SCRIPT)
    check_equal(connection, "creation")
    relation = value(connection, "SELECT 'tv_account'::regclass::oid")
    sessions = [Writer(1), Writer(2)]
    readers = [Reader(10 + i, level, isolation) for i, (level, isolation) in enumerate(
        (("eventual", "READ COMMITTED"), ("session", "READ COMMITTED"), ("strict", "READ COMMITTED"),
         ("eventual", "REPEATABLE READ"), ("session", "REPEATABLE READ")))]
    replace_all(connection)
    connection = check_crashes(connection)
    for session in sessions + readers:
        session.is_over = True
    for session in sessions + readers:
        session.join()
        assert session.problem is None, session.problem
        assert session.done + getattr(session, "aborted", 0) > 0, session
    print("note: reads", [(reader.level, reader.isolation, reader.done, reader.aborted) for reader in readers])
    check(connection, 1)
    left = run(connection, "SELECT * FROM tviews_internal.pg_tview_replacement")
    assert left == [], left
    letters = run(connection, "SELECT * FROM pg_tview_dead_letter")
    assert letters == [], letters
