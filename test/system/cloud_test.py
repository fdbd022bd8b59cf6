"""TVIEWs beside a server that has no library: it publishes, a small server with pg_tviews subscribes and computes, and
whoever has written there reads here what he wrote, by one call. The subscriber restarts, the publisher gets other columns, a
slot is lost."""
import psycopg2

from tviews_server import Server, check_equal, run, value, wait_until

TABLES = """
CREATE TABLE tb_shop (pk_shop int PRIMARY KEY, name text);
CREATE TABLE tb_offer (pk_offer int PRIMARY KEY, fk_shop int, cents int);
"""
TVIEW = """
CREATE TABLE tv_shop AS
SELECT tb_shop.pk_shop, jsonb_build_object('name', tb_shop.name, 'offers', count(tb_offer.pk_offer), 'sum', coalesce(sum(tb_offer.cents), 0)) AS data
FROM tb_shop LEFT JOIN tb_offer ON tb_offer.fk_shop = tb_shop.pk_shop GROUP BY tb_shop.pk_shop;
"""
CONNECTION = "host={} user=postgres dbname=postgres"


def token():
    return value(publisher, "SELECT pg_current_wal_lsn()::text")


def read(where="pk_shop = 1"):
    run(reader, "SELECT pg_tviews_wait_for_publisher('shops', %s)", (token(),))
    return run(reader, f"SELECT data ->> 'name', (data ->> 'offers')::int, (data ->> 'sum')::int FROM tv_shop WHERE {where} ORDER BY pk_shop")


def subscribe():
    run(reader, f"CREATE SUBSCRIPTION shops CONNECTION '{CONNECTION.format(cloud.socket)}' PUBLICATION shops")


with Server("cloud_publisher", "wal_level = logical\n", preload=False) as cloud, Server("cloud_subscriber", "wal_retrieve_retry_interval = 50ms\n") as own:
    publisher = cloud.connect()
    assert value(publisher, "SELECT count(*) FROM pg_settings WHERE name LIKE 'pg_tviews.%'") == 0
    run(publisher, TABLES)
    run(publisher, "INSERT INTO tb_shop SELECT i, 'shop ' || i FROM generate_series(1, 50) AS i")
    run(publisher, "INSERT INTO tb_offer SELECT i, i % 50 + 1, i FROM generate_series(1, 20000) AS i")
    run(publisher, "CREATE PUBLICATION shops FOR TABLE tb_shop, tb_offer")
    reader = own.prepare("shops", TABLES + TVIEW)
    subscribe()
    assert read()[0][1] == 400, read()  # the initial copy is waited for

    # Every write is there, by one call, also beside writes that are not published.
    run(publisher, "CREATE TABLE other (i int)")
    for cents in range(10):
        run(publisher, "UPDATE tb_offer SET cents = %s WHERE fk_shop = 1", (cents,))
        run(publisher, "INSERT INTO other VALUES (1)")
        assert read() == [("shop 1", 400, 400 * cents)], cents

    # Nobody applies: an error after the patience, and an answer when somebody does again.
    run(reader, "ALTER SUBSCRIPTION shops DISABLE")
    run(publisher, "UPDATE tb_shop SET name = 'first' WHERE pk_shop = 1")
    for arguments, state in (("'shops', %s, '200 ms'", "57014"), ("'nobody', %s", "42704")):
        try:
            run(reader, f"SELECT pg_tviews_wait_for_publisher({arguments})", (token(),))
            raise AssertionError(arguments)
        except psycopg2.Error as error:
            assert error.pgcode == state, error
    run(reader, "ALTER SUBSCRIPTION shops ENABLE")
    assert read()[0][0] == "first"

    # The subscriber is killed, the publisher is restarted.
    own.kill()
    run(publisher, "UPDATE tb_offer SET cents = 7 WHERE fk_shop = 1")
    own.start()
    reader = own.connect("shops")
    assert read() == [("first", 400, 2800)]
    cloud.stop()
    cloud.start()
    publisher = cloud.connect()
    run(publisher, "DELETE FROM tb_offer WHERE fk_shop = 1 AND pk_offer > 1000")
    assert read() == [("first", 20, 140)]

    # A column that the publisher gets is not missed here until it has values, and then stops the worker, not the answers.
    run(publisher, "ALTER TABLE tb_shop ADD COLUMN city text")
    run(publisher, "UPDATE tb_shop SET city = 'Here', name = 'second' WHERE pk_shop = 1")
    try:
        run(reader, "SELECT pg_tviews_wait_for_publisher('shops', %s, '300 ms')", (token(),))
        raise AssertionError("the column is missing here")
    except psycopg2.errors.QueryCanceled:
        pass
    run(reader, "ALTER TABLE tb_shop ADD COLUMN city text")
    assert read()[0][0] == "second"

    # The slot is lost: copied anew, without what is gone there meanwhile.
    run(reader, "ALTER SUBSCRIPTION shops DISABLE")
    wait_until(lambda: value(publisher, "SELECT NOT active FROM pg_replication_slots WHERE slot_name = 'shops'"), "the slot to be free")
    run(publisher, "SELECT pg_drop_replication_slot('shops')")
    run(publisher, "DELETE FROM tb_shop WHERE pk_shop > 10; UPDATE tb_shop SET name = 'third' WHERE pk_shop = 1")
    run(reader, "ALTER SUBSCRIPTION shops SET (slot_name = NONE)")
    run(reader, "DROP SUBSCRIPTION shops")
    run(reader, "TRUNCATE tb_shop, tb_offer")
    subscribe()
    assert read()[0] == ("third", 20, 140) and len(read("true")) == 10
    check_equal(reader)
    run(reader, "DROP SUBSCRIPTION shops")
