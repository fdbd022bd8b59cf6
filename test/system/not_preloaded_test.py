"""Without shared_preload_libraries the extension says what to do, and the server is unharmed; where TVIEWs
exist already, nobody can change their source tables untracked."""
import psycopg2

from tviews_server import Server, bash, check_equal, run, value

SCRIPT = """
CREATE TABLE tb_a (pk_a int PRIMARY KEY, name text) PARTITION BY RANGE (pk_a);
CREATE TABLE tb_a_low PARTITION OF tb_a FOR VALUES FROM (0) TO (100);
CREATE TABLE tb_a_high PARTITION OF tb_a FOR VALUES FROM (100) TO (200);
INSERT INTO tb_a VALUES (1, 'one'), (2, 'two'), (100, 'hundred');
CREATE TABLE tv_a AS SELECT pk_a, name FROM tb_a;
CREATE TABLE tb_free (pk_free int PRIMARY KEY);
"""
LINE = "shared_preload_libraries = 'pg_tviews'"
REFUSED = (
    "INSERT INTO tb_a VALUES (3, 'three')",
    "UPDATE tb_a SET name = 'changed' WHERE pk_a = 1",
    "DELETE FROM tb_a WHERE pk_a = 1",
    "UPDATE tb_a_low SET pk_a = 5 WHERE pk_a = 1",
    "TRUNCATE tb_a_low",
    "TRUNCATE tb_a",
    "COPY tb_a FROM PROGRAM 'echo 4,four' (FORMAT csv)",
    "SET session_replication_role = replica; UPDATE tb_a SET name = 'changed'",
    "SELECT pg_tviews_create('b', 'SELECT pk_free AS pk_b FROM tb_free')",
    "SELECT pg_tviews_drop('a')",
    "SELECT * FROM pg_tviews_refresh('a')",
    "SELECT pg_tviews_wait()",
)


def preload(is_on):
    server.stop()
    bash("""as_server sed -i "/^shared_preload_libraries/d" "$1/data/postgresql.conf"
            echo "shared_preload_libraries = '$2'" | as_server tee -a "$1/data/postgresql.conf" >/dev/null""",
         server.directory, "pg_tviews" if is_on else "")
    server.start()
    return server.connect("preload")


def check_refused(connection, statement):
    try:
        run(connection, statement)
    except psycopg2.Error as error:
        assert LINE in f"{error.diag.message_primary} {error.diag.message_hint}", f"{statement}: {error}"
    else:
        raise AssertionError(f"without shared_preload_libraries this succeeded: {statement}")


with Server("not_preloaded") as server:
    server.prepare("preload", SCRIPT).close()
    connection = preload(False)
    empty = server.connect("postgres")
    check_refused(empty, "CREATE EXTENSION pg_tviews")
    assert value(empty, "SELECT count(*) FROM pg_extension WHERE extname = 'pg_tviews'") == 0
    run(empty, "CREATE TABLE tv_plain AS SELECT 1 AS pk_plain")
    assert value(empty, "SELECT count(*) FROM tv_plain") == 1

    rows = run(connection, "SELECT * FROM tb_a ORDER BY 1")
    for statement in REFUSED:
        # In a session that has not tried before, and in one that has.
        fresh = server.connect("preload")
        for _ in range(2):
            check_refused(fresh, statement)
        fresh.close()
        check_refused(connection, statement)
        run(connection, "RESET session_replication_role")
    assert run(connection, "SELECT * FROM tb_a ORDER BY 1") == rows == run(connection, "SELECT * FROM tv_a ORDER BY 1")
    run(connection, "INSERT INTO tb_free VALUES (1)")  # nobody's source
    run(connection, "ALTER TABLE tb_a DETACH PARTITION tb_a_high")  # the exception in docs/operations.md

    connection = preload(True)
    run(connection, "SELECT * FROM pg_tviews_refresh('a')")
    check_equal(connection, "with the line")
    run(connection, "UPDATE tb_a SET name = 'changed' WHERE pk_a = 1")
    check_equal(connection, "a change with the line")
