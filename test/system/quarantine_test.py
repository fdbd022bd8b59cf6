"""Errors in a refresh (ATTACKS A20): what fails is put aside with its error, everything else goes on and
stays exact, and it heals. Rows that exchange values of a unique column are not an error."""
import psycopg2

from tviews_server import Server, check_equal, differences, run, value, wait_until

SCRIPT = """
CREATE ROLE owner;
GRANT ALL ON SCHEMA public TO owner;
CREATE TABLE tb_a (pk_a int PRIMARY KEY, code text NOT NULL, divisor int NOT NULL, fk_b int);
CREATE TABLE tb_b (pk_b int PRIMARY KEY, name text);
INSERT INTO tb_b SELECT i, 'b' || i FROM generate_series(1, 10) i;
INSERT INTO tb_a SELECT i, 'code ' || i, 1, i % 10 + 1 FROM generate_series(1, 100) i;
GRANT SELECT ON tb_a, tb_b TO owner;

CREATE TABLE tv_quotient AS SELECT pk_a AS pk_quotient, code, 100 / divisor AS quotient FROM tb_a;
CREATE UNIQUE INDEX ON tv_quotient (code);
CREATE TABLE tv_plain AS SELECT pk_a AS pk_plain, code, divisor FROM tb_a;
CREATE TABLE tv_total AS SELECT 1 AS pk_total, sum(100 / divisor) AS total FROM tb_a;
CREATE TABLE tv_full AS SELECT pk_b AS pk_full, (SELECT sum(100 / divisor) FROM tb_a) AS total FROM tb_b;
CREATE TABLE tv_named AS SELECT a.pk_a AS pk_named, b.name FROM tb_a a JOIN tb_b b ON b.pk_b = a.fk_b;
CREATE TABLE tv_reader AS SELECT q.pk_quotient AS pk_reader, q.quotient + 1 AS next FROM tv_quotient q;
CREATE TABLE tv_owned AS SELECT pk_b AS pk_owned, name FROM tb_b;
ALTER TABLE tv_owned OWNER TO owner;
"""


def letters(tview):
    return run(connection, "SELECT key, sqlstate FROM pg_tview_dead_letter WHERE tview = %s::regclass ORDER BY key::int", (tview,))


def state(tview):
    return value(connection, "SELECT state FROM pg_tview_meta WHERE tview = %s::regclass", (tview,))


def wait():
    run(connection, "SELECT pg_tviews_wait()")


def check_all_but(*failing):
    try:
        wrong = set(differences(connection))
    except (psycopg2.errors.DivisionByZero, psycopg2.errors.InsufficientPrivilege):
        wrong = set()
        for tview in {"tv_plain", "tv_named", "tv_owned", "tv_reader"} - set(failing):
            view = tview.replace("tv_", "v_")
            if value(connection, f"SELECT count(*) FROM (TABLE {view} EXCEPT TABLE {tview}) x") or \
               value(connection, f"SELECT count(*) FROM (TABLE {tview} EXCEPT TABLE {view}) x"):
                wrong.add(tview)
    assert wrong <= set(failing), f"{wrong} differ, only {failing} may"


with Server("quarantine") as server:
    connection = server.prepare("quarantine", SCRIPT)
    check_equal(connection)

    # Two rows exchange their values, many rotate.
    run(connection, "UPDATE tb_a SET code = CASE pk_a WHEN 1 THEN 'code 2' ELSE 'code 1' END WHERE pk_a IN (1, 2)")
    check_equal(connection, "after an exchange")
    run(connection, "UPDATE tb_a SET code = 'code ' || pk_a % 100 + 1")
    check_equal(connection, "after a rotation")
    assert value(connection, "SELECT count(*) FROM pg_tview_dead_letter") == 0

    # Two failing rows among others, and an exchange beside them in the same transaction.
    run(connection, """UPDATE tb_a SET divisor = CASE WHEN pk_a IN (7, 77) THEN 0 ELSE 2 END,
                       code = CASE pk_a WHEN 3 THEN 'code 95' WHEN 94 THEN 'code 4' ELSE code END""")
    wait()
    assert letters("tv_quotient") == [("7", "22012"), ("77", "22012")], letters("tv_quotient")
    assert state("tv_quotient") == "active", state("tv_quotient")
    assert letters("tv_total") == [("1", "22012")] and state("tv_total") == "active"
    assert letters("tv_full") == [(None, "22012")] and state("tv_full") == "quarantined"
    assert run(connection, "SELECT pk_quotient, quotient FROM tv_quotient WHERE pk_quotient IN (7, 8, 77) ORDER BY 1") == [(7, 100), (8, 50), (77, 100)]
    assert value(connection, "SELECT count(*) FROM tv_quotient WHERE quotient = 50") == 98
    check_all_but("tv_quotient", "tv_total", "tv_full")
    assert "key 77 of TVIEW \"public\".\"tv_quotient\" goes into quarantine" in server.log()
    assert "WARNING" in server.log()

    # They go on failing while others change; what is touched and good again heals.
    run(connection, "UPDATE tb_a SET divisor = 4 WHERE pk_a IN (7, 8)")
    wait()
    assert letters("tv_quotient") == [("77", "22012")], letters("tv_quotient")
    check_all_but("tv_quotient", "tv_total", "tv_full")
    run(connection, "UPDATE tb_a SET divisor = 4 WHERE pk_a = 77")
    wait()
    assert letters("tv_quotient") == []
    assert letters("tv_total") == []
    # A TVIEW as a whole too: it is tried again after a pause, without anybody asking.
    wait_until(lambda: state("tv_full") == "active", "the whole TVIEW to heal by itself")
    assert state("tv_full") == "active" and letters("tv_full") == []
    check_equal(connection, "after pg_tviews_retry")

    # pg_tviews_retry of a TVIEW that still fails says why, and changes nothing.
    run(connection, "UPDATE tb_a SET divisor = 0 WHERE pk_a = 5")
    wait()
    try:
        run(connection, "SELECT pg_tviews_retry('full')")
        raise AssertionError("pg_tviews_retry succeeded")
    except psycopg2.errors.DivisionByZero:
        pass
    run(connection, "UPDATE tb_a SET divisor = 1 WHERE pk_a = 5")
    wait()
    run(connection, "SELECT pg_tviews_retry('full')")
    check_equal(connection, "after the second healing")

    # The definition as a whole: the owner loses a privilege.
    run(connection, "REVOKE SELECT ON tb_b FROM owner")
    run(connection, "UPDATE tb_b SET name = 'no privilege' WHERE pk_b = 1")
    wait()
    assert letters("tv_owned") == [(None, "42501")], letters("tv_owned")
    assert state("tv_owned") == "quarantined"
    check_all_but("tv_owned")
    run(connection, "UPDATE tb_b SET name = 'more' WHERE pk_b = 2")
    wait()
    check_all_but("tv_owned")
    run(connection, "GRANT SELECT ON tb_b TO owner")
    run(connection, "SELECT pg_tviews_retry('owned')")
    check_equal(connection, "after the privilege is back")

    # The same without pg_tviews_retry, and without a change that would reach the TVIEW.
    run(connection, "REVOKE SELECT ON tb_b FROM owner")
    run(connection, "UPDATE tb_b SET name = 'again no privilege' WHERE pk_b = 1")
    wait()
    assert state("tv_owned") == "quarantined"
    attempts = "SELECT max(attempts) FROM pg_tview_dead_letter WHERE tview = 'tv_owned'::regclass"
    wait_until(lambda: value(connection, attempts) >= 2, "another attempt")
    run(connection, "GRANT SELECT ON tb_b TO owner")
    wait_until(lambda: state("tv_owned") == "active", "the TVIEW to heal by itself")
    check_equal(connection, "after it has healed")

    # An applier that has just begun knows what is in quarantine before its first batch ends.
    run(connection, "UPDATE tb_a SET divisor = 0 WHERE pk_a = 9")
    wait()
    assert letters("tv_quotient") == [("9", "22012")], letters("tv_quotient")
    wait_until(lambda: state("tv_full") == "quarantined", "the whole TVIEW to fail")
    run(connection, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'pg_tviews applier'")
    run(connection, "UPDATE tb_a SET divisor = 1 WHERE pk_a = 9")
    wait()
    assert letters("tv_quotient") == [], letters("tv_quotient")
    wait_until(lambda: state("tv_full") == "active", "the whole TVIEW to heal by itself")
    check_equal(connection, "after the applier's first batch")

    # A failed batch is a batch that is tried again: no failure of one key is repeated for ever.
    retries = "SELECT retries FROM pg_tviews_workers WHERE kind = 'applier'"
    before = value(connection, retries)
    run(connection, "UPDATE tb_a SET fk_b = 3 WHERE pk_a = 3")
    check_equal(connection, "at the end")
    assert value(connection, retries) == before
