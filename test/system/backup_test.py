"""pg_basebackup under load, then recovery to a point in time at which changes were committed and not
applied: the restored server applies them by itself, and goes on."""
import psycopg2

import shop
from tviews_server import Server, bash, check_equal, run, value, wait_until


with Server("backup") as server:
    archive = f"{server.directory}/archive"
    bash('make_server_dir "$1"', archive)
    run(server.connect(), f"ALTER SYSTEM SET archive_command = 'cp %p \"{archive}/%f\"'")
    run(server.connect(), "ALTER SYSTEM SET archive_mode = on")
    server.stop()
    server.start()
    connection = server.prepare("shop", shop.SCRIPT)
    check_equal(connection, "at the start")

    base = f"{server.directory}/restored"
    socket = bash('dir="$(server_socket "$1")/r"; make_server_dir "$dir"; echo "$dir"', server.directory)
    bin_directory = bash('server_bin "$1"', server.directory)
    writers = shop.Writers(lambda: server.connect("shop"), sessions=3, seed=80)
    wait_until(lambda: writers.committed > 50, "the writers to commit")
    bash('as_server "$1/pg_basebackup" -h "$2" -U postgres -D "$3" -c fast', bin_directory, server.socket, base)
    before = writers.committed
    wait_until(lambda: writers.committed > before + 100, "the writers to commit")
    # What is committed from here on is in the outbox at the restore point.
    run(connection, "SELECT pg_tviews_pause()")
    before = writers.committed
    wait_until(lambda: writers.committed > before + 100, "the writers to commit")
    run(connection, "BEGIN; UPDATE tb_customer SET name = 'prepared' WHERE pk_customer = 1; PREPARE TRANSACTION 'p'")
    run(connection, "SELECT pg_create_restore_point('here')")
    run(connection, "COMMIT PREPARED 'p'")
    run(connection, "SELECT pg_tviews_resume()")
    before = writers.committed
    wait_until(lambda: writers.committed > before + 50, "the writers to commit")
    writers.stop()
    check_equal(connection, "on the original")
    # The segment that is complete now: whatever is written from here on stays in the next one.
    segment = value(connection, "SELECT pg_walfile_name(pg_switch_wal() - 1)")
    wait_until(lambda: value(connection, "SELECT last_archived_wal >= %s FROM pg_stat_archiver", (segment,)), "the archive")

    bash("""as_server tee -a "$1/postgresql.auto.conf" >/dev/null <<-END
archive_mode = off
restore_command = 'cp "$2/%f" %p'
recovery_target_name = 'here'
recovery_target_action = promote
END
as_server touch "$1/recovery.signal" """, base, archive)
    control = 'as_server "$1/pg_ctl" -D "$2" -l "$2.log" -w'
    bash(f"{control} -o \"-c unix_socket_directories='$3'\" start >/dev/null 2>&1", bin_directory, base, socket)
    try:
        connect = lambda: psycopg2.connect(host=socket, user="postgres", dbname="shop")
        restored = connect()
        restored.autocommit = True
        wait_until(lambda: not value(restored, "SELECT pg_is_in_recovery()"), "the end of recovery")
        check_equal(restored, "at the restore point")
        prepared = "SELECT name = 'prepared' FROM tb_customer WHERE pk_customer = 1"
        assert not value(restored, prepared), "a later COMMIT PREPARED was replayed"
        run(restored, "COMMIT PREPARED 'p'")
        check_equal(restored, "after COMMIT PREPARED")
        assert value(restored, prepared.replace("name", "data ->> 'name'").replace("tb_", "tv_"))
        writers = shop.Writers(connect, sessions=2, seed=81)
        wait_until(lambda: writers.committed > 50, "the writers to commit")
        writers.stop()
        check_equal(restored, "on the restored server")
    finally:
        bash(f"{control} -m immediate stop >/dev/null", bin_directory, base, check=False)
