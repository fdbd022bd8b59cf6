"""DDL of every kind (`ddl_statements.py`) before, while and after TVIEWs are created, between batches, in the middle of one,
in transactions with changes and in ones that are rolled back, by the owner, a superuser and another role; and every
setting that a session or database can have, for creator, writer, reader and database. After each, and after
what undoes it, rows of every table change, and then every TVIEW is its query, or is in quarantine, or the command
has failed or dropped it: never is it silently something else.

STEPS (100; 0: each statement by each role at each moment, and each setting in each place), SECONDS (0: no limit) and SEED may
be set in the environment.
"""
# Runs first: it takes long.
import collections
import contextlib
import os
import random
import sys
import threading
import time

import psycopg2

import ddl_settings
import ddl_world
import pauses
from ddl_statements import statements
from shrink import differs
from tviews_server import Server, run, use_settings, value, wait_until

STEPS = int(os.environ.get("STEPS", 100))
SECONDS = float(os.environ.get("SECONDS", 0))
SEED = int(os.environ.get("SEED", time.time_ns() % 1000000))
ACTORS = ["owner", "postgres", "other"]
MOMENTS = {"between batches": 9, "in a transaction": 3, "rolled back": 3, "during a batch": 3, "before creation": 1, "during creation": 1}

counts = collections.Counter()


class Different(Exception):
    """A TVIEW is not its query, or something of that weight."""


class Step:
    def __init__(self, kind, do, undo, actor, moment, seed):
        self.kind, self.do, self.undo, self.actor, self.moment, self.seed = kind, do, undo, actor, moment, seed

    def __str__(self):
        return f"-- {self.kind}, by {self.actor}, {self.moment}\n" + "".join(f"{one};\n" for one in self.do)


class World:
    def __init__(self, server):
        self.server = server
        self.admin = server.connect("ddl", name="admin")
        self.writer = server.connect("ddl", name="writer")
        self.touched = 0
        self.broken = True
        self.tviews = set()

    def build(self, with_tviews=True):
        ddl_world.make(self.admin)
        if with_tviews:
            self.make_tviews()
            assert self.tviews == set(ddl_world.TVIEWS), set(ddl_world.TVIEWS) - self.tviews
        self.broken = not with_tviews
        counts["worlds"] += 1

    def make_tviews(self):
        for name, error in ddl_world.make_tviews(self.admin, ddl_world.TVIEWS):
            self.expect(error)
        self.tviews = {entity for (entity,) in run(self.admin, "SELECT entity FROM pg_tview_meta")}

    def expect(self, error):
        """A refusal is an answer, a fault of the program is none."""
        if error.pgcode is None or error.pgcode[:2] == "XX":
            raise Different(f"{error.pgcode}: {error}")
        counts[f"refused {error.pgcode[:2]}"] += 1

    def touch(self, connection):
        self.touched += 1
        run(connection, "SELECT public.touch(%s)", (self.touched,))

    @contextlib.contextmanager
    def session(self, actor):
        connection = self.server.connect("ddl", name=f"actor {actor}")
        run(connection, f"SET lock_timeout = '3s'; SET statement_timeout = '30s'; SET SESSION AUTHORIZATION {actor}; SET search_path = app, public")
        try:
            yield connection
        finally:
            connection.close()

    def execute(self, connection, texts):
        """Whether all were done."""
        for text in texts:
            try:
                run(connection, text)
            except psycopg2.Error as error:
                self.expect(error)
                return False
        return True

    # --- Moments

    def between_batches(self, step, connection):
        return self.execute(connection, step.do)

    def in_a_transaction(self, step, connection, end="COMMIT"):
        run(connection, "BEGIN")
        self.touch(connection)
        done = self.execute(connection, step.do)
        if not done:
            run(connection, "ROLLBACK")
            return False
        self.touch(connection)
        return self.execute(connection, [end])

    def rolled_back(self, step, connection):
        self.in_a_transaction(step, connection, "ROLLBACK")
        return None

    def during_a_batch(self, step, connection):
        run(connection, "SET lock_timeout = '300ms'")
        point = random.Random(step.seed).choice(pauses.APPLIER)
        with pauses.pause(self.server, "ddl", point) as paused:
            self.touch(self.writer)
            paused()
            done = self.execute(connection, step.do)
        return done

    def before_creation(self, step, connection):
        self.execute(connection, step.do)
        self.make_tviews()
        self.broken = True
        return None

    def during_creation(self, step, connection):
        """The creator of the database's first TVIEWs has not committed when the command comes."""
        run(connection, "SET lock_timeout = '20s'")
        run(self.admin, "BEGIN")
        run(self.admin, "SET ROLE owner; SET search_path = app, lib, public")
        for name, query in ddl_world.TVIEWS.items():
            run(self.admin, f"CREATE TABLE app.tv_{name} WITH (pg_tviews.key = 'id') AS {query}")
        pid, failed = connection.info.backend_pid, []
        thread = threading.Thread(target=self.catching, args=(failed, connection, step.do))
        thread.start()
        watcher = self.server.connect("ddl")
        wait_until(lambda: not thread.is_alive() or value(watcher, "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
                                                          " AND wait_event_type = 'Lock'", (pid,)), "the command to wait or end")
        watcher.close()
        run(self.admin, "COMMIT")
        run(self.admin, "RESET ROLE; SET search_path = public")
        thread.join()
        self.broken = True
        if failed:
            raise failed[0]
        self.tviews = {entity for (entity,) in run(self.admin, "SELECT entity FROM pg_tview_meta")}

    def catching(self, failed, connection, texts):
        try:
            self.execute(connection, texts)
        except Exception as error:
            failed.append(error)

    # --- One step

    def perform(self, step):
        if step.moment in ("before creation", "during creation"):
            self.build(with_tviews=False)
        elif self.broken:
            self.build()
        may_drop = any(word in " ".join(step.do).upper() for word in ("DROP", "CASCADE"))
        with self.session(step.actor) as connection:
            done = getattr(self, step.moment.replace(" ", "_"))(step, connection)
            self.touch(self.writer)
            self.check(may_drop)
            if done and step.undo == "rebuild" or done is False and len(step.do) > 1:
                self.broken = True
            elif done and step.undo:
                if not self.execute(connection, step.undo) and not self.execute(self.admin, step.undo):
                    self.broken = True
                self.touch(self.writer)
                self.check(False)
        counts[step.moment] += 1

    def check(self, may_drop):
        try:
            run(self.admin, "SELECT pg_tviews_wait()")
        except psycopg2.Error as error:
            self.expect(error)
            self.broken = True
            return
        found = run(self.admin, "SELECT m.entity, m.tview::text, m.backing_view::text, EXISTS (SELECT FROM pg_tview_dead_letter d"
                                " WHERE d.tview = m.tview), EXISTS (SELECT FROM pg_tview_dead_letter d JOIN pg_tview_lineage l ON l.source = d.tview"
                                " WHERE l.tview = m.tview) OR EXISTS (SELECT FROM pg_tview_lineage l JOIN pg_class c ON c.oid = l.source"
                                " WHERE l.tview = m.tview AND c.relkind = 'm') FROM pg_tview_meta m ORDER BY m.entity")
        for entity, tview, view, is_quarantined, reads_still in found:
            if is_quarantined:
                counts["in quarantine"] += 1
                self.broken = True
                continue
            before = use_settings(self.admin, tview)
            try:
                rows = self.compare(tview, view, reads_still)
            except psycopg2.Error as error:
                raise Different(f"{tview} is not in quarantine, though its query says: {error}") from error
            finally:
                for name, setting in before:
                    run(self.admin, "SELECT set_config(%s, %s, false)", (name, setting))
            if rows:
                raise Different(f"{tview} is not its query: " + "; ".join(map(str, rows[:6])))
            counts["comparisons"] += 1
        gone = self.tviews - {entity for entity, *_ in found}
        if gone and not may_drop:
            renamed = {entity for entity, *_ in found} - self.tviews
            if len(renamed) < len(gone):
                raise Different(f"no TVIEWs any more: {gone}")
        if gone:
            left = [entity for entity in gone if value(self.admin, "SELECT to_regclass(%s) IS NOT NULL", (f"app.tv_{entity}",))]
            if left:
                raise Different(f"tables that are no TVIEWs any more: {left}")
            counts["dropped"] += len(gone)
        self.tviews = {entity for entity, *_ in found}


    def compare(self, tview, view, reads_still):
        """What a TVIEW in quarantine shows does not change, nor does a materialized view that nobody refreshes. So nobody notices that
        a reader's owner may not see it any more: then its rows are those of its text, as a superuser runs it."""
        try:
            return differs(self.admin, tview, view)
        except psycopg2.errors.InsufficientPrivilege:
            if not reads_still:
                raise
        counts["by their text"] += 1
        text = value(self.admin, "SELECT rtrim(pg_get_viewdef(%s::regclass), ';')", (view,))
        return differs(self.admin, tview, f"({text})")


def smallest(world, history):
    """The last of the steps that fail together."""
    def fails(steps):
        world.broken = True
        try:
            for step in steps:
                world.perform(step)
        except Different:
            return True
        return False
    if fails(history[-1:]):
        return history[-1:]
    if not fails(history):
        return None
    steps = list(history)
    at = 0
    while at < len(steps) - 1:
        fewer = steps[:at] + steps[at + 1:]
        if fails(fewer):
            steps = fewer
        else:
            at += 1
    return steps


def all_steps(rng):
    moments = list(MOMENTS)
    every = [(kind, do, undo, actor, moment) for kind, do, undo in statements() for actor in ACTORS for moment in moments]
    settings = [("settings", [one], None, who, "settings") for one in ddl_settings.names() for who in ddl_settings.PLACES]
    if not STEPS:
        chosen = every + settings
        rng.shuffle(chosen)
    else:
        kinds = collections.defaultdict(list)
        for one in statements():
            kinds[one[0]].append(one)
        chosen = rng.sample(settings, STEPS // 4)
        for i in range(STEPS - len(chosen)):
            kind, do, undo = rng.choice(kinds[list(kinds)[i % len(kinds)]])
            actor = rng.choices(ACTORS, [5, 3, 1])[0]
            chosen.append((kind, do, undo, actor, rng.choices(moments, list(MOMENTS.values()))[0]))
        rng.shuffle(chosen)
    return [Step(*one, seed=rng.random()) for one in chosen]


def fuzz(server):
    rng = random.Random(SEED)
    failures, history = [], []
    world = World(server)
    settings = ddl_settings.Settings(server, world.admin, rng)
    for step in all_steps(rng):
        if SECONDS and time.monotonic() - began > SECONDS:
            break
        try:
            if step.moment == "settings":
                if world.broken:
                    world.build()
                    history = []
                settings.perform(step.do[0], step.actor, lambda: (world.touch(world.writer), world.check(False)))
                world.tviews.discard("made")
                counts["settings"] += 1
                continue
            if world.broken:
                history = []
            history.append(step)
            world.perform(step)
        except (Different, ddl_settings.Different) as error:
            text = f"{error}\n{step}"
            print(f"after {time.monotonic() - began:.0f} s: {text}", flush=True)
            if step.moment != "settings" and len(failures) < 5:
                steps = smallest(world, history)
                text += "\nthe smallest:\n" + "".join(map(str, steps)) if steps else "\nnot again"
                print(text, flush=True)
            failures.append(text)
            world.broken = True
            settings.reset()
    print("note: " + ", ".join(f"{many:,} {name}" for name, many in sorted(counts.items())) + f"; seed {SEED}")
    if failures:
        print(f"\n{len(failures)} failures, seed {SEED}\n" + "\n\n".join(failures))
        sys.exit(1)


print(f"seed {SEED}", flush=True)
began = time.monotonic()
with Server("ddl_fuzz", pauses.CONF + "pg_tviews.read_timeout = 30s\n") as server:
    made = server.prepare("ddl", "SET client_min_messages = error")
    run(made, ddl_world.ROLES + ddl_world.TOUCH)
    made.close()
    fuzz(server)
