"""Lanes: neither waits for the other, each shows one snapshot, and readers wait for the lanes that they read. A TVIEW moves
while its old and its new lane are at work; TRUNCATE and a prepared transaction cross lanes; one is paused, one fails, and one
goes with its last TVIEW. A lane with a target waits for more, unless somebody waits for it."""
import contextlib
import threading

import psycopg2

import pauses
from tviews_server import Server, check_equal, cpu_seconds, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_item (pk_item int PRIMARY KEY, price int NOT NULL, grade int NOT NULL);
INSERT INTO tb_item SELECT i, i, 1 FROM generate_series(1, 50) i;
CREATE TABLE tv_item AS SELECT pk_item, price FROM tb_item;
CREATE TABLE tv_rank WITH (pg_tviews.lane = 'slow') AS
SELECT pk_item AS pk_rank, rank() OVER (ORDER BY price, pk_item) AS place FROM tb_item;
CREATE TABLE tv_top AS SELECT pk_rank AS pk_top, place FROM tv_rank WHERE place <= 3;
CREATE TABLE tv_sum WITH (pg_tviews.lane = 'slow') AS
SELECT 1 AS pk_sum, sum(price) AS total, 100 / min(grade) AS grade FROM tb_item;
"""
LANE_OF = "SELECT coalesce(options ->> 'lane', 'main') FROM pg_tview_meta WHERE entity = %s"
TOTAL = "SELECT total FROM tv_sum"


def change(session, by):
    run(session, "UPDATE tb_item SET price = price + %s WHERE pk_item <= 3", (by,))


def truth():
    return value(connection, "SELECT sum(price) FROM tb_item")


@contextlib.contextmanager
def reading(query):
    """Reads in a session of its own; yields the list that gets the answer."""
    answers = []
    session = server.connect("items", name="reader")
    run(session, "SET pg_tviews.read_consistency = 'strict'")
    thread = threading.Thread(target=lambda: answers.append(value(session, query)))
    thread.start()
    yield answers
    thread.join()
    session.close()


def waiting():
    return value(connection, "SELECT count(*) FROM pg_tviews_waiting")


def lane_stands_and_main_goes_on():
    with contextlib.ExitStack() as reader:
        with pauses.pause(server, "items", "lane_mid_refresh") as paused:
            change(connection, 10)
            paused()
            assert value(connection, "SELECT price FROM tv_item WHERE pk_item = 1") == \
                value(connection, "SELECT price FROM tb_item WHERE pk_item = 1")
            answers = reader.enter_context(reading(TOTAL))
            wait_until(lambda: waiting() == 1, "the reader of the lane to wait")
            shown = run(connection, "SELECT batch_at::text, tviews::text FROM pg_tviews_waiting")
            assert shown == [("tv_rank", "{tv_sum}")], shown
            run(connection, "SELECT pg_tviews_wait(lane => 'main')")
            try:
                run(connection, "SELECT pg_tviews_wait('100 ms', 'slow')")
                raise AssertionError("the lane was not waited for")
            except psycopg2.errors.QueryCanceled as error:
                assert "tv_rank" in error.diag.message_detail, error.diag.message_detail
            assert value(connection, "SELECT batches_behind FROM pg_tviews_lanes WHERE lane = 'slow'") == 1
            assert not answers, answers
    assert answers == [truth()], (answers, truth())
    check_equal(connection, "after the lane stood")


def main_stands_and_lane_goes_on():
    with pauses.pause(server, "items", "mid_refresh") as paused:
        change(connection, 7)
        paused()
        assert value(connection, TOTAL) == truth(), "the lane did not find the change in the outbox"
        assert value(connection, "SELECT place FROM tv_top ORDER BY place LIMIT 1") == 1
    check_equal(connection, "after the main lane stood")


def lane_needs_no_handover():
    """Nobody waits, the main lane stands, or waits for its target: what is committed before and meanwhile comes to the lane."""
    run(connection, "SET pg_tviews.read_consistency = 'eventual'")
    with pauses.pause(server, "items", "mid_refresh") as paused:
        change(connection, 3)
        paused()
        wait_until(lambda: value(connection, TOTAL) == truth(), "what the main lane is at")
        change(connection, 4)
        wait_until(lambda: value(connection, TOTAL) == truth(), "what came after it")
        other = server.connect("items", autocommit=False)
        change(other, 5)
        run(other, "PREPARE TRANSACTION 'late'")
        run(connection, "COMMIT PREPARED 'late'")
        other.close()
        wait_until(lambda: value(connection, TOTAL) == truth(), "what was prepared")
        lag = dict(run(connection, "SELECT lane, age > '0' FROM pg_tviews_lag WHERE database = 'items'"))
        assert lag["main"] and not lag["slow"], lag
    run(connection, "SELECT pg_tviews_wait()")
    run(connection, "ALTER TABLE tv_item SET (pg_tviews.lag_target = '1 hour')")
    run(connection, "SELECT pg_tviews_wait()")
    for _ in range(3):
        change(connection, 6)
        wait_until(lambda: value(connection, TOTAL) == truth(), "the lane beside one that waits for its target")
    lag = run(connection, "SELECT age > '0', lag_target::text, is_late FROM pg_tviews_lag WHERE database = 'items' AND lane = 'main'")
    assert lag == [(True, "01:00:00", False)], lag
    found = [message for severity, message in run(connection, """SELECT severity, message FROM pg_tviews_health_check('0')
        WHERE component = 'queue and lag'""") if severity == "warning" or "target" in message]
    assert len(found) == 1 and found[0].startswith("Lane main is ") and "target is 01:00:00" in found[0], found
    run(connection, "ALTER TABLE tv_item SET (pg_tviews.lag_target = '10 ms')")
    with pauses.pause(server, "items", "mid_refresh") as paused:
        change(connection, 7)
        paused()
        wait_until(lambda: value(connection, "SELECT is_late FROM pg_tviews_lag WHERE database = 'items' AND lane = 'main'"), "it to be late")
        wait_until(lambda: value(connection, """SELECT count(*) FROM pg_tviews_health_check('0') WHERE severity = 'warning'
            AND message LIKE 'Lane main is % behind%its target is 00:00:00.01%'"""), "the health check to say so")
    run(connection, "ALTER TABLE tv_item RESET (pg_tviews.lag_target)")
    run(connection, "RESET pg_tviews.read_consistency")
    check_equal(connection, "after the main lane handed over late")


def crosses_lanes():
    run(connection, "BEGIN; TRUNCATE tb_item; INSERT INTO tb_item SELECT i, 2 * i, 1 FROM generate_series(1, 30) i; COMMIT")
    assert value(connection, "SELECT total FROM tv_sum") == 930
    assert value(connection, "SELECT count(*) FROM tv_item") == 30
    session = server.connect("items", autocommit=False)
    change(session, 100)
    run(session, "PREPARE TRANSACTION 'across'")
    change_before = truth()
    check_equal(connection, "while it is prepared")
    run(connection, "COMMIT PREPARED 'across'")
    assert truth() == change_before + 300
    check_equal(connection, "after COMMIT PREPARED")
    assert value(connection, TOTAL) == truth()
    session.close()


def moves():
    run(connection, "ALTER TABLE tv_sum SET (pg_tviews.lane = 'other')")
    assert value(connection, LANE_OF, ("sum",)) == "other"
    change(connection, 1)
    assert value(connection, TOTAL) == truth()
    # What hangs together moves together; the batch that is under way gives way.
    with pauses.pause(server, "items", "lane_mid_refresh") as paused:
        change(connection, 1)
        paused()
        mover = server.connect("items", name="mover")
        run(mover, "ALTER TABLE tv_top RESET (pg_tviews.lane)")
        assert [value(connection, LANE_OF, (name,)) for name in ("rank", "top")] == ["main", "main"]
        assert value(mover, "SELECT count(*) FROM tv_top") == 3
        mover.close()
    check_equal(connection, "after a move beside a batch")
    for number in range(12):
        lane = ("main", "slow", "other")[number % 3]
        run(connection, f"ALTER TABLE tv_sum SET (pg_tviews.lane = '{lane}')")
        change(connection, 1)
        assert value(connection, TOTAL) == truth(), lane
    check_equal(connection, "after many moves")
    run(connection, "ALTER TABLE tv_sum SET (pg_tviews.lane = 'slow')")
    run(connection, "ALTER TABLE tv_rank SET (pg_tviews.lane = 'slow')")


def is_paused_alone():
    assert value(connection, "SELECT pg_tviews_pause('slow')")
    before = truth()
    change(connection, 5)
    assert value(connection, "SELECT price FROM tv_item WHERE pk_item = 1") == \
        value(connection, "SELECT price FROM tb_item WHERE pk_item = 1")
    assert value(connection, TOTAL) == before, "the lane was not paused"
    found = run(connection, "SELECT message FROM pg_tviews_health_check() WHERE message LIKE 'Lane slow is paused%'")
    assert len(found) == 1, found
    assert value(connection, "SELECT pg_tviews_resume('slow')")
    assert value(connection, TOTAL) == truth()
    assert value(connection, "SELECT pg_tviews_pause()")
    change(connection, 5)
    assert value(connection, TOTAL) == truth() - 15, "the pause of the database is not one of its lanes"
    assert value(connection, "SELECT pg_tviews_resume()")
    check_equal(connection, "after the pauses")


def fails_alone():
    run(connection, "UPDATE tb_item SET grade = 0 WHERE pk_item = 1")
    wait_until(lambda: value(connection, "SELECT count(*) FROM pg_tview_dead_letter WHERE tview = 'tv_sum'::regclass") == 1,
               "the TVIEW of the lane to be in quarantine")
    assert value(connection, "SELECT place FROM tv_rank WHERE pk_rank = 30") is not None
    run(connection, "UPDATE tb_item SET grade = 1 WHERE pk_item = 1")
    run(connection, "SELECT pg_tviews_retry('sum')")
    check_equal(connection, "after the quarantine")


def coalesces():
    run(connection, "ALTER TABLE tv_sum SET (pg_tviews.lag_target = '3 s')")
    run(connection, "SELECT pg_tviews_wait()")
    run(connection, "SET pg_tviews.read_consistency = 'eventual'")
    batches = "SELECT batches FROM pg_tview_frontier WHERE lane = 'slow'"
    before, shown = value(connection, batches), value(connection, TOTAL)
    for _ in range(30):
        change(connection, 1)
        run(connection, "SELECT pg_tviews_wait(lane => 'main')")
    changed_at_once = value(connection, TOTAL) != shown
    wait_until(lambda: value(connection, TOTAL) == truth(), "the lane to catch up by itself")
    made = value(connection, batches) - before
    assert made <= 5 and not (changed_at_once and made == 1), (made, changed_at_once)
    run(connection, "RESET pg_tviews.read_consistency")
    change(connection, 1)
    assert value(connection, TOTAL) == truth(), "who waits does not wait for the target"
    run(connection, "ALTER TABLE tv_sum RESET (pg_tviews.lag_target)")


def rests():
    """With nothing to do, no process of ours computes: also with targets, and with a moment far ahead in a lane."""
    run(connection, "CREATE TABLE tb_offer (pk_offer int PRIMARY KEY, at timestamptz NOT NULL); INSERT INTO tb_offer VALUES (1, now() + '1 day')")
    run(connection, "CREATE TABLE tv_offer WITH (pg_tviews.lane = 'slow') AS SELECT pk_offer FROM tb_offer WHERE at > now()")
    run(connection, "ALTER TABLE tv_sum SET (pg_tviews.lag_target = '1 s'); ALTER TABLE tv_item SET (pg_tviews.lag_target = '1 s')")
    change(connection, 1)
    check_equal(connection, "before the rest")
    pids = [pid for pid, in run(connection, "SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'pg_tviews%'")]
    batches = "SELECT lane, batches, snapshot::text FROM pg_tview_frontier ORDER BY lane"
    before, used = run(connection, batches), cpu_seconds(pids)
    begin = value(connection, "SELECT clock_timestamp()")
    wait_until(lambda: value(connection, "SELECT clock_timestamp() - %s > '3 seconds'", (begin,)), "time to pass")
    assert len(pids) >= 3 and cpu_seconds(pids) - used < 0.3, (pids, cpu_seconds(pids) - used)
    assert run(connection, batches) == before
    run(connection, "ALTER TABLE tv_sum RESET (pg_tviews.lag_target); ALTER TABLE tv_item RESET (pg_tviews.lag_target)")
    run(connection, "DROP TABLE tv_offer, tb_offer")


def ends():
    run(connection, "DROP TABLE tv_sum, tv_top, tv_rank")
    run(connection, "SELECT pg_tviews_wait()")
    wait_until(lambda: run(connection, "SELECT lane FROM pg_tview_frontier") == [("main",)], "the lane's frontier to go")
    assert value(connection, "SELECT count(*) FROM tviews_internal.pg_tview_lane_owed") == 0


with Server("lanes", pauses.CONF) as server:
    connection = server.prepare("items", SCRIPT)
    check_equal(connection, "at the start")
    lane_stands_and_main_goes_on()
    main_stands_and_lane_goes_on()
    lane_needs_no_handover()
    crosses_lanes()
    moves()
    is_paused_alone()
    fails_alone()
    coalesces()
    rests()
    change(connection, 3)
    server.stop("immediate")
    server.start()
    connection = server.connect("items")
    check_equal(connection, "after the server's crash")
    ends()
