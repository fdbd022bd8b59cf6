"""What other sessions, and workers, are doing while they do it: every state of the queue, progress, what
pg_stat_activity and the process title say."""
import decimal
import pathlib
import threading

import psycopg2

import pauses
from tviews_server import Server, check_equal, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_part (pk_part int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_box (pk_box int PRIMARY KEY, fk_part int NOT NULL, size int NOT NULL);
INSERT INTO tb_part SELECT i, 'part ' || i FROM generate_series(1, 300) AS i;
INSERT INTO tb_box SELECT i, i % 300 + 1, i FROM generate_series(1, 300) AS i;
CREATE TABLE tv_part AS SELECT tb_part.pk_part, tb_part.name FROM tb_part;
CREATE TABLE tv_box AS SELECT tb_box.pk_box, tb_box.size FROM tb_box;
-- Stops at one row while somebody holds the lock.
CREATE FUNCTION gate(pk int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
    IF pk = 130 THEN
        PERFORM pg_catalog.pg_advisory_xact_lock_shared(77);
    END IF;
    RETURN pk;
END $$;
"""
QUEUE = """
SELECT session, backend_pid, transaction_id::text, queue_size, entities, state,
       last_enqueued BETWEEN now() - interval '1 minute' AND clock_timestamp()
FROM pg_tviews_queue_realtime WHERE database = current_database() ORDER BY transaction_id"""


def queue_of(connection, session):
    return [row[1:] for row in run(connection, QUEUE) if row[0] == session]


def title_of(pid):
    return pathlib.Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0")


def applier_of(connection):
    return value(connection, "SELECT pid FROM pg_tviews_workers WHERE kind = 'applier' AND database = current_database()")


def check_queue_states(server, connection):
    writer = server.connect("parts", autocommit=False, name="writer")
    pid = writer.get_backend_pid()
    run(writer, "UPDATE tb_part SET name = 'x' WHERE pk_part <= 3")
    xid = value(writer, "SELECT pg_current_xact_id()::text")
    # An open transaction, with what a savepoint adds and takes away again: its changes are counted by themselves.
    assert queue_of(connection, "writer") == [(pid, xid, 3, ["part"], "collecting", True)], queue_of(connection, "writer")
    run(writer, "SAVEPOINT s; UPDATE tb_box SET size = 0 WHERE pk_box <= 10; UPDATE tb_part SET name = 'y' WHERE pk_part <= 5")
    assert queue_of(connection, "writer") == [(pid, xid, 18, ["box", "part"], "collecting", True)], queue_of(connection, "writer")
    run(writer, "ROLLBACK TO s")
    assert queue_of(connection, "writer")[0][2] == 3, queue_of(connection, "writer")
    writer.rollback()
    assert queue_of(connection, "writer") == [], queue_of(connection, "writer")
    # A session that ends in its transaction leaves nothing behind.
    run(writer, "DELETE FROM tb_part WHERE pk_part = 1")
    assert len(queue_of(connection, "writer")) == 1
    run(connection, "SELECT pg_terminate_backend(%s, 10000)", (pid,))
    assert [row for row in run(connection, QUEUE) if row[1] == pid] == []

    writer = server.connect("parts", autocommit=False, name="writer")
    pid = writer.get_backend_pid()
    run(writer, "UPDATE tb_part SET name = 'z' WHERE pk_part = 7")
    xid = value(writer, "SELECT pg_current_xact_id()::text")
    with pauses.pause(server, "parts", "before_consume") as applier_is_there:
        with pauses.pause(server, "parts", "after_publish") as writer_is_there:
            commit = threading.Thread(target=writer.commit)
            commit.start()
            writer_is_there()
            assert queue_of(connection, "writer") == [(pid, xid, 1, ["part"], "committing", True)], queue_of(connection, "writer")
        commit.join()
        applier_is_there()
        assert queue_of(connection, "writer") == [(pid, xid, 1, ["part"], "applying", True)], queue_of(connection, "writer")
        run(writer, "UPDATE tb_box SET size = 1 WHERE pk_box = 9")
        xid = value(writer, "SELECT pg_current_xact_id()::text")
        writer.commit()
        assert queue_of(connection, "writer")[1:] == [(pid, xid, 1, ["box"], "waiting", True)], queue_of(connection, "writer")
    run(connection, "SELECT pg_tviews_wait()")
    assert queue_of(connection, "writer") == []
    writer.close()


def check_spilled(connection):
    run(connection, "SELECT pg_tviews_pause()")
    written = []
    for i in range(300):
        run(connection, "UPDATE tb_part SET name = %s WHERE pk_part IN (%s, 300)", (f"spill {i}", i % 299 + 1))
    written = value(connection, "SELECT count(*) FROM tviews_internal.pg_tview_outbox")
    assert written == 300, written
    states = dict(run(connection, "SELECT state, count(*) FROM pg_tviews_queue_realtime WHERE database = current_database() GROUP BY state"))
    assert states.keys() == {"waiting", "spilled"} and sum(states.values()) == 300, states
    spilled = run(connection, """
        SELECT DISTINCT queue_size, entities, backend_pid, session, last_enqueued > now() - interval '1 minute', count(transaction_id) OVER ()
        FROM pg_tviews_queue_realtime WHERE state = 'spilled'""")
    assert spilled == [(2, ["part"], None, None, True, states["spilled"])], spilled
    lag = run(connection, "SELECT records, keys, spilled_records, age > interval '0', bytes > 0 FROM pg_tviews_lag WHERE database = current_database()")
    assert lag == [(states["waiting"], 2 * states["waiting"], states["spilled"], True, True)], (lag, states)
    run(connection, "SELECT pg_tviews_resume()")
    check_equal(connection, "after spilling")
    assert value(connection, "SELECT count(*) FROM pg_tviews_queue_realtime WHERE database = current_database()") == 0


def check_creation(server, connection):
    holder = server.connect("parts", name="holder")
    run(holder, "SELECT pg_advisory_lock(77)")
    creator = server.connect("parts", name="creator")
    creation = threading.Thread(target=run, args=(
        creator, "CREATE TABLE tv_gate AS SELECT tb_box.pk_box AS pk_gate, gate(tb_box.pk_box) AS gate, tb_box.size FROM tb_box"))
    creation.start()
    progress = lambda: run(connection, """
        SELECT pid, database, entity, operation, phase, rows_done, rows_total > 100, percent > 0 AND percent < 100,
               started_at BETWEEN now() - interval '1 minute' AND clock_timestamp()
        FROM pg_tviews_progress WHERE rows_done > 0""")
    found = wait_until(progress, "progress of the creation")
    assert found == [(creator.get_backend_pid(), "parts", "gate", "creation", "filling", 128, True, True, True)], found
    run(holder, "SELECT pg_advisory_unlock(77)")
    creation.join()
    assert run(connection, "SELECT * FROM pg_tviews_progress") == []
    # One that fails leaves nothing behind either.
    try:
        run(creator, "CREATE TABLE tv_broken AS SELECT tb_box.pk_box / (tb_box.pk_box - 200) AS pk_broken FROM tb_box")
        raise AssertionError("the creation did not fail")
    except Exception as error:
        assert "division by zero" in str(error), error
    assert run(connection, "SELECT * FROM pg_tviews_progress") == []

    # One that the applier fills: rows done of those of the slice, while nobody can read the TVIEW.
    run(holder, "SELECT pg_advisory_lock(77)")
    run(connection, "ANALYZE tb_box")
    run(creator, "CREATE TABLE tv_lazy AS SELECT tb_box.pk_box AS pk_lazy, gate(tb_box.pk_box) AS gate FROM tb_box WITH NO DATA")
    progress = lambda: run(connection, """
        SELECT pid, database, entity, operation, phase, rows_done, rows_total, percent,
               started_at BETWEEN now() - interval '1 minute' AND clock_timestamp()
        FROM pg_tviews_progress WHERE rows_done = 128""")
    found = wait_until(progress, "progress of the fill")
    assert found == [(applier_of(connection), "parts", "lazy", "online fill", "filling", 128, 300, decimal.Decimal("42.67"), True)], found
    reader = server.connect("parts")
    try:
        run(reader, "SET pg_tviews.read_consistency = eventual; SELECT count(*) FROM tv_lazy")
        raise AssertionError("half a TVIEW was read")
    except psycopg2.Error as error:
        assert error.pgcode == "55000" and 'TVIEW "tv_lazy" has not been populated' in str(error), error
    reader.close()
    run(holder, "SELECT pg_advisory_unlock(77)")
    run(connection, "SELECT pg_tviews_wait()")
    assert value(connection, "SELECT count(*) FROM tv_lazy") == 300
    assert run(connection, "SELECT * FROM pg_tviews_progress") == []
    run(connection, "DROP TABLE tv_lazy")

    # Refresh of keys and of everything, in the applier.
    applier = applier_of(connection)
    for statement, operation, total, text in (
            ("UPDATE tb_box SET size = size + 1 WHERE pk_box BETWEEN 101 AND 150", "refresh", 50, 'refresh "public"."tv_gate": 50 keys'),
            ("SELECT pg_tviews_refresh('gate')", "full refresh", 300, 'refresh "public"."tv_gate": everything')):
        run(holder, "SELECT pg_advisory_lock(77)")
        worker = threading.Thread(target=run, args=(creator, statement))
        worker.start()
        waits = lambda: run(connection, """
            SELECT application_name, state, query FROM pg_stat_activity
            WHERE pid = %s AND wait_event_type = 'Lock' AND wait_event = 'advisory'""", (applier,))
        assert wait_until(waits, "the applier to wait") == [("pg_tviews applier", "active", text)], waits()
        found = run(connection, "SELECT pid, entity, operation, phase, rows_done, rows_total, started_at IS NOT NULL FROM pg_tviews_progress")
        assert len(found) == 1, found
        pid, entity, shown, phase, done, shown_total, started = found[0]
        assert (pid, entity, shown, phase, shown_total, started) == (applier, "gate", operation, "refreshing", total, True), found
        assert 0 < done < total, found
        working = run(connection, """
            SELECT state, entity::text, keys_total, batch_started BETWEEN now() - interval '1 minute' AND clock_timestamp()
            FROM pg_tviews_workers WHERE pid = %s""", (applier,))
        assert working == [("applying", "tv_gate", 0 if operation == "full refresh" else total, True)], working
        assert title_of(applier) == f"postgres: pg_tviews applier {text} waiting", title_of(applier)
        run(holder, "SELECT pg_advisory_unlock(77)")
        worker.join()
        run(connection, "SELECT pg_tviews_wait()")
        assert run(connection, "SELECT * FROM pg_tviews_progress") == []
    wait_until(lambda: title_of(applier).endswith("idle"), "the title to say idle")
    idle = wait_until(lambda: run(connection, "SELECT state, wait_event_type, wait_event FROM pg_stat_activity WHERE pid = %s AND state = 'idle' AND wait_event IS NOT NULL", (applier,)), "the applier to be idle")
    named = value(connection, "SELECT current_setting('server_version_num')::int") >= 170000
    assert idle == [("idle", "Extension", "PgTviewsApplierMain" if named else "Extension")], idle


def check_retries(server, connection):
    """Batches that DDL makes begin again are no retries; new relations alone make none begin again."""
    retries = lambda: value(connection, "SELECT retries FROM pg_tviews_workers WHERE kind = 'applier' AND database = current_database()")
    given_up = lambda: value(connection, "SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()")
    run(connection, "SELECT pg_tviews_wait()")
    before = retries()
    # The applier begins when everything that it is told about the new relations is there.
    run(connection, "SELECT pg_tviews_pause()")
    run(connection, "CREATE TABLE tb_new (pk_new int PRIMARY KEY); CREATE TABLE tv_new AS SELECT tb_new.pk_new FROM tb_new")
    aborted = given_up()
    run(connection, "SELECT pg_tviews_resume()")
    run(connection, "INSERT INTO tb_new VALUES (1)")
    run(connection, "SELECT pg_tviews_wait()")
    assert (retries(), given_up()) == (before, aborted), (retries(), given_up(), before, aborted)

    with pauses.pause(server, "parts", "after_snapshot") as has_snapshot:
        run(connection, "INSERT INTO tb_new VALUES (2)")
        has_snapshot()
        run(connection, "ALTER TABLE tb_new ADD COLUMN note text")
    run(connection, "SELECT pg_tviews_wait()")
    wait_until(lambda: given_up() > aborted, "the batch that was begun again to be counted as a rollback")
    assert retries() == before, (retries(), before)


def check_restarts(connection):
    counted = "SELECT restarts, batches FROM pg_tviews_workers WHERE kind = 'applier' AND database = current_database()"
    restarts, batches = run(connection, counted)[0]
    applier = applier_of(connection)
    run(connection, "SELECT pg_terminate_backend(%s, 10000)", (applier,))
    wait_until(lambda: applier_of(connection) not in (None, applier), "another applier")
    run(connection, "UPDATE tb_part SET name = 'again' WHERE pk_part = 1")
    run(connection, "SELECT pg_tviews_wait()")
    found = run(connection, counted)[0]
    assert found[0] == restarts + 1 and found[1] > batches, (found, restarts, batches)


def check_cache_rows(connection):
    """A cache that a kind of process does not have, or no process has used, is no row."""
    rows = run(connection, "SELECT process_kind, cache_type, hits + misses > 0 FROM pg_tviews_cache_stats")
    assert sorted(rows) == [("applier", "plan_cache", True), ("applier", "table_cache", True),
                            ("session", "graph_cache", True), ("session", "table_cache", True)], rows


with Server("monitoring", conf=pauses.CONF + "pg_tviews.queue_size = '8kB'\nlock_timeout = 0\npg_tviews.lock_timeout = '60s'\n") as server:
    connection = server.prepare("parts", SCRIPT)
    run(connection, "SELECT pg_tviews_wait()")
    check_queue_states(server, connection)
    check_spilled(connection)
    check_creation(server, connection)
    check_retries(server, connection)
    check_restarts(connection)
    check_cache_rows(connection)
    check_equal(connection, "at the end")
