"""The change feed: notifications in order, below the server's limit and in the batch's transaction; durable
rows that match the changes of the documents one for one whatever ends in between; retention; replication."""
import json
import random

import psycopg2

import shop
from tviews_server import Server, check_equal, run, tviews, value, wait_until

NOTIFIED = """
CREATE SCHEMA "Other";
CREATE TABLE tb_item (pk_item int PRIMARY KEY, id uuid DEFAULT gen_random_uuid(), name text);
CREATE TABLE tv_item WITH (pg_tviews.notify) AS SELECT pk_item, id, name FROM tb_item;
CREATE TABLE "Other".tv_item WITH (pg_tviews.notify) AS SELECT pk_item, name FROM tb_item WHERE pk_item < 0;
CREATE TABLE "tv_Odd ""name" WITH (pg_tviews.notify, pg_tviews.key = 'name') AS
SELECT DISTINCT name FROM tb_item WHERE pk_item < 0 AND name IS NOT NULL;
LISTEN tv_item;
LISTEN "tv_Odd ""name";
"""


def notes():
    """The payloads of what came since the last call, by channel."""
    run(connection, "SELECT pg_tviews_wait()")
    run(connection, "SELECT 1")
    connection.poll()
    found = [(note.channel, note.payload) for note in connection.notifies]
    connection.notifies.clear()
    for _, payload in found:
        assert len(payload.encode()) < 8000, len(payload)
    return [(channel, json.loads(payload)) for channel, payload in found]


def visible(token, note):
    return value(connection, "SELECT pg_visible_in_snapshot(%s::xid8, %s::pg_snapshot)", (token, note["frontier"]))


def change(*statements):
    """Runs the statements in one transaction and returns its id."""
    with writer.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        cursor.execute("SELECT pg_current_xact_id()")
        token = cursor.fetchone()[0]
    writer.commit()
    return token


def check_notifications():
    ids = lambda where: {row[0] for row in run(connection, f"SELECT id::text FROM tb_item WHERE {where}")}
    token = change("INSERT INTO tb_item (pk_item, name) VALUES (1, 'one'), (2, 'two')")
    (channel, note), = notes()
    assert channel == "tv_item" and note["tview"] == "public.tv_item" and note["by"] == "id", note
    assert set(note["inserted"]) == ids("true") and "updated" not in note and "deleted" not in note, note
    assert visible(token, note)

    # One transaction, one batch, one message; nothing for what was rolled back or changes no document.
    before = ids("pk_item = 2")
    change("UPDATE tb_item SET name = 'eins' WHERE pk_item = 1", "DELETE FROM tb_item WHERE pk_item = 2",
           "INSERT INTO tb_item (pk_item, name) VALUES (3, 'three')", "SAVEPOINT s",
           "INSERT INTO tb_item (pk_item, name) VALUES (4, 'four')", "ROLLBACK TO s")
    (_, note), = notes()
    assert set(note["updated"]) == ids("pk_item = 1") and set(note["deleted"]) == before, note
    assert set(note["inserted"]) == ids("pk_item = 3"), note
    change("UPDATE tb_item SET name = name")
    assert notes() == []

    # The same name in another schema shares the channel; a name is the channel as it is.
    change("INSERT INTO tb_item (pk_item, name) VALUES (-1, 'minus \"one\"')")
    found = notes()
    assert [(channel, note["tview"]) for channel, note in found] == [
        ("tv_item", "public.tv_item"), ("tv_item", '"Other".tv_item'), ('tv_Odd "name', 'public."tv_Odd ""name"')], found
    assert found[1][1]["by"] == "pk_item" and found[1][1]["inserted"] == [-1], found
    assert found[2][1]["by"] == "name" and found[2][1]["inserted"] == ['minus "one"'], found

    # In the order of commits: what a listener does in that order is right at the end.
    expected = []
    for i in range(100, 120):
        change(f"INSERT INTO tb_item VALUES ({i}, gen_random_uuid(), 'x')")
        expected += ids(f"pk_item = {i}")
        run(connection, "SELECT pg_tviews_wait()")
    assert [i for _, note in notes() for i in note["inserted"]] == expected

    # Split: every id once.
    change("INSERT INTO tb_item (pk_item) SELECT i FROM generate_series(1001, 4000) AS i")
    found = notes()
    told = [i for _, note in found for i in note["inserted"]]
    assert len(told) == 3000 and set(told) == ids("pk_item > 1000") and len(found) > 10, (len(told), len(found))
    # Summarised: the rest is counted.
    change("UPDATE tb_item SET name = 'many'", "INSERT INTO tb_item (pk_item) SELECT i FROM generate_series(5001, 20000) AS i")
    found = [note for _, note in notes() if note["tview"] == "public.tv_item"]
    named = sum(len(note.get(what, [])) for note in found for what in ("inserted", "updated"))
    count = value(connection, "SELECT count(*) FROM tv_item")
    assert named == 10000 and [note["unnamed"] for note in found if "unnamed" in note] == [count - named], (named, count)
    # A key that no message has room for.
    change("DELETE FROM tb_item WHERE pk_item <> -1", "UPDATE tb_item SET name = repeat('long ', 500)")
    odd = [note for channel, note in notes() if channel.startswith("tv_Odd")]
    assert len(odd) == 2 and odd[0].keys() >= {"deleted"} and odd[1]["unnamed"] == 1, odd


def documents():
    """{tview: {key: document}} as the feed would have it."""
    found = {}
    for tview, _ in tviews(connection):
        key = value(connection, "SELECT key_column FROM pg_tview_meta WHERE tview = %s::regclass", (tview,))
        has_data = value(connection, "SELECT count(*) FROM pg_attribute WHERE attrelid = %s::regclass AND attname = 'data' AND atttypid = 'jsonb'::regtype", (tview,))
        document = "t.data" if has_data else "to_jsonb(t)"
        found[tview] = dict(run(connection, f'SELECT t."{key}"::text, {document} FROM {tview} AS t'))
    return found


def replay(start, after):
    """Applies the feed to copies of documents; every row must fit exactly. Returns them and the last position."""
    state = {tview: dict(rows) for tview, rows in start.items()}
    last = after
    for position, tview, key, operation, old, new in run(connection, """
            SELECT position, tview::text, key, operation, old_data, new_data FROM pg_tviews_feed
            WHERE position > %s ORDER BY position""", (after,)):
        rows = state[tview]
        assert position > last, (position, last)
        assert (key in rows) == (operation != "insert"), (position, tview, key, operation)
        assert operation == "insert" or rows[key] == old, (position, tview, key, rows[key], old)
        if operation == "delete":
            del rows[key]
        else:
            rows[key] = new
        last = position
    return state, last


def check_exact(context):
    check_equal(connection, context)
    state, last = replay(start, 0)
    assert state == documents(), f"{context}: the feed does not lead to the documents"
    return last


with Server("feed", "wal_level = logical\n") as server:
    connection = server.prepare("notes", NOTIFIED)
    writer = server.connect("notes", autocommit=False)
    check_notifications()
    writer.close()
    connection.close()

    # Durable, under load, with appliers that end and a server that is killed.
    connection = server.prepare("shop", shop.SCRIPT)
    check_equal(connection)
    for tview, _ in tviews(connection):
        run(connection, f"ALTER TABLE {tview} SET (pg_tviews.feed = data)")
    run(connection, "SELECT pg_tviews_wait()")
    start = documents()
    r = random.Random(7)
    applier = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_tviews applier' AND datname = 'shop'"
    for kill in (False, True):
        writers = shop.Writers(lambda: server.connect("shop"), sessions=3, seed=70 + kill)
        for _ in range(8):
            target = writers.committed + r.randint(1, 60)
            wait_until(lambda: writers.committed >= target, "writers")
            run(connection, f"SELECT pg_terminate_backend(pid) FROM ({applier}) AS a")
        if kill:
            seen = run(connection, "SELECT position, key, new_data FROM pg_tviews_feed ORDER BY position")
            server.kill()
            writers.stop()
            server.start()
            connection = server.connect("shop")
            again = run(connection, "SELECT position, key, new_data FROM pg_tviews_feed ORDER BY position LIMIT %s", (len(seen),))
            assert again == seen, "a consumer has seen rows that the crash has undone"
        else:
            writers.stop()
        last = check_exact("killed" if kill else "appliers ended")
    print("note: feed rows", value(connection, "SELECT count(*) FROM pg_tviews_feed"))

    # Replicated: the table as it is, without what retention removes.
    run(connection, "CREATE PUBLICATION feed FOR TABLE tviews_internal.pg_tview_feed WITH (publish = 'insert')")
    run(connection, "SELECT pg_create_logical_replication_slot('feed', 'pgoutput')")
    run(connection, "CREATE DATABASE consumer")
    consumer = server.connect("consumer")
    columns = value(connection, """SELECT string_agg(format('%I %s', attname, CASE atttypid WHEN 'regclass'::regtype
        THEN 'text' ELSE atttypid::regtype::text END), ', ') FROM pg_attribute
        WHERE attrelid = 'tviews_internal.pg_tview_feed'::regclass AND attnum > 0""")
    run(consumer, "CREATE SCHEMA tviews_internal")
    run(consumer, f"CREATE TABLE tviews_internal.pg_tview_feed ({columns}, PRIMARY KEY (position))")
    run(consumer, f"""CREATE SUBSCRIPTION feed CONNECTION 'host={server.socket} user=postgres dbname=shop'
        PUBLICATION feed WITH (create_slot = false, slot_name = 'feed')""")
    writers = shop.Writers(lambda: server.connect("shop"), sessions=2, seed=80)
    target = writers.committed + 50
    wait_until(lambda: writers.committed >= target, "writers")
    writers.stop()
    last = check_exact("replicated")
    copied = "SELECT count(*), max(position) FROM tviews_internal.pg_tview_feed"
    wait_until(lambda: run(consumer, copied) == run(connection, copied), "the subscriber")

    # Retention: everything goes, step by step, and the horizon tells; positions are not used again.
    rows = run(consumer, copied)
    run(connection, "ALTER SYSTEM SET pg_tviews.feed_retention = '1s'")
    run(connection, "SELECT pg_reload_conf()")
    run(connection, "SELECT pg_tviews_wait()")
    wait_until(lambda: value(connection, "SELECT count(*) FROM pg_tviews_feed") == 0, "retention")
    assert value(connection, "SELECT removed_through FROM pg_tview_feed_horizon") == last
    run(connection, "ALTER SYSTEM SET pg_tviews.feed_retention = 0")
    run(connection, "SELECT pg_reload_conf()")
    run(connection, "UPDATE tb_customer SET name = name || '!'")
    check_equal(connection)
    assert value(connection, "SELECT min(position) FROM pg_tviews_feed") > last
    wait_until(lambda: value(consumer, "SELECT max(position) FROM tviews_internal.pg_tview_feed") > last, "the subscriber again")
    assert value(consumer, "SELECT count(*) FROM tviews_internal.pg_tview_feed") >= rows[0][0]
    run(consumer, "DROP SUBSCRIPTION feed")
