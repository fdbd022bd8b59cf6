"""kill -9 at every named point of the protocol, of the writer that is there, of the applier, of the
launcher meanwhile, and of the whole server; and the power failure of the postmaster alone. What was
committed is shown afterwards and nothing else is."""
import os
import signal
import threading

import psycopg2

import pauses
import shop
from tviews_server import Server, check_equal, children, kill_process, run, value, wait_until

NAMES = "SELECT count(*) FROM tb_customer WHERE name = %s"


def reconnect():
    try:
        found = server.connect("shop")
        run(found, "SELECT 1")
        return found
    except psycopg2.OperationalError:
        return None


def write(name):
    """A writer that is expected to be killed on its way."""
    try:
        session = server.connect("shop", name="writer")
        run(session, "UPDATE tb_customer SET name = %s WHERE pk_customer <= 3", (name,))
    except psycopg2.Error:
        pass


def pid_at(point):
    return value(connection, "SELECT pid FROM pg_stat_activity WHERE query = %s LIMIT 1", (f"paused at {point}",))


def kill(victim):
    """Returns when the server is up again with new processes."""
    global connection
    if victim == "server":
        server.kill()
        server.start()
        connection = wait_until(reconnect, "the server to be back")
    else:
        connection = kill_process(server, "shop", victim)


def launcher():
    return value(connection, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_tviews launcher'")


def check(name, committed):
    assert value(connection, NAMES, (name,)) == (3 if committed else 0), name
    check_equal(connection, name)
    shown = value(connection, "SELECT count(*) FROM tv_customer WHERE data ->> 'name' = %s", (name,))
    assert shown == (3 if committed else 0), name


with Server("crash_points", pauses.CONF) as server:
    connection = server.prepare("shop", shop.SCRIPT)
    check_equal(connection, "at the start")
    victims = 0
    for point in pauses.WRITER:
        for whole in (False, True) if point in ("after_publish", "after_commit") else (False,):
            name = f"{point} {'server' if whole else 'writer'}"
            # The server's death ends whoever holds the pause: its lock is gone with it.
            with pauses.pause(server, "shop", point) as paused:
                thread = threading.Thread(target=write, args=(name,))
                thread.start()
                paused()
                kill("server" if whole else pid_at(point))
                thread.join()
            # The default, synchronous_commit = on: what was past the commit record is there.
            check(name, committed=point == "after_commit")
            victims += 1
    for point in pauses.APPLIER:
        for who in ("applier", "server") + (("launcher",) if point == "mid_refresh" else ()):
            name = f"{point} {who}"
            with pauses.pause(server, "shop", point) as paused:
                write(name)
                paused()
                # What comes in while the batch stands still waits behind it.
                run(connection, "UPDATE tb_line SET amount = amount + 1 WHERE pk_line <= 3")
                kill({"applier": lambda: pid_at(point), "launcher": launcher, "server": lambda: "server"}[who]())
            check(name, committed=True)
            victims += 1

    # The postmaster alone: its children notice, and end.
    writers = shop.Writers(lambda: server.connect("shop"), sessions=3, seed=71)
    wait_until(lambda: writers.committed > 100, "the writers to commit")
    postmaster = server.postmaster()
    orphans = children(postmaster)
    os.kill(postmaster, signal.SIGKILL)
    writers.stop()
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in [postmaster] + orphans), "the orphans to end")
    server.start()
    connection = wait_until(reconnect, "the server to be back")
    check_equal(connection, "after the death of the postmaster")
    print(f"note: {victims + 1} crashes")
