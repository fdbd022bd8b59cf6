"""A definition that ends the process that evaluates it stops nobody: its TVIEW is left behind, the others go on at once.

Danger: the applier dies in the middle of a batch, the next one begins the same batch, and so on for ever. Nothing in the
process can remember whose fault it was. An applier that somebody else ends is no TVIEW's fault."""
import re
import time

import psycopg2

from tviews_server import Server, check_equal, install_module, run, value, wait_until

install_module("rude_functions")

ENDS = {
    "terminates itself": "PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(600)",
    "leaves by proc_exit(0)": "PERFORM public.rude_exit(0)",
    "leaves by proc_exit(1)": "PERFORM public.rude_exit(1)",
    "raises FATAL": "PERFORM public.rude_fatal()",
    "ends helpers only": "IF current_setting('application_name') = 'pg_tviews helper' THEN PERFORM public.rude_exit(1); END IF",
    "sleeps": "PERFORM pg_sleep(600)",
}
SCRIPT = """
CREATE FUNCTION rude_exit(int) RETURNS void LANGUAGE c AS 'rude_functions';
CREATE FUNCTION rude_fatal() RETURNS void LANGUAGE c AS 'rude_functions';
CREATE TABLE tb_bad (pk_bad int PRIMARY KEY, n int NOT NULL);
CREATE TABLE tb_good (pk_good int PRIMARY KEY, n int NOT NULL);
INSERT INTO tb_bad SELECT i, 0 FROM generate_series(1, 3) AS i;
INSERT INTO tb_good VALUES (1, 0);
CREATE TABLE mood (name text);
INSERT INTO mood VALUES ('');
CREATE FUNCTION moody(n int) RETURNS int LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100000 AS $$
DECLARE
  mood text := (SELECT mood.name FROM public.mood);
BEGIN
  IF n <= 0 THEN RETURN n; END IF;
%s
  RETURN n;
END $$;
CREATE TABLE tv_bad WITH (pg_tviews.function_reads = 'none') AS SELECT pk_bad, moody(n) AS n FROM tb_bad;
CREATE TABLE tv_over AS SELECT pk_bad AS pk_over, n + 1 AS n FROM tv_bad;
CREATE TABLE tv_good AS SELECT pk_good, n FROM tb_good;
""" % "\n".join(f"  IF mood = '{mood}' THEN {body}; END IF;" for mood, body in ENDS.items())
BEHIND = "SELECT reason, retry_at > now() FROM pg_tview_behind WHERE tview = 'tv_bad'::regclass"
FAULT = [("its refresh ends the applier", True)]
number = 0


def starts():
    return server.log().count("pg_tviews applier started")


def set_mood(name):
    run(connection, "UPDATE mood SET name = %s", (name,))


def change(condition="pk_bad = 2"):
    global number
    number += 1
    run(connection, f"BEGIN; UPDATE tb_bad SET n = {number} WHERE {condition}; UPDATE tb_good SET n = {number}; COMMIT")
    return time.monotonic()


def check_others(began, what):
    wait_until(lambda: value(reader, "SELECT n FROM tv_good") == number, f"tv_good beside what {what}", 20)
    print(f"note: {what}: the others after {time.monotonic() - began:.1f} s")


def check_heals(what):
    set_mood("")
    run(connection, "SELECT pg_tviews_retry('bad')")
    check_equal(connection, f"after what {what}")
    assert not run(reader, "SELECT 1 FROM pg_tview_behind"), what


def check_left_behind(what):
    wait_until(lambda: run(reader, BEHIND), f"tv_bad to be left behind as it {what}")
    assert run(reader, BEHIND) == FAULT, run(reader, BEHIND)
    # It costs no more appliers before its time, and nobody waits for it.
    before = starts()
    for _ in range(5):
        run(connection, "UPDATE tb_good SET n = -n")
        run(connection, "SELECT pg_tviews_wait('20 s')")
    assert starts() == before, what
    # Who asks for it is told, and does not wait.
    try:
        run(connection, "SELECT pg_tviews_refresh('bad')")
        raise AssertionError(f"a refresh that {what} succeeded")
    except psycopg2.Error as error:
        assert error.pgcode == "57014" and "ends the applier" in str(error), error


def check_ends(what):
    set_mood(what)
    check_others(change(), what)
    check_left_behind(what)
    check_heals(what)


def check_fill(what):
    """The applier fills what is created WITH NO DATA."""
    set_mood(what)
    run(connection, "CREATE TABLE tv_filled WITH (pg_tviews.function_reads = 'none') AS SELECT pk_bad AS pk_filled, moody(n) AS n FROM tb_bad WITH NO DATA")
    check_others(change("false"), f"{what} in a fill")
    wait_until(lambda: run(reader, "SELECT 1 FROM pg_tview_behind WHERE tview = 'tv_filled'::regclass AND reason LIKE '%ends the applier'"),
               "tv_filled to be left behind")
    set_mood("")
    run(connection, "SELECT pg_tviews_retry('filled')")
    check_equal(connection, "filled")
    run(connection, "DROP TABLE tv_filled")


def check_helpers(what):
    run(connection, "INSERT INTO tb_bad SELECT i, 0 FROM generate_series(10, 20010) AS i")
    # Whether helpers are worth it is for the planner to say, which knows nothing of ranges otherwise.
    run(connection, "ANALYZE tb_bad")
    check_equal(connection)
    set_mood(what)
    began = change("true")
    check_others(began, what)
    wait_until(lambda: value(reader, "SELECT count(*) FROM tv_bad WHERE n = %s", (number,)) == 20004, "the batch without helpers", 60)
    assert re.search("pg_tviews helper.*exited with exit code 1", server.log()), "no helper was used"
    set_mood("")
    run(connection, "DELETE FROM tb_bad WHERE pk_bad > 3")
    check_equal(connection, what)


def check_evaluator(what):
    """What a session asks an evaluator for ends with that process, once."""
    change()
    check_equal(connection)
    set_mood(what)
    try:
        run(connection, "SELECT * FROM pg_tviews_verify('bad')")
        raise AssertionError(f"a verification that {what} succeeded")
    except psycopg2.Error as error:
        assert error.pgcode == "58000", error
    set_mood("")
    check_equal(connection, what)


def is_back(entity):
    """False while an applier that has begun before learns how the one before it has ended."""
    try:
        run(connection, "SELECT pg_tviews_retry(%s)", (entity,))
        return True
    except psycopg2.errors.QueryCanceled as error:
        assert "its refresh ends the applier" in str(error), error
        return False


def check_audit(what):
    """An audit evaluates it too, though nothing has changed."""
    run(connection, """CREATE FUNCTION sworn(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN public.moody(n); END';
        CREATE TABLE tv_sworn AS SELECT pk_bad AS pk_sworn, sworn(n) AS n FROM tb_bad""")
    change()
    check_equal(connection)
    set_mood(what)
    run(connection, "ALTER SYSTEM SET pg_tviews.audit_rate = 100")
    run(connection, "SELECT pg_reload_conf()")
    wait_until(lambda: run(reader, BEHIND.replace("tv_bad", "tv_sworn")) == FAULT, f"tv_sworn to be left behind for an audit that {what}")
    change("false")
    check_others(time.monotonic(), f"{what} in an audit")
    run(connection, "ALTER SYSTEM SET pg_tviews.audit_rate = 0")
    run(connection, "SELECT pg_reload_conf()")
    set_mood("")
    # The audit may have met the other one, or both.
    for entity in ("bad", "sworn"):
        wait_until(lambda: is_back(entity), f"{entity} to be back")
    check_equal(connection, f"after an audit that {what}")
    run(connection, "DROP TABLE tv_sworn")


def check_accident():
    """An applier that somebody terminates, once, is nobody's fault."""
    set_mood("sleeps")
    change()
    before = starts()
    refreshing = "SELECT pid FROM pg_tviews_progress WHERE entity = 'bad'"
    pid = wait_until(lambda: run(reader, refreshing), "the refresh to begin")[0][0]
    run(reader, "SELECT pg_terminate_backend(%s)", (pid,))
    wait_until(lambda: starts() > before and run(reader, refreshing), "the next applier to try it again")
    assert not run(reader, BEHIND)
    set_mood("")
    run(reader, "SELECT pg_cancel_backend(pid) FROM pg_tviews_progress WHERE entity = 'bad'")
    check_heals("was terminated")
    # One that has come to an end since does not count with it.
    set_mood("sleeps")
    change()
    pid = wait_until(lambda: run(reader, refreshing), "the refresh to begin")[0][0]
    run(reader, "SELECT pg_terminate_backend(%s)", (pid,))
    wait_until(lambda: [row for row in run(reader, refreshing) if row[0] != pid], "the next applier to try it again")
    assert not run(reader, BEHIND)
    set_mood("")
    run(reader, "SELECT pg_cancel_backend(pid) FROM pg_tviews_progress WHERE entity = 'bad'")
    check_heals("was terminated again")


with Server("definition_ends", "pg_tviews.audit_rate = 0\npg_tviews.max_helpers = 2\nmax_parallel_workers = 8\n"
            "parallel_setup_cost = 0\nparallel_tuple_cost = 0\n") as server:
    connection = server.prepare("ends", SCRIPT)
    reader = server.connect("ends")
    run(reader, "SET pg_tviews.read_consistency = eventual")
    check_equal(connection)
    for what in list(ENDS)[:4]:
        check_ends(what)
    check_fill("terminates itself")
    check_evaluator("terminates itself")
    check_evaluator("leaves by proc_exit(0)")
    check_audit("terminates itself")
    check_helpers("ends helpers only")
    check_accident()
