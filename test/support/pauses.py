"""Stops processes at the pause points of src/shared/pg/common/pause_point.h."""
import contextlib

from tviews_server import run, value, wait_until

NUMBERS = {name: number for number, name in enumerate(
    ("after_snapshot", "after_take", "before_consume", "before_commit", "after_apply", "after_publish",
     "after_capture", "after_outbox", "after_commit", "mid_refresh",
     "lane_after_snapshot", "lane_after_take", "lane_mid_refresh", "lane_before_consume", "lane_before_commit",
     "lane_after_apply", "shadow_begun", "shadow_locked", "rows_exchanged", "shadow_gone", "debts_taken"), 1)}
WRITER = ("after_capture", "after_outbox", "after_publish", "after_commit")
APPLIER = ("after_snapshot", "after_take", "mid_refresh", "before_consume", "before_commit", "after_apply")
LANE = tuple(f"lane_{point}" for point in APPLIER)
# For postgresql.conf: nobody pauses unless a test holds a point's lock.
CONF = "pg_tviews.pause_at = '{}'\n".format(",".join(f"{name}:{n}" for name, n in NUMBERS.items()))


def paused(connection, name, sessions=1):
    return value(connection, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query = %s",
                 (f"paused at {name}",)) >= sessions


@contextlib.contextmanager
def pause(server, database, name):
    """Until the end of the block, who reaches the point stays there. Yields a function that waits for it."""
    holder = server.connect(database, name="pause")
    run(holder, "SELECT pg_advisory_lock(%s)", (NUMBERS[name],))
    try:
        yield lambda sessions=1: wait_until(lambda: paused(holder, name, sessions), f"{sessions} at {name}")
    finally:
        holder.close()
