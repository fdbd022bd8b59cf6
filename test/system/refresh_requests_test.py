"""pg_tviews_refresh while other things happen: more sessions than there are places, sessions that give up or end before or
after the batch has taken their request, batches that fail, appliers that end, TVIEWs that go or are locked. Whoever still
waits gets the answer, and no place is lost."""
import threading

import psycopg2

import pauses
from tviews_server import Server, check_equal, run, value, wait_until

PLACES = 8  # of one role: kRefreshRequestsOfRole in src/shared/pg/shmem/database_slot.h
SCRIPT = """
CREATE TABLE tb_cup (pk_cup int PRIMARY KEY, size int NOT NULL);
CREATE TABLE tb_jug (pk_jug int PRIMARY KEY, size int NOT NULL);
INSERT INTO tb_cup SELECT i, i FROM generate_series(1, 10) AS i;
INSERT INTO tb_jug SELECT i, i FROM generate_series(1, 10) AS i;
CREATE TABLE tv_cup AS SELECT tb_cup.pk_cup, tb_cup.size FROM tb_cup;
CREATE TABLE tv_jug AS SELECT tb_jug.pk_jug, tb_jug.size FROM tb_jug;
CREATE ROLE cook SUPERUSER;  -- who may refresh everything
CREATE ROLE guest SUPERUSER;
"""


class Asker:
    """A session that asks for a refresh."""

    def __init__(self, entity="cup", role="postgres"):
        self.session = server.connect("kitchen", name="asker")
        run(self.session, f"SET ROLE {role}")
        self.pid = self.session.get_backend_pid()
        self.answer = self.sqlstate = None
        self.thread = threading.Thread(target=self.ask, args=(entity,))
        self.thread.start()

    def ask(self, entity):
        try:
            self.answer = run(self.session, "SELECT * FROM pg_tviews_refresh(%s)", (entity,))[0]
        except psycopg2.Error as error:
            self.sqlstate = error.pgcode or "closed"  # a session that is terminated has no code

    def end(self):
        self.thread.join(60)
        assert not self.thread.is_alive(), "a request for a refresh got no answer"
        self.session.close()
        return self.answer or self.sqlstate


def waiting(count):
    wait_until(lambda: value(connection, """
        SELECT count(*) FROM pg_stat_activity
        WHERE application_name = 'asker' AND state = 'active' AND wait_event_type = 'Extension'""") == count, f"{count} askers")


def spoil():
    run(connection, "SET pg_tviews.protect = off; UPDATE tv_cup SET size = -1 WHERE pk_cup <= 5; RESET pg_tviews.protect")


def stop(askers, function="pg_cancel_backend"):
    for asker in askers:
        run(connection, f"SELECT {function}(%s)", (asker.pid,))
    ended = [asker.end() for asker in askers]
    assert set(ended) <= ({"57014"} if function == "pg_cancel_backend" else {"57P01", "closed"}), ended


def check_places_are_free(context):
    """As many as there are places can ask at once, and their batch serves them all: 5 rows were wrong for each."""
    spoil()
    run(connection, "SELECT pg_tviews_pause()")
    askers = [Asker() for _ in range(PLACES)]
    waiting(PLACES)
    run(connection, "SELECT pg_tviews_resume()")
    answers = [asker.end() for asker in askers]
    assert answers == [(0, 5, 0)] * PLACES, (context, answers)


def check_more_than_places():
    spoil()
    run(connection, "SELECT pg_tviews_pause()")
    askers = [Asker() for _ in range(PLACES + 4)]
    waiting(PLACES + 4)
    run(connection, "SELECT pg_tviews_resume()")
    answers = sorted(asker.end() for asker in askers)
    assert answers == [(0, 0, 0)] * 4 + [(0, 5, 0)] * PLACES, answers


def check_roles_leave_places_for_others():
    """A role that asks more often than it has places stays behind itself: all that others ask is in the first batch."""
    spoil()
    run(connection, "SELECT pg_tviews_pause()")
    crowd = [Asker() for _ in range(PLACES + 2)]
    waiting(PLACES + 2)
    others = [Asker(role=role) for role in ("cook", "guest") for _ in range(2)]
    waiting(PLACES + 6)
    with pauses.pause(server, "kitchen", "before_commit") as is_there:
        run(connection, "SELECT pg_tviews_resume()")
        is_there()
        assert all(asker.thread.is_alive() for asker in crowd + others), "an answer before the commit"
    assert [asker.end() for asker in others] == [(0, 5, 0)] * 4, "others were not served by the first batch"
    answers = sorted(asker.end() for asker in crowd)
    assert answers == [(0, 0, 0)] * 2 + [(0, 5, 0)] * PLACES, answers


def check_gives_up_before_the_batch():
    for function in ("pg_cancel_backend", "pg_terminate_backend"):
        run(connection, "SELECT pg_tviews_pause()")
        askers = [Asker() for _ in range(PLACES)]
        waiting(PLACES)
        stop(askers, function)
        run(connection, "SELECT pg_tviews_resume()")
        check_places_are_free(f"{function} before the batch")


def check_gives_up_during_the_batch():
    for function in ("pg_cancel_backend", "pg_terminate_backend"):
        with taken_requests() as askers:
            stop(askers, function)
        check_places_are_free(f"{function} during the batch")


class taken_requests:
    """In the block, one batch has taken as many requests as there are places, and stays before its commit."""

    def __enter__(self):
        run(connection, "SELECT pg_tviews_pause()")
        askers = [Asker() for _ in range(PLACES)]
        waiting(PLACES)
        self.pause = pauses.pause(server, "kitchen", "before_commit")
        is_there = self.pause.__enter__()
        run(connection, "SELECT pg_tviews_resume()")
        is_there()
        return askers

    def __exit__(self, *error):
        self.pause.__exit__(None, None, None)


def fail_at(setting):
    run(connection, f"ALTER SYSTEM SET pg_tviews.fail_at = '{setting}'")
    run(connection, "SELECT pg_reload_conf()")


RETRIES = "SELECT retries FROM pg_tviews_workers WHERE kind = 'applier' AND database = 'kitchen'"


def check_batch_fails():
    """Half of them have given up when it does; the others are served by the batch that succeeds."""
    retries = value(connection, RETRIES)
    spoil()
    fail_at("before_commit:53100")
    run(connection, "SELECT pg_tviews_pause()")
    askers = [Asker() for _ in range(PLACES)]
    waiting(PLACES)
    with pauses.pause(server, "kitchen", "before_consume") as is_there:
        run(connection, "SELECT pg_tviews_resume()")
        is_there()
        stop(askers[:4])
    wait_until(lambda: value(connection, RETRIES) > retries + 1, "failing batches")
    fail_at("")
    answers = [asker.end() for asker in askers[4:]]
    assert answers == [(0, 5, 0)] * 4, answers
    check_places_are_free("after a batch that failed")


def check_applier_ends():
    spoil()
    applier = value(connection, "SELECT pid FROM pg_tviews_workers WHERE kind = 'applier' AND database = 'kitchen'")
    with taken_requests() as askers:
        stop(askers[:4])
        run(connection, "SELECT pg_terminate_backend(%s, 10000)", (applier,))
    answers = [asker.end() for asker in askers[4:]]
    assert answers == [(0, 5, 0)] * 4, answers
    check_places_are_free("after the end of the applier")


def check_tview_is_locked():
    """It waits, given up or not, while a request for another TVIEW is answered."""
    spoil()
    locker = server.connect("kitchen", autocommit=False)
    run(locker, "CREATE INDEX ON tv_cup (size)")
    askers = [Asker() for _ in range(3)]
    wait_until(lambda: value(connection, "SELECT count(*) FROM pg_tview_behind WHERE tview = 'tv_cup'::regclass"), "tv_cup to be behind")
    assert Asker("jug").end() == (0, 0, 0)
    assert all(asker.thread.is_alive() for asker in askers), "an answer about a locked TVIEW"
    stop(askers[:2])
    assert Asker("jug").end() == (0, 0, 0)
    assert value(connection, "SELECT tviews_behind FROM pg_tviews_lag WHERE database = current_database()") == 1
    # Tried in vain, it writes nothing.
    batches = value(connection, "SELECT batches FROM pg_tview_frontier")
    wait_until(lambda: value(connection, "SELECT clock_timestamp() > since + interval '1 second' FROM pg_tview_behind"), "some attempts")
    assert value(connection, "SELECT batches FROM pg_tview_frontier") == batches, "a batch for nothing"
    locker.rollback()
    assert askers[2].end() == (0, 5, 0)
    check_places_are_free("after a lock")


def check_asker_has_the_lock():
    """The applier would wait for the session that waits for it, whether it has met the lock before or not."""
    for is_met in (False, True):
        asker = server.connect("kitchen", autocommit=False)
        run(asker, "CREATE INDEX ON tv_cup (size)")
        if is_met:
            run(connection, "UPDATE tb_cup SET size = size + 1 WHERE pk_cup = 10")
            wait_until(lambda: value(connection, "SELECT count(*) FROM pg_tview_behind"), "tv_cup to be behind")
        try:
            run(asker, "SELECT pg_tviews_refresh('cup')")
            raise AssertionError("a session waited for itself")
        except psycopg2.errors.DeadlockDetected:
            asker.close()
        check_equal(connection, "after a deadlock")


def check_tview_is_dropped():
    run(connection, "SELECT pg_tviews_pause()")
    asker = Asker("jug")
    waiting(1)
    run(connection, "DROP TABLE tv_jug")
    run(connection, "SELECT pg_tviews_resume()")
    assert asker.end() == "42704"
    check_places_are_free("after a drop")


with Server("refresh_requests", conf=pauses.CONF + "pg_tviews.lock_timeout = '50ms'\n") as server:
    connection = server.prepare("kitchen", SCRIPT)
    run(connection, "SELECT pg_tviews_wait()")
    check_more_than_places()
    check_roles_leave_places_for_others()
    check_gives_up_before_the_batch()
    check_gives_up_during_the_batch()
    check_batch_fails()
    check_applier_ends()
    check_tview_is_locked()
    check_asker_has_the_lock()
    check_tview_is_dropped()
    check_equal(connection, "at the end")
