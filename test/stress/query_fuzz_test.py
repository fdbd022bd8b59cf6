"""Random definitions under the whole engine: composes random queries over a random schema, makes TVIEWs
of them, changes the tables at random (keys too, several tables in one transaction, rows with what they
link to, NULLs), and compares every TVIEW with its query after every batch. Also holds lineage to its word: in
a group of TVIEWs that are all refreshed by key, nothing may have been refreshed as a whole.

DEFINITIONS (default 500), STATEMENTS (default 20000), MINUTES (0: until both are reached) and SEED may be
set in the environment. Definitions whose key turns out NULL or twice go into quarantine, as they should: that the query
really has such a key is checked, then the TVIEW is dropped.
"""
import collections
import os
import random
import time

import psycopg2

from lineage_fuzz import TABLES, Generator
from tviews_server import Server, run, value

DEFINITIONS = int(os.environ.get("DEFINITIONS", 500))
STATEMENTS = int(os.environ.get("STATEMENTS", 20000))
MINUTES = float(os.environ.get("MINUTES", 0))
SEED = int(os.environ.get("SEED", time.time_ns() % 1000000))
GROUP = 25  # TVIEWs at a time

SCHEMA = "".join(
    f"CREATE TABLE {t} (pk int PRIMARY KEY, f1 int, f2 int, f3 int, m int NOT NULL);"
    f"CREATE VIEW v_{t}(c0, c1, c2) AS SELECT v.* FROM (SELECT pk, f1, m FROM {t}) v;" for t in TABLES)

counts = collections.Counter()


class Definition:
    def __init__(self, entity, query, shapes, columns):
        self.entity, self.query, self.shapes = entity, query, shapes
        self.columns = [f"pk_{entity}"] + [f"c{i}" for i in range(1, columns)]
        self.surgical = True
        self.undetermined = False

    def create(self, connection):
        del connection.notices[:]
        run(connection, f"CREATE TABLE tv_{self.entity} ({', '.join(self.columns)}) AS {self.query}")
        text = "".join(connection.notices)
        self.undetermined = "undetermined" in text or "depends on" in text
        self.surgical = not value(connection, "SELECT count(*) FROM pg_tview_lineage WHERE tview = %s::regclass"
                                              " AND strategy = 'full'", (f"tv_{self.entity}",))

    def difference(self):
        """A query that returns the entity if the TVIEW is not its query."""
        tview, view = f"SELECT * FROM tv_{self.entity}", f"SELECT * FROM v_{self.entity}"
        return (f"SELECT '{self.entity}' WHERE EXISTS ({tview} EXCEPT ALL {view})"
                f" OR EXISTS ({view} EXCEPT ALL {tview})")

    def bad_keys(self, connection):
        return value(connection, f"SELECT count(*) FROM (SELECT pk_{self.entity} FROM v_{self.entity} GROUP BY 1"
                                 f" HAVING count(*) > 1 OR pk_{self.entity} IS NULL) q")


def is_settled(connection):
    """True if this snapshot is one at which the TVIEWs stand."""
    return not value(connection, "SELECT count(*) FROM pg_tview_outbox")


def make_group(connection, generator, wanted):
    run(connection, generator.refill())
    run(connection, "SELECT pg_tviews_wait()")
    group = []
    for _ in range(20 * wanted):
        if len(group) == wanted:
            break
        query, shapes = generator.query()
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT * FROM ({query}) q LIMIT 0")
                columns = len(cursor.description)
            counts["definitions tried"] += 1
            definition = Definition(f"q{counts['definitions tried']}", query, shapes, columns)
            definition.create(connection)
        except psycopg2.Error as error:
            # What PostgreSQL itself refuses, and keys that are NULL or twice at creation.
            if error.pgcode is None or error.pgcode[:2] not in ("42", "22", "21", "23", "0A"):
                raise
            counts[f"refused {error.pgcode}"] += 1
            continue
        group.append(definition)
        counts["definitions"] += 1
        counts["surgical" if definition.surgical else "full"] += 1
    return group


def drop(connection, group, definition):
    run(connection, f"DROP TABLE tv_{definition.entity}")
    group.remove(definition)


def change(connection, generator, rng, group):
    """One transaction of several statements; those that violate a constraint are skipped."""
    statements = generator.batch(rng.choice(group).query)
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


prepared = []
last_change = []


def compare(connection, group):
    """The entities that are not their query. Planning fifty queries takes longer than running them."""
    query = " UNION ALL ".join(d.difference() for d in group)
    if prepared != [query]:
        if prepared:
            run(connection, "DEALLOCATE compare")
        prepared[:] = []
        run(connection, f"PREPARE compare AS {query}")
        prepared[:] = [query]
    return run(connection, "EXECUTE compare")


def check(connection, group):
    run(connection, "SELECT pg_tviews_wait()")
    assert is_settled(connection), "records are left after pg_tviews_wait()"
    for (entity,) in run(connection, "SELECT DISTINCT m.entity FROM pg_tview_dead_letter d JOIN pg_tview_meta m USING (tview)"):
        definition = next(d for d in group if d.entity == entity)
        error = run(connection, "SELECT key, sqlstate, error FROM pg_tview_dead_letter d JOIN pg_tview_meta m USING (tview)"
                                " WHERE entity = %s", (entity,))
        try:
            bad = definition.bad_keys(connection)
        except psycopg2.Error:
            bad = 1  # the query itself raises
        if not bad:
            # The rows were bad in a snapshot in between; now they are good again.
            run(connection, f"SELECT pg_tviews_retry('{entity}')")
            counts["healed"] += 1
            continue
        counts["quarantined"] += 1
        assert error, entity
        drop(connection, group, definition)
    if not group:
        return
    wrong = [entity for (entity,) in compare(connection, group)]
    for entity in wrong:
        definition = next(d for d in group if d.entity == entity)
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


def run_group(connection, generator, rng, statements):
    group = make_group(connection, generator, GROUP)
    for surgical in (True, False):
        part = [d for d in group if d.surgical == surgical]
        if surgical:
            full = [d for d in group if not d.surgical]
            before = value(connection, "SELECT full_refreshes FROM pg_tview_frontier")
            held = full
            for definition in held:
                drop(connection, group, definition)
        else:
            for definition in held:
                try:
                    definition.create(connection)
                    group.append(definition)
                except psycopg2.Error:
                    counts["key spoilt by then"] += 1
            part = list(group)
        end = counts["statements"] + statements // 2
        healed = counts["healed"]
        while part and counts["statements"] < end:
            change(connection, generator, rng, part)
            check(connection, group)
            part = list(group)
            if rng.random() < 0.05:
                run(connection, generator.refill())
                check(connection, group)
                part = list(group)
        if surgical and counts["healed"] == healed:
            after = value(connection, "SELECT full_refreshes FROM pg_tview_frontier")
            quarantined = counts["quarantined"]
            assert after == before or quarantined, f"seed {SEED}: {after - before} full refreshes of surgical TVIEWs"
            counts["groups without a full refresh"] += after == before
    for definition in list(group):
        drop(connection, group, definition)


print(f"seed {SEED}")
with Server("query_fuzz") as server:
    rng = random.Random(SEED)
    generator = Generator(rng)
    connection = server.prepare("fuzz", SCHEMA)
    run(connection, "SET jit = off")
    begin = time.monotonic()
    groups = max(1, DEFINITIONS // GROUP)
    while (counts["definitions"] < DEFINITIONS or counts["statements"] < STATEMENTS
           or time.monotonic() - begin < 60 * MINUTES):
        run_group(connection, generator, rng, STATEMENTS // groups)
    print("note: " + ", ".join(f"{number:,} {name}" for name, number in sorted(counts.items())) + f"; seed {SEED}")
