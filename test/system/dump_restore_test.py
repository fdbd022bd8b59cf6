"""TVIEWs come out of a dump by themselves, in every format: verified, and following their sources
(ATTACKS A18). The dumped tables are wrong on purpose: only a comparison with the query makes them right."""
import shop
from tviews_server import Server, bash, check_equal, run, tviews, value, wait_until

SCRIPT = """
CREATE ROLE shop_owner;
GRANT CREATE ON SCHEMA public TO shop_owner;
-- A dropped column moves the others to other numbers on the way through a dump.
ALTER TABLE tb_order ADD COLUMN gone int;
ALTER TABLE tb_order DROP COLUMN gone, ADD COLUMN note text;
CREATE TABLE tv_note WITH (pg_tviews.feed = keys) AS SELECT o.pk_order AS pk_note, o.note FROM tb_order o;
COMMENT ON TABLE tv_note IS 'notes of orders';
CREATE TABLE tv_twice AS SELECT s.pk_spending AS pk_twice, s.total * 2 AS total FROM tv_spending s;
ALTER TABLE tv_twice SET (pg_tviews.notify);
CREATE TABLE "tb_Log" ("pk_Log" int, at date) PARTITION BY RANGE (at);
CREATE TABLE tb_log_old PARTITION OF "tb_Log" FOR VALUES FROM (MINVALUE) TO ('2020-01-01');
CREATE TABLE tb_log_new PARTITION OF "tb_Log" FOR VALUES FROM ('2020-01-01') TO (MAXVALUE);
INSERT INTO "tb_Log" VALUES (1, '2019-01-01'), (2, '2021-01-01');
SELECT pg_tviews_create('"Log"', 'SELECT l."pk_Log", max(l.at) AS at FROM "tb_Log" l GROUP BY l."pk_Log"');
ALTER TABLE "tv_Log" RENAME TO log_documents;
-- Grouped by a primary key: such a view comes in two steps, first without its query.
CREATE TABLE tv_grouped AS SELECT c.pk_customer AS pk_grouped, c.name, count(o.pk_order) AS orders
  FROM tb_customer c LEFT JOIN tb_order o ON o.fk_customer = c.pk_customer GROUP BY c.pk_customer;
CREATE TABLE tv_above_grouped AS SELECT g.pk_grouped AS pk_above_grouped, upper(g.name) AS name FROM tv_grouped g;
-- A key of columns of two tables.
CREATE TABLE tv_pair WITH (pg_tviews.key = 'log, customer') AS SELECT c.pk_customer AS customer, l."pk_Log" AS log,
  min(c.name) AS name, max(l.at) AS at FROM tb_customer c CROSS JOIN "tb_Log" l GROUP BY 1, 2;
SET TimeZone = 'Asia/Tokyo';
SET DateStyle = 'SQL, DMY';
CREATE TABLE tv_moment AS SELECT l."pk_Log" AS pk_moment, max(l.at)::text || max(l.at)::timestamptz::text AS text
  FROM "tb_Log" l GROUP BY l."pk_Log";
RESET TimeZone;
RESET DateStyle;
SET ROLE shop_owner;
CREATE TABLE tb_own (pk_own int PRIMARY KEY, name text);
INSERT INTO tb_own VALUES (1, 'one');
RESET ROLE;
CREATE SCHEMA "own space" AUTHORIZATION shop_owner;
"""
OWN = """
SET ROLE shop_owner;
CREATE TABLE "own space".tv_own AS SELECT o.pk_own, o.name FROM public.tb_own o;
CREATE TABLE "own space".tv_of_others AS SELECT c.pk_customer AS pk_of_others, c.name FROM public.tb_customer c;
RESET ROLE;
"""
DAMAGE = """
SET pg_tviews.protect = off;
UPDATE tv_customer SET data = '{}' WHERE pk_customer % 2 = 0;
DELETE FROM tv_twice WHERE pk_twice < 20;
UPDATE tv_pair SET name = 'nobody' WHERE customer % 2 = 0;
INSERT INTO "own space".tv_own VALUES (77, 'nobody');
"""
CHANGES = """
UPDATE tb_customer SET name = name || '+';
UPDATE tb_order SET note = 'noted' WHERE pk_order = 7;
INSERT INTO "tb_Log" VALUES (3, '2022-01-01'), (1, '2023-01-01');
UPDATE tb_own SET name = 'two';
TRUNCATE tb_line;
"""


def tool(name, *arguments):
    """Runs a client program and returns what it says; an error, also one that it goes on after, is one."""
    return bash('as_server env PGHOST="$1" PGUSER=postgres "${@:2}" 2>&1', server.socket, f"{bin_directory}/{name}",
                *arguments)


def psql(database, file):
    tool("psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", database, "-f", file)


def restore(database, *arguments):
    tool("pg_restore", "--exit-on-error", "-d", database, *arguments)


def check(database, what):
    connection = server.connect(database)
    wait_until(lambda: tviews(connection) == expected, f"{what}: the TVIEWs to be adopted")
    check_equal(connection, what)
    assert value(connection, "SELECT count(*) FROM pg_tview_dead_letter") == 0, what
    run(connection, CHANGES)
    check_equal(connection, f"{what}, after changes")
    assert value(connection, "SELECT count(*) FROM log_documents") == 3, what
    # Computed with the settings that it was created with, which came along.
    assert value(connection, "SELECT text FROM tv_moment WHERE pk_moment = 3") == "01/01/202201/01/2022 00:00:00 JST", what
    assert run(connection, "SELECT tview::text, options - 'settings' - 'tells_null_keys' FROM pg_tview_meta"
               " WHERE options - 'settings' - 'tells_null_keys' <> '{}' ORDER BY 1") == [
        ("tv_note", {"feed": "keys"}), ("tv_twice", {"notify": True})], what
    assert value(connection, "SELECT count(*) FROM pg_tviews_feed WHERE entity = 'note' AND key = '7'") > 0, what
    # What psql says of TVIEWs: a comment of somebody's own, and one that creation has made.
    assert run(connection, "SELECT obj_description('tv_note'::regclass), obj_description('tv_twice'::regclass)") == [
        ("notes of orders", "TVIEW: SELECT s.pk_spending AS pk_twice, s.total * 2 AS total FROM tv_spending s")], what
    return connection


def new_database(name):
    connection = server.connect()
    run(connection, f"CREATE DATABASE {name} TEMPLATE template0")
    connection.close()
    return name


with Server("dump_restore") as server:
    bin_directory = bash('server_bin "$1"', server.directory)
    original = server.prepare("shop", shop.SCRIPT + SCRIPT)
    run(original, "GRANT SELECT, TRIGGER ON tb_customer TO shop_owner")
    run(original, OWN)
    run(original, "UPDATE tb_customer SET name = name || '!'")
    run(original, "SELECT pg_tviews_wait()")
    run(original, DAMAGE)
    run(original, "UPDATE tb_customer SET name = name || '?' WHERE pk_customer < 5")  # perhaps only in the outbox
    expected = tviews(original)
    assert len(expected) == 13, expected

    d = f"{server.directory}/dumps"
    bash('make_server_dir "$1"', d)
    dump = lambda *arguments: tool("pg_dump", "-d", "shop", *arguments)
    dump("-f", f"{d}/plain.sql")
    dump("-f", f"{d}/inserts.sql", "--rows-per-insert=100")
    dump("-Fc", "-f", f"{d}/custom")
    dump("-Ft", "-f", f"{d}/tar")
    dump("-Fd", "-j2", "-f", f"{d}/directory")
    dump("--schema-only", "-f", f"{d}/schema.sql")
    dump("--data-only", "--disable-triggers", "-f", f"{d}/data.sql")
    dump("--data-only", "--disable-triggers", "--column-inserts", "-f", f"{d}/data_inserts.sql")
    assert "CREATE OR REPLACE VIEW public.v_grouped" in bash('cat "$1"', f"{d}/plain.sql"), "v_grouped came in one step"
    for table in ("tviews_internal", "pg_tview_outbox", "pg_tview_frontier", "pg_tview_meta", "pg_tview_lineage"):
        assert table not in bash('cat "$1"', f"{d}/plain.sql"), f"{table} is in the dump"

    psql(new_database("plain"), f"{d}/plain.sql")
    check("plain", "plain text")
    psql(new_database("inserts"), f"{d}/inserts.sql")
    check("inserts", "--inserts")
    restore(new_database("custom"), f"{d}/custom")
    custom = check("custom", "custom format")
    restore(new_database("tar"), "--single-transaction", f"{d}/tar")
    check("tar", "tar, in one transaction")
    restore(new_database("parallel"), "-j4", f"{d}/directory")
    check("parallel", "directory, parallel")

    # Without data first: the TVIEWs are there, and active, when the data comes.
    for name, data in (("data_only", "data.sql"), ("data_inserts", "data_inserts.sql")):
        psql(new_database(name), f"{d}/schema.sql")
        connection = server.connect(name)
        wait_until(lambda: tviews(connection) == expected, "empty TVIEWs to be adopted")
        psql(name, f"{d}/{data}")
        check(name, f"--data-only, {data}")

    # Over what is there.
    custom.close()
    restore("custom", "--clean", "--if-exists", f"{d}/custom")
    check("custom", "--clean")

    # Another cluster, in which OIDs and transaction ids are others.
    with Server("dump_restore_other", conf="pg_tviews.max_databases = 2\n") as other:
        first, server = server, other
        run(server.connect(), "CREATE ROLE shop_owner")
        restore(new_database("there"), "-j2", f"{d}/directory")
        check("there", "another cluster")
        server = first
