"""A physical standby shows the TVIEWs and the frontier of each lane and waits for single transactions; promoted, it applies what
the outbox holds, and what lanes are owed, and goes on."""
import threading

import psycopg2

import shop
from tviews_server import Server, bash, check_equal, run, tviews, value, wait_until

with Server("standby") as server:
    connection = server.prepare("shop", shop.SCRIPT)
    run(connection, "ALTER TABLE tv_spending SET (pg_tviews.lane = 'slow')")
    check_equal(connection, "at the start")
    base = f"{server.directory}/standby"
    socket = bash('dir="$(server_socket "$1")/s"; make_server_dir "$dir"; echo "$dir"', server.directory)
    bin_directory = bash('server_bin "$1"', server.directory)
    bash('as_server "$1/pg_basebackup" -h "$2" -U postgres -D "$3" -R -c fast', bin_directory, server.socket, base)
    control = f'as_server "$1/pg_ctl" -D "$2" -l "$2.log" -w'
    bash(f"{control} -o \"-c unix_socket_directories='$3'\" start >/dev/null 2>&1", bin_directory, base, socket)
    try:
        standby = psycopg2.connect(host=socket, user="postgres", dbname="shop")
        standby.autocommit = True

        writers = shop.Writers(lambda: server.connect("shop"), sessions=3, seed=60)
        wait_until(lambda: writers.committed > 200, "the writers to commit")
        writers.stop()
        check_equal(connection, "on the primary")
        position = value(connection, "SELECT pg_current_wal_insert_lsn()")
        wait_until(lambda: value(standby, "SELECT pg_last_wal_replay_lsn() >= %s", (position,)), "the standby")
        for tview, _ in tviews(connection):
            query = f"SELECT * FROM {tview} ORDER BY 1"
            assert run(standby, query) == run(connection, query), tview
        frontier = "SELECT lane, snapshot, batches FROM pg_tview_frontier ORDER BY lane"
        assert run(standby, frontier) == run(connection, frontier)
        try:
            run(standby, "SELECT pg_tviews_wait()")
            raise AssertionError("pg_tviews_wait() on a standby should be refused")
        except psycopg2.Error as error:
            assert "standby" in error.diag.message_primary, error

        # One transaction: applied here, in progress, aborted, without a record, and not applied in time.
        def token(*statements, end="COMMIT"):
            run(connection, "BEGIN")
            xid = value(connection, "SELECT pg_current_xact_id()::text")
            for statement in statements:
                run(connection, statement)
            run(connection, end)
            return xid

        # The wait must not hold back replay, which it waits for: rows that its snapshot sees are removed on the
        # primary while it sleeps.
        run(standby, "SET statement_timeout = '20 s'")  # less than max_standby_streaming_delay
        waiting = psycopg2.connect(host=socket, user="postgres", dbname="shop")
        waiting.autocommit = True
        run(connection, "SELECT pg_tviews_pause()")
        xid = token("UPDATE tb_customer SET name = 'vacuumed' WHERE pk_customer = 1")
        failures = []

        def wait_long():
            try:
                run(waiting, "SELECT pg_tviews_wait_for(%s::text::xid8, '20 s')", (xid,))
            except psycopg2.Error as error:
                failures.append(error)

        sleeper = threading.Thread(target=wait_long)
        sleeper.start()
        wait_until(lambda: value(standby, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_tviews_wait_for%'"
                                 " AND wait_event_type = 'Extension'"), "the wait on the standby")
        run(connection, "DELETE FROM tb_line WHERE pk_line % 2 = 0")
        run(connection, "VACUUM tb_line")
        run(connection, "SELECT pg_tviews_resume()")
        sleeper.join()
        assert not failures, failures
        waiting.close()

        for turn in range(30):
            xid = token(f"UPDATE tb_customer SET name = 'turn {turn}' WHERE pk_customer = 1")
            run(standby, "SELECT pg_tviews_wait_for(%s::text::xid8, '60 s')", (xid,))
            assert value(standby, "SELECT data ->> 'name' FROM tv_customer WHERE pk_customer = 1") == f"turn {turn}"
        for xid in (token("CREATE TABLE elsewhere ()"), token("UPDATE tb_customer SET name = 'no'", end="ROLLBACK"),
                    token("DROP TABLE elsewhere")):
            token("UPDATE tb_order SET state = state WHERE false", "SELECT pg_current_xact_id()")
            run(standby, "SELECT pg_tviews_wait_for(%s::text::xid8, '60 s')", (xid,))
        run(connection, "SELECT pg_tviews_pause()")
        xid = token("UPDATE tb_customer SET name = 'paused' WHERE pk_customer = 1")
        try:
            run(standby, "SELECT pg_tviews_wait_for(%s::text::xid8, '500 ms')", (xid,))
            raise AssertionError("what is not applied was found on the standby")
        except psycopg2.Error as error:
            assert error.pgcode == "57014", error
        run(standby, "SET pg_tviews.read_consistency = strict")
        assert value(standby, "SELECT data ->> 'name' FROM tv_customer WHERE pk_customer = 1") == "turn 29"
        run(connection, "SELECT pg_tviews_resume()")
        run(standby, "SELECT pg_tviews_wait_for(%s::text::xid8, '60 s')", (xid,))
        assert value(standby, "SELECT data ->> 'name' FROM tv_customer WHERE pk_customer = 1") == "paused"
        run(standby, "RESET pg_tviews.read_consistency")

        # A wait is for all lanes, or for one.
        run(connection, "SELECT pg_tviews_pause('slow')")
        xid = token("UPDATE tb_customer SET name = 'in one lane' WHERE pk_customer = 1", "UPDATE tb_line SET amount = amount + 1")
        run(standby, "SELECT pg_tviews_wait_for(%s::text::xid8, '60 s', 'main')", (xid,))
        assert value(standby, "SELECT data ->> 'name' FROM tv_customer WHERE pk_customer = 1") == "in one lane"
        for lane in ("", ", 'slow'"):
            try:
                run(standby, f"SELECT pg_tviews_wait_for(%s::text::xid8, '300 ms'{lane})", (xid,))
                raise AssertionError("what the lane has not applied was found on the standby")
            except psycopg2.Error as error:
                assert error.pgcode == "57014", error
        try:
            run(standby, "SELECT pg_tviews_wait_for(%s::text::xid8, '300 ms', 'nowhere')", (xid,))
            raise AssertionError("a lane that does not exist was waited for")
        except psycopg2.Error as error:
            assert error.pgcode == "42704", error
        run(connection, "SELECT pg_tviews_resume('slow')")
        run(standby, "SELECT pg_tviews_wait_for(%s::text::xid8, '60 s')", (xid,))
        # A lock in one lane is no matter of the other.
        holder = server.connect("shop", autocommit=False)
        run(holder, "SET pg_tviews.protect = off")
        run(holder, "LOCK TABLE tv_spending IN SHARE MODE")
        xid = token("UPDATE tb_customer SET name = 'locked' WHERE pk_customer = 1", "UPDATE tb_line SET amount = amount + 1")
        wait_until(lambda: value(connection, "SELECT count(*) FROM pg_tview_behind") == 1, "the lane to leave it aside")
        run(standby, "SELECT pg_tviews_wait_for(%s::text::xid8, '60 s', 'main')", (xid,))
        holder.rollback()
        holder.close()
        run(standby, "SELECT pg_tviews_wait_for(%s::text::xid8, '60 s')", (xid,))
        spending = "SELECT * FROM tv_spending ORDER BY 1"
        assert run(standby, spending) == run(connection, spending)

        # What is committed and not applied when the standby is promoted is in its outbox, or owed to a lane.
        run(connection, "SELECT pg_tviews_pause('slow')")
        run(connection, "UPDATE tb_line SET amount = amount + 1")
        run(connection, "SELECT pg_tviews_wait('1 min', 'main')")
        run(connection, "SELECT pg_tviews_pause()")
        writers = shop.Writers(lambda: server.connect("shop"), sessions=3, seed=61)
        wait_until(lambda: writers.committed > 200, "the writers to commit")
        writers.stop()
        position = value(connection, "SELECT pg_current_wal_insert_lsn()")
        wait_until(lambda: value(standby, "SELECT pg_last_wal_replay_lsn() >= %s", (position,)), "the standby")
        assert value(standby, "SELECT count(*) FROM tviews_internal.pg_tview_outbox") > 0
        assert value(standby, "SELECT count(*) FROM tviews_internal.pg_tview_lane_owed") > 0
        bash(f"{control} promote >/dev/null", bin_directory, base)
        check_equal(standby, "after the promotion")

        writers = shop.Writers(lambda: psycopg2.connect(host=socket, user="postgres", dbname="shop"), sessions=2, seed=62)
        wait_until(lambda: writers.committed > 50, "the writers to commit on the new primary")
        writers.stop()
        check_equal(standby, "on the new primary")
    finally:
        bash(f"{control} -m immediate stop >/dev/null", bin_directory, base, check=False)
