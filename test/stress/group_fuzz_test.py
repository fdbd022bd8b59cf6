"""Random aggregations with group states under random transactions of several writers, with ends of the applier and of the server: over one
table and over joins, with GROUP BY, in correlated subqueries, of everything; conditions, FILTER, HAVING, expressions; numerics of every
scale, NaN and infinities, NULLs. Every TVIEW prints what its query prints, as text, and every state is what its tables say.

DEFINITIONS (default 12), ROUNDS of changes for each dozen (default 2), MINUTES (0: until all are done) and SEED may be set."""
import collections
import contextlib
import os
import random
import threading
import time

import psycopg2

from group_states import settle
from tviews_server import Server, kill_process, run, value, wait_until

DEFINITIONS = int(os.environ.get("DEFINITIONS", 12))
ROUNDS = int(os.environ.get("ROUNDS", 2))
MINUTES = float(os.environ.get("MINUTES", 0))
SEED = int(os.environ.get("SEED", time.time_ns() % 1000000))
GROUP = 12
SCRIPT = """
CREATE TABLE ta (pk int PRIMARY KEY, fk int, num numeric, scaled numeric(12,2), i int, b bigint, s smallint, ok boolean, label text, day date);
CREATE TABLE tb (pk int PRIMARY KEY, fk int, num numeric, kind text, i int);
CREATE TABLE tc (pk int PRIMARY KEY, kind text, day date, ok boolean);
CREATE INDEX ON ta (fk);
CREATE INDEX ON tb (fk);
INSERT INTO tc SELECT i, 'k' || i % 3, date '2024-01-01' + i, i % 2 = 0 FROM generate_series(1, 6) AS i;
INSERT INTO tb SELECT i, 1 + i % 6, i / 4.0, 'k' || i % 4, i FROM generate_series(1, 20) AS i;
INSERT INTO ta SELECT i, 1 + i % 20, i / 8.0, i, i, i, i % 9, i % 3 = 0, 'l' || i % 4, date '2024-01-01' + i % 5 FROM generate_series(1, 200) AS i;
"""
NUMBERS = ["0", "1", "1.0", "1.000", "-2.50", "1e-9", "99999999999999999999.5", "NaN", "Infinity", "-Infinity", None]
COLUMNS = {
    "ta": {"pk": "int", "fk": "int", "num": "numeric", "scaled": "numeric", "i": "int", "b": "int", "s": "int", "ok": "bool", "label": "text", "day": "date"},
    "tb": {"pk": "int", "fk": "int", "num": "numeric", "kind": "text", "i": "int"},
    "tc": {"pk": "int", "kind": "text", "day": "date", "ok": "bool"}}
FROMS = [(["ta a"], ""), (["ta a"], ""), (["tb b"], ""), (["ta a", "tb b"], "a.fk = b.pk"), (["tb b", "tc c"], "b.fk = c.pk"),
         (["ta a", "tb b", "tc c"], "a.fk = b.pk AND b.fk = c.pk"), (["ta a", "ta a2"], "a.fk = a2.pk")]
counts = collections.Counter()


class Generator:
    def __init__(self, rng):
        self.r = rng

    def columns(self, aliases, *types):
        return [f"{alias.split()[1]}.{name}" for alias in aliases for name, type_ in COLUMNS[alias.split()[0]].items() if type_ in types]

    def condition(self, aliases):
        r = self.r
        return r.choice([
            lambda: f"{r.choice(self.columns(aliases, 'int'))} {r.choice(['<', '>', '<>', '='])} {r.randint(0, 12)}",
            lambda: f"{r.choice(self.columns(aliases, 'int'))} % 3 = {r.randint(0, 2)}",
            lambda: f"{r.choice(self.columns(aliases, 'text', 'bool', 'date', 'int'))} IS {r.choice(['', 'NOT '])}NULL",
            lambda: f"coalesce({r.choice(self.columns(aliases, 'text'))}, 'x') <> '{r.choice(['k1', 'l1', 'x'])}'",
            lambda: f"{r.choice(self.columns(aliases, 'int'))} IN (1, 2, 5, 7)"])()

    def aggregate(self, aliases):
        r = self.r
        number = r.choice(self.columns(aliases, "int", "numeric"))
        text = r.choice([lambda: "count(*)", lambda: f"count({number})", lambda: f"sum({number})", lambda: f"avg({number})",
                         lambda: f"sum({r.choice(self.columns(aliases, 'int'))} * 2 + 1)",
                         lambda: f"{r.choice(['min', 'max'])}({r.choice(self.columns(aliases, 'int', 'date', 'text'))})",
                         lambda: f"count(DISTINCT {r.choice(self.columns(aliases, 'int', 'text'))})",
                         lambda: f"{r.choice(['bool_and', 'bool_or', 'every'])}({r.choice(self.columns(aliases, 'bool') or ['true'])})"])()
        return text + (f" FILTER (WHERE {self.condition(aliases)})" if r.random() < 0.3 else "")

    def grouped(self, column):
        """The column, or an expression of it."""
        if self.r.random() < 0.7:
            return column
        type_ = next(types[column.split(".")[1]] for table, types in COLUMNS.items() if table[1] == column[0] and column.split(".")[1] in types)
        return {"int": f"{column} % 4", "text": f"upper({column})", "date": f"{column} + 1", "bool": f"(NOT {column})"}[type_]

    def query(self):
        """(the columns of the key, the query)"""
        r = self.r
        aliases, joined = r.choice(FROMS)
        where = [joined] if joined else []
        where += [self.condition(aliases) for _ in range(r.choice([0, 0, 1, 1, 2]))]
        made = [self.aggregate(aliases) for _ in range(r.randint(1, 4))]
        values = [f"{text} AS v{i}" for i, text in enumerate(made)]
        source = ", ".join(aliases)
        form = r.random()
        if form < 0.2:
            condition = f" WHERE {' AND '.join(where)}" if where else ""
            return ["pk"], f"SELECT 1 AS pk, {', '.join(values)} FROM {source}{condition}"
        if form < 0.45:
            key = r.choice(self.columns(aliases, "int"))
            where.append(f"{key} = o.pk")
            level = f"(SELECT {made[0] if len(made) == 1 else 'jsonb_build_array(' + ', '.join(made) + ')'} FROM {source} WHERE {' AND '.join(where)})"
            return ["pk"], f"SELECT o.pk, o.kind, {level} AS v FROM {r.choice(['tb', 'tc'])} AS o"
        keys = [self.grouped(column) for column in r.sample(self.columns(aliases, "int", "text", "date", "bool"), r.choice([1, 1, 2]))]
        where += [f"{key} IS NOT NULL" for key in keys]
        having = f" HAVING {self.aggregate(aliases)} IS NOT NULL" if r.random() < 0.2 else ""
        named = [f"{key} AS k{i}" for i, key in enumerate(keys)]
        return [f"k{i}" for i in range(len(keys))], \
            f"SELECT {', '.join(named + values)} FROM {source} WHERE {' AND '.join(where)} GROUP BY {', '.join(keys)}{having}"


class Writer(threading.Thread):
    def __init__(self, seed):
        super().__init__()
        self.r, self.first, self.committed = random.Random(seed), 1000 * (seed % 7), 0
        self.start()

    def number(self):
        return self.r.choice(NUMBERS) if self.r.random() < 0.2 else f"{self.r.randint(-999, 999) / 10 ** self.r.randint(0, 3)}"

    def row(self):
        r = self.r
        return (r.choice([None, *range(1, 22)]), self.number(), r.choice([None, "1.5", "-3.25", "NaN"]), r.choice([None, r.randint(-9, 12)]),
                r.randint(-2**62, 2**62), r.choice([None, r.randint(0, 9)]), r.choice([True, False, None]), r.choice(["l0", "l1", "k1", "", None]),
                r.choice(["2024-01-02", "2024-01-04", None]))

    def change(self, cursor):
        r, pk = self.r, self.first + self.r.randint(0, 50)
        which = r.random()
        if which < 0.35:
            cursor.execute("INSERT INTO ta VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (pk) DO UPDATE SET num = excluded.num,"
                           " label = excluded.label, day = excluded.day", (pk, *self.row()))
        elif which < 0.6:
            cursor.execute("UPDATE ta SET fk = %s, num = %s, scaled = %s, i = %s, b = %s, s = %s, ok = %s, label = %s, day = %s WHERE pk = %s",
                           (*self.row(), pk))
        elif which < 0.7:
            cursor.execute("DELETE FROM ta WHERE pk BETWEEN %s AND %s", (pk, pk + 3))
        elif which < 0.8:
            cursor.execute("INSERT INTO tb VALUES (%s, %s, %s, %s, %s) ON CONFLICT (pk) DO UPDATE SET fk = excluded.fk, kind = excluded.kind, num = excluded.num",
                           (r.randint(1, 22), r.choice([None, *range(1, 8)]), self.number(), r.choice(["k0", "k1", "l1", None]), r.randint(0, 9)))
        elif which < 0.86:
            cursor.execute("DELETE FROM tb WHERE pk = %s", (r.randint(1, 22),))
        elif which < 0.93:
            cursor.execute("UPDATE tc SET kind = %s, ok = %s, day = %s WHERE pk = %s", (r.choice(["k0", "k1", None]), r.choice([True, None]), r.choice(["2024-02-01", None]), r.randint(1, 7)))
        else:
            cursor.execute("UPDATE ta SET pk = pk + 100000 WHERE pk = %s AND NOT EXISTS (SELECT FROM ta AS other WHERE other.pk = ta.pk + 100000)", (pk,))

    def transaction(self, session):
        cursor = session.cursor()
        cursor.execute("BEGIN")
        for _ in range(self.r.randint(1, 4)):
            if self.r.random() < 0.3:
                cursor.execute("SAVEPOINT a")
                self.change(cursor)
                cursor.execute(self.r.choice(["ROLLBACK TO a", "RELEASE a"]))
            self.change(cursor)
        cursor.execute(self.r.choice(["COMMIT", "COMMIT", "COMMIT", "ROLLBACK"]))

    def run(self):
        session = None
        while not stopped.is_set():
            try:
                session = session or server.connect("groups", name="writer")
                self.transaction(session)
                self.committed += 1
            except psycopg2.Error:  # a deadlock, or the server was killed
                if session is not None:
                    session.close()
                session = None


def beside_writers(act):
    stopped.clear()
    writers = [Writer(rng.randint(1, 10**6)) for _ in range(3)]
    for _ in range(2):
        goal = sum(writer.committed for writer in writers) + 40
        wait_until(lambda: sum(writer.committed for writer in writers) >= goal, "the writers to commit")
        act()
    stopped.set()
    for writer in writers:
        writer.join()


def nothing():
    pass


def applier():
    return wait_until(lambda: run(connection, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_tviews applier'"), "the applier")[0][0]


def terminate():
    run(connection, "SELECT pg_terminate_backend(%s)", (applier(),))


def kill():
    global connection
    connection = kill_process(server, "groups", applier())


def large():
    with contextlib.suppress(psycopg2.errors.DeadlockDetected):
        run(connection, "BEGIN; SET LOCAL pg_tviews.transaction_memory = 64; UPDATE ta SET num = num + 1; COMMIT")
    run(connection, "ROLLBACK")


def make(wanted):
    made = []
    for _ in range(20 * wanted):
        if len(made) == wanted:
            break
        key, query = generator.query()
        counts["tried"] += 1
        entity = f"g{counts['tried']}"
        try:
            run(connection, f"CREATE TABLE tv_{entity} WITH (pg_tviews.key = '{', '.join(key)}', pg_tviews.group_state = on) AS {query}")
        except psycopg2.Error as error:
            if error.pgcode is None or error.pgcode[:2] not in ("42", "22", "0A"):
                raise
            counts[f"refused {error.pgcode}"] += 1
            continue
        made.append(entity)
        counts["definitions"] += 1
    counts["states"] += value(connection, "SELECT count(*) FROM pg_tviews_group_states")
    counts["of joins"] += value(connection, "SELECT count(*) FROM pg_tviews_group_states WHERE level LIKE '%,%'")
    return made


def check(what):
    """settle compares states and texts. A TVIEW that a definition's own error keeps from its query is none of them."""
    try:
        counts["states compared"] += settle(connection, what)
    except AssertionError:
        for entity, query in run(connection, "SELECT entity, definition FROM pg_tview_meta"):
            print(f"{entity}: {query}")
        print(f"SEED={SEED} {what}: {run(connection, 'SELECT * FROM pg_tview_dead_letter')}")
        raise
    sick = run(connection, "SELECT tview, error FROM pg_tview_dead_letter")
    assert not sick, f"SEED={SEED} {what}: {sick}"


print(f"note: SEED={SEED}", flush=True)
rng = random.Random(SEED)
generator = Generator(rng)
stopped = threading.Event()
ends = time.monotonic() + 60 * MINUTES
with Server("group_fuzz", "client_min_messages = warning\npg_tviews.notice_lineage = off\ndeadlock_timeout = 100ms\n") as server:
    connection = server.prepare("groups", SCRIPT)
    while counts["definitions"] < DEFINITIONS or time.monotonic() < ends:
        group = make(min(GROUP, max(1, DEFINITIONS - counts["definitions"])) if MINUTES == 0 else GROUP)
        for number in range(ROUNDS):
            act = rng.choice([nothing, nothing, terminate, kill, large])
            beside_writers(act)
            check(f"after {act.__name__}, round {number}")
        for entity in group:
            run(connection, f"DROP TABLE tv_{entity}")
    print(f"note: {dict(counts)}")
    assert counts["states"] > counts["definitions"] / 3 and counts["states compared"] > 0, counts
