#!/usr/bin/env python3
"""Random definitions against random changes: are the keys that lineage names enough?

Usage: lineage_fuzz.py [--queries N | --every-join] [--batches N] [--joins PERCENT] [--seed N] -- psql arguments...

Makes a random schema and random queries with a key, asks pg_tviews_explain_query for their lineage,
applies batches of changes to several tables, and compares: every key whose rows differ before and
after a batch must be among the keys that the paths name for the batch's deltas. A source with a
full path that changed makes a batch trivial; those are counted apart. Prints how often each shape
was surgical. Exit status 1 if a key was missed, or if a lookup failed.

--every-join: instead of random queries, every tree of two joins of three tables, with conditions that are strict in
both sides, the left or the right one, and each table's key.
"""

import argparse
import collections
import itertools
import random
import subprocess
import sys

from lineage_queries import TABLES, Generator

SETUP = """
SET client_min_messages = warning;
SET jit = off;
DROP SCHEMA IF EXISTS lineage_fuzz CASCADE;
CREATE SCHEMA lineage_fuzz;
SET search_path = lineage_fuzz, public;
CREATE TABLE known_path (query int, source regclass, strategy text, captured smallint[],
                   relevant smallint[], lookup text);
CREATE TABLE before (key text, image text);
-- The columns of a source's delta: relevant ones that differ, as a subquery.
CREATE FUNCTION delta_of(source regclass, relevant smallint[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  columns text := (SELECT coalesce(string_agg(format('%I AS c%s', attname, attnum), ', ' ORDER BY attnum), '1')
                   FROM pg_attribute WHERE attrelid = source AND attnum > 0
                   AND (attnum = ANY (relevant) OR 0 = ANY (relevant)));
BEGIN
  RETURN format('((SELECT %1$s FROM old_%2$s EXCEPT ALL SELECT %1$s FROM %2$s) UNION ALL '
                '(SELECT %1$s FROM %2$s EXCEPT ALL SELECT %1$s FROM old_%2$s))', columns, source);
END $$;
-- Applies `changes` and returns "ok", "full", "same" or what went wrong.
CREATE FUNCTION check_batch(number int, sql text, changes text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  change text; p known_path; affected text[] := '{}'; found text[]; differs boolean;
  is_full boolean := false; differing text[]; lost text[];
BEGIN
  TRUNCATE before;
  EXECUTE format('INSERT INTO before SELECT v.key::text, v::text FROM (%s) v', sql);
  %COPY%
  FOREACH change IN ARRAY changes LOOP
    BEGIN
      EXECUTE change;
    EXCEPTION WHEN integrity_constraint_violation THEN NULL;
    END;
  END LOOP;
  EXECUTE format('SELECT array_agg(DISTINCT key) FROM ('
    '(SELECT key, image FROM before EXCEPT ALL SELECT v.key::text, v::text FROM (%1$s) v) UNION ALL '
    '(SELECT v.key::text, v::text FROM (%1$s) v EXCEPT ALL SELECT key, image FROM before)) d '
    'WHERE key IS NOT NULL', sql) INTO differing;
  IF differing IS NULL THEN RETURN 'same'; END IF;
  FOR p IN SELECT * FROM known_path WHERE query = number LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM %s d)', delta_of(p.source, p.relevant)) INTO differs;
    CONTINUE WHEN NOT differs;
    IF p.strategy = 'full' THEN RETURN 'full'; END IF;
    BEGIN
      EXECUTE format('WITH pg_tviews_delta AS MATERIALIZED (SELECT * FROM %s d) '
        'SELECT array_agg(key::text) FROM (%s) k', delta_of(p.source, p.relevant),
        coalesce(p.lookup, format('SELECT c%s AS key FROM pg_tviews_delta', p.captured[1])))
        INTO found;
    EXCEPTION WHEN OTHERS THEN
      RETURN 'lookup failed: ' || SQLERRM || ' in ' || coalesce(p.lookup, 'direct');
    END;
    affected := affected || found;
  END LOOP;
  lost := ARRAY(SELECT unnest(differing) EXCEPT SELECT unnest(affected));
  IF lost <> '{}' THEN
    RETURN 'MISSED ' || lost::text;
  END IF;
  RETURN 'ok';
END $$;
CREATE FUNCTION learn(number int, sql text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('SELECT v.key::text FROM (%s) v', sql);
  INSERT INTO known_path SELECT number, source, strategy, captured, relevant, lookup
    FROM pg_tviews_explain_query(sql, 'key');
  RETURN (SELECT string_agg(source || ' ' || strategy, ',') FROM known_path WHERE query = number);
EXCEPTION WHEN syntax_error_or_access_rule_violation OR feature_not_supported OR data_exception
    OR cardinality_violation THEN
  RETURN 'invalid: ' || SQLERRM;
END $$;
"""


def literal(text):
    return "'" + text.replace("'", "''") + "'"


def setup():
    copies = "".join(f"DELETE FROM old_{t}; INSERT INTO old_{t} SELECT * FROM {t};" for t in TABLES)
    lines = [SETUP.replace("%COPY%", copies)]
    for table in TABLES:
        columns = "pk int PRIMARY KEY, f1 int, f2 int, f3 int, m int NOT NULL"
        lines.append(f"CREATE TABLE {table} ({columns}); CREATE TABLE old_{table} ({columns.replace(' PRIMARY KEY', '')});")
    return "\n".join(lines)


def views(generator):
    lines = []
    for table in TABLES:
        lines.append(f"CREATE OR REPLACE VIEW v_{table}(c0, c1, c2) AS SELECT v.* FROM "
                     f"(SELECT pk, f1, m FROM {table}) v;")
    return "\n".join(lines)


def every_join():
    kinds = ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]
    conditions = ["{x}.f1 = {y}.f2", "coalesce({x}.f1, 1) = {y}.f2", "{x}.f1 = coalesce({y}.f2, 1)"]
    for (first, second), (one, other), end, is_left in itertools.product(
            itertools.product(kinds, kinds), itertools.product(conditions, conditions), "ab", (True, False)):
        inner = f"(ta a {first} tb b ON {one.format(x='a', y='b')})"
        condition = other.format(x=end, y="c")
        joined = f"{inner} {second} tc c ON {condition}" if is_left else f"tc c {second} {inner} ON {condition}"
        for key in "abc":
            yield f"SELECT {key}.pk AS key, a.m AS x, b.m AS y, c.m AS z FROM {joined}", {f"{first}, {second}"}


def run(arguments):
    rng = random.Random(arguments.seed)
    generator = Generator(rng, arguments.joins)
    script = [setup(), views(generator)]
    queries, batches = {}, {}
    chosen = every_join() if arguments.every_join else (generator.query() for _ in range(arguments.queries))
    for number, (text, shapes) in enumerate(chosen):
        queries[number] = (text, shapes)
        script.append(generator.refill())
        script.append(f"SELECT 'query', {number}, learn({number}, {literal(text)});")
        for index in range(arguments.batches):
            changes = generator.batch(text)
            batches[number, index] = changes
            array = "ARRAY[" + ", ".join(literal(c) for c in changes) + "]"
            script.append(f"SELECT 'batch', {number}, {index}, check_batch({number}, {literal(text)}, {array}) "
                          f"WHERE EXISTS (SELECT FROM known_path WHERE query = {number});")
            if index % 4 == 3:
                script.append(generator.refill())
    result = subprocess.run(["psql", "-qAtX", "-F", "\t", *arguments.psql], input="\n".join(script),
                            capture_output=True, text=True, check=False)
    return report(result, queries, batches)


def report(result, queries, batches):
    outcomes = collections.Counter()
    by_shape = collections.defaultdict(collections.Counter)
    failures, lineage = [], {}
    for line in result.stdout.splitlines():
        fields = line.split("\t")
        if fields[0] == "query":
            number = int(fields[1])
            lineage[number] = fields[2]
            invalid = fields[2].startswith("invalid")
            kind = "invalid" if invalid else "full" if " full" in fields[2] else "surgical"
            outcomes[kind] += 1
            for shape in queries[number][1]:
                by_shape[shape][kind] += 1
        elif fields[0] == "batch":
            number, index, outcome = int(fields[1]), int(fields[2]), fields[3]
            outcomes["batch " + outcome.split(" ")[0]] += 1
            if outcome.split(" ")[0] not in ("ok", "full", "same"):
                failures.append((number, index, outcome))
    for number, index, outcome in failures[:10]:
        print(f"--- query {number}, batch {index}: {outcome}\n{queries[number][0]}\n"
              f"    lineage: {lineage[number]}\n    changes: {batches[number, index]}")
    errors = [line for line in result.stderr.splitlines() if "ERROR" in line or "FATAL" in line]
    for line in errors[:10]:
        print("psql:", line)
    for shape in sorted(by_shape):
        counts = by_shape[shape]
        print(f"{shape:20} surgical {counts['surgical']:5} full {counts['full']:5} invalid {counts['invalid']:4}")
    print(", ".join(f"{outcomes[name]} {name}" for name in sorted(outcomes)))
    return not failures and not errors and result.returncode == 0 and bool(outcomes)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--every-join", action="store_true")
    parser.add_argument("--batches", type=int, default=8)
    parser.add_argument("--joins", type=int, default=35, help="percent of queries that only join tables")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("psql", nargs="*")
    arguments = parser.parse_args()
    what = "every join" if arguments.every_join else f"{arguments.queries} queries"
    print(f"lineage_fuzz: seed {arguments.seed}, {what}, {arguments.batches} batches each")
    if not run(arguments):
        sys.exit(1)


if __name__ == "__main__":
    main()
