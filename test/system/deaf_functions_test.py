"""A function in C that looks for no interrupt, in a process that works for another one: who has given it up goes on.

Danger: the end of such a process is waited for in the rollback, with interrupts held: neither a cancel nor the time limit of
the refresh reaches whoever waits, and a helper that computes for ever stalls every TVIEW."""
import time

import psycopg2

from tviews_server import Server, check_equal, install_module, run, value, wait_until

install_module("rude_functions")

SCRIPT = """
CREATE FUNCTION rude_spin(int) RETURNS void LANGUAGE c AS 'rude_functions';
CREATE FUNCTION rude_hold_cancel() RETURNS void LANGUAGE c AS 'rude_functions';
CREATE FUNCTION rude_release() RETURNS void LANGUAGE c AS 'rude_functions';
CREATE TABLE deaf (process text);
CREATE TABLE tb_bad (pk_bad int PRIMARY KEY, n int NOT NULL);
CREATE TABLE tb_good (pk_good int PRIMARY KEY, n int NOT NULL);
INSERT INTO tb_bad SELECT i, 0 FROM generate_series(1, 20000) AS i;
INSERT INTO tb_good VALUES (1, 0);
-- Whether helpers are worth it is for the planner to say, which knows nothing of ranges otherwise.
ANALYZE tb_bad;
CREATE FUNCTION spins(n int) RETURNS int LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100000 AS $$
BEGIN
  IF EXISTS (SELECT FROM public.deaf WHERE process = current_setting('application_name')) THEN
    PERFORM public.rude_spin(3600000);
  END IF;
  RETURN n;
END $$;
CREATE TABLE tv_bad WITH (pg_tviews.function_reads = 'none') AS SELECT pk_bad, spins(n) AS n FROM tb_bad;
CREATE TABLE tv_good AS SELECT pk_good, n FROM tb_good;
"""
OF_KIND = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = %s"


def make_deaf(process):
    run(connection, "DELETE FROM deaf")
    run(connection, "INSERT INTO deaf VALUES (%s)", (process,))


with Server("deaf_functions", "pg_tviews.refresh_timeout = 3s\npg_tviews.max_helpers = 1\nmax_parallel_workers = 8\npg_tviews.audit_rate = 0\n"
            "parallel_setup_cost = 0\nparallel_tuple_cost = 0\n") as server:
    connection = server.prepare("deaf", SCRIPT)
    reader = server.connect("deaf")
    run(reader, "SET pg_tviews.read_consistency = eventual")
    check_equal(connection)

    # A cancel that comes when the refresh of a TVIEW looks no more is kept for what the batch does then.
    run(connection, """
        CREATE FUNCTION first(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
          'BEGIN IF n = 1 THEN PERFORM public.rude_hold_cancel(); END IF; RETURN n; END';
        CREATE FUNCTION second(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
          'BEGIN IF n = 1 THEN PERFORM public.rude_release(); END IF; RETURN n; END';
        CREATE TABLE tb_cancel (pk_cancel int PRIMARY KEY, n int NOT NULL);
        INSERT INTO tb_cancel VALUES (1, 0);
        CREATE TABLE tv_first AS SELECT pk_cancel AS pk_first, first(n) AS n FROM tb_cancel;
        CREATE TABLE tv_second AS SELECT pk_first AS pk_second, second(n) AS n FROM tv_first""")
    check_equal(connection)
    run(connection, "UPDATE tb_cancel SET n = 1")
    wait_until(lambda: run(reader, "SELECT 1 FROM pg_tview_behind"), "the cancel to be noticed")
    assert run(reader, "SELECT tview::text, reason FROM pg_tview_behind") == [("tv_second", "its refresh was cancelled")]
    run(connection, "UPDATE tb_cancel SET n = 2")
    run(connection, "SELECT pg_tviews_retry('second')")
    check_equal(connection, "a cancel that came late")

    # A session gives up its evaluator, goes on, and ends.
    make_deaf("pg_tviews evaluator")
    session = server.connect("deaf")
    pid = session.info.backend_pid
    run(session, "SET statement_timeout = '1s'")
    began = time.monotonic()
    try:
        run(session, "SELECT * FROM pg_tviews_verify('bad')")
        raise AssertionError("a verification that never ends has ended")
    except psycopg2.errors.QueryCanceled:
        pass
    print(f"note: a session went on after {time.monotonic() - began:.1f} s")
    assert value(reader, OF_KIND, ("pg_tviews evaluator",)) == 1
    run(session, "UPDATE tb_good SET n = 1")
    assert value(session, "SELECT n FROM tv_good") == 1
    session.close()
    wait_until(lambda: value(reader, "SELECT count(*) FROM pg_stat_activity WHERE pid = %s", (pid,)) == 0, "the session to end")

    # An applier gives up its helper.
    make_deaf("pg_tviews helper")
    began = time.monotonic()
    run(connection, "BEGIN; UPDATE tb_bad SET n = 2; UPDATE tb_good SET n = 2; COMMIT")
    wait_until(lambda: value(reader, "SELECT n FROM tv_good") == 2, "tv_good beside a helper that computes for ever")
    print(f"note: the others went on after {time.monotonic() - began:.1f} s")
    assert value(reader, OF_KIND, ("pg_tviews helper",)) == 1
    assert value(reader, "SELECT reason LIKE '%%refresh_timeout%%' FROM pg_tview_behind WHERE tview = 'tv_bad'::regclass")
    run(connection, "DELETE FROM deaf")
    run(connection, "ALTER TABLE tv_bad SET (pg_tviews.refresh_timeout = '10min')")
    run(connection, "SELECT pg_tviews_retry('bad')")
    assert value(reader, "SELECT count(*) FROM tv_bad WHERE n = 2") == 20000
