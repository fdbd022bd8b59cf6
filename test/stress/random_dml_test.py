"""Randomized differential test: random DML over related tables from several concurrent sessions, with
savepoints, exception blocks, rollbacks, key changes, upserts, MERGE, COPY and TRUNCATE, while another
session creates and drops TVIEWs. After each round pg_tviews_wait, then every TVIEW equals its query.

TRANSACTIONS (default 13000) and SEED may be set in the environment. A seed repeats what every session
does; how the sessions interleave is the machine's choice.
"""
import collections
import io
import os
import random
import threading
import time

import psycopg2

from tviews_server import Server, check_equal, run, value

TRANSACTIONS = int(os.environ.get("TRANSACTIONS", 13000))
SEED = int(os.environ.get("SEED", time.time_ns() % 1000000))
SESSIONS = 5
ROUNDS = 8
USERS, POSTS, COMMENTS, CATEGORIES = 40, 90, 300, 12
TAGS = ["red", "green", "blue", "it's", 'a "quoted" tag', "üñí", "comma,tag", ""]

SOURCES = f"""
CREATE TABLE tb_country (pk_country int PRIMARY KEY, name text);
CREATE TABLE tb_user (
  pk_user bigint PRIMARY KEY, id uuid NOT NULL DEFAULT gen_random_uuid(), name text, active bool NOT NULL DEFAULT true,
  fk_country int REFERENCES tb_country ON UPDATE CASCADE ON DELETE SET NULL, irrelevant int DEFAULT 0);
CREATE TABLE tb_category (pk_category int PRIMARY KEY, name text,
  fk_parent int REFERENCES tb_category ON DELETE SET NULL);
CREATE TABLE tb_post (
  pk_post bigint PRIMARY KEY, id uuid NOT NULL DEFAULT gen_random_uuid(), title text, body text, score numeric,
  words text[], fk_user bigint NOT NULL REFERENCES tb_user ON UPDATE CASCADE ON DELETE CASCADE,
  fk_category int REFERENCES tb_category ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE tb_comment (
  pk_comment bigint PRIMARY KEY, fk_post bigint NOT NULL REFERENCES tb_post ON UPDATE CASCADE ON DELETE CASCADE,
  fk_user bigint REFERENCES tb_user ON UPDATE CASCADE ON DELETE SET NULL, content text, written timestamptz);
CREATE TABLE tb_tag (pk_tag text PRIMARY KEY, color text);
CREATE TABLE tb_post_tag (
  fk_post bigint REFERENCES tb_post ON UPDATE CASCADE ON DELETE CASCADE, fk_tag text REFERENCES tb_tag ON DELETE CASCADE,
  position int, PRIMARY KEY (fk_post, fk_tag));
CREATE INDEX ON tb_user (fk_country);
CREATE INDEX ON tb_post (fk_user);
CREATE INDEX ON tb_post (fk_category);
CREATE INDEX ON tb_comment (fk_post);
CREATE INDEX ON tb_comment (fk_user);
CREATE INDEX ON tb_post_tag (fk_tag);
INSERT INTO tb_country SELECT i, 'country ' || i FROM generate_series(1, 6) i;
INSERT INTO tb_user SELECT i, gen_random_uuid(), 'user ' || i, true, i % 6 + 1 FROM generate_series(1, {USERS}) i;
INSERT INTO tb_category SELECT i, 'category ' || i, nullif(i / 2, 0) FROM generate_series(1, {CATEGORIES}) i;
INSERT INTO tb_post SELECT i, gen_random_uuid(), 'post ' || i, repeat('text ', i), i / 3.0, ARRAY['w' || i], i % {USERS} + 1, i % {CATEGORIES} + 1
  FROM generate_series(1, {POSTS}) i;
INSERT INTO tb_comment SELECT i, i % {POSTS} + 1, i % {USERS} + 1, 'comment ' || i, now() FROM generate_series(1, {COMMENTS}) i;
"""

# Of those that no other reads.
LANES = {entity: f"WITH (pg_tviews.lane = '{lane}')" for entity, lane in
         (("feed", "slow"), ("country", "slow"), ("author", "other"))}
# One TVIEW per shape of query.
QUERIES = {
    "country": "SELECT c.pk_country, c.name, (SELECT count(*) FROM tb_user u WHERE u.fk_country = c.pk_country) AS users FROM tb_country c",
    "user": """SELECT u.pk_user, u.id, jsonb_build_object('name', u.name, 'country', CASE WHEN c.pk_country IS NOT NULL
                 THEN jsonb_build_object('name', c.name) END) AS data
               FROM tb_user u LEFT JOIN tb_country c ON c.pk_country = u.fk_country""",
    "post": """SELECT p.pk_post, p.id, p.fk_user, jsonb_build_object(
                 'title', p.title, 'body', p.body, 'score', p.score, 'words', p.words, 'author', u.name,
                 'comments', COALESCE((SELECT jsonb_agg(jsonb_build_object('by', cu.name, 'content', c.content, 'at', c.written) ORDER BY c.pk_comment)
                    FROM tb_comment c LEFT JOIN tb_user cu ON cu.pk_user = c.fk_user WHERE c.fk_post = p.pk_post), '[]'),
                 'tags', (SELECT jsonb_agg(t.color ORDER BY pt.position, t.pk_tag) FROM tb_post_tag pt
                    JOIN tb_tag t ON t.pk_tag = pt.fk_tag WHERE pt.fk_post = p.pk_post)) AS data
               FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user""",
    "post_stat": """SELECT p.pk_post AS pk_post_stat, p.title, count(c.pk_comment) AS comments, max(c.written) AS latest
                    FROM tb_post p LEFT JOIN tb_comment c ON c.fk_post = p.pk_post GROUP BY p.pk_post""",
    "feed": """SELECT u.pk_user AS pk_feed, jsonb_build_object('posts', (
                 SELECT jsonb_agg(jsonb_build_object('title', p.title, 'comments',
                   (SELECT count(*) FROM tb_comment c WHERE c.fk_post = p.pk_post)) ORDER BY p.pk_post)
                 FROM tb_post p WHERE p.fk_user = u.pk_user)) AS data FROM tb_user u""",
    "category": """SELECT c.pk_category, jsonb_build_object('name', c.name, 'parent', parent.name) AS data
                   FROM tb_category c LEFT JOIN tb_category parent ON parent.pk_category = c.fk_parent""",
    "author": """SELECT u.pk_user AS pk_author, u.name, sum(p.score) AS score, count(*) AS posts
                 FROM tb_user u JOIN tb_post p ON p.fk_user = u.pk_user GROUP BY u.pk_user HAVING count(*) > 1""",
    "active_user": "SELECT pk_user AS pk_active_user, name FROM tb_user WHERE active AND name <> 'hidden'",
    "silent_user": """SELECT u.pk_user AS pk_silent_user, u.name FROM tb_user u
                      WHERE NOT EXISTS (SELECT 1 FROM tb_comment c WHERE c.fk_user = u.pk_user)""",
    "tag": """SELECT t.pk_tag, t.color, (SELECT array_agg(p.title ORDER BY p.pk_post) FROM tb_post_tag pt
                JOIN tb_post p ON p.pk_post = pt.fk_post WHERE pt.fk_tag = t.pk_tag) AS titles FROM tb_tag t""",
    "pair": "SELECT fk_post || ':' || fk_tag AS pk_pair, position FROM tb_post_tag",
    "ranking": "SELECT pk_post AS pk_ranking, rank() OVER (ORDER BY score DESC NULLS LAST, pk_post) AS place FROM tb_post",
    "anything": """SELECT 'user ' || pk_user AS pk_anything, name FROM tb_user
                   UNION ALL SELECT 'post ' || pk_post, title FROM tb_post""",
    "total": "SELECT 1 AS pk_total, count(*) AS comments, count(DISTINCT fk_user) AS people FROM tb_comment",
    "byline": """SELECT p.pk_post AS pk_byline, p.title, u.data -> 'country' AS country
                 FROM tb_post p JOIN tv_user u ON u.pk_user = p.fk_user""",
    "digest": """SELECT u.pk_user AS pk_digest, (SELECT jsonb_agg(b.title ORDER BY b.pk_byline) FROM tv_byline b
                   JOIN tb_post p ON p.pk_post = b.pk_byline WHERE p.fk_user = u.pk_user) AS titles FROM tv_user u""",
}
EXTRA = ["post", "author", "user", "ranking"]  # shapes that are created and dropped while others write


def operations(r):
    """Statements with their weights; keys are drawn from small ranges so that sessions collide."""
    user, post, comment = r.randint(1, USERS), r.randint(1, POSTS), r.randint(1, COMMENTS)
    category, country, tag = r.randint(1, CATEGORIES), r.randint(1, 7), r.choice(TAGS).replace("'", "''")
    text = f"text {r.random()}" * r.choice((1, 1, 1, 400))
    some_user = f"(SELECT pk_user FROM tb_user ORDER BY pk_user OFFSET {r.randint(0, USERS // 2)} LIMIT 1)"
    some_post = f"(SELECT pk_post FROM tb_post ORDER BY pk_post OFFSET {r.randint(0, POSTS // 2)} LIMIT 1)"
    return [
        (8, f"UPDATE tb_post SET title = '{text[:40]}' WHERE pk_post = {post}"),
        (3, f"UPDATE tb_post SET body = '{text}', words = ARRAY['{text[:9]}', NULL] WHERE pk_post = {post}"),
        (3, f"UPDATE tb_post SET score = score + 0.1 WHERE pk_post BETWEEN {post} AND {post + 5}"),
        (3, f"UPDATE tb_post SET fk_user = {some_user} WHERE pk_post = {post}"),
        (2, f"UPDATE tb_post SET fk_category = {category} WHERE pk_post = {post}"),
        (5, f"UPDATE tb_user SET name = 'name {r.random()}' WHERE pk_user = {user}"),
        (2, f"UPDATE tb_user SET active = NOT active WHERE pk_user = {user}"),
        (3, f"UPDATE tb_user SET irrelevant = irrelevant + 1 WHERE pk_user = {user}"),
        (2, f"UPDATE tb_user SET fk_country = (SELECT max(pk_country) FROM tb_country WHERE pk_country <= {country}) WHERE pk_user = {user}"),
        (2, f"UPDATE tb_country SET name = 'country {r.random()}' WHERE pk_country = {country}"),
        (1, f"INSERT INTO tb_country VALUES ({country}, 'new') ON CONFLICT DO NOTHING"),
        (1, f"DELETE FROM tb_country WHERE pk_country = {country}"),
        (2, f"UPDATE tb_category SET name = 'category {r.random()}' WHERE pk_category = {category}"),
        (1, f"UPDATE tb_category SET fk_parent = {r.randint(1, CATEGORIES)} WHERE pk_category = {category}"),
        (1, f"DELETE FROM tb_category WHERE pk_category = {category}"),
        (2, f"INSERT INTO tb_category VALUES ({category}, 'again', NULL) ON CONFLICT (pk_category) DO UPDATE SET name = 'kept'"),
        (8, f"INSERT INTO tb_comment SELECT {comment}, pk_post, pk_user, '{text}', clock_timestamp() FROM tb_post, tb_user "
            f"WHERE pk_post = {post} AND pk_user = {user} ON CONFLICT (pk_comment) DO UPDATE SET content = 'again'"),
        (5, f"UPDATE tb_comment SET content = '{text[:30]}', written = clock_timestamp() WHERE pk_comment = {comment}"),
        (2, f"UPDATE tb_comment SET fk_post = {some_post} WHERE pk_comment = {comment}"),
        (1, f"UPDATE tb_comment SET fk_user = NULL WHERE pk_comment = {comment}"),
        (4, f"DELETE FROM tb_comment WHERE pk_comment BETWEEN {comment} AND {comment + 3}"),
        (3, f"INSERT INTO tb_post (pk_post, title, score, fk_user) SELECT {post}, 'new', NULL, pk_user FROM tb_user WHERE pk_user = {user} "
            "ON CONFLICT (pk_post) DO UPDATE SET score = 1"),
        (2, f"DELETE FROM tb_post WHERE pk_post = {post}"),
        (1, f"UPDATE tb_post SET pk_post = {r.randint(1, POSTS)} WHERE pk_post = {post}"),
        (3, f"INSERT INTO tb_user (pk_user, name) VALUES ({user}, 'back') ON CONFLICT DO NOTHING"),
        (1, f"DELETE FROM tb_user WHERE pk_user = {user}"),
        (1, f"UPDATE tb_user SET pk_user = {r.randint(1, USERS)} WHERE pk_user = {user}"),
        (2, f"INSERT INTO tb_tag VALUES ('{tag}', 'color {r.randint(1, 5)}') ON CONFLICT (pk_tag) DO UPDATE SET color = excluded.color"),
        (1, f"DELETE FROM tb_tag WHERE pk_tag = '{tag}'"),
        (4, f"INSERT INTO tb_post_tag SELECT pk_post, pk_tag, {r.randint(1, 9)} FROM tb_post, tb_tag WHERE pk_post = {post} AND pk_tag = '{tag}' "
            "ON CONFLICT (fk_post, fk_tag) DO UPDATE SET position = excluded.position"),
        (2, f"DELETE FROM tb_post_tag WHERE fk_post = {post}"),
        (2, f"MERGE INTO tb_post_tag t USING (SELECT pk_post, pk_tag FROM tb_post, tb_tag WHERE pk_post BETWEEN {post} AND {post + 3}) s "
            "ON t.fk_post = s.pk_post AND t.fk_tag = s.pk_tag WHEN MATCHED AND t.position > 5 THEN DELETE "
            "WHEN MATCHED THEN UPDATE SET position = t.position + 1 WHEN NOT MATCHED THEN INSERT VALUES (s.pk_post, s.pk_tag, 1)"),
        (1, "DO $$ BEGIN UPDATE tb_user SET name = 'in a block' WHERE pk_user = %d; INSERT INTO tb_country VALUES (1, 'x'); "
            "EXCEPTION WHEN unique_violation THEN UPDATE tb_user SET name = 'handled' WHERE pk_user = %d; END $$" % (user, user + 1)),
        (1, f"WITH gone AS (DELETE FROM tb_comment WHERE fk_post = {post} RETURNING *) INSERT INTO tb_comment "
            f"SELECT g.pk_comment + {COMMENTS}, g.fk_post, g.fk_user, g.content, g.written FROM gone g ON CONFLICT DO NOTHING"),
        (0.3, f"UPDATE tb_comment SET content = content || '.' WHERE length(content) < 50"),
        (0.1, "TRUNCATE tb_post_tag"),
        (0.05, "TRUNCATE tb_comment"),
        (1, "copy"),
    ]


def step(connection, r):
    choices = operations(r)
    statement = r.choices([text for _, text in choices], [weight for weight, _ in choices])[0]
    if statement == "copy":
        user = value(connection, "SELECT min(pk_user) FROM tb_user")
        post = value(connection, "SELECT min(pk_post) FROM tb_post")
        if user is None or post is None:
            return
        rows = "".join(f"{COMMENTS * 2 + r.randint(1, 100000)}\t{post}\t{user}\tcopied\t\\N\n" for _ in range(3))
        with connection.cursor() as cursor:
            cursor.copy_expert("COPY tb_comment FROM STDIN", io.StringIO(rows))
    else:
        run(connection, statement)


def transaction(connection, r):
    """One transaction. The draws do not depend on what the others do: a seed repeats them."""
    isolation = r.choices(["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"], [80, 15, 5])[0]
    connection.set_session(isolation_level=isolation, autocommit=False)
    script = random.Random(r.random())
    try:
        for _ in range(script.randint(1, 5)):
            if script.random() < 0.2:
                run(connection, "SAVEPOINT s")
                try:
                    step(connection, script)
                    step(connection, script)
                    run(connection, script.choice(["ROLLBACK TO s", "RELEASE s"]))
                except psycopg2.IntegrityError:
                    run(connection, "ROLLBACK TO s")
            else:
                step(connection, script)
        if script.random() < 0.12:
            connection.rollback()
            return "rolled back"
        connection.commit()
        return "committed"
    except psycopg2.extensions.TransactionRollbackError:
        connection.rollback()
        return "deadlocks and serialization failures"
    except psycopg2.IntegrityError:
        connection.rollback()
        return "constraint violations"


class Session(threading.Thread):
    def __init__(self, work, number):
        super().__init__()
        self.work, self.random = work, random.Random(SEED * 100 + number)
        self.connection = server.connect("blog", name=f"session {number}")
        self.outcomes = collections.Counter()
        self.error = None

    def run(self):
        try:
            self.work(self)
        except Exception as error:
            self.error = error


def write(number):
    def work(session):
        for _ in range(number):
            session.outcomes[transaction(session.connection, session.random)] += 1
    return work


def create_and_drop(session):
    """Creates and drops TVIEWs until the writers are done."""
    r, connection = session.random, session.connection
    connection.set_session(isolation_level="READ COMMITTED", autocommit=True)
    while not writers_done.wait(r.random() * 0.2):
        entity = r.choice(EXTRA)
        name = f"extra_{entity}"
        try:
            if value(connection, "SELECT to_regclass(%s) IS NULL", (f"tv_{name}",)):
                query = QUERIES[entity].replace(f"AS pk_{entity}", f"AS pk_{name}")
                if f"pk_{name}" not in query:
                    query = query.replace(f"pk_{entity},", f"pk_{entity} AS pk_{name},", 1)
                run(connection, f"CREATE TABLE tv_{name} AS {query}")
                session.outcomes["TVIEWs created"] += 1
            else:
                run(connection, f"DROP TABLE tv_{name}")
        except psycopg2.extensions.TransactionRollbackError:
            session.outcomes["DDL deadlocks"] += 1


print(f"seed {SEED}")
outcomes = collections.Counter()
with Server("random_dml") as server:
    connection = server.prepare("blog", SOURCES)
    for entity, query in QUERIES.items():
        run(connection, f"CREATE TABLE tv_{entity} {LANES.get(entity, '')} AS {query}")
        print("".join(connection.notices[-8:]))
    check_equal(connection, "after creation")
    for round_number in range(ROUNDS):
        # Every other round captures by statement.
        run(connection, f"SELECT pg_tviews_{'un' * (round_number % 2 == 0)}install_stmt_triggers()")
        writers_done = threading.Event()
        number = max(1, TRANSACTIONS // ROUNDS // SESSIONS)
        sessions = [Session(write(number), round_number * 10 + i) for i in range(SESSIONS)]
        ddl = Session(create_and_drop, round_number * 10 + 9)
        for session in sessions + [ddl]:
            session.start()
        for session in sessions:
            session.join()
        writers_done.set()
        ddl.join()
        for session in sessions + [ddl]:
            if session.error:
                raise session.error
            outcomes += session.outcomes
            session.connection.close()
        check_equal(connection, f"seed {SEED}, after round {round_number + 1} of {ROUNDS}")
    rows = run(connection, "SELECT batches, records, rows_inserted + rows_updated + rows_deleted FROM pg_tview_frontier")[0]
    print("note: " + ", ".join(f"{number:,} {name}" for name, number in outcomes.items())
          + "; {:,} batches, {:,} records, {:,} rows written".format(*rows) + f"; seed {SEED}")
