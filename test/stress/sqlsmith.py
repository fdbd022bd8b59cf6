"""sqlsmith (a package of the distribution) makes definitions, and statements of all kinds over TVIEWs. Usage: sqlsmith.py BUILD_DIR

Its queries over the tables of a shop become TVIEWs, as one document under a constant key; rows change, and those that leave
nothing open are compared with their queries. Then it sends statements of its own, as a role that owns the TVIEWs, to whatever it
finds there. No process of the server may end by a signal, and what there is afterwards is equal. SECONDS (600) and
SEED may be set in the environment; scripts/soak.sh does so.
"""
import collections
import os
import random
import re
import subprocess
import sys
import time

import psycopg2

import shop
from generated import difference
from tviews_server import Server, check_equal, run, value

SECONDS = float(os.environ.get("SECONDS", 600))
SEED = int(os.environ.get("SEED", time.time_ns() % 1000000))
QUERIES = 120  # of a round, as definitions
STATEMENTS = 150  # of a round, on its own

TABLES = shop.SCRIPT.split("CREATE TABLE tv_")[0]
WRONG = re.compile(r"PANIC|terminated by signal|unguarded PostgreSQL error|outside a definition|TRAP:|ERROR: .*XX000")

counts = collections.Counter()


def smith(server, database, seed, *options):
    """What it prints."""
    done = subprocess.run(["sqlsmith", "--exclude-catalog", f"--seed={seed}", *options, f"--target=host={server.socket} user=smith dbname={database}"],
                          capture_output=True, text=True, errors="replace", check=False,
                          env={**os.environ, "PGOPTIONS": "-c statement_timeout=2s -c lock_timeout=500ms"})
    return done.stdout


# What would leave a definition open, or have it refused: samples, and rows that are cut anywhere.
DETERMINED = [(r"tablesample \w+ \([\d.]+\)", ""), (r"\(select (\w+) from ([\w.]+) limit 1 offset \d+\)", r"(select (array_agg(\1 order by \1))[1] from \2)"),
              (r"\blimit \d+( offset \d+)?", ""),
              # Types that only functions are declared with: sqlsmith takes them for types of values.
              (r'cast\(null as "?anymultirange"?\)', "cast(null as int4multirange)"), (r'cast\(null as "?any\w*range"?\)', "cast(null as int4range)"),
              (r'cast\(null as "?any\w*array"?\)', "cast(null as int4[])"), (r'cast\(null as "?any\w*"?\)', "cast(null as int4)")]


def definitions(server, seed):
    """Its queries, some of them as they are."""
    text = smith(server, "names", seed, "--dry-run", f"--max-queries={QUERIES}")
    if seed % 4:
        for pattern, by in DETERMINED:
            text = re.sub(pattern, by, text)
    return [one for one in re.split(r";\s*\n", text) if re.match(r"\s*(select|with)\b", one)]


def is_theirs(names, query):
    """Whether the server alone fails with an internal error."""
    try:
        run(names, f"SELECT count(*) FROM ({query}) r")
    except psycopg2.Error as error:
        return bool(error.pgcode) and error.pgcode.startswith("XX")
    return False


def make(connection, names, name, query):
    """Whether its rows are determined; None if it is refused."""
    del connection.notices[:]
    try:
        run(connection, f'CREATE TABLE {name} WITH (pg_tviews.key = \'key\') AS SELECT 1 AS key, jsonb_agg(r ORDER BY r::text COLLATE "C") AS rows'
                        f" FROM ({query}) r")
    except psycopg2.Error as error:
        assert error.pgcode and (not error.pgcode.startswith("XX") or is_theirs(names, query)), f"seed {SEED}: {error}\n{query}"
        counts[f"refused {error.pgcode[:2]}"] += 1
        if "VERBOSE" in os.environ:
            print(str(error).splitlines()[0])
        return None
    return not any("are not determined" in notice and "jsonb_agg depends on the order of rows that its ORDER BY leaves equal" not in notice
                   for notice in connection.notices)


def wait(admin, made):
    """Drops what takes too long: cross joins of its making are left behind, and who waits for everything waits for them."""
    while True:
        try:
            run(admin, "SELECT pg_tviews_wait()")
            return
        except psycopg2.errors.QueryCanceled:
            behind = run(admin, "SELECT DISTINCT entity FROM pg_tview_dead_letter JOIN pg_tview_meta USING (tview) UNION"
                                " SELECT entity FROM pg_tview_meta WHERE tview IN (SELECT tview FROM tviews_internal.pg_tview_owed)")
            assert behind, f"seed {SEED}: pg_tviews_wait() does not return, and no TVIEW is behind"
            for (entity,) in behind:
                made.pop(entity, None)
                counts["too slow"] += 1
                run(admin, f"DROP TABLE tv_{entity} CASCADE")


def round_of(server, connection, names, rng):
    made = {}
    admin = server.connect("smith")
    for query in definitions(server, rng.randrange(1 << 30)):
        counts["queries"] += 1
        entity = f"s{counts['queries']}"
        is_determined = make(connection, names, f"tv_{entity}", query)
        if is_determined is not None:
            counts["TVIEWs"] += 1
            made[entity] = (is_determined, query)
    for _ in range(5):
        for _ in range(3):
            run(connection, shop.random_statement(rng))
        wait(admin, made)
        for (entity,) in run(admin, "SELECT DISTINCT entity FROM pg_tview_dead_letter JOIN pg_tview_meta USING (tview)"):
            made.pop(entity, None)
            counts["quarantined"] += 1
            run(connection, f"DROP TABLE tv_{entity}")
        for entity, (is_determined, query) in made.items():
            if is_determined:
                assert not run(connection, difference(entity)), f"seed {SEED}: tv_{entity} is not its query: {query}"
                counts["comparisons"] += 1
    smith(server, "smith", rng.randrange(1 << 30), f"--max-queries={STATEMENTS}")
    counts["statements of its own"] += STATEMENTS
    wrong = [line for line in server.log().splitlines() if WRONG.search(line)]
    assert not wrong, f"seed {SEED}: {wrong[:5]}"
    run(admin, "SELECT pg_tviews_resume()")
    for entity in made:
        run(admin, f"DROP TABLE IF EXISTS tv_{entity} CASCADE")
    check_equal(admin, f"seed {SEED}")
    admin.close()


print(f"seed {SEED}", flush=True)
began = time.monotonic()
rng = random.Random(SEED)
with Server("sqlsmith", "pg_tviews.read_timeout = 20s\npg_tviews.refresh_timeout = 3s\n") as server:
    connection = server.connect()
    run(connection, "CREATE ROLE smith LOGIN")
    run(connection, "CREATE DATABASE names OWNER smith")
    names = server.connect("names")
    run(names, "GRANT ALL ON SCHEMA public TO smith; SET SESSION AUTHORIZATION smith;" + TABLES)
    owner = server.prepare("smith", "GRANT ALL ON SCHEMA public TO smith; SET SESSION AUTHORIZATION smith;" + shop.SCRIPT)
    run(owner, "SET statement_timeout = '5s'")
    while time.monotonic() - began < SECONDS:
        round_of(server, owner, names, rng)
        counts["rounds"] += 1
    value(owner, "SELECT 1")
print("note: " + ", ".join(f"{many:,} {name}" for name, many in sorted(counts.items())) + f"; seed {SEED}")
sys.exit(0 if counts["comparisons"] else "it made nothing that could be compared")
