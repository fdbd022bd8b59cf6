"""Exact snapshots: money moves between accounts spread over several tables and TVIEWs while readers
check, in every single statement and in REPEATABLE READ transactions of several statements, that the
totals shown by the TVIEWs never change. Some move money between all accounts of a table, which helper
processes recompute while others change the same accounts. The TVIEWs are in two lanes, each of which shows the totals of one
snapshot; some move between lanes meanwhile. Prints how many reads and writes it made.

SECONDS (default 20) and SEED may be set in the environment.
"""
import os
import random
import threading
import time

import psycopg2

from tviews_server import Server, check_equal, run, value

SECONDS = float(os.environ.get("SECONDS", 20))
SEED = int(os.environ.get("SEED", time.time_ns() % 1000000))
TABLES = {"giro": 60, "savings": 60, "credit": 60, "deposit": 12000}  # and their accounts
LARGE = "deposit"
BANKS = 7
TOTAL = sum(TABLES.values()) * 1000
CONF = """
log_min_messages = debug1
parallel_setup_cost = 0
parallel_tuple_cost = 0
max_parallel_workers_per_gather = 0
jit = off
"""

SCRIPT = "CREATE TABLE tb_bank (pk_bank int PRIMARY KEY, name text NOT NULL);" \
         f"INSERT INTO tb_bank SELECT i, 'bank ' || i FROM generate_series(1, {BANKS}) i;"
for table, accounts in TABLES.items():
    SCRIPT += f"""
CREATE TABLE tb_{table} (pk_{table} int PRIMARY KEY, fk_bank int NOT NULL REFERENCES tb_bank, balance bigint NOT NULL);
CREATE INDEX ON tb_{table} (fk_bank);
INSERT INTO tb_{table} SELECT i, i % {BANKS} + 1, 1000 FROM generate_series(1, {accounts}) i;
ANALYZE tb_bank, tb_{table};
CREATE TABLE tv_{table} AS
SELECT a.pk_{table}, a.balance, jsonb_build_object('balance', a.balance, 'bank', b.name,
  'smaller', (SELECT count(*) FROM tb_bank o WHERE o.pk_bank < b.pk_bank)) AS data
FROM tb_{table} a JOIN tb_bank b ON b.pk_bank = a.fk_bank;
CREATE TABLE tv_{table}_too WITH (pg_tviews.lane = 'slow') AS
SELECT a.pk_{table} AS pk_{table}_too, a.balance, b.name FROM tb_{table} a JOIN tb_bank b ON b.pk_bank = a.fk_bank;"""
# Aggregates over all tables, once by key and once (a set operation) by full refresh.
SCRIPT += """
CREATE TABLE tv_bank AS
SELECT b.pk_bank, """ + " + ".join(f"(SELECT coalesce(sum(balance), 0) FROM tb_{table} a WHERE a.fk_bank = b.pk_bank)"
                                   for table in TABLES) + """ AS balance
FROM tb_bank b;
CREATE TABLE tv_everything WITH (pg_tviews.lane = 'slow') AS
SELECT 1 AS pk_everything, sum(balance) AS balance
FROM (""" + " UNION ALL ".join(f"SELECT balance FROM tb_{table}" for table in TABLES) + """) a;
"""

SUMS = [f"(SELECT sum(balance) FROM tv_{table})" for table in TABLES]
DOCUMENTS = [f"(SELECT sum((data->>'balance')::bigint) FROM tv_{table})" for table in TABLES]
LANE = [f"(SELECT sum(balance) FROM tv_{table}_too)" for table in TABLES]
OTHERS = ["(SELECT sum(balance) FROM tv_bank)", "(SELECT balance FROM tv_everything)"]

# Where the machine is slow, a batch gives way to a session that moves a TVIEW so often that it leaves aside what it is at, and
# pg_tview_behind says so in the same snapshot.
BEHIND = "(SELECT count(*) FROM pg_tview_behind)"
FRONTIERS = "SELECT lane, snapshot::text FROM pg_tview_frontier ORDER BY 1"

stop = threading.Event()
lock = threading.Lock()
counts = dict.fromkeys(("transfers", "between all", "rolled back", "statements", "transactions", "moves", "refused", "left aside", "batches seen"), 0)
wrong = []


def count(name, by=1):
    with lock:
        counts[name] += by


def session(work):
    """Runs work(connection, random) until the end; what it raises ends the test."""
    def loop(number):
        r = random.Random(SEED * 100 + number)
        try:
            connection = server.connect("bank")
            while not stop.is_set():
                work(connection, r)
        except Exception as error:
            wrong.append(f"{work.__name__}: {error!r}")
            stop.set()
    return loop


def transfer(connection, r):
    """Moves money between some accounts, some to and fro in a savepoint, some rolled back. Accounts
    are changed in order, so that few transactions deadlock."""
    connection.autocommit = False
    amounts = {}
    for _ in range(r.randint(1, 4)):
        amount = r.randint(1, 100)
        for sign in (-1, 1):
            table = r.choice(list(TABLES))
            account = (table, r.randint(1, TABLES[table]))
            amounts[account] = amounts.get(account, 0) + sign * amount
    try:
        for (table, account), amount in sorted(amounts.items()):
            # An account that another session has just replaced is not found: without this look at the
            # result, money would vanish from the source tables.
            if not run(connection, f"UPDATE tb_{table} SET balance = balance + {amount} WHERE pk_{table} = {account}"
                                   " RETURNING 1"):
                connection.rollback()
                count("rolled back")
                return
            if r.random() < 0.1:
                run(connection, "SAVEPOINT s")
                run(connection, f"UPDATE tb_{table} SET balance = balance + 1 WHERE pk_{table} BETWEEN {account} AND {account + 3}")
                run(connection, "ROLLBACK TO s")
            if r.random() < 0.1:  # the account moves to another bank, in place or as a new row
                bank = r.randint(1, BANKS)
                if r.random() < 0.5:
                    run(connection, f"UPDATE tb_{table} SET fk_bank = {bank} WHERE pk_{table} = {account}")
                else:
                    balance = value(connection, f"DELETE FROM tb_{table} WHERE pk_{table} = {account} RETURNING balance")
                    run(connection, f"INSERT INTO tb_{table} VALUES ({account}, {bank}, {balance})")
        if r.random() < 0.1:
            connection.rollback()
            count("rolled back")
        else:
            connection.commit()
            count("transfers")
    except psycopg2.Error as error:
        connection.rollback()
        if not isinstance(error, (psycopg2.extensions.TransactionRollbackError, psycopg2.IntegrityError)):
            raise
        count("rolled back")


def transfer_between_all(connection, r):
    """Every other account of a large table gives to the one after it; those that write it meanwhile wait, and go on beside
    the batch. Without the lock some account is always missing, because another session replaces it just then."""
    connection.autocommit = False
    amount = r.randint(1, 100)
    run(connection, f"LOCK TABLE tb_{LARGE} IN SHARE ROW EXCLUSIVE MODE")
    run(connection, f"UPDATE tb_{LARGE} SET balance = balance + CASE WHEN pk_{LARGE} % 2 = 0 THEN {amount} ELSE -{amount} END")
    connection.commit()
    count("between all")
    stop.wait(0.3)


def check(sums, where):
    if any(found != TOTAL for found in sums):
        raise AssertionError(f"{where}: totals {sums}, expected {TOTAL} each")


def move(connection, r):
    """TVIEWs that show the total by themselves change their lane."""
    tview, lane = r.choice(("tv_bank", "tv_everything")), r.choice(("main", "slow", "third"))
    run(connection, f"ALTER TABLE {tview} SET (pg_tviews.lane = '{lane}')")
    count("moves")
    stop.wait(1)


def read_statement(connection, r):
    row = run(connection, f"SELECT {' + '.join(SUMS)}, {' + '.join(DOCUMENTS)}, {' + '.join(LANE)}, {', '.join(OTHERS)}, {BEHIND}")[0]
    if row[-1] > 0:
        return count("left aside")
    check(row[:-1], "one statement")
    count("statements")


def read_transaction(connection, r):
    """Several statements, in any order, under one snapshot; the frontiers stand still in it too. A snapshot that is older than
    the move of a TVIEW is refused."""
    connection.set_session(isolation_level="REPEATABLE READ", autocommit=False)
    try:
        read_in_transaction(connection, r)
    except psycopg2.errors.SerializationFailure:
        connection.rollback()
        count("refused")


def read_in_transaction(connection, r):
    frontiers = run(connection, FRONTIERS)
    parts = list(enumerate(SUMS + DOCUMENTS + LANE + OTHERS))
    r.shuffle(parts)
    found = {}
    for index, part in parts:
        found[index] = value(connection, f"SELECT {part}")
    again = run(connection, FRONTIERS)
    is_apart = value(connection, f"SELECT {BEHIND}") > 0
    connection.rollback()
    if is_apart:
        return count("left aside")
    n = len(TABLES)
    check([sum(found[i] for i in range(k, k + n)) for k in (0, n, 2 * n)] + [found[3 * n], found[3 * n + 1]], "one transaction")
    if frontiers != again:
        raise AssertionError("the frontier moved inside a REPEATABLE READ transaction")
    count("transactions")


print(f"seed {SEED}, {SECONDS:g} s")
with Server("snapshot", CONF) as server:
    connection = server.prepare("bank", SCRIPT)
    read_statement(connection, random.Random(SEED))
    workers = [transfer] * 4 + [transfer_between_all] + [read_statement] * 2 + [read_transaction] * 2 + [move]
    threads = [threading.Thread(target=session(work), args=(i,)) for i, work in enumerate(workers)]
    for thread in threads:
        thread.start()
    stop.wait(SECONDS)
    stop.set()
    for thread in threads:
        thread.join()
    if wrong:
        raise AssertionError("; ".join(wrong))
    check_equal(connection, "at the end")
    read_statement(connection, random.Random(SEED))
    counts["batches seen"] = value(connection, "SELECT min(batches) FROM pg_tview_frontier WHERE lane IN ('main', 'slow')")
    helped = server.log().count("helpers recompute")
    print("note: " + ", ".join(f"{number:,} {name}" for name, number in counts.items())
          + f", {helped} batches with helpers; seed {SEED}")
    assert min(counts[name] for name in ("transfers", "statements", "transactions")) > 50, counts
    assert counts["batches seen"] > 10 and helped > 0, (counts, helped)
