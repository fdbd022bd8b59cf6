"""A statement that waits to read a TVIEW can be cancelled, terminated and timed out; where waiting leads nowhere
it says so; and a TVIEW that was just created is read by others after its first batch (ATTACKS A19)."""
import threading

import psycopg2

import pauses
from tviews_server import Server, check_equal, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_a (pk_a int PRIMARY KEY, name text NOT NULL);
INSERT INTO tb_a SELECT i, 'old' FROM generate_series(1, 10) i;
CREATE TABLE tv_a AS SELECT tb_a.pk_a, tb_a.name FROM tb_a;
"""
READ = "SELECT name FROM tv_a WHERE pk_a = 1"


class Reader(threading.Thread):
    """A session that commits a change and reads it."""

    def __init__(self, name, *settings):
        super().__init__()
        self.connection, self.name_, self.seen, self.error = server.connect("reads"), name, None, None
        for setting in settings:
            run(self.connection, setting)
        run(self.connection, "UPDATE tb_a SET name = %s WHERE pk_a = 1", (name,))
        self.pid = self.connection.info.backend_pid
        self.start()

    def run(self):
        try:
            self.seen = value(self.connection, READ)
        except psycopg2.Error as error:
            self.error = error

    def waits(self):
        wait_until(lambda: value(connection, "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
                                 " AND wait_event_type = 'Extension' AND query LIKE '%%' || %s", (self.pid, READ)), "the reader to wait")
        return self

    def ends(self):
        self.join(30)
        assert not self.is_alive(), self.name_
        return self


def refuses(session, statement, sqlstate):
    try:
        run(session, statement)
    except psycopg2.Error as error:
        assert error.pgcode == sqlstate, error
        return
    raise AssertionError(f"{statement} succeeded")


with Server("reader_waits", pauses.CONF) as server:
    connection = server.prepare("reads", SCRIPT)
    check_equal(connection)
    run(connection, "SET pg_tviews.read_consistency = eventual")

    with pauses.pause(server, "reads", "after_take") as is_there:
        cancelled = Reader("cancelled").waits()
        is_there()
        terminated = Reader("terminated").waits()
        timed_out = Reader("timed out", "SET statement_timeout = '200ms'")
        impatient = Reader("impatient", "SET pg_tviews.read_timeout = '200ms'")
        patient = Reader("patient").waits()
        run(connection, "SELECT pg_cancel_backend(%s), pg_terminate_backend(%s)", (cancelled.pid, terminated.pid))
        for reader, sqlstate in ((cancelled, "57014"), (terminated, "57P01"), (timed_out, "57014"), (impatient, "57014")):
            assert reader.ends().error is not None, reader.name_
            assert reader.error.pgcode in (sqlstate, None), (reader.name_, reader.error)
        assert terminated.connection.closed
        # Those that are left can be used, and others never waited.
        assert value(cancelled.connection, "SELECT 1") == 1
        assert "change record" in impatient.error.diag.message_detail, impatient.error.diag.message_detail
        stranger = server.connect("reads")
        assert value(stranger, READ) == "old"
    assert patient.ends().seen == "patient", patient.error
    check_equal(connection)

    # A new TVIEW: its creator sees it at once, others after its first batch, in `eventual` nobody waits.
    with pauses.pause(server, "reads", "after_take"):
        creator = server.connect("reads")
        run(creator, "CREATE TABLE tv_b AS SELECT tb_a.pk_a AS pk_b, tb_a.name FROM tb_a")
        other = server.connect("reads")
        run(other, "SET pg_tviews.read_timeout = '300ms'")
        refuses(other, "SELECT count(*) FROM tv_b", "57014")
        run(other, "SET pg_tviews.read_consistency = eventual")
        assert value(other, "SELECT count(*) FROM tv_b") == 10
    run(other, "RESET pg_tviews.read_timeout; RESET pg_tviews.read_consistency")
    assert value(other, "SELECT count(*) FROM tv_b") == 10

    # Appliers are not wanted: a WARNING, an error in `strict`.
    run(connection, "ALTER SYSTEM SET pg_tviews.enabled = off")
    run(connection, "SELECT pg_reload_conf()")
    session = server.connect("reads")
    wait_until(lambda: value(session, "SHOW pg_tviews.enabled") == "off", "the setting")
    run(session, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE backend_type = 'pg_tviews applier'")
    run(session, "UPDATE tb_a SET name = 'unseen' WHERE pk_a = 1")
    assert value(session, READ) != "unseen"
    assert any("pg_tviews.enabled is off" in notice for notice in session.notices), session.notices
    run(session, "SET pg_tviews.read_consistency = strict")
    refuses(session, READ, "55000")
    run(connection, "ALTER SYSTEM RESET pg_tviews.enabled")
    run(connection, "SELECT pg_reload_conf()")
    wait_until(lambda: value(session, "SHOW pg_tviews.enabled") == "on", "the setting")
    assert value(session, READ) == "unseen"
    check_equal(connection)

    # Who locks a source of their own holds up those who may read the TVIEW, in whole or in part, and nobody else.
    run(connection, """
        CREATE ROLE hermit; CREATE ROLE stranger; CREATE ROLE guest; CREATE ROLE peeper;
        GRANT CREATE ON SCHEMA public TO hermit;
        SET ROLE hermit;
        CREATE TABLE tb_h (pk_h int PRIMARY KEY, n int NOT NULL);
        CREATE TABLE tb_i (pk_i int PRIMARY KEY, n int NOT NULL);
        INSERT INTO tb_h VALUES (1, 0);
        INSERT INTO tb_i VALUES (1, 0);
        CREATE TABLE tv_h AS SELECT h.pk_h, h.n, i.n AS other FROM tb_h AS h JOIN tb_i AS i ON i.pk_i = h.pk_h;
        GRANT SELECT ON tv_h TO guest;
        GRANT SELECT (n) ON tv_h TO peeper;
        RESET ROLE""")
    check_equal(connection)
    holder = server.connect("reads", autocommit=False)
    run(holder, "SET ROLE hermit")
    run(holder, "LOCK TABLE tb_i IN ACCESS EXCLUSIVE MODE")
    run(connection, "UPDATE tb_h SET n = 1")
    wait_until(lambda: run(connection, "SELECT 1 FROM pg_tview_behind WHERE tview = 'tv_h'::regclass"), "tv_h to be behind")
    for role, waits in (("stranger", False), ("hermit", True), ("guest", True), ("peeper", True), ("postgres", True)):
        session = server.connect("reads")
        xid = value(session, "SELECT pg_current_xact_id()")
        run(session, f"SET ROLE {role}")
        for call in ("pg_tviews_wait('%s')", f"pg_tviews_wait_for('{xid}', '%s')"):
            if waits:
                refuses(session, "SELECT " + call % "500ms", "57014")
            else:
                run(session, "SELECT " + call % "60s")
    holder.rollback()
    check_equal(connection)
