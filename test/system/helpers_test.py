"""Large batches with helper processes: what they compute equals the query, as the TVIEW's owner, and not
on top of what the same batch wrote, which they do not see; and nothing is lost when a helper fails, is
cancelled, terminated or killed, when DDL comes in between, and where no helper can be started.
"""
import os
import threading

from tviews_server import Server, check_equal, kill_process, run, value, wait_until

ROWS = 16000
CONF = """
log_min_messages = debug1
max_parallel_workers = 8
pg_tviews.max_helpers = 2
parallel_setup_cost = 0
parallel_tuple_cost = 0
"""

SOURCES = f"""
CREATE TABLE tb_group (pk_group int PRIMARY KEY, name text);
CREATE TABLE tb_item (pk_item int PRIMARY KEY, code text UNIQUE NOT NULL, fk_group int NOT NULL, n int NOT NULL);
CREATE INDEX ON tb_item (fk_group);
INSERT INTO tb_group SELECT i, 'group ' || i FROM generate_series(0, 9) i;
INSERT INTO tb_item SELECT i, 'code ' || i, i % 10, 0 FROM generate_series(1, {ROWS}) i;
-- Whether helpers are worth it is for the planner to say, which knows nothing of ranges otherwise.
ANALYZE tb_group, tb_item;
CREATE FUNCTION checked(n int) RETURNS int IMMUTABLE PARALLEL SAFE LANGUAGE plpgsql AS
  $$BEGIN IF n = -7 THEN RAISE 'seven'; END IF; RETURN n; END$$;
CREATE FUNCTION unmarked(n int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT n + 1';
-- Slow enough to be met, in the applier and its helpers only.
CREATE FUNCTION slowly(pk int, n int) RETURNS int IMMUTABLE PARALLEL SAFE COST 1000 LANGUAGE plpgsql AS $$BEGIN
  IF n >= 1000 AND pk % 20 = 0 AND current_setting('application_name') LIKE 'pg_tviews %' THEN
    PERFORM pg_sleep(0.002);
  END IF;
  RETURN n; END$$;
-- A helper stops in it while somebody holds the lock.
CREATE FUNCTION stopped(n int) RETURNS int IMMUTABLE PARALLEL SAFE LANGUAGE plpgsql AS $$BEGIN
  IF n = 2000 AND current_setting('application_name') = 'pg_tviews helper' AND NOT pg_try_advisory_xact_lock_shared(2000) THEN
    PERFORM pg_sleep(120);
  END IF;
  RETURN n; END$$;

CREATE TABLE tv_item AS SELECT i.pk_item, i.fk_group, jsonb_build_object('n', i.n, 'group', g.name,
  'others', (SELECT count(*) FROM tb_group o WHERE o.pk_group < g.pk_group)) AS data
  FROM tb_item i JOIN tb_group g ON g.pk_group = i.fk_group;
CREATE TABLE tv_above AS SELECT t.pk_item AS pk_above, t.data -> 'n' AS n FROM tv_item t;
CREATE TABLE tv_group AS SELECT pk_group, name FROM tb_group;
CREATE TABLE tv_beside AS SELECT i.pk_item AS pk_beside, i.n, (SELECT count(*) FROM tv_group g WHERE g.pk_group < i.fk_group)
  AS before FROM tb_item i;
CREATE TABLE tv_code WITH (pg_tviews.key = 'code') AS
  SELECT i.code, row_number() OVER (PARTITION BY i.code) AS position, i.n FROM tb_item i;
"""


def batch(connection, number):
    run(connection, f"UPDATE tb_item SET n = {number} WHERE n <> {number}")


def helped(server):
    return server.log().count("helpers recompute")


def test_equal(server, connection):
    before = helped(server)
    batch(connection, 1)
    check_equal(connection, "updates")
    # tv_above reads what this batch has written to tv_item; tv_code takes less when all of it is computed at once.
    if helped(server) - before != 2:
        raise AssertionError(f"helpers were used {helped(server) - before} times for tv_item and tv_beside")
    run(connection, "DELETE FROM tb_item WHERE pk_item % 2 = 0")
    check_equal(connection, "deletes")
    run(connection, f"INSERT INTO tb_item SELECT i, 'code ' || i, i % 10, 3 FROM generate_series(2, {ROWS}, 2) i")
    check_equal(connection, "inserts")
    run(connection, "UPDATE tb_item SET code = 'other ' || code; UPDATE tb_group SET name = name || '!'")
    check_equal(connection, "keys change")


def test_no_helpers(server, connection):
    run(connection, "ALTER SYSTEM SET max_parallel_workers = 0")
    run(connection, "SELECT pg_reload_conf()")
    before = helped(server)
    run(connection, "UPDATE tb_group SET name = 'without' WHERE pk_group = 0")
    run(connection, "SELECT pg_tviews_wait()")  # the applier has seen the setting now
    batch(connection, 4)
    check_equal(connection, "no helper can be started")
    if helped(server) != before:
        raise AssertionError("helpers were started with max_parallel_workers = 0")
    run(connection, "ALTER SYSTEM RESET max_parallel_workers")
    run(connection, "SELECT pg_reload_conf()")


def test_error(server, connection):
    run(connection, "CREATE TABLE tv_checked AS SELECT i.pk_item AS pk_checked, checked(i.n) AS n FROM tb_item i")
    run(connection, "UPDATE tb_item SET n = CASE pk_item WHEN 777 THEN -7 ELSE 5 END")
    run(connection, "SELECT pg_tviews_wait()")
    letters = run(connection, "SELECT key, error FROM pg_tview_dead_letter")
    if len(letters) != 1 or "777" not in letters[0][0]:
        raise AssertionError(f"dead letters: {letters}")
    right = value(connection, "SELECT count(*) FROM tv_checked WHERE n = 5")
    if right != ROWS - 1:
        raise AssertionError(f"{right} of {ROWS - 1} other keys are right")
    batch(connection, 6)
    check_equal(connection, "after the error is gone")
    run(connection, "DROP TABLE tv_checked")


def test_owner(server, connection):
    run(connection, """CREATE ROLE plain; GRANT CREATE ON SCHEMA public TO plain; GRANT SELECT, TRIGGER ON tb_item TO plain;
        CREATE FUNCTION as_owner(n int) RETURNS int IMMUTABLE PARALLEL SAFE LANGUAGE plpgsql AS $$BEGIN
          IF current_setting('application_name') = 'pg_tviews helper' AND current_user <> 'plain' THEN
            RAISE 'runs as %', current_user;
          END IF;
          RETURN n; END$$;
        SET ROLE plain""")
    run(connection, "CREATE TABLE tv_owned AS SELECT i.pk_item AS pk_owned, as_owner(i.n) AS n FROM tb_item i")
    run(connection, "RESET ROLE")
    batch(connection, 61)
    check_equal(connection, "a helper works as the owner")
    wrong = run(connection, "SELECT error FROM pg_tview_dead_letter")
    if wrong or server.log().count("runs as") > 0:
        raise AssertionError(f"a helper did not work as the owner: {wrong}")
    run(connection, "DROP TABLE tv_owned")


def test_unmarked(server, connection):
    for name in ("tv_item", "tv_beside", "tv_code"):
        run(connection, f"DROP TABLE {name} CASCADE")
    run(connection, "CREATE TABLE tv_unmarked AS SELECT i.pk_item AS pk_unmarked, unmarked(i.n) AS n FROM tb_item i")
    before = helped(server)
    batch(connection, 7)
    check_equal(connection, "a function that is not marked PARALLEL SAFE")
    if helped(server) != before:
        raise AssertionError("a function that is not marked PARALLEL SAFE ran in a helper")
    run(connection, "DROP TABLE tv_unmarked")


def test_cheap(server, connection):
    """With the server's own costs only documents that take long to compute are shared."""
    run(connection, "ALTER SYSTEM SET parallel_setup_cost = 1000")
    run(connection, "ALTER SYSTEM SET parallel_tuple_cost = 0.1")
    run(connection, "SELECT pg_reload_conf()")
    run(connection, "UPDATE tb_group SET name = 'seen' WHERE pk_group = 0")
    total = "(SELECT sum(pk_group * i.n) FROM tb_group) AS total"
    for number, (name, key, document, is_helped) in enumerate((
            ("cheap", "pk_item", "jsonb_build_object('n', i.n) AS data", False),
            ("dear", "pk_item", total, True), ("text", "code", total, True)), start=20):
        run(connection, f"CREATE TABLE tv_{name} WITH (pg_tviews.key = '{key}') AS SELECT i.{key}, {document} FROM tb_item i")
        run(connection, "SELECT pg_tviews_wait()")
        before = helped(server)
        batch(connection, number)
        check_equal(connection, f"{name} documents")
        if (helped(server) > before) != is_helped:
            raise AssertionError(f"{name} documents: helpers were used {helped(server) - before} times")
        run(connection, f"DROP TABLE tv_{name}")
    run(connection, "ALTER SYSTEM RESET parallel_setup_cost")
    run(connection, "ALTER SYSTEM RESET parallel_tuple_cost")
    run(connection, "SELECT pg_reload_conf()")


def helpers(connection):
    return [pid for (pid,) in run(connection, """SELECT h.pid FROM pg_stat_activity h JOIN pg_stat_activity a
        ON a.pid = h.leader_pid WHERE a.backend_type = 'pg_tviews applier' AND h.backend_type = 'pg_tviews helper'
        AND h.query = 'pg_tviews helper'""")]


def create_slow(connection):
    run(connection, "CREATE TABLE tv_slow AS SELECT i.pk_item AS pk_slow, slowly(i.pk_item, i.n) AS n FROM tb_item i")


def test_disturbed(server, connection):
    create_slow(connection)
    for number, how in enumerate(("pg_cancel_backend", "pg_terminate_backend"), start=1000):
        batch(connection, number)
        pids = wait_until(lambda: helpers(connection), "helpers at work")
        run(connection, f"SELECT {how}(%s)", (pids[0],))
        check_equal(connection, how)
    batch(connection, 1002)
    wait_until(lambda: helpers(connection), "helpers at work")
    other = server.connect("test")
    ddl = threading.Thread(target=run, args=(other, "ALTER TABLE tb_item ADD COLUMN later int DEFAULT 1"))
    ddl.start()
    check_equal(connection, "DDL while helpers work")
    ddl.join()
    other.close()


def test_batch_fails(server, connection):
    """Helpers of a batch that fails end at once, whatever they are doing."""
    run(connection, "DROP TABLE tv_slow; CREATE TABLE tv_stopped AS SELECT pk_item AS pk_stopped, stopped(n) AS n FROM tb_item")
    holder = server.connect("test")
    run(holder, "SELECT pg_advisory_lock(2000)")
    batch(connection, 2000)
    stuck = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_tviews helper' AND wait_event = 'PgSleep'"
    ((pid,),) = wait_until(lambda: run(holder, stuck), "a helper that sends nothing")
    run(holder, "SELECT pg_advisory_unlock(2000)")
    run(holder, "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'pg_tviews applier'")
    # A cancel leaves the TVIEW behind, and says so.
    wait_until(lambda: run(holder, "SELECT 1 FROM pg_tview_behind WHERE reason LIKE '%cancelled%'"), "tv_stopped to be left behind")
    wait_until(lambda: not run(holder, "SELECT 1 FROM pg_stat_activity WHERE pid = %s", (pid,)), "its end")
    run(connection, "SELECT pg_tviews_retry('stopped')")
    check_equal(connection, "after a batch that failed")
    run(connection, "DROP TABLE tv_stopped")
    holder.close()


def test_killed(server, connection):
    create_slow(connection)
    batch(connection, 1003)
    pids = wait_until(lambda: helpers(connection), "helpers at work")
    check_equal(kill_process(server, "test", pids[0]), "a killed helper")


if os.cpu_count() < 2:
    print("note: skipped: on one core there are no helpers")
    raise SystemExit
with Server("helpers", CONF) as server:
    connection = server.prepare("test", "SET pg_tviews.notice_lineage = off;" + SOURCES)
    run(connection, "SELECT pg_tviews_wait()")
    for test in (test_equal, test_no_helpers, test_error, test_owner, test_unmarked, test_cheap, test_disturbed, test_batch_fails, test_killed):
        test(server, connection)
