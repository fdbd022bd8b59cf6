"""No background worker is free for an applier.

Danger: the exhaustion is silent, or lasts after a worker is free again. Right answer: one line in the log per
episode, a finding of the health check, and the work resumes by itself."""
import psycopg2.errors
from tviews_server import Server, check_equal, run, value, wait_until

FINDING = """SELECT count(*) FROM pg_tviews_health_check('0') WHERE component = 'settings' AND severity = 'warning' AND message ~
    '^(Once|[1-9][0-9]* times) no background worker was free for an applier since the server started. Raise max_worker_processes .[0-9]+., then restart.$'"""

# The launcher and the server's launcher of logical replication take both.
with Server("workers_exhausted", "max_worker_processes = 2\nmax_parallel_workers = 0\n") as server:
    connection = server.connect()
    run(connection, "CREATE EXTENSION pg_tviews")
    run(connection, """
        CREATE TABLE tb_thing (pk_thing int PRIMARY KEY, name text);
        INSERT INTO tb_thing VALUES (1, 'old');
        CREATE TABLE tv_thing AS SELECT pk_thing, name FROM tb_thing""")
    run(connection, "UPDATE tb_thing SET name = 'new'")
    wait_until(lambda: server.log().count("no background worker is free") == 1, "the log to tell, once")
    assert "Raise max_worker_processes" in server.log()
    assert value(connection, FINDING), run(connection, "SELECT * FROM pg_tviews_health_check('0')")
    assert server.log().count("no background worker is free") == 1, "more than one line per episode"
    # A reader waits as long as it is told to, then says why; who does not want to wait, need not.
    run(connection, "SET pg_tviews.read_timeout = '300ms'")
    for query in ("SELECT name FROM tv_thing", "SELECT pg_tviews_wait('300 ms')"):
        try:
            run(connection, query)
        except psycopg2.errors.QueryCanceled as error:
            assert error.diag.message_primary.startswith("timed out while waiting for the TVIEWs"), error
            assert "Raise max_worker_processes" in error.diag.message_hint, error
        else:
            raise AssertionError(f"{query} does not time out")
    run(connection, "SET pg_tviews.read_consistency = eventual")
    assert value(connection, "SELECT name FROM tv_thing") == "old"
    run(connection, "ALTER SYSTEM SET max_worker_processes = 5")
    connection.close()
    server.stop()
    server.start()
    connection = server.connect()
    wait_until(lambda: server.log().count("pg_tviews applier started") > 0, "an applier to start by itself")
    check_equal(connection)
    assert value(connection, FINDING) == 0, run(connection, "SELECT * FROM pg_tviews_health_check()")
    assert value(connection, "SELECT name FROM tv_thing") == "new"
    assert value(connection, "SELECT count(*) FROM pg_tviews_health_check() WHERE message = '1 TVIEW agrees with the catalogs.'") == 1
