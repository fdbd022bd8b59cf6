"""The tools of those who look after a server run through a database with TVIEWs, beside writers and readers.

Danger: a tool stops at a table of the extension, and leaves the rest of the database undone; or it moves the rows of the
outbox, which are addressed by their place, and what waits there is lost or stays for ever; or it swaps a source's file under
the triggers. Right answer: every tool ends well, no session gets an error, and each TVIEW equals its query."""
import subprocess
import threading

from tviews_server import Server, bash, check_equal, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_customer (pk_customer int PRIMARY KEY, name text);
CREATE TABLE tb_order (pk_order int PRIMARY KEY, fk_customer int NOT NULL, amount int NOT NULL);
CREATE INDEX tb_order_customer ON tb_order (fk_customer);
ALTER TABLE tb_order CLUSTER ON tb_order_customer;
INSERT INTO tb_customer SELECT i, 'customer ' || i FROM generate_series(1, 50) AS i;
INSERT INTO tb_order SELECT i, 1 + i % 50, 10 FROM generate_series(1, 2000) AS i;
CREATE TABLE tv_order AS SELECT pk_order, fk_customer, jsonb_build_object('amount', amount) AS data FROM tb_order;
CREATE TABLE tv_customer AS
SELECT pk_customer, name, (SELECT sum(amount) FROM tb_order WHERE fk_customer = pk_customer) AS amount FROM tb_customer;
ALTER TABLE tv_order CLUSTER ON tv_order_pkey;
"""
OUTBOX = "SELECT pg_relation_filenode('tviews_internal.pg_tview_outbox')"


class Client(threading.Thread):
    def __init__(self, statements):
        super().__init__()
        self.statements, self.rounds, self.problem, self.is_over = statements, 0, None, False
        self.session = server.connect("kept")
        self.start()

    def run(self):
        try:
            while not self.is_over:
                for statement in self.statements:
                    run(self.session, statement, (self.rounds % 2000 + 1,) if "%s" in statement else None)
                self.rounds += 1
        except Exception as problem:  # is raised by stop()
            self.problem = problem

    def stop(self):
        self.is_over = True
        self.join()
        if self.problem:
            raise self.problem


def tool(name, *arguments):
    """Runs a client program of the server, and returns what it says."""
    program = bash('server_bin "$1"', server.directory) + "/" + name
    done = subprocess.run([program, "-h", server.socket, "-U", "postgres", "-d", "kept", *arguments],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, (name, arguments, done.stdout, done.stderr)
    return done.stdout + done.stderr


def all_go_on(what):
    before = [client.rounds for client in clients]
    wait_until(lambda: all(c.problem or c.rounds > b + 1 for c, b in zip(clients, before)), "clients after " + what)
    run(session, "SELECT pg_tviews_wait('60 s')")


# The second library makes pglogical's functions work; its subscriptions are not used.
with Server("maintenance_tools", "shared_preload_libraries = 'pg_tviews, pglogical'\nwal_level = logical\n") as server:
    session = server.prepare("kept", SCRIPT)
    for extension in ("amcheck", "pg_repack", "pglogical"):
        run(session, f"CREATE EXTENSION {extension}")
    run(session, "SELECT pg_tviews_wait()")
    place = value(session, OUTBOX)
    file_of_tview = value(session, "SELECT pg_relation_filenode('tv_order')")

    # What waits in the outbox while it could be moved is not lost: nothing names it here, by name it is passed by.
    clients = [Client(["UPDATE tb_order SET amount = amount + 1 WHERE pk_order = %s"]),
               Client(["DELETE FROM tb_order WHERE pk_order = 1500",
                       "INSERT INTO tb_order VALUES (1500, 7, 1)",
                       "UPDATE tb_customer SET name = name || '.' WHERE pk_customer = 7",
                       "UPDATE tb_customer SET name = 'customer' WHERE pk_customer = 7"]),
               Client(["SELECT count(*), sum(amount) FROM tv_customer"])]
    try:
        for statement in ("VACUUM FULL", "VACUUM (FULL, ANALYZE) tviews_internal.pg_tview_outbox, tb_order, tv_order",
                          "VACUUM (FULL) tviews_internal.pg_tview_outbox", "CLUSTER"):
            run(session, statement)
            all_go_on(statement)
        assert value(session, OUTBOX) == place
        assert value(session, "SELECT pg_relation_filenode('tv_order')") != file_of_tview
        assert "pg_tview_outbox" in "".join(session.notices), session.notices

        assert "skipping \"pg_tview_outbox\"" in tool("vacuumdb", "--full", "--analyze")
        all_go_on("vacuumdb")
        assert value(session, OUTBOX) == place
        tool("vacuumdb", "--freeze", "--jobs", "2")
        tool("clusterdb")
        all_go_on("clusterdb")
        tool("reindexdb", "--concurrently")
        all_go_on("reindexdb")
        tool("pg_amcheck", "--heapallindexed")
        tool("pg_repack", "--no-kill-backend", "--table", "tb_order", "--table", "tb_customer")
        all_go_on("pg_repack")
        tool("pg_repack", "--no-kill-backend", "--exclude-extension", "pg_tviews", "--exclude-extension", "pglogical")
        all_go_on("pg_repack of the database")
        # What the applier writes into a TVIEW meanwhile is in pg_repack's log. The last of the tools: what it lost would be missed.
        file_of_tview = value(session, "SELECT pg_relation_filenode('tv_order')")
        for _ in range(2):
            tool("pg_repack", "--no-kill-backend", "--table", "tv_order", "--table", "tv_customer")
        assert value(session, "SELECT pg_relation_filenode('tv_order')") != file_of_tview
    finally:
        for client in clients:
            client.is_over = True
    for client in clients:
        client.stop()
    check_equal(session)
    # Its trigger without its log, as a hand makes it: the document is in quarantine, the others go on.
    run(session, """CREATE TRIGGER repack_trigger AFTER INSERT OR UPDATE OR DELETE ON tv_order FOR EACH ROW
        EXECUTE FUNCTION repack.repack_trigger('pk_order')""")
    run(session, "UPDATE tb_order SET amount = 0 WHERE pk_order = 5; UPDATE tb_customer SET name = 'gone on' WHERE pk_customer = 6")
    eventual = server.connect("kept")
    run(eventual, "SET pg_tviews.read_consistency = eventual")
    wait_until(lambda: value(eventual, "SELECT name FROM tv_customer WHERE pk_customer = 6") == "gone on", "the other TVIEW")
    letters = run(eventual, "SELECT tview::text, key FROM pg_tview_dead_letter")
    assert letters == [("tv_order", "5")], letters
    run(session, "DROP TRIGGER repack_trigger ON tv_order")
    run(session, "SELECT pg_tviews_retry('order')")
    check_equal(session, "after the trigger without a log")
    # It locks each table in turn against writes, the applier's own among them: only while nobody writes.
    run(session, "SELECT pg_tviews_wait('60 s')")
    run(session, "SELECT pglogical.create_node('node', 'dbname=kept')")
    run(session, "SELECT pglogical.replication_set_add_all_tables('default', ARRAY['public'])")
    run(session, "ALTER SYSTEM SET pg_tviews.performance_log_min_duration = 0")
    run(session, "SELECT pg_reload_conf()")

    def is_logged():
        run(session, "UPDATE tb_order SET amount = amount + 1 WHERE pk_order < 3")
        run(session, "SELECT pg_tviews_wait()")
        return value(session, "SELECT count(DISTINCT id) > 1 FROM pg_tview_performance_log")

    wait_until(is_logged, "rows of the log with keys of their own")
    wait_until(lambda: value(session, "SELECT count(*) = 0 FROM tviews_internal.pg_tview_outbox"), "an empty outbox")
    check_equal(session)
    # pg_repack tries again to lock after a timeout of the statement, which the server reports.
    errors = [line for line in server.log().splitlines()
              if " ERROR:  " in line or " FATAL:  " in line or " PANIC:  " in line]
    errors = [line for line in errors if "pg_repack" not in line.split("ERROR:")[0]]
    assert errors == [], errors
