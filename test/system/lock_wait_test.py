"""Locks held for long on a source, or on a TVIEW, concern those TVIEWs only that need the relation.

Danger: a batch that cannot lock one relation is given up as a whole, and every TVIEW of the database
stands still for as long as the lock is held. Right answer: the others follow within a lock timeout; what
cannot be refreshed is named in pg_tview_behind with the snapshot at which it stands, keeps exactly that
state, and catches up by itself when the lock is gone, also after a crash."""
# Runs alone: it measures how soon TVIEWs follow beside a lock.
import time

import psycopg2.errors

import shop
from tviews_server import Server, check_equal, cpu_seconds, run, value, wait_until

EXTRA = """
CREATE TABLE tb_note (pk_note int PRIMARY KEY, text text);
INSERT INTO tb_note VALUES (1, 'none');
CREATE TABLE tv_note AS SELECT pk_note, text FROM tb_note;
CREATE TABLE tv_totals AS SELECT s.pk_spending AS pk_totals, s.total * 2 AS doubled, n.text FROM tv_spending s, tb_note n;
"""

# What is locked, and the TVIEWs that must not be refreshed meanwhile. tv_totals reads tv_spending.
CASES = {
    "LOCK TABLE tb_order IN ACCESS EXCLUSIVE MODE": {"tv_customer", "tv_order", "tv_spending", "tv_totals"},
    "LOCK TABLE tv_spending IN ACCESS EXCLUSIVE MODE": {"tv_spending", "tv_totals"},
    "LOCK TABLE tv_spending IN SHARE MODE": {"tv_spending", "tv_totals"},
    "REINDEX TABLE tv_order": {"tv_order"},
    "ALTER TABLE tb_line ADD COLUMN IF NOT EXISTS note text": {"tv_order", "tv_spending", "tv_totals", "tv_summary"},
    "CREATE INDEX ON tv_customer (id)": {"tv_customer"},
    "DROP TABLE tv_summary": {"tv_summary"},
}
ALL = {"tv_customer", "tv_order", "tv_spending", "tv_summary", "tv_note", "tv_totals"}
# Tables that nobody can read now: they, or indexes of theirs, are locked.
UNREADABLE = """SELECT coalesce(i.indrelid, l.relation)::regclass::text FROM pg_locks l LEFT JOIN pg_index i ON i.indexrelid = l.relation
                WHERE l.mode = 'AccessExclusiveLock' AND l.granted AND l.relation IS NOT NULL"""


def behind():
    return {row[0] for row in run(reader, "SELECT tview::text FROM pg_tview_behind")}


def contents(names):
    locked = {row[0] for row in run(reader, UNREADABLE)}
    return {name: run(reader, f"SELECT * FROM {name} ORDER BY 1") for name in names if name not in locked}


def fresh(number):
    return value(reader, f"SELECT data->>'name' = 'name {number}' FROM tv_customer WHERE pk_customer = 1")


def check_case(number, lock, aside, how):
    holder = server.connect("shop", autocommit=False)
    run(holder, "SET pg_tviews.protect = off")
    before = contents(ALL)
    run(holder, lock)
    others = ALL - aside
    # Sessions that have to write what the holder has locked would wait for it: they write the rest.
    writes = [f"UPDATE tb_note SET text = 'note {number}'", f"UPDATE tb_customer SET name = 'name {number}' WHERE pk_customer = 1"]
    if "tb_line" not in lock:
        writes.append("UPDATE tb_line SET amount = amount + 1 WHERE pk_line < 20")
    began = time.monotonic()
    run(connection, "BEGIN; " + "; ".join(writes) + "; COMMIT")
    if "tv_customer" in others:
        wait_until(lambda: fresh(number), f"tv_customer beside {lock}", 10)
    else:
        wait_until(lambda: behind() & aside, f"{aside} to be named as behind", 10)
    print(f"{lock}: others after {1000 * (time.monotonic() - began):.0f} ms, behind: {sorted(behind())}")
    assert behind() <= aside, f"{lock}: {behind()} are behind, expected some of {aside}"
    # More batches, without waiting for the lock again: those for the others are quick, the others are exact.
    began = time.monotonic()
    for i in range(20):
        run(connection, f"UPDATE tb_customer SET name = 'more {i}' WHERE pk_customer = 2")
        run(connection, f"UPDATE tb_note SET text = 'more {i}'")
    wait_until(lambda: value(reader, "SELECT text FROM tv_note") == "more 19", "tv_note to follow", 10)
    assert time.monotonic() - began < 5
    for name, rows in contents(behind()).items():
        assert rows == before[name], f"{lock}: {name} is behind and has changed"
    if behind():
        wrong = value(connection, "SELECT count(*) FROM pg_tview_behind, pg_tview_frontier WHERE pg_tview_behind.snapshot IS NULL"
                                  " OR pg_snapshot_xmax(pg_tview_behind.snapshot) > pg_snapshot_xmax(pg_tview_frontier.snapshot)")
        assert wrong == 0
        try:
            run(connection, "SELECT pg_tviews_wait('200 ms')")
            raise AssertionError(f"{lock}: pg_tviews_wait returned although {behind()} are behind")
        except psycopg2.errors.QueryCanceled as error:
            # What is behind and why, and where the holder of the lock is named.
            assert any(f'.{name}" is behind: ' in error.diag.message_detail for name in aside), error
            assert "pg_tviews_health_check() names the session" in error.diag.message_hint, error
    if how == "kill":
        server.kill()
        server.start()
    elif how == "rollback":
        holder.rollback()
    else:
        holder.commit()
    holder.close()


def refused(session, statement, error):
    began = time.monotonic()
    try:
        run(session, statement)
        raise AssertionError(f"{statement} did not wait")
    except error:
        session.rollback()
    return time.monotonic() - began


def check_readers():
    """Who reads TVIEWs that are left aside waits for them, and others do not; who holds the lock is told at once."""
    holder = server.connect("shop", autocommit=False)
    run(holder, "LOCK TABLE tb_order IN ACCESS EXCLUSIVE MODE")
    writer, strict = server.connect("shop"), server.connect("shop")
    run(writer, "UPDATE tb_customer SET name = 'mine' WHERE pk_customer = 3; UPDATE tb_note SET text = 'mine'")
    run(strict, "SET pg_tviews.read_consistency = strict")
    for session in (writer, strict):
        assert value(session, "SELECT text FROM tv_note") == "mine"
    assert "tv_customer" in behind(), behind()
    applier = value(reader, "SELECT pid FROM pg_tviews_workers WHERE kind = 'applier' AND database = 'shop'")
    for session in (writer, strict):
        run(session, "SET pg_tviews.read_timeout = '1 s'")
        spent = cpu_seconds([applier])
        refused(session, "SELECT count(*) FROM tv_customer", psycopg2.errors.QueryCanceled)
        spent = cpu_seconds([applier]) - spent
        assert spent < 0.3, f"waiting for what is left aside for a second cost the applier {spent} s"
        assert value(session, "SELECT text FROM tv_note") == "mine"
    run(holder, "SET pg_tviews.read_consistency = strict")
    assert value(holder, "SELECT text FROM tv_note") == "mine"
    # The applier does not wait for the lock any more; the reader would wait for itself all the same.
    took = refused(holder, "SELECT count(*) FROM tv_customer", psycopg2.errors.DeadlockDetected)
    assert took < 10, took
    assert value(writer, "SELECT data ->> 'name' FROM tv_customer WHERE pk_customer = 3") == "mine"
    check_equal(connection, "after readers of what was left aside")


def check_comparison():
    """What is left aside when it is to be compared as a whole owes the comparison, also after a crash."""
    function = "CREATE OR REPLACE FUNCTION public.label(text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT '{}' || $1 $$"
    run(connection, function.format("old "))
    run(connection, "CREATE TABLE tv_labelled AS SELECT pk_note AS pk_labelled, label(text) AS label FROM tb_note")
    check_equal(connection)
    holder = server.connect("shop", autocommit=False)
    run(holder, "SET pg_tviews.protect = off; LOCK TABLE tv_labelled IN SHARE MODE")
    run(connection, function.format("new "))
    wait_until(lambda: behind() == {"tv_labelled"}, "tv_labelled to be left aside")
    assert value(connection, "SELECT count(*) FROM tviews_internal.pg_tview_owed WHERE tview = 'tv_labelled'::regclass") == 1
    assert value(reader, "SELECT label FROM tv_labelled").startswith("old ")
    server.kill()
    server.start()
    holder.close()


with Server("lock_wait", "pg_tviews.lock_timeout = 200ms\n") as server:
    connection = server.prepare("shop", shop.SCRIPT)
    run(connection, EXTRA)
    reader = server.connect("shop")  # has committed nothing that it would wait for
    check_equal(connection)
    check_readers()
    check_comparison()
    connection, reader = server.connect("shop"), server.connect("shop")
    check_equal(connection, "after a comparison that was owed")
    assert value(reader, "SELECT label FROM tv_labelled").startswith("new ")
    run(connection, "DROP TABLE tv_labelled")
    number = 0
    for how in ("rollback", "kill", "commit"):
        for lock, aside in CASES.items():
            if how == "kill" and "tb_order" not in lock and "SHARE" not in lock or how == "commit" and lock[:4] == "LOCK":
                continue
            number += 1
            check_case(number, lock, aside, how)
            if how == "kill":
                connection, reader = server.connect("shop"), server.connect("shop")
            check_equal(connection, f"after {lock}, {how}")
            wait_until(lambda: not behind(), "everything to have caught up")
            assert value(connection, "SELECT count(*) FROM tviews_internal.pg_tview_owed") == 0
            assert value(connection, "SELECT count(*) FROM pg_tview_dead_letter") == 0
