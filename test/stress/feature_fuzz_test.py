"""A definition for every two features (`features.py`): each pair of values of different axes meets in a TVIEW, or is in
the list of those that cannot. Of every source, rows are removed and added back, and columns are set to another value
that is there and back; after each change the TVIEWs are compared with their queries as text, and one of them by
pg_tviews_verify. Variants that must not matter (a condition twice, conditions in another order, a CTE or a view for a
table) have to recompute as many keys as what they vary. What fails is made small by `shrink.py`.

SHARE (0.06: of the changes that there are of every source), SECONDS (0: until every pair has been there once; else as
long) and SEED may be set in the environment.
"""
# Runs first: it takes long.
import collections
import os
import random
import re
import sys
import time

import psycopg2

from covering import Covering
from feature_parts import COLUMNS, MORE_COLUMNS, OBJECTS
from features import AXES, BY_KEY, IMPOSSIBLE, SAME_KEYS, VARIANTS, Definition, is_open, is_valid
from generated import Comparison, choose_costs, is_settled
from lineage_kinds import INT, KINDS, tables
from shrink import Case, Shrinker
from tviews_server import Server, run, value

SHARE = float(os.environ.get("SHARE", 0.06))
SECONDS = float(os.environ.get("SECONDS", 0))
SEED = int(os.environ.get("SEED", time.time_ns() % 1000000))
GROUP = 25  # TVIEWs at a time
SHRUNK = 3  # failures that are made small
ROUNDS_IN_VAIN = 6  # until pairs are given up: what refuses one may be what it was tried with, or the rows at hand
TABLES = ["ta", "tb", "tc", "td", "te"]
SOURCES = TABLES + ["te_1"]
# What creator, writer and database have.
SESSIONS = [
    "SET TimeZone = 'Asia/Kolkata'; SET DateStyle = 'SQL, DMY'; SET IntervalStyle = iso_8601; SET bytea_output = escape;"
    " SET extra_float_digits = -3; SET default_text_search_config = 'pg_catalog.simple'",
    "SET TimeZone = 'America/New_York'; SET DateStyle = 'German'; SET IntervalStyle = sql_standard; SET extra_float_digits = 3;"
    " SET default_text_search_config = 'pg_catalog.english'",
    "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = postgres; SET bytea_output = hex",
]

counts = collections.Counter()
failures = []


def report(text):
    failures.append(text)
    print(f"after {time.monotonic() - began:.0f} s: {text}", flush=True)


class Schema:
    """Tables of one type with their rows, as statements."""

    def __init__(self, kind, rng, name):
        self.kind, self.name = kind, name
        script, _ = tables(kind, TABLES, [f"{column} {type_}" for column, (type_, _) in MORE_COLUMNS.items()])
        self.statements = [script + OBJECTS]
        self.rows = {}
        for table in SOURCES:
            first = 20 if table == "te_1" else 0
            self.rows[table] = []
            for number in range(first, first + rng.randrange(3, 6)):
                pk = kind.literal(rng, number)
                some = [kind.literal(rng, rng.choice([1, 1, 2, 3])) if rng.random() < 0.8 else "NULL" for _ in range(3)]
                more = [text.format(i=number) for _, text in MORE_COLUMNS.values()]
                values = [pk] + some + [kind.literal(rng, rng.randrange(4))] + more
                self.rows[table].append(values)
                self.statements.append(f"INSERT INTO {table} ({', '.join(COLUMNS)}) VALUES ({', '.join(values)})")
        # What changes put back.
        self.statements += [f"CREATE TABLE keep_{table} AS SELECT * FROM ONLY {table}" if table != "td" else
                            f"CREATE TABLE keep_{table} AS SELECT * FROM {table}" for table in SOURCES]

    def changes(self, rng):
        """Pairs of a change and what undoes it, by table."""
        for table in SOURCES:
            yield table, [pair for weight, *pair in self.changes_of(table, rng) if rng.random() < weight * SHARE]

    def changes_of(self, table, rng):
        """The same with weights: what links rows is worth more."""
        only = table if table == "td" else f"ONLY {table}"
        back = f"INSERT INTO {table} SELECT * FROM keep_{table}"
        yield 4, f"DELETE FROM {only}", back
        for row in self.rows[table]:
            this = f"WHERE pk = {row[0]}"
            yield 2, f"DELETE FROM {only} {this}", f"{back} {this}"
            new = self.kind.literal(rng, rng.choice([8, 9, 30]))
            yield 1, f"UPDATE {only} SET pk = {new} {this}", f"UPDATE {only} SET pk = {row[0]} WHERE pk = {new}"
            for at, column in list(enumerate(COLUMNS))[1:]:
                others = [other for other in self.rows[table] if other[at] != row[at]]
                if others:
                    value_of = f"(SELECT k.{column} FROM keep_{table} k WHERE k.pk = %s)"
                    weight = 1 if column in MORE_COLUMNS else 3 if row[at] == "NULL" else 2
                    yield (weight, f"UPDATE {only} SET {column} = {value_of % rng.choice(others)[0]} {this}",
                           f"UPDATE {only} SET {column} = {value_of % row[0]} {this}")


class Made:
    """A TVIEW of a definition, with the one that it is a variant of."""

    def __init__(self, entity, definition, origin=None):
        self.entity, self.definition, self.origin = entity, definition, origin
        self.is_open = is_open(definition.row)
        text = " ".join([definition.query] + definition.setup)
        self.tables = set(re.findall(r"(?<![a-z])t[a-e](?![a-z])", text))


class Group:
    def __init__(self, server, kind, rng, number):
        self.server, self.kind, self.rng = server, kind, rng
        self.schema = Schema(kind, rng, f"s{number}")
        self.creator_settings, writer_settings, database_settings = rng.sample(SESSIONS, 3)
        self.creator = server.connect("features", name="creator")
        self.writer = server.connect("features", name="writer")
        path = f"SET search_path = {self.schema.name}, public"
        run(self.creator, "; ".join(one.replace("SET ", "ALTER DATABASE features SET ", 1) for one in database_settings.split("; ")))
        run(self.creator, f"{self.creator_settings}; SET jit = off; CREATE SCHEMA {self.schema.name}; {path}")
        run(self.writer, f"{writer_settings}; SET standard_conforming_strings = on; {path}")
        for statement in self.schema.statements:
            run(self.creator, statement)
        self.setup, self.history, self.made = [], [], []
        self.comparison = Comparison()
        choose_costs(self.creator, rng.random() < 0.5)

    def make(self, row, seed):
        """The TVIEW of a row; None if PostgreSQL or the extension refuses it."""
        definition = Definition(row, seed, self.kind)
        counts["definitions tried"] += 1
        made = self.create(definition, f"q{counts['definitions tried']}")
        if made is None:
            return None
        if self.rng.random() < 0.25:
            for variant in self.rng.sample(VARIANTS, len(VARIANTS)):
                other = Definition(row, seed, self.kind, variant)
                if other.query == definition.query:
                    continue
                twin = self.create(other, f"{made.entity}_twin", made)
                if twin is None and row["whole row"] != "a column":  # rows of a CTE have no type
                    report(f"{variant}: refused, while what it varies is not\n{other.query}\n{definition.query}")
                counts["variants"] += 1
                break
        return made

    def create(self, definition, entity, origin=None):
        try:
            for statement in definition.setup:
                if statement not in self.setup:
                    run(self.creator, statement)
                    self.setup.append(statement)
            run(self.creator, f"CREATE TABLE tv_{entity} WITH (pg_tviews.key = 'key') AS {definition.query}")
        except psycopg2.Error as error:
            if error.pgcode is None or error.pgcode[:2] not in ("42", "22", "21", "23", "0A", "54"):
                raise
            counts[f"refused {error.pgcode}"] += 1
            if "VERBOSE" in os.environ:
                print(f"refused: {error}{definition.row}\n{definition.query}")
            return None
        made = Made(entity, definition, origin)
        counts["left open"] += made.is_open
        self.made.append(made)
        return made

    def keys(self):
        return {entity: tuple(numbers) for entity, *numbers in
                run(self.creator, "SELECT entity, keys, full_refreshes FROM pg_tviews_performance_summary")}

    def change(self, statement, table):
        """Only those that read the table can be another afterwards."""
        before = self.keys()
        run(self.writer, statement)
        self.history.append(statement)
        counts["changes"] += 1
        run(self.creator, "SELECT pg_tviews_wait()")
        assert is_settled(self.creator), "records are left after pg_tviews_wait()"
        self.compare([made for made in self.made if table[:2] in made.tables])
        after = self.keys()
        for twin in [made for made in self.made if made.origin in self.made]:
            moved = [tuple(b - a for a, b in zip(before.get(one.entity, (0, 0)), after.get(one.entity, (0, 0))))
                     for one in (twin.origin, twin)]
            counts["comparisons of keys"] += 1
            if moved[0] != moved[1]:
                text = (f"{twin.definition.variant}: {statement} recomputes {moved[1]} keys and wholes, not {moved[0]}\n"
                        f"{twin.origin.definition.query}\n{twin.definition.query}")
                # Lineage takes conditions between a subquery and a table one by one, those of two tables together: with a CTE
                # or a view it may recompute more. That costs time, and is no fault.
                counts["variants with other keys"] += 1
                if twin.definition.variant in SAME_KEYS:
                    report(text)
                    self.made.remove(twin)
                elif "VERBOSE" in os.environ:
                    print(text)

    def compare(self, some):
        if not some:
            return
        letters = {entity: error for entity, error in run(
            self.creator, "SELECT DISTINCT m.entity, d.key || ' ' || d.error FROM pg_tview_dead_letter d JOIN pg_tview_meta m USING (tview)")}
        for made in [made for made in self.made if made.entity in letters]:
            self.fail(made, f"in quarantine: {letters[made.entity]}")
            self.made.remove(made)
        some = [made for made in some if made in self.made]
        wrong = self.comparison.run(self.creator, [made.entity for made in some]) if some else []
        for made in [made for made in some if made.entity in wrong]:
            if made.is_open:
                counts["differ where they are left open"] += 1
            else:
                self.fail(made, "is not its query")
                self.made.remove(made)
        self.verify([made for made in some if made.entity not in wrong and not made.is_open])
        counts["comparisons"] += len(some)

    def verify(self, some):
        """One that is equal, now and then: an evaluator has to start."""
        if not some or counts["changes"] % 4 != 1:
            return
        chosen = self.rng.choice(some)
        try:
            rows = run(self.creator, "SELECT * FROM pg_tviews_verify(%s)", (chosen.entity,))
        except psycopg2.Error as error:
            rows = error
        counts["verified"] += 1
        if rows:
            report(f"pg_tviews_verify says of what is equal: {rows}\n{chosen.definition.query}")

    def fail(self, made, what):
        text = f"{made.entity} {what}, after {self.history[-1] if self.history else 'its creation'}\n{made.definition.row}\n"
        lineage = run(self.creator, "SELECT source::text, strategy, path FROM pg_tviews_explain_lineage(%s)", (made.entity,))
        text += "\n".join(map(str, lineage)) + "\n"
        small = None
        if len(failures) < SHRUNK and self.history and what == "is not its query":
            connection = self.server.connect("features", name="shrinker")
            setup = self.creator_settings.split("; ") + self.schema.statements + made.definition.setup
            small = Shrinker(connection).shrink(Case(setup, made.definition.query, self.history))
            connection.close()
        text += f"as small as it got:\n{small.script()}" if small else f"as it was:\n{made.definition.query}"
        report(text)

    def drop(self):
        run(self.creator, "SET client_min_messages = error")
        self.writer.close()
        run(self.creator, f"DROP SCHEMA {self.schema.name} CASCADE")
        self.creator.close()


def run_group(server, covering, kind, rng, number):
    rows = covering.rows(GROUP, {"type": kind.name}, BY_KEY) or covering.rows(GROUP, {"type": kind.name}, AXES)
    if not rows:
        return
    group = Group(server, kind, rng, number)
    done = []
    for row in rows:
        if group.make(row, f"{SEED} {number} {len(done)} {rng.random()}"):
            done.append(row)
        else:
            covering.refused(row)
    group.compare(group.made)
    for table, changes in group.schema.changes(rng):
        for change, undo in changes:
            group.change(change, table)
            group.change(undo, table)
    group.compare(group.made)
    for row in done:
        covering.done(row)
    group.drop()


def fuzz(server):
    rng = random.Random(SEED)
    covering = Covering(rng, AXES, IMPOSSIBLE, is_valid)
    total = len(covering.wanted)
    kinds = [INT] + KINDS
    number, in_vain = 0, 0
    while time.monotonic() - began < SECONDS or (not SECONDS and covering.missing and in_vain < ROUNDS_IN_VAIN):
        if not covering.missing:
            covering.missing = set(covering.wanted)
            counts["times round"] += 1
        left = len(covering.missing)
        for kind in rng.sample(kinds, len(kinds)):
            number += 1
            run_group(server, covering, kind, rng, number)
            if SECONDS and time.monotonic() - began > SECONDS:
                break
        in_vain = in_vain + 1 if len(covering.missing) == left else 0
    if not SECONDS and covering.missing:
        report("these pairs were in no definition:\n" + "\n".join(covering.describe_missing()[:40]))
    reasons = collections.Counter(IMPOSSIBLE.values())
    for reason, pairs in sorted(reasons.items()):
        print(f"{pairs} pairs cannot be: {reason}")
    print(f"note: {total - len(covering.missing):,} of {total:,} pairs, {sum(reasons.values())} impossible; "
          + ", ".join(f"{many:,} {name}" for name, many in sorted(counts.items())) + f"; seed {SEED}")


print(f"seed {SEED}", flush=True)
began = time.monotonic()
with Server("feature_fuzz") as server:
    server.prepare("features", "SELECT").close()
    fuzz(server)
if failures:
    print(f"{len(failures)} failures, seed {SEED}")
    sys.exit(1)
