"""The benchmark: see test/stress/bench.sh for how to run it."""
import argparse
import contextlib
import sys
import time

import contenders
import report
import schemas
import workloads
from measure import cpu_seconds, ended_children_cpu_seconds, run_program
from tviews_server import Server, bash, children, run, value, wait_until

CONF = """
fsync = {fsync}
full_page_writes = on
shared_buffers = {buffers}MB
max_wal_size = 16GB
checkpoint_timeout = 1h
autovacuum = off
track_functions = none
max_connections = 120
max_worker_processes = 24
pg_tviews.max_databases = 16
pg_tviews.max_workers = 16
log_min_messages = warning
log_checkpoints = off
"""
# Thirty minutes are not measured between two checkpoints.
SOAK_CONF = """
checkpoint_timeout = 5min
autovacuum = on
"""


class Bench:
    """The server, the contenders made so far, and what was measured."""

    def __init__(self, server, options):
        self.server, self.options = server, options
        self.scale, self.seconds, self.soak_seconds = options.scale, options.seconds, options.soak_seconds
        self.deadline = time.monotonic() + options.budget if options.budget else None
        self.control = server.connect()
        self.made = {}
        self.rows = []
        self.turns = 0

    now = staticmethod(time.monotonic)

    def turn(self):
        """A number that no statement has had before."""
        self.turns += 1
        return self.turns

    def over(self):
        return self.deadline is not None and self.now() > self.deadline

    def rounds(self, case):
        """The rounds of a case: one at least is complete; the budget ends the others."""
        if self.over():
            print(f"left out, the budget is used up: {case}", flush=True)
            return
        before = len(self.rows)
        for turn in range(self.options.rounds):
            if turn and self.over():
                break
            yield turn
        for line in report.lines(self.rows[before:]):
            print(self.options.prefix + line, flush=True)

    def has_database(self, name):
        return value(self.control, "SELECT count(*) FROM pg_database WHERE datname = %s", (name,)) > 0

    def contenders(self, schema, kinds):
        """Those of `kinds` that take part, made when they are first asked for."""
        chosen = [kind for kind in kinds if kind in self.options.contenders]
        for database in (contenders.SHARED.get(kind, kind) for kind in chosen):
            if (schema, database) not in self.made:
                contender = contenders.Contender(self, database, schemas.by_name(schema, self.scale))
                contender.create()
                self.made[schema, database] = contender
        return [self.made[schema, contenders.SHARED.get(kind, kind)] for kind in chosen]

    def record(self, case, contender, metric, figure, turn):
        self.rows.append((case, contender, metric, figure, turn))

    def session_cpu_seconds(self, action):
        """Runs action(): what it returns, and the CPU time of the server's sessions that it began and ended."""
        postmaster = self.server.postmaster()
        before = set(children(postmaster))
        cpu = ended_children_cpu_seconds(postmaster)
        result = action()
        # A session is counted when its process has ended, which is a little after its client's end.
        wait_until(lambda: before | self.workers() >= set(children(postmaster)), "the end of the sessions")
        return result, ended_children_cpu_seconds(postmaster) - cpu

    def workers(self):
        """The processes of the server that are no sessions: an applier may have come."""
        return {pid for (pid,) in run(self.control, "SELECT pid FROM pg_stat_activity WHERE backend_type <> 'client backend'")}

    def set_synchronous_commit(self, mode):
        run(self.control, f"ALTER SYSTEM SET synchronous_commit = {mode}")
        run(self.control, "SELECT pg_reload_conf()")

    def pgbench(self, database, arguments):
        program = bash('server_bin "$1"', self.server.directory) + "/pgbench"
        return run_program([program, "-h", self.server.socket, "-U", "postgres", *arguments, database])

    @contextlib.contextmanager
    def paused(self, contender, really=True):
        """With the applier of the contender stopped, if it has one."""
        if not really or contender.kind not in contenders.PG_TVIEWS:
            yield
            return
        run(contender.connection, "SELECT pg_tviews_pause()")
        try:
            yield
        finally:
            run(contender.connection, "SELECT pg_tviews_resume()")

    @contextlib.contextmanager
    def setting(self, name, figure, really=True):
        """With a setting of the server's appliers."""
        if not really:
            yield
            return
        run(self.control, f"ALTER SYSTEM SET {name} = {figure}")
        run(self.control, "SELECT pg_reload_conf()")
        try:
            yield
        finally:
            run(self.control, f"ALTER SYSTEM RESET {name}")
            run(self.control, "SELECT pg_reload_conf()")

    @contextlib.contextmanager
    def beside(self, contender, statement):
        """While documents of `statement`, just committed, are recomputed."""
        connection = self.server.connect(contender.database)
        run(connection, statement)
        yield
        connection.close()

    def gather_crowd(self, contender, tviews, databases):
        """Makes TVIEWs of tables that nobody changes in the database of the contender, and databases with one each."""
        for table in range(0, tviews, 10):
            run(contender.connection, f"CREATE TABLE tb_idle{table} (pk_idle bigint PRIMARY KEY, title text)")
            for n in range(table, min(table + 10, tviews)):
                run(contender.connection, f"""CREATE TABLE tv_idle{n} AS
                    SELECT pk_idle AS pk_idle{n}, jsonb_build_object('title', title) AS data FROM tb_idle{table}""")
        for n in range(databases):
            run(self.control, f"CREATE DATABASE idle{n}" + (" TEMPLATE idle0" if n else ""))
            if n == 0:
                connection = self.server.connect("idle0")
                run(connection, """CREATE EXTENSION pg_tviews; CREATE TABLE tb_idle (pk_idle bigint PRIMARY KEY);
                    CREATE TABLE tv_idle AS SELECT pk_idle, jsonb_build_object('id', pk_idle) AS data FROM tb_idle""")
                run(connection, "SELECT pg_tviews_wait()")
                connection.close()

    def idle_cpu(self, seconds=10):
        """CPU seconds per second of all processes of the server while no client asks for anything."""
        pids = children(self.server.postmaster())
        ended = ended_children_cpu_seconds(self.server.postmaster())
        cpu, began = sum(map(cpu_seconds, pids)), self.now()
        time.sleep(seconds)
        cpu = sum(map(cpu_seconds, pids)) - cpu
        return (cpu + ended_children_cpu_seconds(self.server.postmaster()) - ended) / (self.now() - began)

    def tpcb_script(self):
        scale = max(1, int(100 * self.scale))
        return f"""\\set aid random(1, {100000 * scale})
\\set bid random(1, {scale})
\\set tid random(1, {10 * scale})
\\set delta random(-5000, 5000)
BEGIN;
UPDATE pgbench_accounts SET abalance = abalance + :delta WHERE aid = :aid;
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
UPDATE pgbench_tellers SET tbalance = tbalance + :delta WHERE tid = :tid;
UPDATE pgbench_branches SET bbalance = bbalance + :delta WHERE bid = :bid;
INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (:tid, :bid, :aid, :delta, CURRENT_TIMESTAMP);
END;
"""

    def check(self, workload):
        """TVIEWs that differ from their query raise; what else differs is a result like others."""
        for contender in self.made.values():
            wrong = contender.wrong()
            if wrong:
                self.record(f"{contender.schema.name} after {workload}", contender.kind, "wrong documents", wrong, 0)
                print(f"{wrong} documents of {contender.database} are wrong", flush=True)

    def forget(self, schema):
        """Drops the databases of a schema."""
        for key in [key for key in self.made if key[0] == schema]:
            self.made.pop(key).connection.close()
        for (name,) in run(self.control, "SELECT datname FROM pg_database WHERE datname LIKE %s", (f"{schema}\\_%",)):
            run(self.control, f"DROP DATABASE {name} WITH (FORCE)")


def options_of(arguments):
    parser = argparse.ArgumentParser(prog="bench.sh")
    parser.add_argument("build")
    parser.add_argument("workloads", nargs="*", help=f"of {', '.join([*workloads.ALL, *workloads.WITH_FLAG])}")
    parser.add_argument("--scale", type=float, default=1, help="1: the sizes that the names of the cases say")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of a run at saturation")
    parser.add_argument("--soak-seconds", type=int, default=1800)
    parser.add_argument("--budget", type=float, help="seconds; when they are over no further round or case begins")
    parser.add_argument("--contenders", type=lambda text: text.split(","), default=list(contenders.NAMES))
    parser.add_argument("--output", help="directory for results.csv, results.md, soak.csv and plots")
    parser.add_argument("--no-fsync", action="store_true", help="for tests: the figures mean less")
    parser.add_argument("--prefix", default="", help="of the lines with results")
    return parser.parse_args(arguments)


def run_workload(bench, name):
    began = bench.now()
    print(f"== {name}", flush=True)
    try:
        {**workloads.ALL, **workloads.WITH_FLAG}[name](bench)
    finally:
        bench.set_synchronous_commit("on")
    bench.check(name)
    print(f"== {name}: every TVIEW equals its query ({bench.now() - began:.0f} s)", flush=True)


def main(arguments, server_name="bench"):
    options = options_of(arguments)
    names = options.workloads or list(workloads.ALL)
    # Room for every contender's tables: which of them are in memory must not depend on whose turn it is.
    buffers = max(128, int(8192 * min(1, options.scale)))
    conf = CONF.format(buffers=buffers, fsync="off" if options.no_fsync else "on")
    if "soak" in names:
        conf += SOAK_CONF
    with Server(server_name, conf) as server:
        bench = Bench(server, options)
        title = f"{value(bench.control, 'SHOW server_version')}, scale {options.scale:g}"
        for name in names:
            run_workload(bench, name)
            if options.output:
                report.write_all(bench.rows, f"PostgreSQL {title}", options.output)


if __name__ == "__main__":
    main(sys.argv[1:])
