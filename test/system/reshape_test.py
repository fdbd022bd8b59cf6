"""A TVIEW gets other columns again and again beside writers and readers: nobody sees a row that mixes two definitions, old
snapshots get 40001, whoever replaces is killed in the middle. Afterwards its table has many dropped columns: large batches with helpers,
rows that exchange unique values, and a dump go through all the same.
"""
import contextlib
import subprocess
import threading

import psycopg2

from tviews_server import Server, bash, check_equal, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_part (pk_part int PRIMARY KEY, a int NOT NULL, b int NOT NULL, name text NOT NULL);
INSERT INTO tb_part SELECT i, i, -i, 'part ' || i FROM generate_series(1, 200) AS i;
CREATE TABLE tv_part AS SELECT pk_part, a, b, name FROM tb_part;
CREATE VIEW names AS SELECT pk_part FROM tv_part;
"""
# In each of them a row's numbers add up to 0, or a column is not there.
QUERIES = [
    "SELECT pk_part, b, a, name FROM tb_part",
    "SELECT pk_part, a::bigint AS a, b::numeric AS b FROM tb_part",
    "SELECT pk_part, upper(name) AS name, b, a FROM tb_part",
    "SELECT pk_part, a, -a AS b, length(name) AS name FROM tb_part",
    "SELECT pk_part, a, b, name FROM tb_part",
]


class Client(threading.Thread):
    def __init__(self, isolation=None):
        super().__init__(daemon=True)
        self.session, self.isolation = server.connect("parts"), isolation
        self.rounds, self.is_over, self.problem = 0, False, None
        self.start()

    def run(self):
        try:
            while not self.is_over:
                self.once()
                self.rounds += 1
        except Exception as error:  # shown by stop()
            self.problem = error

    def stop(self):
        self.is_over = True
        self.join()
        if self.problem:
            raise self.problem


class Writer(Client):
    def once(self):
        run(self.session, "UPDATE tb_part SET a = a + 1, b = b - 1, name = name WHERE pk_part = %s", (1 + self.rounds % 200,))


class Reader(Client):
    def once(self):
        try:
            if self.isolation:
                run(self.session, f"BEGIN ISOLATION LEVEL {self.isolation}")
                run(self.session, "SELECT count(*) FROM tb_part")
            found = run(self.session, "SELECT count(*), count(*) FILTER (WHERE a + b = 0) FROM tv_part")
            assert found == [(200, 200)], found
            if self.isolation:
                run(self.session, "COMMIT")
        except psycopg2.Error as error:
            # 40001 is what old snapshots get; a deadlock with the exchange is one's own lock order
            assert error.pgcode in ("40001", "40P01"), error
            self.session.rollback()
            with contextlib.suppress(psycopg2.Error):
                run(self.session, "ROLLBACK")


def replace(session, query):
    """As migration tools do: again, where it was in a deadlock with readers or writers."""
    while True:
        try:
            return run(session, "SELECT pg_tviews_replace('part', %s)", (query,))
        except psycopg2.errors.DeadlockDetected:
            pass


def check_killed(session):
    before = run(session, "SELECT attname FROM pg_attribute WHERE attrelid = 'tv_part'::regclass AND attnum > 0 ORDER BY attnum")
    other = server.connect("parts", autocommit=False)
    replace(other, QUERIES[1])
    run(session, "SELECT pg_terminate_backend(%s, 60000)", (other.get_backend_pid(),))
    run(session, "SELECT pg_tviews_wait()")
    assert run(session, "SELECT attname FROM pg_attribute WHERE attrelid = 'tv_part'::regclass AND attnum > 0 ORDER BY attnum") == before
    check_equal(session, "after the end of who has replaced it")


def check_holes(session):
    holes = value(session, "SELECT count(*) FROM pg_attribute WHERE attrelid = 'tv_part'::regclass AND attisdropped")
    assert holes > 5, holes
    run(session, "UPDATE tb_part SET a = pk_part, b = -pk_part")
    run(session, "SELECT pg_tviews_wait()")
    run(session, "CREATE UNIQUE INDEX ON tv_part (a)")
    run(session, "INSERT INTO tb_part SELECT i, i, -i, 'more ' || i FROM generate_series(1001, 21000) AS i; ANALYZE tb_part")
    check_equal(session, "a large batch")
    run(session, "UPDATE tb_part SET a = CASE pk_part WHEN 1001 THEN 1002 ELSE 1001 END WHERE pk_part IN (1001, 1002)")
    check_equal(session, "rows that exchange unique values")
    run(session, "UPDATE tb_part SET name = name || '!' WHERE pk_part > 1000; DELETE FROM tb_part WHERE pk_part > 20000")
    check_equal(session, "a large batch that changes rows")


def check_dump(session):
    tools = bash("pg_config --bindir")
    arguments = ["-h", server.socket, "-U", "postgres"]
    dump = subprocess.run([f"{tools}/pg_dump", *arguments, "parts"], capture_output=True, text=True, check=True).stdout
    run(session, "CREATE DATABASE restored")
    subprocess.run([f"{tools}/psql", *arguments, "-qX", "-v", "ON_ERROR_STOP=1", "restored"], input=dump, capture_output=True,
                   text=True, check=True)
    with contextlib.closing(server.connect("restored")) as restored:
        check_equal(restored, "what was restored")


with Server("reshape", "pg_tviews.read_timeout = '120 s'\n") as server:
    now = server.prepare("parts", SCRIPT)
    run(now, "SELECT pg_tviews_wait()")
    clients = [Writer(), Reader(), Reader("REPEATABLE READ")]
    try:
        for wanted in QUERIES:
            rounds = [client.rounds for client in clients]
            replace(now, wanted)
            wait_until(lambda: all(c.problem or c.rounds > b + 2 for c, b in zip(clients, rounds)), "clients to go on")
    finally:
        for client in clients:
            client.is_over = True
    for client in clients:
        client.stop()
    check_equal(now, "after the last definition")
    check_killed(now)
    check_holes(now)
    check_dump(now)
    letters = run(now, "SELECT * FROM pg_tview_dead_letter")
    assert letters == [], letters
