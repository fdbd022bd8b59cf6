"""An entry of the change queue that is older than the commit log: the applier was paused for so long that
the server has forgotten how its transaction ended, which raises where one asks (ATTACKS B5)."""
from tviews_server import Server, bash, check_equal, run, value

SCRIPT = """
CREATE TABLE tb_a (pk_a int PRIMARY KEY, name text);
INSERT INTO tb_a SELECT i, 'old' FROM generate_series(1, 10) i;
CREATE TABLE tv_a AS SELECT pk_a, name FROM tb_a;
"""
SEGMENT = 32 * 8192 * 4  # transactions in one file of pg_xact
RESET = """dd if=/dev/zero of=/dev/stdout bs=262144 count=1 status=none | as_server tee "$1/data/pg_xact/zeros" >/dev/null
as_server dd if="$1/data/pg_xact/0000" of="$1/data/pg_xact/zeros" conv=notrunc status=none
as_server mv "$1/data/pg_xact/zeros" "$1/data/pg_xact/0000"
as_server "$(server_bin "$1")/pg_resetwal" -x "$2" "$1/data" """


def freeze_everything():
    run(connection, "ALTER DATABASE template0 ALLOW_CONNECTIONS true")
    for name, in run(connection, "SELECT datname FROM pg_database"):
        session = server.connect(name)
        run(session, "VACUUM (FREEZE)")
        session.close()


with Server("old_entries") as server:
    connection = server.prepare("entries", SCRIPT)
    check_equal(connection)
    connection.close()
    # The next transactions are the last of the commit log's first file.
    server.stop()
    bash(RESET, server.directory, SEGMENT - 500)
    server.start()
    connection = server.connect("entries")
    check_equal(connection, "near the end of the file")

    run(connection, "SELECT pg_tviews_pause()")
    run(connection, "BEGIN")
    xid = value(connection, "SELECT pg_current_xact_id()::text::bigint")
    run(connection, "UPDATE tb_a SET name = 'forgotten' WHERE pk_a = 1")
    run(connection, "COMMIT")
    assert xid < SEGMENT, xid
    run(connection, "DO $$ BEGIN FOR i IN 1..1000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$")
    freeze_everything()
    assert value(connection, "SELECT count(*) FROM pg_ls_dir('pg_xact') AS name WHERE name = '0000'") == 0
    assert value(connection, "SELECT pg_xact_status(%s::text::xid8)", (xid,)) is None
    run(connection, "UPDATE tb_a SET name = 'remembered' WHERE pk_a = 2")
    assert value(connection, "SELECT count(*) FROM tviews_internal.pg_tview_outbox") == 2

    run(connection, "SELECT pg_tviews_resume()")
    run(connection, "SELECT pg_tviews_wait('20 s')")
    check_equal(connection, "after the pause")
    assert run(connection, "SELECT name FROM tv_a WHERE pk_a < 3 ORDER BY pk_a") == [("forgotten",), ("remembered",)]
    run(connection, "SELECT pg_tviews_wait_for(%s::text::xid8, '10 s')", (xid,))
    assert value(connection, "SELECT count(*) FROM tviews_internal.pg_tview_outbox") == 0
    assert "a batch failed" not in server.log()
