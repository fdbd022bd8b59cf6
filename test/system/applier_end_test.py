"""A change that is committed after an idle applier's last look and before it gives its slot back is applied by
the same applier, which stays (ATTACKS B10); without one it ends.
"""
import shop
from tviews_server import Server, check_equal, run, value, wait_until

CONF = """
pg_tviews.applier_idle_timeout = 1
pg_tviews.pause_at = 'before_release:4711'
"""


def applier():
    return run(watcher, "SELECT pid, query FROM pg_stat_activity WHERE backend_type = 'pg_tviews applier'")


def is_about_to_end():
    return [pid for pid, query in applier() if query == "paused at before_release"]


with Server("applier_end", CONF) as server:
    connection = server.prepare("test", shop.SCRIPT)
    check_equal(connection, "creation")
    watcher = server.connect("test")
    run(watcher, "SELECT pg_advisory_lock(4711)")
    (pid,) = wait_until(is_about_to_end, "the applier to be about to end")
    run(connection, "UPDATE tb_customer SET name = 'too late'")
    run(watcher, "SELECT pg_advisory_unlock(4711)")
    # A reader that waits would bring an applier along: this one does not.
    run(watcher, "SET pg_tviews.read_consistency = eventual")
    wait_until(lambda: value(watcher, "SELECT bool_and(data->>'name' = 'too late') FROM tv_customer"),
               "the change to be applied without anybody asking")
    if [found for found, _ in applier()] != [pid]:
        raise AssertionError(f"the applier was {pid}, and now there is {applier()}")
    check_equal(connection, "after a change at the last moment")
    wait_until(lambda: not applier(), "the end of an idle applier")
