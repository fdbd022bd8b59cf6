"""Findings of pg_tviews_health_check() about the server as a whole: each is absent, is provoked, and names its repair."""
import contextlib
import os
import signal
import subprocess

import psycopg2

from tviews_server import Server, bash, check_equal, run, value, wait_until

CONF = """
max_worker_processes = 5
pg_tviews.max_workers = 2
pg_tviews.max_databases = 3
pg_tviews.stats_tviews = 1
pg_tviews.queue_size = 8
pg_tviews.applier_idle_timeout = '1h'
wal_level = logical
hot_standby_feedback = on
wal_receiver_status_interval = '1s'
"""
SCRIPT = """
CREATE TABLE tb_maker (pk_maker int PRIMARY KEY, name text NOT NULL);
INSERT INTO tb_maker VALUES (1, 'one'), (2, 'two');
CREATE TABLE tv_maker AS SELECT tb_maker.pk_maker, tb_maker.name FROM tb_maker;
"""


def found(connection, component, *parts):
    rows = run(connection, "SELECT severity, message FROM pg_tviews_health_check() WHERE component = %s", (component,))
    return [message for severity, message in rows if severity == "warning" and all(part in message for part in parts)]


def expect_only_after(connection, provoke, component, *parts):
    before = found(connection, component, *parts)
    assert not before, before
    provoke()
    return wait_until(lambda: found(connection, component, *parts), f"{component}: {parts}")


def write(connection, name):
    run(connection, "UPDATE tb_maker SET name = %s WHERE pk_maker = 1", (name,))
    run(connection, "SELECT pg_tviews_wait()")


def check_databases_in_turn(server, connection):
    def provoke():
        for name in ("second", "third"):
            other = server.prepare(name, SCRIPT)
            write(other, "elsewhere")
            other.close()
        write(connection, "here")
    expect_only_after(connection, provoke, "settings", "Databases, or lanes, took turns within the last hour: ", " of 3 queues and at most 2 workers were in use",
                      "Raise pg_tviews.max_workers, and pg_tviews.max_databases if more than 3 databases are written to, then restart.")


def check_statistics_evicted(connection):
    def provoke():
        run(connection, "CREATE TABLE tv_other AS SELECT tb_maker.pk_maker AS pk_other, tb_maker.name FROM tb_maker")
        write(connection, "two TVIEWs")
    expect_only_after(connection, provoke, "settings", "a TVIEW lost its statistics to another one",
                      "Raise pg_tviews.stats_tviews (1), then restart.")


def check_outbox_scans(connection):
    def provoke():
        for turn in range(101):
            if turn % 5 == 0:  # more than the queue holds
                run(connection, "SELECT pg_tviews_pause()")
                run(connection, "DO $$ BEGIN FOR i IN 1..200 LOOP UPDATE tb_maker SET name = i WHERE pk_maker = 2; COMMIT; END LOOP; END $$")
                run(connection, "SELECT pg_tviews_resume()")
            write(connection, f"turn {turn}")
    expect_only_after(connection, provoke, "settings", "batches had to read the outbox", "Raise pg_tviews.queue_size (8kB), then restart.")


def check_exception_in_commit(connection):
    def provoke():
        run(connection, "SET pg_tviews.fail_at = 'after_commit:53200'")
        run(connection, "UPDATE tb_maker SET name = 'quiet' WHERE pk_maker = 1")
        run(connection, "RESET pg_tviews.fail_at")
    message = expect_only_after(connection, provoke, "settings", "was out of memory while it committed", "pg_tviews_verify(entity)")
    assert message[0].startswith("Once a process"), message
    check_equal(connection, "after an exception in a commit")


@contextlib.contextmanager
def standby_of(server):
    """A streaming standby; yields its connection string's host."""
    directory, binaries = f"{server.directory}/standby", bash('server_bin "$1"', server.directory)
    socket = bash('dir="$(server_socket "$1")/s"; make_server_dir "$dir"; echo "$dir"', server.directory)
    bash('as_server "$1/pg_basebackup" -h "$2" -U postgres -D "$3" -R -c fast', binaries, server.socket, directory)
    control = 'as_server "$1/pg_ctl" -D "$2" -l "$2.log" -w'
    bash(f"{control} -o \"-c unix_socket_directories='$3'\" start >/dev/null 2>&1", binaries, directory, socket)
    try:
        yield socket
    finally:
        bash(f"{control} -m immediate stop >/dev/null", binaries, directory)


@contextlib.contextmanager
def stopped_receiver(server, connection, slot):
    """Somebody reads the slot, and gets nowhere."""
    receiver = subprocess.Popen([bash('server_bin "$1"', server.directory) + "/pg_recvlogical", "-h", server.socket, "-U", "postgres",
                                 "-d", "first", "--slot", slot, "--start", "-f", "-", "-o", "proto_version=1", "-o", "publication_names=none"],
                                stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: value(connection, "SELECT active FROM pg_replication_slots WHERE slot_name = %s", (slot,)), "the receiver")
        os.kill(receiver.pid, signal.SIGSTOP)
        yield
    finally:
        receiver.kill()
        receiver.wait()


def use_up_transactions(connection, number):
    run(connection, "SET synchronous_commit = off")
    run(connection, f"DO $$ BEGIN FOR i IN 1..{number} LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$")
    run(connection, "RESET synchronous_commit")


def check_held_back_from_afar(server, connection):
    run(connection, "SELECT pg_create_logical_replication_slot('slow', 'pgoutput')")
    with standby_of(server) as socket, stopped_receiver(server, connection, "slow"):
        reader = psycopg2.connect(host=socket, user="postgres", dbname="first")
        reader.set_session(isolation_level="REPEATABLE READ")
        assert value(reader, "SELECT count(*) FROM tv_maker") == 2
        wait_until(lambda: value(connection, "SELECT count(*) FROM pg_stat_replication WHERE backend_xmin IS NOT NULL"), "the standby's feedback")
        assert not found(connection, "old snapshot", "Standby") and not found(connection, "replication slots"), "too early"
        use_up_transactions(connection, 1_000_100)
        message = found(connection, "old snapshot", "Standby walreceiver holds back vacuum by", "hot_standby_feedback. End long queries there.")
        assert message, run(connection, "SELECT age(backend_xmin), * FROM pg_stat_replication")
        message = found(connection, "replication slots", "Replication slot slow holds back vacuum of catalogs by",
                        "transactions. Look why its receiver is slow, and end long queries there.")
        assert message, run(connection, "SELECT age(catalog_xmin), * FROM pg_replication_slots")
        reader.rollback()
        wait_until(lambda: not found(connection, "old snapshot", "Standby"), "the standby to let go")
        reader.close()
    wait_until(lambda: found(connection, "replication slots", "Replication slot slow", "and nobody reads it", "pg_drop_replication_slot('slow')"),
               "the receiver to be gone")
    run(connection, "SELECT pg_drop_replication_slot('slow')")
    assert not found(connection, "replication slots"), "the slot is gone"


with Server("health_server", conf=CONF) as server:
    connection = server.prepare("first", SCRIPT)
    write(connection, "first")
    check_statistics_evicted(connection)
    check_databases_in_turn(server, connection)
    check_outbox_scans(connection)
    check_exception_in_commit(connection)
    check_held_back_from_afar(server, connection)
    check_equal(connection, "at the end")
