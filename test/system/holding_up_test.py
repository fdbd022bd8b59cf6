"""Who holds up whom: a reader that waits is seen, with what the batch is at; its error names that TVIEW; the statistics
count its wait, and charge the TVIEW that held it up and that it does not need; the health check names that one."""
import threading

import psycopg2

from tviews_server import Server, check_equal, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_a (pk_a int PRIMARY KEY, n int NOT NULL);
CREATE TABLE tb_b (pk_b int PRIMARY KEY, n int NOT NULL);
INSERT INTO tb_a SELECT i, 0 FROM generate_series(1, 3) AS i;
INSERT INTO tb_b SELECT i, 0 FROM generate_series(1, 3) AS i;
CREATE FUNCTION gate(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
    -- It does not wait for the lock: a batch gives up a TVIEW that does.
    WHILE NOT pg_try_advisory_lock_shared(77) LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
    PERFORM pg_advisory_unlock_shared(77);
    RETURN n;
END $$;
CREATE TABLE tv_heavy AS SELECT tb_a.pk_a AS pk_heavy, gate(tb_a.n) AS n FROM tb_a;
CREATE TABLE tv_above AS SELECT tv_heavy.pk_heavy AS pk_above, tv_heavy.n FROM tv_heavy;
CREATE TABLE tv_light AS SELECT tb_b.pk_b AS pk_light, tb_b.n FROM tb_b;
"""
WAITS = "SELECT waits, held_up, held_up_ms, waited_for_others_ms, batch_share, max_wait_ms, p50_wait_ms, p99_wait_ms FROM pg_tviews_waits WHERE entity = %s"


class Reader(threading.Thread):
    """Commits a change and reads a TVIEW."""

    def __init__(self, tview, source, timeout="1min", explain=""):
        super().__init__()
        self.connection, self.tview, self.error, self.rows = server.connect("waits"), tview, None, []
        run(self.connection, f"SET pg_tviews.read_timeout = '{timeout}'")
        run(self.connection, f"UPDATE {source} SET n = n + 1")
        self.pid, self.statement = self.connection.info.backend_pid, f"{explain}SELECT sum(n) FROM {tview}"
        self.start()

    def run(self):
        try:
            self.rows = run(self.connection, self.statement)
        except psycopg2.Error as error:
            self.error = error

    def ends(self):
        self.join(60)
        assert not self.is_alive(), self.tview
        return self


def waiting():
    return dict((pid, (tviews, at, since)) for pid, tviews, at, since in
                run(connection, "SELECT pid, tviews::text, batch_at::text, batch_at_since IS NOT NULL FROM pg_tviews_waiting"))


def wait_for_phase(phase):
    wait_until(lambda: run(connection, "SELECT phase FROM pg_tviews_progress WHERE entity = 'heavy'") == [(phase,)], phase)


with Server("holding_up") as server:
    connection = server.prepare("waits", SCRIPT)
    check_equal(connection)
    run(connection, "SET pg_tviews.read_consistency = eventual")
    run(connection, "SELECT pg_tviews_stats_reset()")
    holder = server.connect("waits")
    run(holder, "SELECT pg_advisory_lock(77)")
    begin = value(connection, "SELECT clock_timestamp()")
    run(connection, "UPDATE tb_a SET n = n + 1")
    wait_for_phase("refreshing")
    light, above, heavy = Reader("tv_light", "tb_b"), Reader("tv_above", "tb_b"), Reader("tv_heavy", "tb_b")
    for reader in (light, above, heavy):
        wait_until(lambda: waiting().get(reader.pid) == (f"{{{reader.tview}}}", "tv_heavy", True), f"the reader of {reader.tview}")
        # Before PostgreSQL 17 it is text, from 17 on the name of the wait event.
        if connection.info.server_version < 170000:
            wait_until(lambda: value(connection, "SELECT query FROM pg_stat_activity WHERE pid = %s", (reader.pid,))
                       == "[waits for TVIEWs] " + reader.statement, "the text")
        else:
            assert value(connection, "SELECT wait_event FROM pg_stat_activity WHERE pid = %s", (reader.pid,)) == "PgTviewsFrontier"

    all_wait = value(connection, "SELECT clock_timestamp()")

    # The error says where the batch is, and what to do; the statement is shown as it was.
    impatient = Reader("tv_light", "tb_b", "200ms").ends()
    diag = impatient.error.diag
    assert diag.sqlstate == "57014" and 'The batch is at TVIEW "tv_heavy" since 2' in diag.message_detail, diag.message_detail
    assert "with 0 of 3 keys done" in diag.message_detail or "with 1 of 3 keys done" in diag.message_detail, diag.message_detail
    assert "pg_tviews_progress" in diag.message_hint and "refresh_timeout" in diag.message_hint, diag.message_hint
    assert value(connection, "SELECT query FROM pg_stat_activity WHERE pid = %s", (impatient.pid,)) == impatient.statement
    counted = dict((name, run(connection, WAITS, (name,))[0]) for name in ("light", "heavy", "above"))
    assert counted["light"][0] == 1 and counted["heavy"][1] == 1 and counted["above"][1] == counted["above"][0] == 0, counted
    # Who is in the way of a reader of what reads it, is not in the way of another's.
    impatient_above = Reader("tv_above", "tb_b", "200ms").ends()
    assert impatient_above.error is not None
    assert run(connection, WAITS, ("heavy",))[0][1] == 1

    # One that is terminated leaves nothing behind.
    ended = Reader("tv_light", "tb_b")
    wait_until(lambda: ended.pid in waiting(), "the reader")
    run(connection, "SELECT pg_terminate_backend(%s)", (ended.pid,))
    ended.ends()
    wait_until(lambda: ended.pid not in waiting(), "its end")

    wait_until(lambda: value(connection, "SELECT clock_timestamp() - %s > '1.1 s'", (all_wait,)), "enough to be named")
    run(holder, "SELECT pg_advisory_unlock(77)")
    for reader in (light, above, heavy):
        assert reader.ends().error is None, reader.error
        assert value(connection, "SELECT query FROM pg_stat_activity WHERE pid = %s", (reader.pid,)) == reader.statement
    assert waiting() == {}
    elapsed = 1000 * float(value(connection, "SELECT extract(epoch FROM clock_timestamp() - %s)", (begin,)))
    counted = dict((name, run(connection, WAITS, (name,))[0]) for name in ("light", "heavy", "above"))
    waits, held_up, held_up_ms, others, share, longest, median, last = counted["light"]
    assert waits == 2 and 200 <= others <= 2 * elapsed, (counted, elapsed)
    assert 200 <= last <= longest <= elapsed and median <= last and share < 0.5, (counted, elapsed)
    # By both readers of tv_light. In a slow batch those of tv_heavy may have waited for tv_light, too.
    waits, held_up, held_up_ms, others, share = counted["heavy"][:5]
    assert waits == 1 and held_up == 2 and 200 <= held_up_ms <= 2 * elapsed and share > 0.5, counted
    assert counted["above"][0] == 2, counted
    # What one is charged with, another has waited.
    assert abs(sum(row[2] - row[3] for row in counted.values())) < 1, counted
    assert value(connection, "SELECT sum(batch_share) FROM pg_tviews_waits") > 0.999
    found = [message for message, in run(connection, "SELECT message FROM pg_tviews_health_check() WHERE severity = 'warning' AND component = 'queue and lag'")]
    assert len(found) == 1 and found[0].startswith("TVIEW heavy takes ") and "waits so far: 2" in found[0], found
    run(connection, "SELECT pg_tviews_stats_reset()")
    assert run(connection, "SELECT count(*) FROM pg_tviews_health_check() WHERE severity = 'warning' AND component = 'queue and lag'") == [(0,)]
    assert run(connection, "SELECT waits, held_up, last_held_up FROM pg_tviews_waits WHERE entity = 'heavy'") == [(0, 0, None)]

    # pg_tviews_wait() waits for all, and nobody holds it up.
    run(holder, "SELECT pg_advisory_lock(77)")
    run(connection, "UPDATE tb_a SET n = n + 1")
    everything = Reader("tv_light", "tb_b")
    explained = Reader("tv_light", "tb_b", explain="EXPLAIN (ANALYZE) ")
    as_json = Reader("tv_light", "tb_b", explain="EXPLAIN (ANALYZE, FORMAT JSON) ")
    waiter = server.connect("waits")
    thread = threading.Thread(target=run, args=(waiter, "SELECT pg_tviews_wait()"))
    thread.start()
    wait_until(lambda: waiting().get(waiter.info.backend_pid) == (None, "tv_heavy", True), "pg_tviews_wait()")
    run(holder, "SELECT pg_advisory_unlock(77)")
    thread.join(60)
    everything.ends()
    # EXPLAIN ANALYZE says how long the statement waited, and nothing where it did not.
    assert explained.ends().error is None
    shown = [line for line, in explained.rows if "Wait for TVIEWs: " in line]
    assert len(shown) == 1 and float(shown[0].split()[3]) > 1, explained.rows
    assert as_json.ends().error is None and "Execution Time" in as_json.rows[0][0][0], as_json.rows
    again = run(explained.connection, explained.statement)
    assert again and not [line for line, in again if "Wait" in line], again
    check_equal(connection)
