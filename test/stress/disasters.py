"""Five disasters, each with changes that wait: what is lost, and how long it takes. One table on stdout.

Usage: test/stress/disasters.py BUILD_DIR [--only killed,promoted] [--scale 0.1]

The figures of docs/operations/disaster-recovery.md are this program's output at scale 1. In each database are so many
documents of customers with their orders, in each backlog so many transactions that the paused applier has not applied.
Every trial ends with the comparison of each TVIEW with its query; a difference, or a transaction that is gone and should
not be, ends the program. The last trial mounts a small file system, and so needs root.
"""
import argparse
import pathlib
import subprocess
import sys
import time

import psycopg2

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from tviews_server import Server, bash, check_equal, run, value, wait_until  # noqa: E402

CONF = """
fsync = on
full_page_writes = on
wal_level = replica
max_wal_size = 8GB
shared_buffers = 512MB
client_min_messages = warning
"""
SCRIPT = """
CREATE TABLE tb_customer (pk_customer int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_order (pk_order int PRIMARY KEY, fk_customer int NOT NULL, amount int NOT NULL);
CREATE INDEX ON tb_order (fk_customer);
INSERT INTO tb_customer SELECT n, 'customer ' || n FROM generate_series(1, {documents}) n;
INSERT INTO tb_order SELECT n, 1 + n % {documents}, n % 100 FROM generate_series(1, 3 * {documents}) n;
CREATE TABLE tv_customer AS
SELECT tb_customer.pk_customer, jsonb_build_object('name', tb_customer.name, 'spent',
         (SELECT sum(tb_order.amount) FROM tb_order WHERE tb_order.fk_customer = tb_customer.pk_customer)) AS data
FROM tb_customer;
CREATE TABLE tb_ledger (pk_ledger int PRIMARY KEY);
CREATE PROCEDURE work(transactions int) LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN 1 .. transactions LOOP
        INSERT INTO tb_ledger SELECT coalesce(max(tb_ledger.pk_ledger), 0) + 1 FROM tb_ledger;
        UPDATE tb_order SET amount = tb_order.amount + 1 WHERE tb_order.pk_order = n;
        COMMIT;
    END LOOP;
END $$;
"""
TRIALS = {}


def trial(what):
    def add(function):
        TRIALS[function.__name__] = (what, function)
        return function
    return add


class Copy:
    """A base backup of the server, to be started beside it."""

    def __init__(self, server, name, *options):
        self.programs = bash('server_bin "$1"', server.directory)
        self.directory = f"{server.directory}/{name}"
        self.socket = bash('dir="$(server_socket "$1")/c"; make_server_dir "$dir"; echo "$dir"', server.directory)
        bash('as_server "$1/pg_basebackup" -h "$2" -U postgres -D "$3" -c fast "${@:4}"', self.programs, server.socket, self.directory,
             *options)

    def control(self, command, **options):
        return bash(f'as_server "$1/pg_ctl" -D "$2" -l "$2.log" -w -t 600 {command} >/dev/null 2>&1', self.programs, self.directory,
                    self.socket, **options)

    def start(self):
        self.control("""-o "-c unix_socket_directories='$3'" start""")

    def connect(self):
        connection = psycopg2.connect(host=self.socket, user="postgres", dbname="shop")
        connection.autocommit = True
        return connection


def transactions(connection):
    return value(connection, "SELECT count(*) FROM tb_ledger")


def pile_up(connection, backlog):
    run(connection, "SELECT pg_tviews_pause()")
    run(connection, "CALL work(%s)", (backlog,))


def until_right(connection, began):
    """Seconds from `began` until the TVIEWs show everything that is committed."""
    run(connection, "SELECT pg_tviews_wait()")
    seconds = time.monotonic() - began
    check_equal(connection)
    return seconds


@trial("every process is killed")
def killed(server, connection, backlog):
    pile_up(connection, backlog)
    written = transactions(connection)
    server.kill()
    began = time.monotonic()
    server.start()
    answers = time.monotonic() - began
    connection = server.connect("shop")
    return written - transactions(connection), 0, answers, until_right(connection, began)


@trial("the primary is lost, a synchronous standby is promoted")
def promoted(server, connection, backlog):
    standby = Copy(server, "standby", "-R")
    standby.start()
    try:
        run(connection, "ALTER SYSTEM SET synchronous_standby_names = '*'")
        run(connection, "SELECT pg_reload_conf()")
        wait_until(lambda: value(connection, "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"), "the standby")
        pile_up(connection, backlog)
        written = transactions(connection)
        server.kill()
        began = time.monotonic()
        standby.control("promote")
        answers = time.monotonic() - began
        there = standby.connect()
        return written - transactions(there), 0, answers, until_right(there, began)
    finally:
        standby.control("-m immediate stop", check=False)


@trial("a table was emptied by mistake: recovery to the moment before")
def emptied(server, connection, backlog):
    archive = f"{server.directory}/archive"
    bash('make_server_dir "$1"', archive)
    run(connection, f"ALTER SYSTEM SET archive_command = 'cp %p \"{archive}/%f\"'")
    run(connection, "ALTER SYSTEM SET archive_mode = on")
    server.stop()
    server.start()
    connection = server.connect("shop")
    restored = Copy(server, "restored")
    pile_up(connection, backlog)
    run(connection, "SELECT pg_create_restore_point('before')")
    written = transactions(connection)
    run(connection, "TRUNCATE tb_order")
    run(connection, "CALL work(10)")
    later = transactions(connection) - written
    segment = value(connection, "SELECT pg_walfile_name(pg_switch_wal() - 1)")
    wait_until(lambda: value(connection, "SELECT last_archived_wal >= %s FROM pg_stat_archiver", (segment,)), "the archive")
    server.stop("immediate")
    bash("""as_server tee -a "$1/postgresql.auto.conf" >/dev/null <<-END
archive_mode = off
restore_command = 'cp "$2/%f" %p'
recovery_target_name = 'before'
recovery_target_action = promote
END
as_server touch "$1/recovery.signal" """, restored.directory, archive)
    began = time.monotonic()
    try:
        restored.start()
        there = restored.connect()
        wait_until(lambda: not value(there, "SELECT pg_is_in_recovery()"), "the end of recovery", 600)
        answers = time.monotonic() - began
        return written + later - transactions(there), later, answers, until_right(there, began)
    finally:
        restored.control("-m immediate stop", check=False)


@trial("nothing is left but a dump")
def dumped(server, connection, backlog):
    programs = bash('server_bin "$1"', server.directory)
    tool = lambda name, *arguments: bash('as_server env PGHOST="$1" PGUSER=postgres "${@:2}" 2>&1', server.socket, f"{programs}/{name}",
                                         *arguments)
    pile_up(connection, backlog)
    dump = f"{server.directory}/dump"
    tool("pg_dump", "-Fc", "-d", "shop", "-f", dump)
    written = transactions(connection)
    run(connection, "CALL work(10)")
    connection.close()
    admin = server.connect()
    run(admin, "DROP DATABASE shop WITH (FORCE)")
    began = time.monotonic()
    run(admin, "CREATE DATABASE shop TEMPLATE template0")
    tool("pg_restore", "--exit-on-error", "-j2", "-d", "shop", dump)
    answers = time.monotonic() - began
    connection = server.connect("shop")
    wait_until(lambda: value(connection, "SELECT count(*) FROM pg_tview_meta WHERE database_oid = "
                             "(SELECT oid FROM pg_database WHERE datname = current_database())") == 1, "the TVIEW to be adopted", 600)
    return written + 10 - transactions(connection), 10, answers, until_right(connection, began)


@trial("the disk of the TVIEWs is full, until there is room")
def full(server, connection, backlog):
    place = f"{server.directory}/small"
    bash('make_server_dir "$1"', place)
    size = value(connection, "SELECT pg_table_size('tv_customer')") + 131072
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], check=True)
    try:
        bash('chown "$SERVER_USER:" "$1"', place)
        run(connection, f"CREATE TABLESPACE small LOCATION '{place}'")
        run(connection, "ALTER TABLE tv_customer SET TABLESPACE small")
        run(connection, "INSERT INTO tb_customer SELECT -pk_customer, name FROM tb_customer")
        run(connection, "CALL work(%s)", (backlog,))
        written = transactions(connection)
        retries = "SELECT retries FROM pg_tviews_workers WHERE kind = 'applier' AND database = 'shop'"
        wait_until(lambda: value(connection, retries) > 2, "batches that find no room")
        began = time.monotonic()
        subprocess.run(["mount", "-o", f"remount,size={8 * size}", place], check=True)
        answers = time.monotonic() - began
        return written - transactions(connection), 0, answers, until_right(connection, began)
    finally:
        connection.close()
        server.stop("immediate")
        subprocess.run(["umount", place], check=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--only", default=",".join(TRIALS))
    parser.add_argument("--scale", type=float, default=1)
    options = parser.parse_args()
    documents, backlog = int(200_000 * options.scale), int(20_000 * options.scale)
    print(f"{documents:,} documents, {backlog:,} transactions that wait\n\n"
          "| disaster | transactions lost | the server answers after | the TVIEWs are right after |\n|---|---|---|---|", flush=True)
    for name in options.only.split(","):
        what, function = TRIALS[name]
        with Server("disasters", CONF) as server:
            connection = server.prepare("shop", SCRIPT.format(documents=documents))
            run(connection, "VACUUM ANALYZE")
            lost, expected, answers, right = function(server, connection, backlog)
        if lost != expected:
            raise AssertionError(f"{what}: {lost} transactions are lost, not {expected}")
        print(f"| {what} | {lost or 'none'} | {answers:.1f} s | {right:.1f} s |", flush=True)


if __name__ == "__main__":
    main()
