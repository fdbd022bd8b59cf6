"""pg_tviews.worker_nice: appliers and helpers take on the nice value at their start and at a reload, also a lower
one, which takes a new process; what changes meanwhile is applied."""
import pathlib

from tviews_server import Server, check_equal, run, value, wait_until

ROWS = 16000
LOCK = 4711
CONF = """
pg_tviews.worker_nice = 3
pg_tviews.max_helpers = 1
"""
SCRIPT = f"""
CREATE TABLE tb_item (pk_item int PRIMARY KEY, name text NOT NULL);
INSERT INTO tb_item SELECT i, 'start' FROM generate_series(1, {ROWS}) AS i;
-- A helper waits for the lock, the applier does not.
CREATE FUNCTION held(name text) RETURNS text IMMUTABLE PARALLEL SAFE LANGUAGE plpgsql AS $$BEGIN
  IF name = 'hold' AND EXISTS (SELECT FROM pg_stat_activity WHERE pid = pg_backend_pid() AND backend_type = 'parallel worker')
  THEN
    PERFORM pg_advisory_xact_lock_shared({LOCK});
  END IF;
  RETURN name; END$$;
CREATE TABLE tv_item AS SELECT tb_item.pk_item, held(tb_item.name) AS name FROM tb_item;
"""


def nice_of(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[16])


def applier():
    rows = run(connection, """SELECT activity.pid FROM pg_stat_activity AS activity
        WHERE activity.backend_type = 'pg_tviews applier' AND activity.datname = 'items'""")
    return rows[0][0] if rows else None


def set_nice(number):
    run(connection, f"ALTER SYSTEM SET pg_tviews.worker_nice = {number}")
    run(connection, "SELECT pg_reload_conf()")


with Server("worker_nice", CONF) as server:
    connection = server.prepare("items", SCRIPT)
    own = nice_of(server.postmaster())
    check_equal(connection, "at the start")
    first = applier()
    assert nice_of(first) == own + 3, nice_of(first)

    set_nice(7)
    wait_until(lambda: nice_of(first) == own + 7, "the running applier to become nicer")

    holder = server.connect("items")
    run(holder, "SELECT pg_advisory_lock(%s)", (LOCK,))
    run(connection, "UPDATE tb_item SET name = 'hold'")
    helper = wait_until(lambda: (run(connection, """SELECT activity.pid FROM pg_stat_activity AS activity
        WHERE activity.backend_type = 'parallel worker' AND activity.wait_event = 'advisory'""") or (None,))[0],
        "a helper")[0]
    assert nice_of(helper) == own + 7, nice_of(helper)
    run(holder, "SELECT pg_advisory_unlock(%s)", (LOCK,))
    check_equal(connection, "after the helper's batch")

    set_nice(0)
    wait_until(lambda: applier() not in (None, first) or nice_of(first) == own, "the nice value to be the server's again")
    run(connection, "UPDATE tb_item SET name = 'end' WHERE pk_item = 1")
    check_equal(connection, "after the change of processes")
    assert nice_of(value(connection, "SELECT pid FROM pg_tviews_workers WHERE kind = 'applier'")) == own
