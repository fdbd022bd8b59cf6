"""List-append histories over source tables and TVIEWs, from clients of the three read consistencies, while the server is
killed, restarted, paused and replaced by its standby. Each history is checked by test/support/elle.py: what is read in
`strict` is strict serializable, in `session` strong session serializable, in `eventual` serializable, and no session reads
backwards.

Writers lock what they read and change, so that their order is that of their commits: a TVIEW is read as of a snapshot and
takes no part in the detection of conflicts between SERIALIZABLE transactions (docs/consistency.md). What a session has seen in
source tables, which show the present, TVIEWs need not show yet but in `strict`. SECONDS (default 40) and
SEED may be set in the environment. The histories are left in the build directory, in the format of Elle itself.
"""
# Runs first: it takes long.
import contextlib
import os
import pathlib
import random
import signal
import sys
import threading
import time

import psycopg2

import elle
from tviews_server import Server, bash, check_equal, kill_process, run, value, wait_until

SECONDS = int(os.environ.get("SECONDS", 40))
SEED = int(os.environ.get("SEED", time.time_ns() % 1000000))
MODELS = {"strict": "strict-serializable", "session": "strong-session-serializable", "eventual": "monotone-serializable"}
CLIENTS = 3  # of each
KEYS = 60  # of each, lists and elements
WINDOW = 3  # of them are in use at a time, so that no list becomes long
CONF = """
pg_tviews.queue_size = '64kB'
pg_tviews.read_timeout = '5s'
wal_level = replica
hot_standby = on
restart_after_crash = on
"""
SCRIPT = f"""
CREATE TABLE tb_list (pk_list int PRIMARY KEY, items int[] NOT NULL DEFAULT '{{}}');
CREATE TABLE tb_owner (pk_owner int PRIMARY KEY);
CREATE TABLE tb_element (pk_element int PRIMARY KEY, fk_owner int NOT NULL, place int NOT NULL);
CREATE INDEX ON tb_element (fk_owner);
INSERT INTO tb_list SELECT n FROM generate_series(0, {3 * KEYS - 1}) n;
INSERT INTO tb_owner SELECT n FROM generate_series(0, {3 * KEYS - 1}) n;
CREATE TABLE tv_list AS SELECT l.pk_list, l.items FROM tb_list l;
CREATE TABLE tv_nested AS SELECT t.pk_list AS pk_nested, t.items FROM tv_list t;
CREATE TABLE tv_owner AS
SELECT o.pk_owner, coalesce(array_agg(e.pk_element ORDER BY e.place) FILTER (WHERE e.place IS NOT NULL), '{{}}') AS items
FROM tb_owner o LEFT JOIN tb_element e ON e.fk_owner = o.pk_owner GROUP BY o.pk_owner;
CREATE TABLE tv_pair AS
SELECT l.pk_list AS pk_pair, l.items AS list,
       coalesce((SELECT array_agg(e.pk_element ORDER BY e.place) FROM tb_element e WHERE e.fk_owner = l.pk_list), '{{}}') AS owner
FROM tb_list l;
"""
# Keys: 2n is list n, 2n + 1 is owner n.
VIEWS = ["(SELECT items FROM tv_list WHERE pk_list = {n})", "(SELECT items FROM tv_nested WHERE pk_nested = {n})",
         "(SELECT list FROM tv_pair WHERE pk_pair = {n})"], [
         "(SELECT items FROM tv_owner WHERE pk_owner = {n})", "(SELECT owner FROM tv_pair WHERE pk_pair = {n})"]
SOURCES = ("(SELECT items FROM tb_list WHERE pk_list = {n})",
           "(SELECT coalesce(array_agg(pk_element ORDER BY place), '{{}}') FROM tb_element WHERE fk_owner = {n})")


class History:
    """What the clients of one consistency have seen, in one order of time."""

    def __init__(self):
        self.lock = threading.Lock()
        self.operations = []
        self.next_process = 0
        self.next_value = 0

    def add(self, kind, process, operations, views):
        with self.lock:
            index = len(self.operations)
            self.operations.append({"index": index, "time": time.monotonic_ns(), "type": kind, "process": process, "f": "txn",
                                    "value": operations, "views": views})

    def new_process(self):
        with self.lock:
            self.next_process += 1
            return self.next_process

    def new_value(self):
        with self.lock:
            self.next_value += 1
            return self.next_value


class Refused(Exception):
    """A statement has been answered with a warning: what it shows may be old."""


class Unreplicated(Exception):
    """A commit has ended before the standby had it: it is lost if that takes over."""


class Client(threading.Thread):
    def __init__(self, server, mode, history, seed):
        super().__init__()
        self.server, self.mode, self.history = server, mode, history
        self.random = random.Random(seed)
        self.first_key = list(MODELS).index(mode) * KEYS
        self.connection = None
        self.wrong = None
        self.stop = threading.Event()
        self.start()

    def run(self):
        while not self.stop.is_set():
            if not self.connect():
                time.sleep(0.02)
                continue
            try:
                if self.random.random() < 0.45:
                    self.write()
                else:
                    self.read()
            except Exception as error:  # noqa: BLE001 - reported by the main thread
                self.wrong = error
                return

    def connect(self):
        if self.connection is not None:
            return True
        try:
            self.connection = self.server.connect("lists", autocommit=True, name=self.mode)
            run(self.connection, f"SET pg_tviews.read_consistency = {self.mode}; SET statement_timeout = '8s'; SET lock_timeout = '2s'")
        except psycopg2.Error:
            self.disconnect()
            return False
        self.process = self.history.new_process()
        return True

    def disconnect(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def some_keys(self, most):
        share = min(0.999, (time.monotonic() - began) / (SECONDS + 20))
        base = int(share * (KEYS - WINDOW))
        count = self.random.randint(1, most)
        return [2 * (self.first_key + base + self.random.randrange(WINDOW)) + self.random.randrange(2) for _ in range(count)]

    def record(self, operations, views, body):
        """Runs `body`, which fills in what is read; it returns only once everything is known."""
        unknown = [[f, key, None if f == "r" else element] for f, key, element in operations]
        self.history.add("invoke", self.process, unknown, views)
        outcome = "info"
        try:
            body(operations)
            outcome = "ok"
        except Refused:
            outcome = "fail"
        except Unreplicated:
            outcome = "info"
        except psycopg2.Error as error:
            # A commit whose answer is lost, or comes with the end of the session, has happened or not; all else has not.
            is_unknown = error.pgcode is None or error.pgcode.startswith("57")
            outcome = "info" if self.is_committing and is_unknown else "fail"
        self.history.add(outcome, self.process, operations if outcome == "ok" else unknown, views)
        if outcome != "ok":
            self.recover()

    def recover(self):
        try:
            self.connection.autocommit or self.connection.rollback()
            run(self.connection, "ROLLBACK" if self.connection.get_transaction_status() else "SELECT 1")
        except psycopg2.Error:
            self.disconnect()

    def write(self):
        operations = []
        for key in self.some_keys(4):
            if self.random.random() < 0.7:
                operations.append(["append", key, self.history.new_value() * 10 + list(MODELS).index(self.mode)])
            else:
                operations.append(["r", key, None])
        self.is_committing = False
        self.record(operations, False, self.write_now)

    def write_now(self, operations):
        run(self.connection, "BEGIN")
        for key in sorted({key for _, key, _ in operations}):
            table = ("tb_list", "tb_owner")[key % 2]
            run(self.connection, f"SELECT FROM {table} WHERE pk_{table[3:]} = {key // 2} FOR UPDATE")
        for operation in operations:
            f, key, element = operation
            if f == "r":
                operation[2] = value(self.connection, "SELECT " + SOURCES[key % 2].format(n=key // 2))
            elif key % 2:
                run(self.connection, f"INSERT INTO tb_element SELECT {element}, {key // 2}, count(*) FROM tb_element WHERE fk_owner = {key // 2}")
            else:
                run(self.connection, f"UPDATE tb_list SET items = items || {element} WHERE pk_list = {key // 2}")
        self.is_committing = True
        del self.connection.notices[:]
        run(self.connection, "COMMIT")
        if any("WARNING" in notice for notice in self.connection.notices):
            raise Unreplicated()

    def read(self):
        operations = [["r", key, None] for key in dict.fromkeys(self.some_keys(5))]
        self.is_committing = False
        self.record(operations, True, self.read_now)

    def read_now(self, operations):
        """In one statement, or in several of one snapshot."""
        del self.connection.notices[:]
        at_once = self.random.random() < 0.7
        if not at_once:
            run(self.connection, "BEGIN ISOLATION LEVEL REPEATABLE READ")
        results = []
        columns = [self.random.choice(VIEWS[key % 2]).format(n=key // 2) for _, key, _ in operations]
        for some in [columns] if at_once else [[column] for column in columns]:
            results += run(self.connection, "SELECT " + ", ".join(some))[0]
        if not at_once:
            run(self.connection, "COMMIT")
        if any("WARNING" in notice for notice in self.connection.notices):
            raise Refused()
        for operation, result in zip(operations, results):
            operation[2] = result


class Nemesis:
    def __init__(self, server):
        self.server = server
        self.random = random.Random(SEED)
        self.done = []

    def control(self):
        def connect():
            try:
                return self.server.connect("lists")
            except psycopg2.Error:
                return None
        return wait_until(connect, "the server to be back")

    def pids(self, kind):
        connection = self.control()
        found = [pid for (pid,) in run(connection, f"SELECT pid FROM pg_stat_activity WHERE {kind} ORDER BY pid")]
        connection.close()
        return found

    def signal(self, kind, *signals):
        pids = self.pids(kind)
        pid, number = self.random.choice(pids or [0]), self.random.choice(signals)
        if pid and number == signal.SIGKILL:
            kill_process(self.server, "lists", pid).close()
        elif pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def terminate_applier(self):
        self.signal("application_name = 'pg_tviews applier'", signal.SIGTERM)

    def kill_applier(self):
        self.signal("application_name = 'pg_tviews applier'", signal.SIGKILL)

    def kill_client(self):
        self.signal("application_name IN ('strict', 'session', 'eventual')", signal.SIGTERM, signal.SIGTERM, signal.SIGKILL)

    def kill_server(self):
        self.server.kill()
        self.server.start()

    def pause(self):
        connection = self.control()
        run(connection, "SELECT pg_tviews_pause()")
        self.let_run(0.5)
        run(connection, "SELECT pg_tviews_resume()")
        connection.close()

    def promote(self):
        """The standby has all that anybody was told; it takes over, and the old primary is no more."""
        programs, place = bash('server_bin "$1"', self.server.directory), self.server.directory
        socket = bash('d="$(server_socket "$1")/s"; make_server_dir "$d"; echo "$d"', place)
        bash('rm -rf "$3"; as_server "$1/pg_basebackup" -h "$2" -U postgres -D "$3" -R -c fast', programs, self.server.socket,
             f"{place}/data2")
        control = 'as_server "$1/pg_ctl" -D "$2" -w -t 60'
        bash(f"{control} -l \"$4\" -o \"-c unix_socket_directories='$3'\" start >/dev/null 2>&1", programs, f"{place}/data2", socket,
             f"{place}/log")
        connection = self.control()
        run(connection, "ALTER SYSTEM SET synchronous_standby_names = '*'")
        run(connection, "SELECT pg_reload_conf()")
        wait_until(lambda: value(connection, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"), "the standby")
        self.let_run(1)
        run(connection, "CHECKPOINT")  # by the process that tells all others whether to wait for the standby: now it knows
        run(connection, "CREATE TABLE only_to_wait_for_it ()")  # what was committed before is there too
        self.server.stop("immediate")
        bash(f"{control} promote >/dev/null && {control} -m fast stop >/dev/null", programs, f"{place}/data2")
        bash('rm -rf "$1/data" && mv "$1/data2" "$1/data" && as_server sed -i /synchronous_standby_names/d "$1/data/postgresql.auto.conf"', place)
        self.server.start()

    def let_run(self, seconds):
        """Until the clients have done something, or the time is over."""
        end = time.monotonic() + seconds
        before = sum(len(history.operations) for history in histories.values())
        while time.monotonic() < end and sum(len(history.operations) for history in histories.values()) < before + 400:
            time.sleep(0.02)

    ACTIONS = [(terminate_applier, 4), (kill_applier, 2), (kill_client, 5), (kill_server, 2), (pause, 3)]

    def act(self, action=None):
        action = action or self.random.choices([a for a, _ in self.ACTIONS], [w for _, w in self.ACTIONS])[0]
        try:
            action(self)
        except psycopg2.Error as error:  # the server has just gone for an earlier reason
            if error.pgcode is not None and not isinstance(error, psycopg2.OperationalError):
                raise
        self.done.append(action.__name__)
        self.let_run(1.5)


def final_state(connection):
    state = {2 * n: items for n, items in run(connection, "SELECT pk_list, items FROM tb_list")}
    for n, items in run(connection, "SELECT fk_owner, array_agg(pk_element ORDER BY place) FROM tb_element GROUP BY 1"):
        state[2 * n + 1] = items
    return state


def report(mode, history, final):
    path = pathlib.Path(sys.argv[1]).resolve() / f"elle_{mode}.edn"
    elle.write(history.operations, path)
    mine = {key: items for key, items in final.items() if key // 2 // KEYS == list(MODELS).index(mode)}
    in_session = {"strict": lambda transaction: True}.get(mode, lambda transaction: transaction.reads_views or transaction.appends())
    found = elle.check(history.operations, MODELS[mode], mine, in_session=in_session)
    if found:
        text = "\n".join(f"  {anomaly}: {len(shown)}, such as {shown[0]}" for anomaly, shown in found.items())
        raise AssertionError(f"seed {SEED}: what is read in {mode} is not {MODELS[mode]} ({path}):\n{text}")
    outcomes = [operation["type"] for operation in history.operations]
    assert outcomes.count("ok") > 50, f"{mode}: only {outcomes.count('ok')} transactions have succeeded"
    return f"{mode}: {outcomes.count('ok')} ok, {outcomes.count('fail')} failed, {outcomes.count('info')} unknown"


histories = {mode: History() for mode in MODELS}
with Server("elle", CONF) as server:
    print(f"SEED={SEED}", flush=True)
    server.prepare("lists", SCRIPT).close()
    began = time.monotonic()
    clients = [Client(server, mode, histories[mode], SEED * 100 + 10 * number + place)
               for place, mode in enumerate(MODELS) for number in range(CLIENTS)]
    nemesis = Nemesis(server)
    try:
        nemesis.let_run(1)
        while time.monotonic() - began < SECONDS / 2:
            nemesis.act()
        nemesis.act(Nemesis.promote)
        while time.monotonic() - began < SECONDS:
            nemesis.act()
    finally:
        for client in clients:
            client.stop.set()
        for client in clients:
            client.join()
    for client in clients:
        if client.wrong is not None:
            raise client.wrong
    connection = nemesis.control()
    run(connection, "SELECT pg_tviews_resume()")
    wait_until(lambda: value(connection, "SELECT count(*) FROM pg_tview_behind") == 0, "all to catch up")
    check_equal(connection, f"seed {SEED}")
    final = final_state(connection)
    told = "; ".join(report(mode, history, final) for mode, history in histories.items())
    print(f"note: seed {SEED}, {told}; {', '.join(f'{nemesis.done.count(name)} {name}' for name in sorted(set(nemesis.done)))}")
