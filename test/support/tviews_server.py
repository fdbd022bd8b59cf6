"""What the system and stress tests share: a private server, sessions, and the equality oracle.

A test is a script test/system/<what>_test.py or test/stress/<what>_test.py that gets a build
directory, raises on failure and ends quietly otherwise. Waiting is always for a condition.
"""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import psycopg2
import psycopg2.extensions

ROOT = pathlib.Path(__file__).resolve().parents[2]
TIMEOUT = 60  # seconds that any wait for a condition may take

FAST = """
fsync = off
full_page_writes = off
max_connections = 60
max_worker_processes = 20
max_prepared_transactions = 10
log_line_prefix = '%m [%p] %b %a '
log_min_messages = info
deadlock_timeout = 100ms
pg_tviews.read_timeout = 5min
"""


def wait_until(condition, what, timeout=TIMEOUT):
    """Returns the first true value of condition()."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout} s for: {what}")
        time.sleep(0.01)


def bash(command, *arguments, check=True):
    """Runs a command with the functions of scripts/lib.sh and returns its output."""
    done = subprocess.run(
        ["bash", "-c", f'. "{ROOT}/scripts/lib.sh"; {command}', "bash", *map(str, arguments)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise AssertionError(f"{command}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def install_module(name):
    """Makes a module of test/support loadable in the servers of this build."""
    build = pathlib.Path(sys.argv[1]).resolve()
    stage = bash('server_place "$1"', build / "stage")
    bash('"$ROOT/scripts/pg_stage.sh" "$1" "$2"', build, stage)
    # Into its place by a rename: a process of another test may be running the one that is there.
    place = pathlib.Path(stage + bash("pg_config --pkglibdir"))
    new = place / f"{name}.so.{os.getpid()}"
    shutil.copy(build / f"{name}.so", new)
    new.rename(place / f"{name}.so")


class Server:
    """A private server with a new cluster; `with` stops it."""

    def __init__(self, name, conf="", preload=True, build=None):
        if len(sys.argv) < 2:
            raise SystemExit(f"usage: {sys.argv[0]} BUILD_DIR")
        build = pathlib.Path(build or sys.argv[1]).resolve()
        stage = bash('server_place "$1"', build / "stage")
        bash('"$ROOT/scripts/pg_stage.sh" "$1" "$2"', build, stage)
        self.directory = pathlib.Path(bash('server_place "$1"', build / f"server-{name}"))
        self.conf = build / f"server-{name}.conf"
        self.conf.write_text(FAST + ("" if preload else "shared_preload_libraries = ''\n") + conf)
        bash('server_stop "$1" immediate; rm -rf "$1"', self.directory)
        bash('server_init "$1" "$2" "$3"', self.directory, stage, self.conf)
        self.socket = bash('server_socket "$1"', self.directory)
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        bash('server_stop "$1" "${STOP_MODE:-immediate}"', self.directory, check=False)
        if kind is not None:
            print(f"server log: {self.directory}/log, its end:")
            print(bash('as_server tail -n 25 "$1/log"', self.directory, check=False))

    def start(self):
        bash('server_start "$1"', self.directory)

    def stop(self, mode="fast"):
        bash('server_stop "$1" "$2"', self.directory, mode)

    def connect(self, database="postgres", autocommit=True, name="test"):
        connection = psycopg2.connect(host=self.socket, user="postgres", dbname=database,
                                      application_name=name)
        connection.autocommit = autocommit
        return connection

    def postmaster(self):
        return int(bash('as_server head -n 1 "$1/data/postmaster.pid"', self.directory))

    def kill(self):
        """kill -9 of the postmaster and all its children, as when the machine's power fails."""
        postmaster = self.postmaster()
        pids = [postmaster] + children(postmaster)
        os.kill(postmaster, signal.SIGSTOP)  # no new children, no reaction to dying ones
        pids += [pid for pid in children(postmaster) if pid not in pids]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        # Gone from the process table: a new postmaster takes the dead one for alive until then.
        wait_until(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in pids),
                   "the killed server to be gone")

    def log(self):
        return bash('as_server cat "$1/log"', self.directory)

    def prepare(self, database, script):
        """Creates a database with the extension and runs a script in it."""
        connection = self.connect()
        run(connection, f"CREATE DATABASE {database}")
        connection.close()
        connection = self.connect(database)
        run(connection, "CREATE EXTENSION pg_tviews")
        run(connection, script)
        return connection


def cpu_seconds(pids):
    """What these processes have used of a processor."""
    fields = [open(f"/proc/{pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split() for pid in pids]
    return sum(int(user) + int(system) for user, system in ((line[11], line[12]) for line in fields)) / os.sysconf("SC_CLK_TCK")


def kill_process(server, database, pid):
    """kill -9 of one process: the postmaster ends every session and begins again. Returns a connection of the time after that.

    The postmaster looks after its dead before it lets anybody in: so who comes when the process is gone comes after the
    crash, also where the process had just ended by itself, and nothing happens."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), "the killed process to be gone")

    def reconnect():
        try:
            found = server.connect(database)
            run(found, "SELECT 1")
            return found
        except psycopg2.Error:
            return None
    return wait_until(reconnect, "the server to be back")


def children(parent):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[1]) == parent:
                found.append(int(entry.name))
    return found


def run(connection, statement, parameters=None):
    """Runs a statement and returns its rows, [] if it has none."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def value(connection, statement, parameters=None):
    return run(connection, statement, parameters)[0][0]


def tviews(connection):
    return run(connection, "SELECT tview::text, backing_view::text FROM pg_tview_meta ORDER BY 1")


def use_settings(connection, tview):
    """Gives the session the settings that the TVIEW keeps; returns what to set afterwards, [(name, value)]."""
    changed = run(connection, """
        SELECT key, value, current_setting(key)
        FROM pg_tview_meta, jsonb_each_text(options -> 'settings')
        WHERE tview = %s::regclass AND value <> current_setting(key)""", (tview,))
    for name, setting, _ in changed:
        run(connection, "SELECT set_config(%s, %s, false)", (name, setting))
    return [(name, present) for name, _, present in changed]


def differences(connection):
    """{tview: some rows that differ}, by SQL alone: independent of pg_tviews_verify."""
    found = {}
    for tview, view in tviews(connection):
        before = use_settings(connection, tview)
        rows = run(connection, f"""
            SELECT 'missing', v::text FROM (SELECT * FROM {view} EXCEPT ALL SELECT * FROM {tview}) v
            UNION ALL
            SELECT 'extra', t::text FROM (SELECT * FROM {tview} EXCEPT ALL SELECT * FROM {view}) t
            LIMIT 5""")
        for name, setting in before:
            run(connection, "SELECT set_config(%s, %s, false)", (name, setting))
        if rows:
            found[tview] = rows
    return found


def check_equal(connection, context=""):
    """Waits until everything committed is applied; then every TVIEW equals its query."""
    run(connection, "SELECT pg_tviews_wait()")
    wrong = differences(connection)
    for tview, _ in tviews(connection):
        rows = run(connection, "SELECT * FROM pg_tviews_verify(%s) LIMIT 5", (tview,))
        if bool(rows) != (tview in wrong):
            raise AssertionError(f"{context}: pg_tviews_verify('{tview}') and SQL disagree: {rows} and {wrong}")
    if wrong:
        text = "\n".join(f"  {tview}: {row}" for tview, rows in wrong.items() for row in rows)
        raise AssertionError(f"{context}: TVIEWs differ from their queries:\n{text}")
