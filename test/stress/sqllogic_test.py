"""SQL logic tests (`sqllogic_queries.py`): each SELECT becomes a TVIEW, its sorted rows as one document under a constant key,
and, where a table's key is its first column, a TVIEW with that key. Rows are inserted, updated and deleted afterwards, and
after each change every TVIEW is its query. What fails is made small by `shrink.py`.

QUERIES (160; 10,000 in a soak) and SEED may be set in the environment.
"""
import collections
import os
import random
import sys
import time

import psycopg2

from generated import Comparison, choose_costs, is_settled
from shrink import Case, Shrinker
from sqllogic_queries import Queries
from tviews_server import Server, run, value

QUERIES = int(os.environ.get("QUERIES", 160))
SEED = int(os.environ.get("SEED", time.time_ns() % 1000000))
GROUP = 40
CHANGES = 10  # of each group
SHRUNK = 3

counts = collections.Counter()
failures = []


def as_document(query):
    return f'SELECT 1 AS key, jsonb_agg(r ORDER BY r::text COLLATE "C") AS rows FROM ({query}) r'


def by_key(query):
    """By its first column, which may be there several times, and be NULL behind an outer join."""
    return (f'SELECT r.c0 AS key, jsonb_agg(r ORDER BY r::text COLLATE "C") AS rows FROM ({query}) r'
            " WHERE r.c0 IS NOT NULL GROUP BY r.c0")


def plain(query):
    return f"SELECT r.c0 AS key, r.* FROM ({query}) r"


def make(connection, entity, query):
    try:
        run(connection, f"CREATE TABLE tv_{entity} WITH (pg_tviews.key = 'key') AS {query}")
        return True
    except psycopg2.Error as error:
        if error.pgcode is None or error.pgcode[:2] not in ("42", "22", "21", "23", "0A", "54"):
            raise
        counts[f"refused {error.pgcode}"] += 1
        return False


def make_group(connection, queries, number):
    """{entity: query}."""
    made = {}
    for i in range(min(GROUP, QUERIES - counts["queries"])):
        query, has_key = queries.query()
        counts["queries"] += 1
        name = f"q{number}_{i}"
        for suffix, form in (("", as_document), ("k", by_key), ("p", plain)):
            if (has_key or form is as_document) and make(connection, name + suffix, form(query)):
                made[name + suffix] = form(query)
    return made


def fail(connection, entity, query, setup, changes):
    text = f"tv_{entity} is not its query, after {changes[-1]}\n{query}"
    if len(failures) < SHRUNK:
        small = Shrinker(connection).shrink(Case(setup, query, changes))
        text += f"\nas small as it got:\n{small.script()}" if small else "\nalone it is"
    print(f"after {time.monotonic() - began:.0f} s: {text}", flush=True)
    failures.append(text)


def run_group(server, rng, number):
    queries = Queries(rng)
    connection = server.connect("logic", name="group")
    run(connection, f"SET jit = off; SET client_min_messages = warning; CREATE SCHEMA g{number}; SET search_path = g{number}, public")
    choose_costs(connection, rng.random() < 0.5)
    setup = queries.setup()
    run(connection, ";".join(setup))
    made = make_group(connection, queries, number)
    counts["TVIEWs"] += len(made)
    comparison, changes = Comparison(), []
    for _ in range(CHANGES):
        change = queries.change()
        try:
            run(connection, change)
        except psycopg2.errors.UniqueViolation:
            continue
        changes.append(change)
        run(connection, "SELECT pg_tviews_wait()")
        assert is_settled(connection), "records are left after pg_tviews_wait()"
        for (entity,) in run(connection, "SELECT DISTINCT m.entity FROM pg_tview_dead_letter d JOIN pg_tview_meta m USING (tview)"):
            query = made.pop(entity)
            # Two rows with one key now; or a value that overflows.
            assert entity.endswith("p") or is_failing(connection, query), f"seed {SEED}: in quarantine: {query}"
            run(connection, f"DROP TABLE tv_{entity}")
            counts["quarantined"] += 1
        if not made:
            break
        for entity in comparison.run(connection, list(made)):
            fail(server.connect("logic", name="shrinker"), entity, made.pop(entity), setup, changes)
        counts["comparisons"] += len(made)
    run(connection, f"DROP SCHEMA g{number} CASCADE")
    connection.close()


def is_failing(connection, query):
    try:
        value(connection, f"SELECT count(q::text) FROM ({query}) q")
        return False
    except psycopg2.Error:
        return True


print(f"seed {SEED}", flush=True)
began = time.monotonic()
with Server("sqllogic") as server:
    server.prepare("logic", "SELECT").close()
    rng = random.Random(SEED)
    number = 0
    while counts["queries"] < QUERIES:
        number += 1
        run_group(server, rng, number)
print("note: " + ", ".join(f"{many:,} {name}" for name, many in sorted(counts.items())) + f"; seed {SEED}")
if failures:
    print(f"\n{len(failures)} failures, seed {SEED}")
    sys.exit(1)
