"""Random load, and everything that can happen to a server meanwhile: kill -9 of any of its processes,
crashes and restarts, DDL, locks, pauses, prepared transactions, changed settings, and promotions of a
standby. Again and again everything stands still, and every TVIEW must equal its query.

SECONDS (default 180) and SEED may be set in the environment; test/stress/chaos.sh does so. A seed
repeats what is done in which order; the moments are the machine's choice.
"""
# Runs first: it takes long.
import collections
import os
import random
import signal
import threading
import time

import psycopg2

import shop
from tviews_server import Server, bash, check_equal, children, run, tviews, value, wait_until

SECONDS = int(os.environ.get("SECONDS", 180))
SEED = int(os.environ.get("SEED", time.time_ns() % 1000000))
WRITERS = 4
CONF = """
pg_tviews.queue_size = '64kB'
wal_level = replica
hot_standby = on
restart_after_crash = on
"""
MORE = """
CREATE VIEW v_state AS SELECT o.pk_order, o.fk_customer, upper(o.state) AS state FROM tb_order o;
CREATE TABLE tv_nested AS SELECT s.pk_order AS pk_nested, s.state, c.name
FROM v_state s JOIN tb_customer c ON c.pk_customer = s.fk_customer;
CREATE TABLE tv_reader AS SELECT s.pk_spending AS pk_reader, s.total * 2 AS total FROM tv_spending s;
"""
# What a statement may meet here without anything being wrong.
EXPECTED = (psycopg2.OperationalError, psycopg2.InterfaceError, psycopg2.errors.LockNotAvailable, psycopg2.errors.QueryCanceled,
            psycopg2.extensions.TransactionRollbackError, psycopg2.IntegrityError, psycopg2.errors.UndefinedTable,
            psycopg2.errors.DuplicateTable, psycopg2.errors.UndefinedColumn, psycopg2.errors.UndefinedObject)
DDL = [
    "CREATE TABLE tv_extra{n} AS SELECT l.pk_line AS pk_extra{n}, l.amount FROM tb_line l WHERE l.amount > {n}",
    "CREATE TABLE tv_extra{n} AS SELECT o.pk_order AS pk_extra{n}, o.state FROM tb_order o WITH NO DATA",
    "DROP TABLE IF EXISTS tv_extra{n}",
    "DROP TABLE IF EXISTS tv_extra{n}",
    "ALTER TABLE tb_order ADD COLUMN more{n} int DEFAULT {n}",
    "ALTER TABLE tb_order DROP COLUMN IF EXISTS more{n}",
    "ALTER TABLE tb_order ALTER COLUMN more{n} TYPE bigint",
    "CREATE OR REPLACE VIEW v_state AS SELECT o.pk_order, o.fk_customer, o.state || '{n}' AS state FROM tb_order o",
    "TRUNCATE tb_line",
    "REINDEX TABLE tv_order",
    "VACUUM FULL tv_customer",
    "VACUUM tb_order",
    "ANALYZE",
]


def may_be_killed(pid):
    """False for the process that recovers, and for one that has not got its title yet: it may be that one."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            title = file.read()
    except OSError:
        return False  # gone
    return title.startswith(b"postgres: ") and not title.startswith(b"postgres: startup")


class Chaos:
    def __init__(self, server):
        self.server = server
        self.random = random.Random(SEED)
        self.counts = collections.Counter()
        self.committed = self.prepared = 0
        self.wrong = []
        self.stop_writers = threading.Event()
        self.connection = server.prepare("shop", shop.SCRIPT + MORE)
        self.bin = bash('server_bin "$1"', server.directory)

    # --- Writers

    def write(self, seed):
        r = random.Random(seed)
        connection = None
        while not self.stop_writers.is_set():
            try:
                if connection is None:
                    connection = self.server.connect("shop", autocommit=False, name="writer")
                    run(connection, "SET lock_timeout = '500ms'; SET statement_timeout = '20s'")
                    connection.commit()
                self.transaction(connection, r)
            except EXPECTED:
                connection = self.rolled_back(connection)
            except psycopg2.Error as error:
                # A connection that breaks during COMMIT gives a plain DatabaseError without a code.
                if error.pgcode is not None:
                    self.wrong.append(error)
                connection = self.rolled_back(connection)

    def rolled_back(self, connection):
        try:
            connection.rollback()
            return connection
        except (psycopg2.Error, AttributeError):
            time.sleep(0.05)
            return None

    def transaction(self, connection, r):
        if r.random() < 0.15:
            run(connection, "SET TRANSACTION ISOLATION LEVEL " + r.choice(["REPEATABLE READ", "SERIALIZABLE"]))
        for _ in range(r.randint(1, 4)):
            if r.random() < 0.2:
                run(connection, "SAVEPOINT s")
                run(connection, shop.random_statement(r))
                run(connection, r.choice(["ROLLBACK TO s", "RELEASE s"]))
            run(connection, shop.random_statement(r))
        kind = r.random()
        if kind < 0.1:
            connection.rollback()
        elif kind < 0.115:
            run(connection, f"PREPARE TRANSACTION 'p{r.random()}'")
            connection.rollback()
            self.prepared += 1
        else:
            connection.commit()
            self.committed += 1

    def start_writers(self, round_number):
        self.stop_writers.clear()
        self.threads = [threading.Thread(target=self.write, args=(SEED * 1000 + round_number * 10 + i,))
                        for i in range(WRITERS)]
        for thread in self.threads:
            thread.start()

    def join_writers(self):
        self.stop_writers.set()
        for thread in self.threads:
            thread.join()
        if self.wrong:
            raise AssertionError(f"a writer failed: {self.wrong[0]}")

    # --- What happens to the server

    def reconnect(self):
        def again():
            try:
                run(self.connection, "SELECT 1")
                return True
            except (psycopg2.OperationalError, psycopg2.InterfaceError, psycopg2.DatabaseError):
                try:
                    self.connection = self.server.connect("shop")
                except psycopg2.OperationalError:
                    pass
                return False
        wait_until(again, "the server to be back")

    def kill_process(self):
        """Any process of the server: the writers', the workers', the server's own. But not the one that recovers after a kill
        before this one: without that the server ends, as it should, and nobody is there to be back."""
        victims = [pid for pid in children(self.server.postmaster()) if may_be_killed(pid)]
        if victims:
            os.kill(self.random.choice(victims), signal.SIGKILL)

    def kill_worker(self):
        rows = run(self.connection, "SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'pg_tviews %' ORDER BY backend_type")
        if rows:
            os.kill(self.random.choice(rows)[0], self.random.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))

    def kill_server(self):
        self.server.kill()
        self.server.start()

    def restart(self):
        self.server.stop(self.random.choice(["fast", "immediate"]))
        self.server.start()

    def pause(self):
        run(self.connection, "SELECT pg_tviews_pause()")
        before = self.committed
        self.wait_for_commits(before + self.random.randint(10, 200))
        run(self.connection, "SELECT pg_tviews_resume()")

    def ddl(self):
        run(self.connection, "SET lock_timeout = '2s'")
        run(self.connection, self.random.choice(DDL).format(n=self.random.randint(1, 4)))

    def lock(self):
        holder = self.server.connect("shop", autocommit=False)
        run(holder, "SET lock_timeout = '2s'; SET pg_tviews.protect = off")
        table = self.random.choice(["tb_order", "tb_line", "tv_order", "tv_spending"])
        run(holder, f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        time.sleep(self.random.random() * 1.5)  # longer and shorter than the lock timeout
        holder.close()

    def finish_prepared(self):
        rows = run(self.connection, "SELECT gid FROM pg_prepared_xacts ORDER BY gid")
        for (gid,) in rows[:self.random.randint(1, len(rows))] if rows else []:
            run(self.connection, f"{self.random.choice(['COMMIT', 'COMMIT', 'ROLLBACK'])} PREPARED '{gid}'")

    def settings(self):
        name, values = self.random.choice([("batch_memory", ["64kB", "1MB"]), ("lock_timeout", ["10ms", "1s"]),
                                           ("applier_idle_timeout", ["1s", "300s"])])
        run(self.connection, f"ALTER SYSTEM SET pg_tviews.{name} = '{self.random.choice(values)}'")
        run(self.connection, "SELECT pg_reload_conf()")

    def promote(self):
        """A standby takes over in the middle of the load, and the old primary is no more."""
        d = self.server.directory
        socket = bash('d="$(server_socket "$1")/s"; make_server_dir "$d"; echo "$d"', d)
        bash('rm -rf "$3"; as_server "$1/pg_basebackup" -h "$2" -U postgres -D "$3" -R -c fast', self.bin,
             self.server.socket, f"{d}/data2")
        control = 'as_server "$1/pg_ctl" -D "$2" -w -t 60'
        bash(f"{control} -l \"$4\" -o \"-c unix_socket_directories='$3'\" start >/dev/null 2>&1", self.bin, f"{d}/data2",
             socket, f"{d}/log")
        self.wait_for_commits(self.committed + 30)
        self.server.stop("immediate")
        bash(f"{control} promote >/dev/null && {control} -m fast stop >/dev/null", self.bin, f"{d}/data2")
        bash('rm -rf "$1/data" && mv "$1/data2" "$1/data"', d)
        self.server.start()

    def wait_for_commits(self, target):
        end = time.monotonic() + 5
        while self.committed < target and time.monotonic() < end:
            time.sleep(0.01)

    ACTIONS = [(kill_process, 3), (kill_worker, 4), (kill_server, 2), (restart, 2), (pause, 3), (ddl, 12), (lock, 3),
               (finish_prepared, 7), (settings, 3), (promote, 1)]

    def act(self):
        action = self.random.choices([a for a, _ in self.ACTIONS], [w for _, w in self.ACTIONS])[0]
        try:
            action(self)
            self.counts[action.__name__] += 1
        except EXPECTED:
            self.counts["refused"] += 1
        except psycopg2.DatabaseError as error:
            if error.pgcode is not None:  # else the connection is lost
                raise
            self.counts["refused"] += 1
        self.reconnect()
        self.wait_for_commits(self.committed + self.random.randint(0, 40))

    # --- The oracle

    def check(self, round_number):
        self.reconnect()
        run(self.connection, "SELECT pg_tviews_resume()")
        # One whose refresh was cancelled, or whose lock was not to be had, stands aside until it is tried again.
        wait_until(lambda: value(self.connection, "SELECT count(*) FROM pg_tview_behind") == 0, "all to catch up")
        check_equal(self.connection, f"seed {SEED}, round {round_number}, after {dict(self.counts)}")
        early = run(self.connection, """SELECT gid FROM pg_prepared_xacts, pg_tview_frontier
            WHERE database = current_database() AND pg_visible_in_snapshot(transaction::text::xid8, snapshot)""")
        assert not early, f"the frontier claims prepared transactions: {early}"
        letters = run(self.connection, "SELECT tview::text, key, error FROM pg_tview_dead_letter")
        assert not letters, f"in quarantine: {letters}"
        if len(tviews(self.connection)) < 6:
            raise AssertionError("TVIEWs are missing")

    def run(self):
        end = time.monotonic() + SECONDS
        round_number = 0
        while time.monotonic() < end:
            round_number += 1
            self.start_writers(round_number)
            try:
                for _ in range(self.random.randint(5, 12)):
                    self.act()
                    if self.wrong or time.monotonic() > end:
                        break
            finally:
                self.join_writers()
            self.check(round_number)
        for (gid,) in run(self.connection, "SELECT gid FROM pg_prepared_xacts"):
            run(self.connection, f"COMMIT PREPARED '{gid}'")
        check_equal(self.connection, "at the end")
        injected = ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items()))
        print(f"note: seed {SEED}, {SECONDS} s, {round_number} comparisons, {self.committed} transactions, "
              f"{self.prepared} prepared; {injected}")


with Server("chaos", CONF) as server:
    print(f"SEED={SEED}", flush=True)
    Chaos(server).run()
