"""A pause is one: when pg_tviews_pause() has returned, the applier works on nothing of this database; and who waits for an
applier that is paused, or held up, waits for pg_tviews.read_timeout and no longer.

Danger: batches are held, but not the adoption of restored tables, which the same process does: it takes the very tables
that somebody has paused it for. And a session that asks for a refresh, a verification or a pause waits for ever for one
that somebody else has paused, or for a definition that does not come to an end."""
import threading

import psycopg2

from pauses import paused
from tviews_server import Server, check_equal, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_note (pk_note int PRIMARY KEY, body text);
INSERT INTO tb_note VALUES (1, 'one');
CREATE TABLE tv_note AS SELECT pk_note, body FROM tb_note;
CREATE TABLE tb_held (pk_held int PRIMARY KEY, n int NOT NULL);
INSERT INTO tb_held VALUES (1, 0);
CREATE FUNCTION held(n int) RETURNS int LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF n > 0 THEN PERFORM pg_advisory_xact_lock_shared(4712); END IF;
  RETURN n;
END $$;
CREATE TABLE tv_held WITH (pg_tviews.function_reads = 'none') AS SELECT pk_held, held(n) AS n FROM tb_held;
CREATE VIEW v_found AS SELECT pk_note AS pk_found, body FROM tb_note;
CREATE TABLE found (pk_found int PRIMARY KEY, body text);
ALTER TABLE found RENAME TO tv_found;
"""
LABEL = """SECURITY LABEL FOR pg_tviews ON TABLE tv_found IS '{"entity": "found", "key": "pk_found", "view": "public.v_found"}'"""


def adopted():
    return value(connection, "SELECT count(*) FROM pg_tview_meta WHERE entity = 'found'") == 1


def check_times_out(statement, message, hint=""):
    try:
        run(connection, statement)
    except psycopg2.errors.QueryCanceled as error:
        assert message in str(error) and hint in str(error), error
        return
    raise AssertionError(f"{statement} did not time out")


def check_bounded():
    run(connection, "SET pg_tviews.read_timeout = '300ms'")
    # Paused: a hint says by whom it can go on.
    run(connection, "SELECT pg_tviews_pause()")
    for statement in ("SELECT pg_tviews_refresh('note')", "SELECT pg_tviews_retry('note')"):
        check_times_out(statement, "timed out while waiting for the applier to refresh the TVIEW", "pg_tviews_resume()")
    check_times_out("SELECT pg_tviews_wait()", "timed out while waiting for the TVIEWs", "pg_tviews_resume()")
    run(connection, "UPDATE tb_note SET body = body || '!'")
    check_times_out("SELECT * FROM pg_tviews_verify('note')", "timed out while waiting for the TVIEWs", "pg_tviews_resume()")
    run(connection, "SELECT pg_tviews_resume()")
    run(connection, "SELECT pg_tviews_wait('50 s')")
    # Whoever has given up has left no request behind: nobody is refreshed for it, and the places are free.
    assert value(connection, "SELECT count(*) FROM pg_tview_audit_log WHERE operation IN ('REFRESH', 'RETRY')") == 0
    for _ in range(20):
        run(connection, "SELECT pg_tviews_refresh('note')")
    # Held up by another TVIEW of the batch.
    holder = server.connect("pausing")
    run(holder, "SELECT pg_advisory_lock(4712)")
    run(connection, "UPDATE tb_held SET n = n + 1")
    wait_until(lambda: value(holder, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"), "tv_held to be refreshed")
    for statement in ("SELECT pg_tviews_refresh('note')", "SELECT pg_tviews_wait()", "SELECT * FROM pg_tviews_verify('note')"):
        check_times_out(statement, "timed out while waiting for", 'tv_held" since ')
    check_times_out("SELECT pg_tviews_pause()", "timed out while waiting for the end of the batch", "pg_cancel_backend")
    assert not run(holder, "SELECT 1 FROM pg_tviews_workers WHERE state = 'paused'"), "a call that failed has paused"
    # A refresh that has begun is waited for, however long it takes.
    run(holder, "SELECT pg_advisory_unlock(4712)")
    run(connection, "SELECT pg_tviews_wait('50 s')")
    run(holder, "SELECT pg_advisory_lock(4712)")
    asking = server.connect("pausing", name="asking")
    run(asking, "SET pg_tviews.read_timeout = '50ms'")
    release = """DO $$
        DECLARE begun timestamptz;
        BEGIN
          LOOP
            PERFORM pg_stat_clear_snapshot();
            SELECT started_at INTO begun FROM pg_tviews_progress WHERE entity = 'held';
            EXIT WHEN clock_timestamp() > begun + interval '500 ms';
          END LOOP;
        END $$; SELECT pg_advisory_unlock(4712)"""
    releasing = threading.Thread(target=run, args=(holder, release))
    releasing.start()
    assert run(asking, "SELECT * FROM pg_tviews_refresh('held')") == [(0, 0, 0)]
    releasing.join()
    holder.close()
    run(connection, "SET pg_tviews.read_timeout = '5min'")
    check_equal(connection, "held")


with Server("pausing", "pg_tviews.pause_at = 'before_adoption:4711'\npg_tviews.lock_timeout = 1h\n") as server:
    connection = server.prepare("pausing", SCRIPT)
    check_equal(connection)
    check_bounded()
    # An adoption that has begun is waited for.
    holder = server.connect("pausing")
    run(holder, "SELECT pg_advisory_lock(4711)")
    run(connection, LABEL)
    wait_until(lambda: paused(holder, "before_adoption"), "adoption to begin")
    run(connection, "SET statement_timeout = '300ms'")
    try:
        run(connection, "SELECT pg_tviews_pause()")
        raise AssertionError("a pause began beside an adoption")
    except psycopg2.errors.QueryCanceled:
        pass
    run(connection, "RESET statement_timeout")
    holder.close()
    wait_until(adopted, "the end of the adoption")
    check_equal(connection, "adopted")
    # None begins in a pause, though the applier looks again and again.
    run(connection, "DROP TABLE tv_found")
    run(connection, """CREATE VIEW v_found AS SELECT pk_note AS pk_found, body FROM tb_note;
        CREATE TABLE found (pk_found int PRIMARY KEY, body text); ALTER TABLE found RENAME TO tv_found""")
    run(connection, "SELECT pg_tviews_pause()")
    run(connection, LABEL)
    assert run(connection, "SELECT adopted, pending FROM pg_tviews_adopt()") == [(1, 0)], "somebody else has adopted"
    run(connection, "SELECT pg_tviews_resume()")
    check_equal(connection, "adopted in a pause")
