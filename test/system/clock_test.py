"""Definitions that use the clock: in every statement a TVIEW shows its query at the frontier's time, nobody has to
write for time to pass, and it never goes back, whatever the server's clock and its processes do."""
import signal

from tviews_server import Server, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_offer (pk_offer int PRIMARY KEY, expires_at timestamptz NOT NULL);
CREATE TABLE tv_offer WITH (pg_tviews.clock_period = '1 second') AS
SELECT tb_offer.pk_offer, now() AS now FROM tb_offer WHERE tb_offer.expires_at > now();
CREATE TABLE tv_count AS SELECT 1 AS pk_count, count(*) AS n, max(tv_offer.now) AS now FROM tv_offer;
"""
# As of one statement: what is shown, what should be by the frontier's time, and that time.
LOOK = """
SELECT (SELECT array_agg(pk_offer ORDER BY pk_offer) FROM tv_offer),
       (SELECT array_agg(pk_offer ORDER BY pk_offer) FROM tb_offer, pg_tview_frontier WHERE expires_at > date_trunc('second', clock)),
       (SELECT bool_and(now = date_trunc('second', clock)) FROM tv_offer, pg_tview_frontier),
       (SELECT n = (SELECT count(*) FROM tv_offer) FROM tv_count), (SELECT clock FROM pg_tview_frontier)
"""


def look():
    """Checks one statement; returns how many offers it shows, and the frontier's time."""
    (shown, expected, one_clock, counted, clock), = run(connection, LOOK)
    assert shown == expected and one_clock is not False and counted, (shown, expected, one_clock, counted, clock)
    return len(shown or []), clock


def watch(until):
    """Looks until so many are left: they only become fewer, and time only passes."""
    left, clock = look()
    while left > until:
        before = left, clock
        left, clock = look()
        assert left <= before[0] and clock >= before[1], (before, left, clock)


def is_applier_alive():
    return value(connection, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_tviews applier'") == 1


with Server("clock") as server:
    connection = server.prepare("clock", SCRIPT)
    run(connection, """INSERT INTO tb_offer SELECT i, clock_timestamp() + i * interval '40 ms' FROM generate_series(1, 100) AS i;
                       INSERT INTO tb_offer VALUES (1000, 'infinity')""")
    run(connection, "SELECT pg_tviews_wait()")
    watch(1)
    assert run(connection, "SELECT * FROM pg_tviews_verify('offer')") == []

    # A strict reader sees the period that it begins in, or a later one.
    strict = server.connect("clock")
    run(strict, "SET pg_tviews.read_consistency = 'strict'")
    for _ in range(4):
        assert value(strict, "SELECT now >= date_trunc('second', statement_timestamp()) FROM tv_offer")
        before = value(strict, "SELECT max(now) FROM tv_offer")
        wait_until(lambda: value(connection, "SELECT now() - %s > '1 second'", (before,)), "a second passes")

    # The applier ends, and the server restarts: time goes on from where it was.
    for pid, in run(connection, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_tviews applier'"):
        run(connection, "SELECT pg_terminate_backend(%s)", (pid,))
    clock = look()[1]
    wait_until(lambda: look()[1] > clock, "another applier goes on")
    server.stop("immediate")
    server.start()
    connection = server.connect("clock")
    clock = look()[1]
    wait_until(lambda: look()[1] > clock, "the clock goes on after a crash")

    # The server's clock is set back, as far as the frontier can tell: time waits for it.
    run(connection, "SET pg_tviews.protect = off")
    run(connection, "SELECT pg_tviews_pause()")
    ahead = value(connection, "UPDATE pg_tview_frontier SET clock = clock_timestamp() + '4 seconds' RETURNING clock")
    run(connection, "SELECT pg_tviews_resume()")
    run(connection, """INSERT INTO tb_offer VALUES (1001, clock_timestamp() + '2 seconds'), (1002, clock_timestamp() + '1 hour')""")
    run(connection, "SELECT pg_tviews_refresh('offer')")
    assert value(connection, "SELECT clock FROM pg_tview_frontier") >= ahead
    assert run(connection, "SELECT pk_offer FROM tv_offer ORDER BY 1") == [(1000,), (1002,)]
    assert any("set back" in message for message, in run(connection, "SELECT message FROM pg_tviews_health_check('0')"))
    assert run(connection, "SELECT * FROM pg_tviews_verify('offer')") == []
    wait_until(lambda: look()[1] > ahead, "the clock has caught up")
    assert not any("set back" in message for message, in run(connection, "SELECT message FROM pg_tviews_health_check('0')"))

    # Without a TVIEW that uses the clock nobody wakes up for it.
    run(connection, "DROP TABLE tv_count, tv_offer; CREATE TABLE tv_plain AS SELECT pk_offer AS pk_plain FROM tb_offer")
    run(connection, "SELECT pg_tviews_wait()")
    batches = value(connection, "SELECT batches FROM pg_tview_frontier")
    begin = value(connection, "SELECT clock_timestamp()")
    wait_until(lambda: value(connection, "SELECT clock_timestamp() - %s > '3 seconds'", (begin,)), "time passes")
    assert value(connection, "SELECT batches FROM pg_tview_frontier") == batches
