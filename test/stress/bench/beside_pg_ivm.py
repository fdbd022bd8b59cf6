"""What beside_pg_ivm.sh measures. A case is a view of tables that all contenders have, and changes of one row each.

The time of a change is that of its statement and of the read that shows it, in one session: with pg_tviews the read waits
for the applier, with pg_ivm the statement computes. The views have plain columns: pg_ivm
refuses jsonb_build_object, which is STABLE. They have the keys of all tables: pg_ivm makes an index of them."""
import os
import statistics
import threading
import time

from tviews_server import Server, run, value

SCALE = float(os.environ.get("SCALE", 0.05))
ROUNDS = int(os.environ.get("ROUNDS", 3))
CHANGES = 30  # per round
CONTENDERS = ("pg_tviews", "pg_ivm")
POSTS, USERS = int(1000000 * SCALE), max(10, int(10000 * SCALE))
TABLES = f"""
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int NOT NULL, topic int NOT NULL, size int NOT NULL, title text NOT NULL);
INSERT INTO tb_user SELECT i, 'user ' || i FROM generate_series(1, {USERS}) AS i;
INSERT INTO tb_post SELECT i, CASE WHEN i % 10 = 0 THEN 1 ELSE i % {USERS} + 1 END, i % 10, i % 100, 'post ' || i
FROM generate_series(1, {POSTS}) AS i;
CREATE INDEX ON tb_post (fk_user);
CREATE INDEX ON tb_post (topic);
VACUUM ANALYZE tb_post, tb_user;
"""
VIEWS = {  # name: (key, query)
    "post": ("pk_post", """SELECT p.pk_post, u.pk_user, p.title, u.name AS author
        FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user"""),
    "topic": ("topic", "SELECT topic, count(*) AS posts, sum(size) AS size FROM tb_post GROUP BY topic"),
    "author": ("pk_user", """SELECT u.pk_user, sum(p.size) AS size FROM tb_user u JOIN tb_post p ON p.fk_user = u.pk_user
        GROUP BY u.pk_user"""),
}
CASES = {  # name: (view, statement with %(n)s, statement that reads it)
    "a row of a join: one row changed": (
        "post", "UPDATE tb_post SET title = 'new %(n)s' WHERE pk_post = %(n)s", "SELECT title, author FROM {view} WHERE pk_post = %(n)s"),
    f"one user in {POSTS // 10:,} rows renamed": (
        "post", "UPDATE tb_user SET name = 'new %(n)s' WHERE pk_user = 1", "SELECT title, author FROM {view} WHERE pk_post = 10"),
    f"count and sum, {POSTS // 10:,} rows in a group: one row": (
        "topic", "UPDATE tb_post SET size = size + 1 WHERE pk_post = %(n)s", "SELECT posts FROM {view} WHERE topic = %(n)s %% 10"),
    "the same: 1,000 rows": (
        "topic", "UPDATE tb_post SET size = size + 1 WHERE pk_post BETWEEN %(n)s AND %(n)s + 999",
        "SELECT posts FROM {view} WHERE topic = 1"),
    f"a sum over a join, {POSTS // 10:,} rows in the group: one row": (
        "author", "UPDATE tb_post SET size = size + 1 WHERE pk_post = 10 * %(n)s %% {posts}", "SELECT size FROM {view} WHERE pk_user = 1"),
}
FEW = {name for name in CASES if "renamed" in name or "1,000 rows" in name}  # changes of many rows: three per round


def connect(server, contender, view):
    return server.connect(f"{contender}_{view}")


def name_of(contender, view):
    return f"tv_{view}" if contender == "pg_tviews" else f"public.immv_{view}"


def prepare(server, contender, view):
    control = server.connect()
    run(control, f"CREATE DATABASE {contender}_{view}")
    control.close()
    session = connect(server, contender, view)
    run(session, TABLES.replace("VACUUM ANALYZE tb_post, tb_user;", ""))
    run(session, "VACUUM ANALYZE tb_post, tb_user")
    key, query = VIEWS[view]
    if contender == "pg_tviews":
        run(session, "SET client_min_messages = warning; CREATE EXTENSION pg_tviews")
        run(session, f"CREATE TABLE tv_{view} WITH (pg_tviews.key = '{key}') AS {query}")
    elif contender == "pg_ivm":
        run(session, f"ALTER DATABASE {contender}_{view} SET session_preload_libraries = 'pg_ivm'")
        run(session, "CREATE EXTENSION pg_ivm")
        run(session, "SELECT pgivm.create_immv(%s, %s)", (f"immv_{view}", query))
    settle(session, contender)
    return session


def settle(session, contender):
    if contender == "pg_tviews":
        run(session, "SELECT pg_tviews_wait()")
    run(session, "VACUUM ANALYZE")
    run(session, "CHECKPOINT")


def measure_case(session, contender, case, first):
    view, change, read = CASES[case]
    taken = []
    for number in range(first, first + (3 if case in FEW else CHANGES)):
        began = time.monotonic()
        run(session, change.replace("{posts}", str(POSTS)), {"n": number})
        run(session, read.format(view=name_of(contender, view)), {"n": number})
        taken.append(time.monotonic() - began)
    return statistics.median(taken)


def writers_rate(server, contender, view, seconds=4):
    """Transactions per second of four clients that change rows of their own, in ten groups."""
    counts = [0] * 4

    def write(index):
        session = connect(server, contender, view)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            counts[index] += 1
            row = (counts[index] * 4 + index) * 7 % POSTS + 1
            run(session, "UPDATE tb_post SET size = size + 1 WHERE pk_post = %s", (row,))
        session.close()

    threads = [threading.Thread(target=write, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def wrong(session, contender, view):
    _, query = VIEWS[view]
    if contender == "pg_tviews":
        run(session, "SELECT pg_tviews_wait()")
    columns = {"post": "pk_post, pk_user, title, author", "topic": "topic, posts, size", "author": "pk_user, size"}[view]
    stored = f"SELECT {columns} FROM {name_of(contender, view)}"
    return value(session, f"SELECT count(*) FROM (({stored} EXCEPT ALL {query}) UNION ALL ({query} EXCEPT ALL {stored})) d")


def moved_as_documented(session):
    """docs/howto/move-to-tviews.md, From pg_ivm: the view of pg_ivm is replaced by a TVIEW and a view of its name."""
    run(session, """SET client_min_messages = warning; CREATE EXTENSION pg_tviews;
        BEGIN;
        CREATE TABLE tv_topic WITH (pg_tviews.key = topic) AS SELECT topic, count(*) AS posts, sum(size) AS size
        FROM tb_post GROUP BY topic;
        DROP TABLE immv_topic;
        CREATE VIEW immv_topic AS SELECT topic, posts, size FROM tv_topic;
        COMMIT;
        UPDATE tb_post SET size = size + 1 WHERE pk_post = 1""")
    assert wrong(session, "pg_ivm", "topic") == 0
    assert value(session, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'IVM%%'") == 0, "pg_ivm's triggers are left"


with Server("beside_ivm", "fsync = on\nfull_page_writes = on\nmax_wal_size = 8GB\nshared_buffers = 512MB\npg_tviews.max_databases = 16\n") as server:
    sessions = {(c, v): prepare(server, c, v) for c in CONTENDERS for v in VIEWS}
    times = {}
    for turn in range(ROUNDS):
        for number, (case, (view, _, _)) in enumerate(CASES.items()):
            for contender in CONTENDERS:
                times.setdefault((case, contender), []).append(
                    measure_case(sessions[contender, view], contender, case, 1000 * (number + 1) + CHANGES * turn))
    print("| change | pg_tviews | pg_ivm | ratio |\n|---|---|---|---|")
    for case in CASES:
        mine, other = (1000 * statistics.median(times[case, contender]) for contender in CONTENDERS)
        print(f"| {case} | {mine:.1f} ms | {other:.1f} ms | {mine / other:.2f} |")
    run(server.connect(), "CREATE DATABASE bare_topic")
    run(connect(server, "bare", "topic"), TABLES.replace("VACUUM ANALYZE tb_post, tb_user;", ""))
    rates = {}
    for turn in range(ROUNDS):
        for contender in ("bare",) + CONTENDERS:
            rates.setdefault(contender, []).append(writers_rate(server, contender, "topic"))
    bare, mine, other = (statistics.median(rates[contender]) for contender in ("bare",) + CONTENDERS)
    print(f"| four writers, count and sum of ten groups | {mine:.0f}/s | {other:.0f}/s | {mine / other:.1f} |")
    print(f"note: the same writers without a view: {bare:.0f}/s")
    for (contender, view), session in sessions.items():
        differing = wrong(session, contender, view)
        print(f"note: {contender}, {view}: {differing} rows differ from the query")
        assert contender != "pg_tviews" or differing == 0
    moved_as_documented(sessions["pg_ivm", "topic"])
    print("note: moved from pg_ivm as documented")
