"""A logical-replication subscriber: what the apply worker writes, and truncates, reaches the TVIEWs
there, although ordinary triggers do not fire for it. Prepared transactions of the publisher are prepared here too,
and reach them when they are committed."""
from tviews_server import Server, check_equal, run, value, wait_until

TABLES = """
CREATE TABLE tb_room (pk_room int PRIMARY KEY, name text);
CREATE TABLE tb_seat (pk_seat int NOT NULL, fk_room int, PRIMARY KEY (pk_seat)) PARTITION BY RANGE (pk_seat);
CREATE TABLE seat_low PARTITION OF tb_seat FOR VALUES FROM (0) TO (100);
CREATE TABLE seat_high PARTITION OF tb_seat FOR VALUES FROM (100) TO (200);
"""
TVIEW = """
CREATE TABLE tv_room AS
SELECT tb_room.pk_room,
       jsonb_build_object('name', tb_room.name, 'seats',
           (SELECT count(*) FROM tb_seat WHERE tb_seat.fk_room = tb_room.pk_room)) AS data
FROM tb_room;
"""


def seats():
    return value(connection, "SELECT coalesce(sum((data ->> 'seats')::int), 0) FROM tv_room")


def check(what):
    """Everything that was published is applied, and the TVIEW shows it."""
    position = value(publisher, "SELECT pg_current_wal_lsn()")
    wait_until(lambda: value(publisher, "SELECT confirmed_flush_lsn >= %s FROM pg_replication_slots", (position,)),
               "the subscription to catch up")
    check_equal(connection, what)


with Server("subscriber", "wal_level = logical\n") as server:
    run(server.connect(), "CREATE DATABASE source")
    publisher = server.connect("source")
    run(publisher, TABLES)
    run(publisher, "INSERT INTO tb_room VALUES (1, 'one'), (2, 'two'); INSERT INTO tb_seat VALUES (1, 1), (101, 2)")
    run(publisher, "CREATE PUBLICATION rooms FOR TABLE tb_room, tb_seat")
    run(publisher, "SELECT pg_create_logical_replication_slot('rooms', 'pgoutput')")
    connection = server.prepare("target", TABLES + TVIEW)
    # In one cluster the subscription cannot make its slot itself: it would wait for itself.
    run(connection, f"""CREATE SUBSCRIPTION rooms
        CONNECTION 'host={server.socket} user=postgres dbname=source' PUBLICATION rooms
        WITH (create_slot = false, slot_name = 'rooms', two_phase = true)""")
    wait_until(lambda: value(connection, "SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel"),
               "the tables to be copied")
    check("the initial copy")
    assert seats() == 2, seats()

    run(publisher, "INSERT INTO tb_seat SELECT i, 1 FROM generate_series(2, 9) AS i")
    run(publisher, "UPDATE tb_seat SET fk_room = 2 WHERE pk_seat = 2; UPDATE tb_room SET name = upper(name)")
    run(publisher, "DELETE FROM tb_seat WHERE pk_seat = 3")
    check("changes of rows")
    assert seats() == 9, seats()
    assert value(connection, "SELECT count(*) FROM tv_room WHERE data ->> 'name' IN ('ONE', 'TWO')") == 2

    # A transaction that the publisher prepares.
    prepared = "SELECT count(*) FROM pg_prepared_xacts WHERE gid LIKE 'pg_gid_%' AND database = 'target'"
    wait_until(lambda: value(connection, "SELECT subtwophasestate::text FROM pg_subscription") == "e",
               "the subscription to take prepared transactions")
    for end in ("COMMIT", "ROLLBACK"):
        name = f"by {end}"
        run(publisher, f"BEGIN; UPDATE tb_room SET name = '{name}' WHERE pk_room = 1; DELETE FROM tb_seat WHERE pk_seat = 9;"
                       f" INSERT INTO tb_seat VALUES (11, 2); PREPARE TRANSACTION 'moved'")
        wait_until(lambda: value(connection, prepared) == 1, "the transaction to be prepared on the subscriber")
        run(publisher, "UPDATE tb_room SET name = 'two' WHERE pk_room = 2")
        check("while a transaction is prepared")
        assert value(connection, f"SELECT count(*) FROM tv_room WHERE data ->> 'name' = '{name}'") == 0
        assert value(connection, "SELECT count(*) FROM tv_room WHERE data ->> 'name' = 'two'") == 1
        run(publisher, f"{end} PREPARED 'moved'")
        wait_until(lambda: value(connection, prepared) == 0, "its end on the subscriber")
        check(f"after {end} PREPARED")
        assert value(connection, f"SELECT count(*) FROM tv_room WHERE data ->> 'name' = '{name}'") == (end == "COMMIT")
        if end == "COMMIT":
            run(publisher, "UPDATE tb_room SET name = 'one' WHERE pk_room = 1; DELETE FROM tb_seat WHERE pk_seat = 11;"
                           " INSERT INTO tb_seat VALUES (9, 1)")
    run(publisher, "UPDATE tb_room SET name = upper(name)")
    check("after prepared transactions")

    # Statement triggers do not fire where changes are applied row by row: the row trigger does.
    run(connection, "SELECT pg_tviews_install_stmt_triggers()")
    assert value(connection, "SELECT tgenabled::text FROM pg_trigger WHERE tgname = 'pg_tviews_capture'"
                             " AND tgrelid = 'tb_room'::regclass") == "R"
    run(publisher, "UPDATE tb_room SET name = lower(name); INSERT INTO tb_seat VALUES (10, 1)")
    check("changes of rows beside statement triggers")
    assert value(connection, "SELECT count(*) FROM tv_room WHERE data ->> 'name' IN ('one', 'two')") == 2
    run(publisher, "DELETE FROM tb_seat WHERE pk_seat = 10")

    run(publisher, "TRUNCATE seat_low")
    check("a truncated partition")
    assert seats() == 1, seats()
    run(publisher, "TRUNCATE tb_room, tb_seat")
    check("truncated tables")
    assert value(connection, "SELECT count(*) FROM tv_room") == 0
    run(connection, "DROP SUBSCRIPTION rooms")
