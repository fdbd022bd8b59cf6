"""The initial copy to a subscriber that computes: a TVIEW that is there before the copy, one that is created after it, and the copy alone.

SCALE (default 0.01) is the share of 1,000,000 rows of 10,000 shops. Times are printed; both TVIEWs are exact."""
import os
import time

from tviews_server import Server, check_equal, run, value, wait_until

ROWS = int(1000000 * float(os.environ.get("SCALE", 0.01)))
TABLES = """
CREATE TABLE tb_shop (pk_shop int PRIMARY KEY, name text);
CREATE TABLE tb_offer (pk_offer int PRIMARY KEY, fk_shop int, cents int);
"""
TVIEW = """
CREATE INDEX ON tb_offer (fk_shop);
CREATE TABLE tv_shop AS
SELECT tb_shop.pk_shop, jsonb_build_object('name', tb_shop.name, 'offers', count(tb_offer.pk_offer), 'sum', coalesce(sum(tb_offer.cents), 0)) AS data
FROM tb_shop LEFT JOIN tb_offer ON tb_offer.fk_shop = tb_shop.pk_shop GROUP BY tb_shop.pk_shop;
"""


def copy(database, before, after):
    """Seconds from CREATE SUBSCRIPTION to documents that have everything."""
    reader = own.prepare(database, TABLES + before)
    began = time.monotonic()
    run(reader, f"CREATE SUBSCRIPTION {database} CONNECTION 'host={cloud.socket} user=postgres dbname=postgres' PUBLICATION shops")
    wait_until(lambda: value(reader, "SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel"), "the copy", timeout=600)
    if after:
        run(reader, after)
    run(reader, f"SELECT pg_tviews_wait_for_publisher('{database}', %s, '10 min')", (value(publisher, "SELECT pg_current_wal_lsn()::text"),))
    seconds = time.monotonic() - began
    assert value(reader, "SELECT count(*) FROM tb_offer") == ROWS
    check_equal(reader, database)
    run(reader, f"DROP SUBSCRIPTION {database}")
    return seconds


with Server("copy_publisher", "wal_level = logical\n", preload=False) as cloud, Server("copy_subscriber", "wal_retrieve_retry_interval = 50ms\n") as own:
    publisher = cloud.connect()
    run(publisher, TABLES)
    run(publisher, "INSERT INTO tb_shop SELECT i, 'shop ' || i FROM generate_series(1, %s) AS i", (ROWS // 100,))
    run(publisher, "INSERT INTO tb_offer SELECT i, i %% %s + 1, i %% 1000 FROM generate_series(1, %s) AS i", (ROWS // 100, ROWS))
    run(publisher, "CREATE PUBLICATION shops FOR TABLE tb_shop, tb_offer")
    alone, after, before = copy("alone", "", ""), copy("after", "", TVIEW), copy("before", TVIEW, "")
    print(f"note: {ROWS} rows: {alone:.1f} s copied, {after:.1f} s with a TVIEW created after it, {before:.1f} s with one from before")
