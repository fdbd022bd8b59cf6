"""Group states follow their sources to the byte: under concurrent transactions with savepoints and prepared commits, moves
of keys and groups, batches that are repeated, appliers and servers that end at any moment, records that are not counted, and
DDL. A state that does not follow is not read, so both are looked at: what the TVIEWs print, and what the states hold.

Danger: a delta that is applied twice, or never, is in the sums for ever."""
import contextlib
import random
import threading
import time

import psycopg2

import pauses
from group_states import builds, settle, states
from tviews_server import Server, kill_process, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text, rate numeric DEFAULT 1.5);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int, x numeric, i int, b bigint, ok boolean, kind text);
INSERT INTO tb_user SELECT i, 'user ' || i FROM generate_series(0, 5) AS i;
INSERT INTO tb_post SELECT i, i % 4, i % 5, i, i, i % 2 = 0, 'k' || i % 3 FROM generate_series(1, 300) AS i;
CREATE INDEX ON tb_post (fk_user);
CREATE TABLE tv_user WITH (pg_tviews.group_state = on) AS
SELECT pk_user, jsonb_build_object('name', name,
    'posts', (SELECT count(*) FROM tb_post AS p WHERE p.fk_user = u.pk_user),
    'sums', (SELECT jsonb_build_array(sum(x), avg(x)::text, sum(b), count(x)) FROM tb_post AS p
             WHERE p.fk_user = u.pk_user AND p.kind <> 'k1')) AS data
FROM tb_user AS u;
CREATE TABLE tv_sum WITH (pg_tviews.group_state = on) AS
SELECT coalesce(fk_user, -1) AS pk_sum, n, x, average, i, b, al, an, f, g FROM (
    SELECT fk_user, count(*) AS n, sum(x) AS x, avg(x) AS average, avg(i) AS i, sum(i) AS b, bool_and(ok) AS al, bool_or(ok) AS an,
           sum(x) FILTER (WHERE kind = 'k0') AS f, count(*) FILTER (WHERE ok) AS g
    FROM tb_post GROUP BY fk_user) AS grouped;
CREATE TABLE tv_all WITH (pg_tviews.group_state = on) AS
SELECT 1 AS pk_all, count(*) AS n, sum(x) AS x, avg(b) AS b, every(ok) AS al FROM tb_post WHERE i > 20;
CREATE TABLE tv_kind WITH (pg_tviews.group_state = on) AS
SELECT kind AS pk_kind, count(*) AS n, sum(x) AS x FROM tb_post WHERE kind IS NOT NULL GROUP BY kind HAVING count(*) <> 7;
CREATE TABLE tv_rate WITH (pg_tviews.group_state = on) AS
SELECT u.pk_user AS pk_rate, u.name, count(*) AS n, sum(p.b * u.rate) AS b, min(p.i) AS low, max(p.i) AS high, max(p.kind) AS kind
FROM tb_user AS u JOIN tb_post AS p ON p.fk_user = u.pk_user GROUP BY u.pk_user;
CREATE TABLE tv_distinct WITH (pg_tviews.group_state = on) AS
SELECT coalesce(fk_user, -1) AS pk_distinct, n, xs, kinds, x FROM (
    SELECT fk_user, count(*) AS n, count(DISTINCT x) AS xs, count(DISTINCT kind) FILTER (WHERE ok) AS kinds, sum(x) AS x FROM tb_post GROUP BY fk_user) AS grouped;
CREATE TABLE tv_left WITH (pg_tviews.group_state = on) AS
SELECT u.pk_user AS pk_left, u.name, count(*) AS rows, count(p.x) AS xs, sum(p.x) AS x, max(p.b) AS b
FROM tb_user AS u LEFT JOIN tb_post AS p ON p.fk_user = u.pk_user AND p.ok GROUP BY u.pk_user;
CREATE TABLE tv_pair WITH (pg_tviews.group_state = on) AS
SELECT coalesce(fk_user, -1) AS pk_pair, jsonb_object_agg(coalesce(kind, '-'), jsonb_build_array(n, x, b)) AS data
FROM (SELECT fk_user, kind, count(*) AS n, sum(x)::text AS x, min(b) AS b FROM tb_post GROUP BY fk_user, kind) AS grouped GROUP BY 1;
"""
NUMBERS = ["0", "1", "1.0", "1.00", "-2.50", "1e-7", "12345678901234567890.1", "NaN", "Infinity", "-Infinity", None]


def number(r):
    return r.choice(NUMBERS) if r.random() < 0.2 else f"{r.randint(-99, 99) / 10}"


class Writer(threading.Thread):
    """Keys of its own, groups that all share."""

    def __init__(self, seed):
        super().__init__()
        self.r = random.Random(seed)
        self.first = 1000 * seed
        self.committed = 0
        self.start()

    def row(self):
        r = self.r
        return (r.choice([0, 1, 2, 3, 4, None]), number(r), r.choice([None, r.randint(-50, 50)]), r.randint(-2**62, 2**62),
                r.choice([True, False, None]), r.choice(["k0", "k1", "k2", None]))

    def change(self, cursor):
        r, pk = self.r, self.first + self.r.randint(0, 60)
        which = r.random()
        if which < 0.4:
            cursor.execute("INSERT INTO tb_post VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (pk_post) DO UPDATE"
                           " SET x = excluded.x, fk_user = excluded.fk_user", (pk, *self.row()))
        elif which < 0.7:
            cursor.execute("UPDATE tb_post SET fk_user = %s, x = %s, i = %s, b = %s, ok = %s, kind = %s WHERE pk_post = %s",
                           (*self.row(), pk))
        elif which < 0.8:
            cursor.execute("UPDATE tb_post SET x = x + 1 WHERE pk_post BETWEEN %s AND %s", (pk, pk + 5))
        elif which < 0.95:
            cursor.execute("DELETE FROM tb_post WHERE pk_post = %s", (pk,))
        else:
            cursor.execute("UPDATE tb_user SET name = name || '.', rate = rate + %s WHERE pk_user = %s", (r.choice(["0", "0.25", "-1.5"]), pk % 6))

    def transaction(self, session):
        r = self.r
        cursor = session.cursor()
        cursor.execute("BEGIN")
        for _ in range(r.randint(1, 4)):
            if r.random() < 0.3:
                cursor.execute("SAVEPOINT a")
                self.change(cursor)
                cursor.execute(r.choice(["ROLLBACK TO a", "RELEASE a"]))
            self.change(cursor)
        if r.random() < 0.1:
            name = f"p{self.first + r.randint(0, 999)}_{self.committed}"
            cursor.execute(f"PREPARE TRANSACTION '{name}'")
            cursor.execute(f"{r.choice(['COMMIT', 'COMMIT', 'ROLLBACK'])} PREPARED '{name}'")
        else:
            cursor.execute(r.choice(["COMMIT", "COMMIT", "COMMIT", "ROLLBACK"]))

    def run(self):
        session = None
        while not stopped.is_set():
            try:
                session = session or server.connect("groups", name="writer")
                self.transaction(session)
                self.committed += 1
            except psycopg2.Error:
                # The server was killed, or a row is locked by a prepared transaction of before.
                if session is not None:
                    session.close()
                session = None


def roll_back_prepared():
    """What a kill has left prepared keeps its locks, and a writer may wait for them. One that is about to be committed gets an error."""
    for name, in run(connection, "SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"):
        with contextlib.suppress(psycopg2.Error):
            run(connection, f"ROLLBACK PREPARED '{name}'")


def beside_writers(what, *acts, transactions=150):
    stopped.clear()
    writers = [Writer(seed) for seed in (1, 2, 3)]

    def have_committed(goal):
        if time.monotonic() > patience:
            roll_back_prepared()
        return sum(writer.committed for writer in writers) >= goal
    for act in acts:
        goal = sum(writer.committed for writer in writers) + transactions
        patience = time.monotonic() + 2
        wait_until(lambda: have_committed(goal), "the writers to commit")
        act()
    stopped.set()

    def have_ended():
        roll_back_prepared()
        return not any(writer.is_alive() for writer in writers)
    wait_until(have_ended, "the writers to end")
    roll_back_prepared()
    settle(connection, what)


def touch():
    """What every TVIEW is refreshed for: so that states that were forgotten are built."""
    run(connection, "UPDATE tb_post SET x = coalesce(x, 0) + 1, b = b - 1, i = coalesce(i, 21) + 1 WHERE pk_post IN (21, 22, 23, 24)")
    run(connection, "SELECT pg_tviews_wait()")


def all_are_kept(what):
    """Every state may be read, and changes from now on are no reason to build one."""
    def are_built():
        touch()
        return len(states(connection)) == STATES
    wait_until(are_built, "all states to be built")
    before = builds(connection)
    for _ in range(3):
        touch()
    run(connection, "INSERT INTO tb_post VALUES (-1, 1, 1.001, 99, 1, true, 'k0')")
    run(connection, "DELETE FROM tb_post WHERE pk_post = -1")
    settle(connection, what)
    assert builds(connection) == before, f"{what}: {before} {builds(connection)}"


def applier():
    return wait_until(lambda: run(connection, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_tviews applier'"), "the applier")[0][0]


def terminate():
    run(connection, "SELECT pg_terminate_backend(%s)", (applier(),))


def kill():
    global connection
    connection = kill_process(server, "groups", applier())


def statement(*commands):
    def act():
        for command in commands:
            run(connection, command)
    return act


STATES = 9
stopped = threading.Event()
with Server("group_states", pauses.CONF) as server:
    connection = server.prepare("groups", SCRIPT)
    all_are_kept("at the start")

    before = builds(connection)
    beside_writers("under load", lambda: None, transactions=400)
    assert builds(connection) == before, "the load is no reason to build a state"

    # Once more after each end of an applier, also of one whose batch is committed and not told to the queue.
    beside_writers("after terminations", terminate, terminate, terminate)
    for stage in ("after_take", "before_consume", "before_commit", "after_apply"):
        with pauses.pause(server, "groups", stage) as paused:
            run(connection, "UPDATE tb_post SET x = x + 1, fk_user = 1 WHERE pk_post <= 30")
            paused()
            terminate()
            run(connection, "UPDATE tb_post SET x = x + 1, fk_user = 2 WHERE pk_post <= 20")
        settle(connection, f"after a termination {stage}")
    # Twice in the refresh of one TVIEW, which is left behind for it: its states go on.
    with pauses.pause(server, "groups", "mid_refresh") as paused:
        run(connection, "UPDATE tb_post SET x = x + 1, fk_user = 0 WHERE pk_post <= 10")
        paused()
        first = applier()
        terminate()
        wait_until(lambda: applier() != first, "another applier")
        paused()
        terminate()
    wait_until(lambda: run(connection, "SELECT tview FROM pg_tview_behind"), "a TVIEW that is left behind")
    run(connection, "UPDATE tb_post SET x = x + 2, fk_user = 1 WHERE pk_post <= 20")
    settle(connection, "after a TVIEW was left behind")
    all_are_kept("after terminations")

    # A batch that is committed and cancelled before it could tell the queue: the same applier meets its records again.
    with pauses.pause(server, "groups", "after_apply") as paused:
        run(connection, "UPDATE tb_post SET x = x + 1, fk_user = 3 WHERE pk_post <= 30")
        paused()
        run(connection, "SELECT pg_cancel_backend(%s)", (applier(),))
    settle(connection, "after a cancelled batch that is committed")
    all_are_kept("after a cancelled batch that is committed")

    # A transaction that has begun to write before there was a state, and goes on beside it.
    run(connection, "ALTER TABLE tv_sum SET (pg_tviews.group_state = off); ALTER TABLE tv_user SET (pg_tviews.group_state = off);"
                    "ALTER TABLE tv_all SET (pg_tviews.group_state = off); ALTER TABLE tv_kind SET (pg_tviews.group_state = off);"
                    "ALTER TABLE tv_rate SET (pg_tviews.group_state = off); ALTER TABLE tv_pair SET (pg_tviews.group_state = off);"
                    "ALTER TABLE tv_distinct SET (pg_tviews.group_state = off); ALTER TABLE tv_left SET (pg_tviews.group_state = off)")
    early = server.connect("groups", autocommit=False, name="early")
    run(early, "INSERT INTO tb_post VALUES (-7, 1, 1.125, 99, 1, true, 'k0')")
    run(connection, "ALTER TABLE tv_sum SET (pg_tviews.group_state = on); ALTER TABLE tv_user SET (pg_tviews.group_state = on);"
                    "ALTER TABLE tv_all SET (pg_tviews.group_state = on); ALTER TABLE tv_kind SET (pg_tviews.group_state = on);"
                    "ALTER TABLE tv_rate SET (pg_tviews.group_state = on); ALTER TABLE tv_pair SET (pg_tviews.group_state = on);"
                    "ALTER TABLE tv_distinct SET (pg_tviews.group_state = on); ALTER TABLE tv_left SET (pg_tviews.group_state = on)")
    all_are_kept("beside an open transaction")
    run(early, "INSERT INTO tb_post VALUES (-8, 2, 1.25, 99, 1, true, 'k1')")
    early.commit()
    early.close()
    settle(connection, "after a transaction that is older than the states")
    all_are_kept("after a transaction that is older than the states")

    beside_writers("after kills", kill, kill)
    all_are_kept("after kills")

    # What is not counted: the states are forgotten, and built again.
    beside_writers("with statements that tell of no rows", statement("SELECT pg_tviews_pause()"), statement("SELECT pg_tviews_resume()"),
                   statement("VACUUM FULL tb_post"), statement("SELECT pg_tviews_install_stmt_triggers()"),
                   statement("SELECT pg_tviews_refresh('sum')"), statement("SELECT pg_tviews_uninstall_stmt_triggers()"))
    all_are_kept("after statements that tell of no rows")
    run(connection, "BEGIN; INSERT INTO tb_post VALUES (-5, 1, 1, 99, 1, true, 'k0'); TRUNCATE tb_post;"
                    "INSERT INTO tb_post SELECT i, i % 4, i % 5, i, i, i % 2 = 0, 'k' || i % 3 FROM generate_series(1, 300) AS i; COMMIT")
    settle(connection, "after TRUNCATE")
    all_are_kept("after TRUNCATE")
    run(connection, "BEGIN; SET LOCAL pg_tviews.transaction_memory = 64; UPDATE tb_post SET b = b + pk_post;"
                    "INSERT INTO tb_post SELECT i, 1, i, i, i, true, 'k' || i FROM generate_series(100000, 102000) AS i;"
                    "DELETE FROM tb_post WHERE pk_post >= 100000; COMMIT")
    settle(connection, "after a transaction that is too large")
    all_are_kept("after a transaction that is too large")

    # DDL on the table, on definitions, on the option.
    for commands in (["ALTER TABLE tb_post ALTER COLUMN i TYPE bigint USING i * 2"],
                     ["ALTER TABLE tb_post RENAME COLUMN ok TO fine"], ["ALTER TABLE tb_post RENAME COLUMN fine TO ok"],
                     ["ALTER TABLE tb_post ADD COLUMN more int DEFAULT 1"],
                     ["ALTER TABLE tv_sum SET (pg_tviews.group_state = off)", "UPDATE tb_post SET x = 1.5 WHERE pk_post < 9",
                      "ALTER TABLE tv_sum SET (pg_tviews.group_state = on)"]):
        beside_writers(commands[0], statement(*commands), transactions=30)
        all_are_kept(commands[0])
    assert value(connection, "SELECT count(*) FROM pg_tviews_group_states") == STATES

    run(connection, "DROP TABLE tv_user")
    STATES = 7
    all_are_kept("after DROP TABLE")
    assert value(connection, "SELECT count(DISTINCT state) FROM tviews_internal.pg_tview_groups_int4") == 3
    run(connection, "CREATE TABLE tb_more () INHERITS (tb_post)")
    run(connection, "INSERT INTO tb_more VALUES (-9, 1, 1, 99, 1, true, 'k0')")
    run(connection, "UPDATE tb_post SET x = 3 WHERE pk_post = 21")
    settle(connection, "with an inheritor")
    assert not states(connection), "a table with inheritors has no state"
