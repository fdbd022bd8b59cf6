"""The frontier in the logical stream: a published row of pg_tview_frontier, and a message per batch. In both a consumer
meets it together with the documents, and no document is older than its frontier says."""
import json
import re

from tviews_server import Server, check_equal, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_price (pk_price int PRIMARY KEY, cents int NOT NULL);
INSERT INTO tb_price SELECT i, 0 FROM generate_series(1, 20) AS i;
CREATE TABLE tv_price AS SELECT pk_price, jsonb_build_object('cents', cents) AS data FROM tb_price;
CREATE TABLE tv_half AS SELECT pk_price AS pk_half, cents / 2 AS half FROM tb_price;
"""


def change(cents):
    """In a transaction of its own; returns its id."""
    return value(connection, "WITH changed AS (UPDATE tb_price SET cents = %s RETURNING 1)"
                             " SELECT pg_current_xact_id()::text FROM (SELECT count(*) FROM changed) AS c", (cents,))


def follow(tokens):
    """On the subscriber, in one snapshot each: the frontier has what is in the documents. Ends with the last token."""
    seen = 0
    while seen < len(tokens):
        snapshot, documents, halves = run(subscriber, """
            SELECT (SELECT snapshot::text FROM pg_tview_frontier WHERE lane = 'main'), (SELECT array_agg(DISTINCT (data ->> 'cents')::int) FROM tv_price),
                   (SELECT array_agg(DISTINCT half) FROM tv_half)""")[0]
        included = [cents for cents, token in tokens if snapshot is not None and value(
            connection, "SELECT pg_visible_in_snapshot(%s::xid8, %s::pg_snapshot)", (token, snapshot))]
        newest = max(included, default=0)
        assert documents == [newest] and halves == [newest // 2], (snapshot, included, documents, halves)
        seen = len(included)


with Server("frontier_stream", "wal_level = logical\npg_tviews.logical_messages = on\n") as server:
    connection = server.prepare("prices", SCRIPT)
    check_equal(connection)
    run(connection, "CREATE PUBLICATION documents FOR TABLE tv_price, tv_half, pg_tview_frontier (lane, snapshot)")
    run(connection, "SELECT pg_create_logical_replication_slot('documents', 'pgoutput')")
    run(connection, "SELECT pg_create_logical_replication_slot('messages', 'test_decoding')")
    run(connection, "CREATE DATABASE readers")
    subscriber = server.connect("readers")
    run(subscriber, """CREATE TABLE tv_price (pk_price int PRIMARY KEY, data jsonb); CREATE TABLE tv_half (pk_half int PRIMARY KEY, half int);
                       CREATE TABLE pg_tview_frontier (lane text PRIMARY KEY, snapshot pg_snapshot)""")
    run(subscriber, f"""CREATE SUBSCRIPTION documents CONNECTION 'host={server.socket} user=postgres dbname=prices'
        PUBLICATION documents WITH (create_slot = false, slot_name = 'documents')""")
    wait_until(lambda: value(subscriber, "SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel"), "the copy")

    tokens = [(cents, change(cents)) for cents in range(2, 42, 2)]
    check_equal(connection)
    run(connection, "CREATE TABLE flush (); SELECT pg_current_xact_id()")  # batches commit asynchronously
    follow(tokens)

    # The stream itself: transaction by transaction, the message says what the documents in it contain.
    current, batches, newest, message = {}, 0, 0, None
    for (line,) in run(connection, "SELECT data FROM pg_logical_slot_get_changes('messages', NULL, NULL)"):
        if line.startswith("BEGIN"):
            current, message = {}, None
        elif found := re.match(r"table public\.tv_price: UPDATE: pk_price\[integer\]:(\d+) data\[jsonb\]:'(.*)'", line):
            current[int(found[1])] = json.loads(found[2])["cents"]
        elif found := re.match(r"message: transactional: 1 prefix: pg_tviews, sz: \d+ content:(.*)", line):
            assert message is None, "two messages of one batch"
            message = json.loads(found[1])
        elif line.startswith("COMMIT") and message is not None:
            included = [cents for cents, token in tokens if value(
                connection, "SELECT pg_visible_in_snapshot(%s::xid8, %s::pg_snapshot)", (token, message["frontier"]))]
            if current:
                assert len(current) == 20 and set(current.values()) == {max(included)}, (message, current)
                assert message["updated"] == 40 and message["inserted"] == message["deleted"] == 0, message
                newest = max(included)
            batches += 1
        elif line.startswith("COMMIT"):
            assert not current, "documents without a message"
    assert batches > 0 and newest == tokens[-1][0], (batches, newest)

    # Off, there is none.
    run(connection, "ALTER SYSTEM SET pg_tviews.logical_messages = off")
    run(connection, "SELECT pg_reload_conf()")
    wait_until(lambda: value(connection, "SELECT current_setting('pg_tviews.logical_messages')") == "off", "the reload")
    run(connection, "SELECT pg_terminate_backend(pid) FROM pg_tviews_workers WHERE kind = 'applier'")
    change(100)
    check_equal(connection)
    run(connection, "CREATE TABLE flush_again ()")
    found = [line for (line,) in run(connection, "SELECT data FROM pg_logical_slot_get_changes('messages', NULL, NULL)")]
    assert any("tv_price: UPDATE" in line for line in found) and not any("prefix: pg_tviews" in line for line in found), found[-5:]
    run(subscriber, "DROP SUBSCRIPTION documents")
