"""Random load, and everything that can happen to a server meanwhile: kill -9 of any of its processes,
crashes and restarts, DDL, locks, pauses, prepared transactions, changed settings, and promotions of a
standby. Again and again everything stands still, and every TVIEW must equal its query.

SECONDS (default 90) and SEED may be set in the environment; test/stress/chaos.sh does so. What is done, with what,
and after how many commits, is recorded line by line in chaos_schedule.jsonl in the build directory. REPLAY=FILE does that
again instead of something new; lines may be taken out of it, to see what a failure needs. Transaction n of a writer is the
same in every run of a seed. The moments in between are the machine's choice.
"""
# Runs first: it takes long.
import collections
import itertools
import json
import os
import pathlib
import random
import signal
import sys
import threading
import time

import psycopg2

import shop
from tviews_server import Server, bash, check_equal, children, kill_process, run, tviews, value, wait_until

SECONDS = int(os.environ.get("SECONDS", 90))
REPLAY = [json.loads(line) for line in open(os.environ["REPLAY"])] if "REPLAY" in os.environ else None
SEED = REPLAY[0]["seed"] if REPLAY else int(os.environ.get("SEED", time.time_ns() % 1000000))
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
ALTER TABLE tv_reader SET (pg_tviews.lane = 'reports');
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
    "ALTER TABLE tb_order ADD COLUMN IF NOT EXISTS more{n} int DEFAULT {n}",
    "ALTER TABLE tb_order DROP COLUMN IF EXISTS more{n}",
    "ALTER TABLE tb_order ALTER COLUMN more{n} TYPE bigint",
    "CREATE OR REPLACE VIEW v_state AS SELECT o.pk_order, o.fk_customer, o.state || '{n}' AS state FROM tb_order o",
    "ALTER TABLE tv_reader SET (pg_tviews.lane = 'reports')",
    "ALTER TABLE tv_reader SET (pg_tviews.lane = 'main')",
    "ALTER TABLE tv_order SET (pg_tviews.lane = 'other')",
    "TRUNCATE tb_line",
    "REINDEX TABLE tv_order",
    "VACUUM FULL tv_customer",
    "VACUUM tb_order",
    "ANALYZE",
]


def kind_of(pid):
    """The first words of a server process' title, or nothing for one that is not to be killed: the process that recovers, and
    one that has not got its title yet, as it may be that one."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            title = file.read().decode(errors="replace")
    except OSError:
        return ""  # gone
    if not title.startswith("postgres: ") or title.startswith("postgres: startup"):
        return ""
    return " ".join(title.removeprefix("postgres: ").strip("\0 ").split()[:2])


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
        self.replay = collections.deque(REPLAY[1:]) if REPLAY else None
        self.path = pathlib.Path(sys.argv[1]).resolve() / "chaos_schedule.jsonl"
        self.schedule = open(self.path, "w")
        self.record(seed=SEED)

    def record(self, **event):
        self.schedule.write(json.dumps(event) + "\n")
        self.schedule.flush()

    # --- Writers

    def write(self, seed):
        connection = None
        for number in itertools.count():
            if self.stop_writers.is_set():
                break
            r = random.Random(f"{seed} {number}")
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

    def choose_process(self):
        """Any process of the server: the writers', the workers', the server's own. But not the one that recovers after a kill
        before this one: without that the server ends, as it should, and nobody is there to be back."""
        kinds = [kind_of(pid) for pid in children(self.server.postmaster())]
        return {"kind": self.random.choice([kind for kind in kinds if kind] or [""])}

    def kill_process(self, kind):
        victims = [pid for pid in children(self.server.postmaster()) if kind_of(pid) == kind != ""]
        if victims:
            self.connection = kill_process(self.server, "shop", victims[0])

    def choose_worker(self):
        rows = run(self.connection, "SELECT backend_type FROM pg_stat_activity WHERE backend_type LIKE 'pg_tviews %' ORDER BY 1")
        return {"kind": self.random.choice(rows)[0] if rows else "",
                "number": int(self.random.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))}

    def kill_worker(self, kind, number):
        rows = run(self.connection, "SELECT pid FROM pg_stat_activity WHERE backend_type = %s", (kind,))
        if rows and number == signal.SIGKILL:
            self.connection = kill_process(self.server, "shop", rows[0][0])
        elif rows:
            os.kill(rows[0][0], number)

    def kill_server(self):
        self.server.kill()
        self.server.start()

    def restart(self, mode):
        self.server.stop(mode)
        self.server.start()

    def pause(self, commits):
        run(self.connection, "SELECT pg_tviews_pause()")
        self.wait_for_commits(self.committed + commits)
        run(self.connection, "SELECT pg_tviews_resume()")

    def ddl(self, statement):
        run(self.connection, "SET lock_timeout = '2s'")
        run(self.connection, statement)

    def lock(self, table, seconds):
        holder = self.server.connect("shop", autocommit=False)
        run(holder, "SET lock_timeout = '2s'; SET pg_tviews.protect = off")
        run(holder, f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        time.sleep(seconds)  # longer and shorter than the lock timeout
        holder.close()

    def choose_prepared(self):
        rows = run(self.connection, "SELECT gid FROM pg_prepared_xacts ORDER BY gid")
        return {"ends": [[self.random.choice(["COMMIT", "COMMIT", "ROLLBACK"]), gid]
                         for (gid,) in rows[:self.random.randint(1, len(rows))]] if rows else []}

    def finish_prepared(self, ends):
        there = {gid for (gid,) in run(self.connection, "SELECT gid FROM pg_prepared_xacts")}
        for end, gid in ends:
            if gid in there:
                run(self.connection, f"{end} PREPARED '{gid}'")

    def choose_setting(self):
        name, values = self.random.choice([("batch_memory", ["64kB", "1MB"]), ("lock_timeout", ["10ms", "1s"]),
                                           ("applier_idle_timeout", ["1s", "300s"])])
        return {"name": name, "setting": self.random.choice(values)}

    def settings(self, name, setting):
        run(self.connection, f"ALTER SYSTEM SET pg_tviews.{name} = '{setting}'")
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

    # What can be done, how often, and how its arguments are chosen.
    ACTIONS = {
        "kill_process": (3, choose_process),
        "kill_worker": (4, choose_worker),
        "kill_server": (2, lambda self: {}),
        "restart": (2, lambda self: {"mode": self.random.choice(["fast", "immediate"])}),
        "pause": (3, lambda self: {"commits": self.random.randint(10, 200)}),
        "ddl": (12, lambda self: {"statement": self.random.choice(DDL).format(n=self.random.randint(1, 4))}),
        "lock": (3, lambda self: {"table": self.random.choice(["tb_order", "tb_line", "tv_order", "tv_spending"]),
                                  "seconds": round(self.random.random() * 1.5, 3)}),
        "finish_prepared": (7, choose_prepared),
        "settings": (3, choose_setting),
        "promote": (1, lambda self: {}),
    }

    def choose(self):
        """The next event, of the recorded schedule or a new one. `after`: so many commits after the one before it."""
        if self.replay is not None:
            return self.replay.popleft() if self.replay else {"action": "check"}
        name = self.random.choices(list(self.ACTIONS), [weight for weight, _ in self.ACTIONS.values()])[0]
        return {"action": name, "with": self.ACTIONS[name][1](self), "after": self.random.randint(0, 40)}

    def act(self, event):
        name = event["action"]
        self.record(**event)
        try:
            getattr(self, name)(**event["with"])
            self.counts[name] += 1
        except EXPECTED:
            self.counts["refused"] += 1
        except psycopg2.DatabaseError as error:
            if error.pgcode is not None:  # else the connection is lost
                raise
            self.counts["refused"] += 1
        self.reconnect()
        self.wait_for_commits(self.committed + event["after"])

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

    def events(self, end):
        """Those of one round."""
        for _ in range(self.random.randint(5, 12)) if self.replay is None else itertools.count():
            if self.wrong or self.replay is None and time.monotonic() > end:
                return
            try:
                event = self.choose()
            except EXPECTED:  # the server has just gone
                self.reconnect()
                continue
            except psycopg2.DatabaseError as error:
                if error.pgcode is not None:  # else the connection is lost
                    raise
                self.reconnect()
                continue
            if event["action"] == "check":
                return
            yield event

    def run(self):
        end = time.monotonic() + SECONDS
        round_number = 0
        while self.replay or self.replay is None and time.monotonic() < end:
            round_number += 1
            self.start_writers(round_number)
            try:
                for event in self.events(end):
                    self.act(event)
            finally:
                self.join_writers()
            self.record(action="check")
            self.check(round_number)
        for (gid,) in run(self.connection, "SELECT gid FROM pg_prepared_xacts"):
            run(self.connection, f"COMMIT PREPARED '{gid}'")
        check_equal(self.connection, "at the end")
        injected = ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items()))
        print(f"note: seed {SEED}, {SECONDS} s, {round_number} comparisons, {self.committed} transactions, "
              f"{self.prepared} prepared; {injected}")


with Server("chaos", CONF) as server:
    chaos = Chaos(server)
    print(f"SEED={SEED}, recorded in {chaos.path}", flush=True)
    chaos.run()
