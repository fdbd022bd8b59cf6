"""Prepared transactions: nothing is shown before COMMIT PREPARED, everything after it, through a
restart, from another session, and the frontier never claims one early (ATTACKS A5). A forgotten one
does not make every batch read the outbox, which vacuum cannot clean meanwhile (B6)."""
from tviews_server import Server, check_equal, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_a (pk_a int PRIMARY KEY, name text);
INSERT INTO tb_a SELECT i, 'old' FROM generate_series(1, 10) i;
CREATE TABLE tv_a AS SELECT pk_a, name FROM tb_a;
"""
SCANS = "SELECT outbox_scans FROM pg_tviews_workers WHERE kind = 'applier' AND database = 'prepared'"


def prepare(name, key):
    session = server.connect("prepared")
    run(session, "BEGIN")
    xid = value(session, "SELECT pg_current_xact_id()::text")
    run(session, "UPDATE tb_a SET name = %s WHERE pk_a = %s", (name, key))
    run(session, "PREPARE TRANSACTION %s", (name,))
    session.close()
    return xid


def shown(key):
    return value(connection, "SELECT name FROM tv_a WHERE pk_a = %s", (key,))


def check_frontier(xid, name, key):
    """In one snapshot: the frontier includes the transaction if and only if the TVIEW shows it."""
    includes, is_shown = run(connection, """
        SELECT pg_visible_in_snapshot(%s::text::xid8, snapshot), (SELECT a.name = %s FROM tv_a a WHERE pk_a = %s)
        FROM pg_tview_frontier""", (xid, name, key))[0]
    assert includes == is_shown, (name, includes, is_shown)
    return includes


with Server("prepared") as server:
    connection = server.prepare("prepared", SCRIPT)
    check_equal(connection)
    for restart in (False, True):
        commit, rollback = prepare("commit", 1), prepare("rollback", 2)
        run(connection, "UPDATE tb_a SET name = 'other' WHERE pk_a = 3")
        check_equal(connection, "while prepared")
        assert not check_frontier(commit, "commit", 1)
        assert not check_frontier(rollback, "rollback", 2)
        if restart:
            server.kill()
            server.start()
            connection = server.connect("prepared")
            check_equal(connection, "while prepared, after a crash")
            assert not check_frontier(commit, "commit", 1)
        run(connection, "COMMIT PREPARED 'commit'")
        wait_until(lambda: check_frontier(commit, "commit", 1), "the committed one to be shown")
        assert shown(2) == "old"
        run(connection, "ROLLBACK PREPARED 'rollback'")
        check_equal(connection, "after both")
        assert shown(1) == "commit" and shown(2) == "old"
        run(connection, "UPDATE tb_a SET name = 'old'")
        check_equal(connection, "afterwards")

    # A forgotten one beside ordinary and prepared transactions; the second time it was there before
    # the server started.
    forgotten = prepare("forgotten", 4)
    for restart in (False, True):
        if restart:
            server.kill()
            server.start()
            connection = server.connect("prepared")
        run(connection, "UPDATE tb_a SET name = 'new' WHERE pk_a <> 4")
        check_equal(connection)
        before = value(connection, SCANS)
        for i in range(10):
            prepare(f"other {i}", 5)
            run(connection, "UPDATE tb_a SET name = name || '+' WHERE pk_a BETWEEN 6 AND 9")
            check_equal(connection, "beside a forgotten one")
            run(connection, f"{'COMMIT' if i % 2 else 'ROLLBACK'} PREPARED 'other {i}'")
        check_equal(connection, "beside a forgotten one")
        assert shown(5) == "other 9"
        assert value(connection, SCANS) == before, "batches scan the outbox"
        assert not check_frontier(forgotten, "forgotten", 4)
    run(connection, "COMMIT PREPARED 'forgotten'")
    wait_until(lambda: check_frontier(forgotten, "forgotten", 4), "the forgotten one to be shown")
    check_equal(connection, "at the end")
    assert value(connection, "SELECT count(*) FROM tviews_internal.pg_tview_outbox") == 0
