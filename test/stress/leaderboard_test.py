"""A leaderboard that is changed all the time, with pg_tviews.lag_target: it is compared as a whole once per target, and it is as late as
the target allows, and not much later. Readers that wait for nothing see it.

SCALE (default 0.01) is the share of 600,000 rows, of a target of 10 s (at least half a second) and of a minute (at least six targets); SCALE=1
is the full size.
"""
import os
import time

from tviews_server import Server, check_equal, run, value, wait_until

SCALE = float(os.environ.get("SCALE", 0.01))
ROWS = int(600000 * SCALE)
TARGET = max(0.5, 10 * SCALE)
TARGETS = 6
PER_SECOND = 100
SCRIPT = f"""
CREATE TABLE tb_player (pk_player int PRIMARY KEY, points int NOT NULL);
INSERT INTO tb_player SELECT i, (i * 7919::bigint) % {ROWS} FROM generate_series(1, {ROWS}) i;
ANALYZE tb_player;
CREATE TABLE tv_rank WITH (pg_tviews.lane = 'boards', pg_tviews.lag_target = '{TARGET} s') AS
SELECT pk_player AS pk_rank, rank() OVER (ORDER BY points DESC) AS place FROM tb_player;
"""
COMPARISONS = "SELECT full_refreshes FROM pg_tviews_performance_summary WHERE entity = 'rank'"
LAG = "SELECT extract(epoch FROM age)::float8, lag_target::text FROM pg_tviews_lag WHERE database = 'board' AND lane = 'boards'"

with Server("leaderboard", "pg_tviews.max_helpers = 0\n") as server:
    connection = server.prepare("board", SCRIPT)
    run(connection, "SELECT pg_tviews_wait()")
    run(connection, "SET pg_tviews.read_consistency = 'eventual'")
    writer = server.connect("board", name="writer")
    before, lags, number = value(connection, COMPARISONS), [], 0
    begin = time.monotonic()
    look_at = begin
    while time.monotonic() < begin + TARGETS * TARGET:
        number += 1
        run(writer, "UPDATE tb_player SET points = points + 1000 WHERE pk_player = %s", (number % ROWS + 1,))
        if time.monotonic() > look_at:
            age, target = run(connection, LAG)[0]
            lags.append(age or 0)
            look_at += TARGET / 20
        time.sleep(max(0.0, begin + number / PER_SECOND - time.monotonic()))
    took = time.monotonic() - begin
    made = value(connection, COMPARISONS) - before
    print(f"note: {ROWS} rows, {number} changes in {took:.1f} s, a target of {TARGET} s: {made} comparisons, late by at most {max(lags):.1f} s")
    assert target is not None
    # One per target, and the one that is under way at the end.
    assert 1 <= made <= took / TARGET + 1, (made, took)
    # Where the machine is busy a comparison takes what it takes; it does not wait for another target.
    assert max(lags) < 3 * TARGET, lags
    wait_until(lambda: value(connection, LAG.replace("extract(epoch FROM age)::float8, lag_target::text", "age")) is None, "the lane to catch up", 300)
    check_equal(connection, "at the end")
