"""The subscriber of servers that load no library fails over: it is killed while somebody writes on the publisher, and its
standby is promoted. The subscription goes on there; no row is lost, none comes twice, and tokens work as before.

Danger: the publisher's slot is ahead of the standby, so that rows never come; or the standby starts behind what it has, and
rows come again. Right answer: with a synchronous standby, and a subscription that commits synchronously, neither."""
import threading

import psycopg2

from tviews_server import Server, bash, check_equal, run, value, wait_until

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


class Writer(threading.Thread):
    """Inserts, and changes counters: what is lost, or done twice, is a row or a sum that differs."""

    def __init__(self):
        super().__init__()
        self.committed, self.stopping, self.failure = 0, False, None
        self.start()

    def run(self):
        try:
            session = cloud.connect()
            while not self.stopping:
                run(session, "INSERT INTO tb_offer SELECT max(pk_offer) + 1, (max(pk_offer) + 1) % 20, 1 FROM tb_offer")
                run(session, "UPDATE tb_offer SET cents = cents + 1 WHERE pk_offer = %s", (self.committed % 200 + 1,))
                run(session, "DELETE FROM tb_offer WHERE pk_offer = (SELECT min(pk_offer) FROM tb_offer WHERE pk_offer > 200)")
                self.committed += 1
        except Exception as error:  # shown by stop()
            self.failure = error

    def stop(self):
        self.stopping = True
        self.join()
        if self.failure is not None:
            raise self.failure


def check(what):
    run(reader, "SELECT pg_tviews_wait_for_publisher('shops', %s)", (value(publisher, "SELECT pg_current_wal_lsn()::text"),))
    for table in ("tb_shop", "tb_offer"):
        query = f"SELECT * FROM {table} ORDER BY 1"
        assert run(reader, query) == run(publisher, query), (what, table)
    check_equal(reader, what)


def let_write(count):
    aim = writer.committed + count
    wait_until(lambda: writer.committed >= aim or not writer.is_alive(), "the writer")


with Server("failover_publisher", "wal_level = logical\n", preload=False) as cloud, Server("failover_subscriber", "wal_retrieve_retry_interval = 50ms\n") as own:
    publisher = cloud.connect()
    run(publisher, TABLES)
    run(publisher, "INSERT INTO tb_shop SELECT i, 'shop ' || i FROM generate_series(0, 19) AS i")
    run(publisher, "INSERT INTO tb_offer SELECT i, i % 20, 1 FROM generate_series(1, 400) AS i")
    run(publisher, "CREATE PUBLICATION shops FOR TABLE tb_shop, tb_offer")
    reader = own.prepare("shops", TABLES + TVIEW)
    run(reader, f"""CREATE SUBSCRIPTION shops CONNECTION 'host={cloud.socket} user=postgres dbname=postgres' PUBLICATION shops
                    WITH (synchronous_commit = on)""")
    check("the first copy")

    standby = f"{own.directory}/standby"
    socket = bash('dir="$(server_socket "$1")/s"; make_server_dir "$dir"; echo "$dir"', own.directory)
    programs = bash('server_bin "$1"', own.directory)
    bash('as_server "$1/pg_basebackup" -h "$2" -U postgres -D "$3" -R -c fast', programs, own.socket, standby)
    control = f'as_server "$1/pg_ctl" -D "$2" -l "$2.log" -w'
    bash(f"{control} -o \"-c unix_socket_directories='$3'\" start >/dev/null 2>&1", programs, standby, socket)
    try:
        run(reader, "ALTER SYSTEM SET synchronous_standby_names = '*'")
        run(reader, "SELECT pg_reload_conf()")
        wait_until(lambda: value(reader, "SELECT bool_or(sync_state = 'sync') FROM pg_stat_replication"), "the synchronous standby")
        writer = Writer()
        let_write(100)
        writer.stop()
        check("with a standby")
        writer = Writer()
        let_write(50)
        own.kill()
        let_write(20)
        # What the standby has to itself: nobody follows it yet.
        bash(f"{control} promote >/dev/null 2>&1", programs, standby)
        reader = psycopg2.connect(host=socket, user="postgres", dbname="shops")
        reader.autocommit = True
        run(reader, "ALTER SYSTEM SET synchronous_standby_names = ''")
        run(reader, "SELECT pg_reload_conf()")
        let_write(50)
        writer.stop()
        check("after the promotion")
        run(publisher, "UPDATE tb_shop SET name = 'last' WHERE pk_shop = 1")
        check("and a token of afterwards")
        assert value(reader, "SELECT data ->> 'name' FROM tv_shop WHERE pk_shop = 1") == "last"
        run(reader, "DROP SUBSCRIPTION shops")
    finally:
        bash(f"{control} -m immediate stop >/dev/null 2>&1", programs, standby, check=False)
