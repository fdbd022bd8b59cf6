"""REPEATABLE READ and SERIALIZABLE as a session's default: a statement outside a transaction block, and the first one in
a block, sees what its session has committed before, by whatever protocol and in whatever command. Later ones of the
same transaction keep its snapshot."""
import psycopg2

from tviews_server import Server, bash, check_equal, run, value

ROUNDS = 30
SCRIPT = """
CREATE TABLE tb_a (pk_a int PRIMARY KEY, n int NOT NULL);
INSERT INTO tb_a SELECT i, 0 FROM generate_series(1, 100) i;
CREATE TABLE tv_a AS SELECT pk_a, n FROM tb_a;
CREATE VIEW over_a AS SELECT n FROM tv_a WHERE pk_a = 1;
CREATE FUNCTION stable_n() RETURNS int STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT n FROM tv_a WHERE pk_a = 1); END $$;
CREATE FUNCTION volatile_n() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT n FROM tv_a WHERE pk_a = 1); END $$;
CREATE TABLE seen (n int);
"""
# Each returns n of key 1.
READS = {
    "a TVIEW": "SELECT n FROM tv_a WHERE pk_a = 1",
    "a view": "SELECT n FROM over_a",
    "a STABLE function": "SELECT stable_n()",
    "a VOLATILE function": "SELECT volatile_n()",
    "a WITH that writes": "WITH w AS (INSERT INTO seen SELECT n FROM tv_a WHERE pk_a = 1 RETURNING n) SELECT n FROM w",
    "INSERT ... RETURNING": "INSERT INTO seen SELECT n FROM tv_a WHERE pk_a = 1 RETURNING n",
    "EXECUTE": "EXECUTE reads",
    "several statements": "SELECT n FROM tv_a WHERE pk_a = 1; SELECT n FROM tv_a WHERE pk_a = 1",
    "a block": "BEGIN; SELECT n FROM tv_a WHERE pk_a = 1; SELECT n FROM over_a; COMMIT; SELECT n FROM over_a",
    "CREATE TABLE AS": "CREATE TABLE copied AS SELECT n FROM tv_a WHERE pk_a = 1; SELECT n FROM copied; DROP TABLE copied",
    "DO": "DO $$ BEGIN PERFORM set_config('my.n', n::text, false) FROM tv_a WHERE pk_a = 1; END $$",
}


def read(session, how):
    with session.cursor() as cursor:
        for statement in READS[how].split("; ") if how in ("a block", "CREATE TABLE AS") else [READS[how]]:
            cursor.execute(statement)
            if statement.startswith("SELECT"):
                last = cursor.fetchone()[0]
        if how == "DO":
            return int(value(session, "SELECT current_setting('my.n')"))
        return last if READS[how].startswith(("SELECT", "BEGIN", "CREATE")) else cursor.fetchone()[0]


with Server("isolation_default") as server:
    connection = server.prepare("isolated", SCRIPT)
    n = 0
    for isolation in ("repeatable read", "serializable"):
        session = server.connect("isolated")
        run(session, f"SET default_transaction_isolation = '{isolation}'")
        run(session, "PREPARE reads AS SELECT n FROM tv_a WHERE pk_a = 1")
        for consistency in ("session", "strict"):
            run(session, f"SET pg_tviews.read_consistency = '{consistency}'")
            for how in READS:
                for _ in range(ROUNDS):
                    n += 1
                    run(session, "UPDATE tb_a SET n = %s WHERE pk_a = 1", (n,))
                    found = read(session, how)
                    assert found == n, f"{isolation}, {consistency}, {how}: {found} instead of {n}"
        # COPY reads without the executor.
        for _ in range(ROUNDS):
            n += 1
            run(session, "UPDATE tb_a SET n = %s WHERE pk_a = 1", (n,))
            path = f"{server.directory}/copied"
            run(session, f"COPY (SELECT n FROM tv_a WHERE pk_a = 1) TO '{path}'")
            assert value(session, f"SELECT pg_read_file('{path}')::int") == n

        # The snapshot stays what it is once a query has run: another one's change is not seen, and a repetition of the
        # first read agrees with it.
        run(session, "BEGIN")
        first = value(session, "SELECT n FROM tv_a WHERE pk_a = 1")
        source = value(session, "SELECT n FROM tb_a WHERE pk_a = 1")
        run(connection, "UPDATE tb_a SET n = -1 WHERE pk_a = 1")
        run(connection, "SELECT pg_tviews_wait()")
        assert value(session, "SELECT n FROM tv_a WHERE pk_a = 1") == first == source
        assert value(session, "SELECT n FROM tb_a WHERE pk_a = 1") == source
        run(session, "ROLLBACK")

    # A snapshot that was imported is not replaced, and one that was exported neither.
    exporter, importer = server.connect("isolated"), server.connect("isolated")
    run(connection, "UPDATE tb_a SET n = 1000 WHERE pk_a = 1")
    run(connection, "SELECT pg_tviews_wait()")
    run(exporter, "BEGIN ISOLATION LEVEL REPEATABLE READ")
    exported = value(exporter, "SELECT pg_export_snapshot()")
    run(connection, "UPDATE tb_a SET n = 1001 WHERE pk_a = 1")
    run(connection, "SELECT pg_tviews_wait()")
    for session in (exporter, importer):
        run(session, "SET pg_tviews.read_consistency = 'strict'")
    run(importer, "BEGIN ISOLATION LEVEL REPEATABLE READ")
    run(importer, f"SET TRANSACTION SNAPSHOT '{exported}'")
    for session in (importer, exporter):
        assert value(session, "SELECT n FROM tv_a WHERE pk_a = 1") == 1000
        assert value(session, "SELECT n FROM tb_a WHERE pk_a = 1") == 1000
        run(session, "COMMIT")

    # SERIALIZABLE: what was read after the new beginning is what conflicts are found by.
    one, two = server.connect("isolated"), server.connect("isolated")
    for session in (one, two):
        run(session, "SET default_transaction_isolation = 'serializable'; SET pg_tviews.read_consistency = 'strict'")
        run(session, "BEGIN")
        run(session, "SELECT sum(tb_a.n), count(tv_a.n) FROM tb_a, tv_a WHERE tb_a.pk_a < 3 AND tv_a.pk_a = 1")
    run(one, "UPDATE tb_a SET n = 7 WHERE pk_a = 1")
    run(two, "UPDATE tb_a SET n = 7 WHERE pk_a = 2")
    run(one, "COMMIT")
    try:
        run(two, "COMMIT")
        raise AssertionError("write skew between transactions that began anew")
    except psycopg2.errors.SerializationFailure:
        pass

    # The extended protocol, with and without prepared statements, and in a pipeline's implicit transaction.
    script = f"{server.directory}/script"
    bash('printf "%s\\n" "$2" | as_server tee "$1" > /dev/null', script,
         "\\set n random(1, 1000000)\n"
         "UPDATE tb_a SET n = :n WHERE pk_a = 1;\n"
         "SELECT 1 / (n = :n)::int FROM tv_a WHERE pk_a = 1;\n"
         "UPDATE tb_a SET n = :n WHERE pk_a = 2;\n"
         "SELECT 1 / (n = :n)::int FROM tv_a WHERE pk_a = 2;")
    binaries = bash('server_bin "$1"', server.directory)
    for isolation in ("repeatable\\ read", "serializable"):
        for protocol in ("simple", "extended", "prepared"):
            said = bash('as_server env PGHOST="$1" PGUSER=postgres PGOPTIONS="$2" "$3/pgbench" -n -M "$4" -f "$5" -t 60'
                        ' isolated 2>&1', server.socket, f"-c default_transaction_isolation={isolation}", binaries,
                        protocol, script)
            assert "transactions actually processed: 60/60" in said, said
            assert "number of failed transactions: 0 (" in said, said
    check_equal(connection)
    assert "WARNING" not in server.log(), "something was left behind"
