"""A TVIEW is published as an ordinary table: a subscriber follows it, the initial copy and every batch."""
import shop
from tviews_server import Server, check_equal, run, value, wait_until

with Server("publish", "wal_level = logical\n") as server:
    connection = server.prepare("shop", shop.SCRIPT)
    run(connection, "CREATE PUBLICATION documents FOR TABLE tv_customer, tv_spending")
    run(connection, "SELECT pg_create_logical_replication_slot('documents', 'pgoutput')")
    run(server.connect(), "CREATE DATABASE readers")
    readers = server.connect("readers")
    run(readers, "CREATE TABLE tv_customer (pk_customer bigint PRIMARY KEY, id uuid, data jsonb)")
    run(readers, "CREATE TABLE tv_spending (pk_spending bigint PRIMARY KEY, total bigint)")
    run(readers, f"""CREATE SUBSCRIPTION documents
        CONNECTION 'host={server.socket} user=postgres dbname=shop' PUBLICATION documents
        WITH (create_slot = false, slot_name = 'documents')""")
    wait_until(lambda: value(readers, "SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel"), "the copy")
    for round_number in range(2):
        writers = shop.Writers(lambda: server.connect("shop"), sessions=3, seed=90 + round_number)
        wait_until(lambda: writers.committed > 200, "the writers to commit")
        writers.stop()
        check_equal(connection, "on the publisher")
        # Batches commit asynchronously: flushed by a commit that does not.
        run(connection, "CREATE TABLE IF NOT EXISTS flush (); SELECT pg_current_xact_id()")
        position = value(connection, "SELECT pg_current_wal_insert_lsn()")
        wait_until(lambda: value(connection, "SELECT confirmed_flush_lsn >= %s FROM pg_replication_slots",
                                 (position,)), "the subscription to catch up")
        for tview in ("tv_customer", "tv_spending"):
            query = f"SELECT * FROM {tview} ORDER BY 1"
            assert run(readers, query) == run(connection, query), f"{tview}, round {round_number}"
    run(readers, "DROP SUBSCRIPTION documents")
