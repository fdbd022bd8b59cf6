"""Random definitions under the whole engine: composes random queries over a random schema, makes TVIEWs
of them, half with keys of several columns, changes the tables at random (keys too, several tables in one transaction, rows with what they
link to, NULLs), and compares every TVIEW with its query after every batch. Some read others, in chains and
diamonds; tables have partitions and children, which come and go; half of the groups have columns of other types than
int, half are planned as if the tables were large. They call functions in SQL, scalar ones and such that return rows. Those over columns of type int also compare these with the
clock: time passes meanwhile, and the TVIEWs are compared with their queries as of the frontier's time. Also holds lineage to its word: TVIEWs that are reported as refreshed by key may not have been refreshed as a whole.

DEFINITIONS (default 500), STATEMENTS (default 14000), MINUTES (0: until both are reached), KIND and SEED may be
set in the environment. Definitions whose key turns out NULL or twice go into quarantine, as they should: that the query
really has such a key is checked, then the TVIEW is dropped.
"""
# Runs first: it takes long.
import collections
import os
import random
import re
import time

import psycopg2

from generated import Comparison, choose_costs, is_settled
from lineage_kinds import INT, KINDS, tables
from lineage_queries import TABLES, Generator
from tviews_server import Server, run, value

DEFINITIONS = int(os.environ.get("DEFINITIONS", 500))
STATEMENTS = int(os.environ.get("STATEMENTS", 14000))
MINUTES = float(os.environ.get("MINUTES", 0))
SEED = int(os.environ.get("SEED", time.time_ns() % 1000000))
GROUP = 25  # TVIEWs at a time

PARTS = [f"{TABLES[-2]}_2", f"{TABLES[-1]}_1"]

counts = collections.Counter()


class Definition:
    def __init__(self, entity, query, shapes, columns, upstream, key=()):
        self.entity, self.query, self.shapes = entity, query, shapes
        self.columns = [f"pk_{entity}"] + [f"c{i}" for i in range(1, columns)]
        self.key = [self.columns[i] for i in key] or self.columns[:1]
        # All text that says which tables its rows come from.
        self.text = " ".join([query] + [other.text for other in upstream])
        self.level = 1 + max([other.level for other in upstream], default=0)
        self.has_clock = "now()" in query or "LOCALTIMESTAMP" in query
        self.surgical = True
        self.undetermined = False
        self.may_be_whole = False  # for a reason that lineage does not know of

    def create(self, connection):
        del connection.notices[:]
        run(connection, f"CREATE TABLE tv_{self.entity} ({', '.join(self.columns)})"
                        f" WITH (pg_tviews.key = '{', '.join(self.key)}') AS {self.query}")
        text = "".join(connection.notices)
        self.undetermined = "undetermined" in text or "depends on" in text
        self.surgical = not value(connection, "SELECT count(*) FROM pg_tview_lineage WHERE tview = %s::regclass"
                                              " AND strategy = 'full'", (f"tv_{self.entity}",))

    def differs(self, connection):
        """Of one with a clock: if it is not its query at the frontier's time. Where a function asks for it, the server says."""
        query = re.sub(r"/\*.*?\*/", "", self.query, flags=re.DOTALL)
        if self.query.count("now()") + self.query.count("LOCALTIMESTAMP") > query.count("now()") + query.count("LOCALTIMESTAMP"):
            counts["verified under T"] += 1
            return bool(run(connection, f"SELECT * FROM pg_tviews_verify('{self.entity}')")) and not self.is_quarantined(connection)
        run(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ")
        now = f"timestamptz '{value(connection, 'SELECT date_trunc($$milliseconds$$, clock)::text FROM pg_tview_frontier')}'"
        query = query.replace("LOCALTIMESTAMP", f"{now}::timestamp").replace("now()", now)
        rows = f"SELECT ROW(t.*)::text AS row, 1 AS n FROM tv_{self.entity} t UNION ALL SELECT ROW(v.*)::text, -1 FROM ({query}) v"
        found = run(connection, f"SELECT b.row, sum(b.n) FROM ({rows}) b GROUP BY b.row HAVING sum(b.n) <> 0")
        is_quarantined = self.is_quarantined(connection)
        run(connection, "COMMIT")
        counts["compared under T"] += 1
        return bool(found) and not is_quarantined

    def is_quarantined(self, connection):
        """Time may have brought a key twice since the dead letters were looked for; the next look finds it."""
        return value(connection, "SELECT count(*) FROM pg_tview_dead_letter WHERE tview = %s::regclass", (f"tv_{self.entity}",))

    def bad_keys(self, connection):
        run(connection, f"SELECT count(v::text) FROM v_{self.entity} v")
        key = ", ".join(self.key)
        return value(connection, f"SELECT count(*) FROM (SELECT {key} FROM v_{self.entity} GROUP BY {key}"
                                 f" HAVING count(*) > 1 OR num_nulls({key}) > 0) q")


def some_columns(rng, count):
    """The numbers of the key's columns: mostly the first alone; any others often are no key."""
    if count < 2 or rng.random() < 0.5:
        return [0]
    others = rng.sample(range(1, count), rng.randint(1, min(2, count - 1)))
    key = others if len(others) > 1 and rng.random() < 0.4 else [0] + others
    rng.shuffle(key)
    return key


def make_group(connection, generator, wanted):
    run(connection, generator.refill())
    run(connection, "SELECT pg_tviews_wait()")
    if generator.kind.name == "int":
        generator.epoch = value(connection, "SELECT (clock_timestamp() - interval '3 s')::text")
    group = []
    for _ in range(20 * wanted):
        if len(group) == wanted:
            break
        generator.functions = []
        query, shapes = generator.query()
        # What functions read is told apart by the text of the definition, so it is part of it.
        query = "".join(f"/* {text} */ " for text in generator.functions) + query
        try:
            for text in generator.functions:
                run(connection, text)
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT * FROM ({query}) q LIMIT 0")
                types = [column.type_code for column in cursor.description]
                cursor.execute("SELECT pk FROM ta LIMIT 0")
                own = cursor.description[0].type_code
            counts["definitions tried"] += 1
            upstream = [d for d in group if f"tv_{d.entity} " in query]
            definition = Definition(f"q{counts['definitions tried']}", query, shapes, len(types), upstream,
                                    some_columns(generator.rng, len(types)))
            definition.create(connection)
        except psycopg2.Error as error:
            # What PostgreSQL itself refuses, and keys that are NULL or twice at creation.
            if error.pgcode is None or error.pgcode[:2] not in ("42", "22", "21", "23", "0A"):
                raise
            counts[f"refused {error.pgcode}"] += 1
            continue
        group.append(definition)
        readable = [name for name, type_ in zip(definition.columns, types) if type_ == own]
        if readable:
            generator.tviews.append((f"tv_{definition.entity}", readable))
        counts["definitions"] += 1
        counts["keys of several columns"] += len(definition.key) > 1
        counts["surgical" if definition.surgical else "full"] += 1
        counts["with a clock"] += definition.has_clock
        counts["with functions"] += bool(generator.functions)
        counts["readers of TVIEWs"] += bool(upstream)
        counts["deepest chain"] = max(counts["deepest chain"], definition.level)
    return group


def drop(connection, group, definition):
    """Drops it and those that read it."""
    run(connection, f"DROP TABLE tv_{definition.entity} CASCADE")
    left = {entity for (entity,) in run(connection, "SELECT entity FROM pg_tview_meta")}
    group[:] = [d for d in group if d.entity in left]


class Trees:
    """The partition that is detached and attached again, and the child that leaves its parent and comes back."""

    def __init__(self, bounds):
        self.bounds = bounds
        self.is_attached, self.is_heir = True, True

    def partition(self):
        table, part = TABLES[-2], PARTS[0]
        self.is_attached = not self.is_attached
        if not self.is_attached:
            return [f"ALTER TABLE {table} DETACH PARTITION {part}"]
        low, high = self.bounds
        return [f"DELETE FROM {part} WHERE NOT (pk >= {low} AND pk < {high})",
                f"ALTER TABLE {table} ATTACH PARTITION {part} FOR VALUES FROM ({low}) TO ({high})"]

    def child(self):
        self.is_heir = not self.is_heir
        return [f"ALTER TABLE {PARTS[1]} {'' if self.is_heir else 'NO '}INHERIT {TABLES[-1]}"]

    def change(self, connection, rng):
        """In one transaction with what a DELETE took from it before, or not."""
        steps = rng.choice([self.partition, self.child])()
        if rng.random() < 0.5:
            steps.insert(0, f"DELETE FROM {rng.choice(PARTS)} WHERE f1 = f2")
        run(connection, "; ".join(["BEGIN"] + steps + ["COMMIT"]))
        last_change[:] = steps
        counts["changes of trees"] += 1

    def restore(self, connection):
        if not self.is_attached:
            run(connection, "; ".join(self.partition()))
        if not self.is_heir:
            run(connection, "; ".join(self.child()))


def change(connection, generator, rng, group):
    """One transaction of several statements; those that violate a constraint are skipped."""
    statements = generator.batch(rng.choice(group).text)
    run(connection, "BEGIN")
    for statement in statements:
        run(connection, "SAVEPOINT s")
        try:
            run(connection, statement)
        except psycopg2.Error:
            run(connection, "ROLLBACK TO s")
        counts["statements"] += 1
    run(connection, "ROLLBACK" if rng.random() < 0.05 else "COMMIT")
    last_change[:] = statements
    counts["transactions"] += 1


comparison = Comparison()
last_change = []


def check(connection, group):
    run(connection, "SELECT pg_tviews_wait()")
    assert is_settled(connection), "records are left after pg_tviews_wait()"
    for (entity,) in run(connection, "SELECT DISTINCT m.entity FROM pg_tview_dead_letter d JOIN pg_tview_meta m USING (tview)"):
        definition = next((d for d in group if d.entity == entity), None)
        if definition is None:
            continue  # went with one that it read
        error = run(connection, "SELECT key, sqlstate, error FROM pg_tview_dead_letter d JOIN pg_tview_meta m USING (tview)"
                                " WHERE entity = %s", (entity,))
        if definition.has_clock:
            assert all("key" in text for _, _, text in error), error
            counts["quarantined by the clock"] += 1
            drop(connection, group, definition)
            continue
        try:
            bad = definition.bad_keys(connection)
        except psycopg2.Error:
            bad = 1  # the query itself raises
        if not bad:
            # The rows were bad in a snapshot in between; now they are good again.
            run(connection, f"SELECT pg_tviews_retry('{entity}')")
            definition.may_be_whole = True
            counts["healed"] += 1
            continue
        counts["quarantined"] += 1
        assert error, entity
        drop(connection, group, definition)
    if not group:
        return
    plain = [d.entity for d in group if not d.has_clock]
    different = comparison.run(connection, plain) if plain else []
    for entity in different + [d.entity for d in group if d.has_clock and d.differs(connection)]:
        definition = next((d for d in group if d.entity == entity), None)
        if definition is None:
            continue
        if definition.undetermined:
            counts["undetermined differences"] += 1
            drop(connection, group, definition)
            continue
        raise AssertionError(
            f"seed {SEED}: {entity} is not its query: {definition.query}\nshapes {definition.shapes}\n"
            + "\n".join(map(str, run(connection, "SELECT * FROM pg_tviews_explain_lineage(%s)", (entity,))))
            + "\n" + "\n".join(map(str, run(connection, "SELECT * FROM pg_tviews_verify(%s)", (entity,))))
            + "\nlast change: " + "; ".join(last_change))
    counts["comparisons"] += len(group)


def check_refreshed_by_key(connection, group):
    whole = dict(run(connection, "SELECT entity, full_refreshes FROM pg_tviews_performance_summary"))
    for definition in group:
        if definition.surgical and not definition.may_be_whole:
            assert whole[definition.entity] == 0, f"seed {SEED}: {definition.entity} was refreshed as a whole: {definition.query}"
            counts["refreshed by key only"] += 1


def run_group(connection, generator, rng, trees, statements):
    choose_costs(connection, rng.random() < 0.5)
    group = make_group(connection, generator, GROUP)
    end = counts["statements"] + statements
    half = counts["statements"] + statements // 2
    is_by_key = True  # the first half: no change of a tree, which is one of a table as a whole
    while group and counts["statements"] < end:
        if is_by_key and counts["statements"] >= half:
            check_refreshed_by_key(connection, group)
            is_by_key = False
        change(connection, generator, rng, group)
        check(connection, group)
        if not is_by_key and rng.random() < 0.1:
            trees.change(connection, rng)
            check(connection, group)
        if rng.random() < 0.05:
            trees.restore(connection)
            run(connection, generator.refill())
            check(connection, group)
    trees.restore(connection)
    for definition in list(group):
        if definition in group:
            drop(connection, group, definition)


def schema_of(connection, kind, known):
    """Makes the schema of that kind the current one; returns its trees."""
    if kind.name not in known:
        script, bounds = tables(kind, TABLES)
        run(connection, f'CREATE SCHEMA "{kind.name}"; SET search_path = "{kind.name}", public; {script}')
        known[kind.name] = Trees(bounds)
    run(connection, f'SET search_path = "{kind.name}", public')
    return known[kind.name]


print(f"seed {SEED}")
with Server("query_fuzz") as server:
    rng = random.Random(SEED)
    connection = server.prepare("fuzz", "SET jit = off")
    begin = time.monotonic()
    groups = max(1, DEFINITIONS // GROUP)
    known = {}
    kinds = [kind for other in rng.sample(KINDS, len(KINDS)) for kind in (INT, other)]
    if "KIND" in os.environ:
        kinds = [kind for kind in kinds if kind.name == os.environ["KIND"]]
    number = 0
    while (counts["definitions"] < DEFINITIONS or counts["statements"] < STATEMENTS
           or time.monotonic() - begin < 60 * MINUTES):
        kind = kinds[number % len(kinds)]
        number += 1
        trees = schema_of(connection, kind, known)
        generator = Generator(rng, kind=kind, parts=PARTS)
        generator.has_functions = True
        generator.names = number * 100000
        run_group(connection, generator, rng, trees, STATEMENTS // groups)
    print("note: " + ", ".join(f"{number:,} {name}" for name, number in sorted(counts.items())) + f"; seed {SEED}")
