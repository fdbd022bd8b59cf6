"""Group states beside everything else that happens to a TVIEW and to its source: another query, partitions and inheritors, a TVIEW
that is left behind while its states go on, keys in quarantine, pauses, types and collations, lanes, and a dump. After each: the states
are what their queries say, the TVIEWs print what theirs print, and after a while the states are kept by delta again."""
from group_states import builds, settle, states
from tviews_server import Server, bash, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_shop (pk_shop int PRIMARY KEY, name text);
CREATE TABLE tb_sale (pk_sale int PRIMARY KEY, fk_shop int, amount numeric, units int, label varchar(20));
CREATE INDEX ON tb_sale (fk_shop);
INSERT INTO tb_shop SELECT i, 'shop ' || i FROM generate_series(1, 4) AS i;
INSERT INTO tb_sale SELECT i, 1 + i % 3, i / 4.0, 1 + i % 7, 'l' || i % 3 FROM generate_series(1, 400) AS i;
CREATE TABLE tv_shop WITH (pg_tviews.group_state = on) AS
SELECT pk_shop, jsonb_build_object('name', name, 'sales', (SELECT count(*) FROM tb_sale WHERE fk_shop = pk_shop),
    'amount', (SELECT sum(amount) FROM tb_sale WHERE fk_shop = pk_shop)) AS data FROM tb_shop;
CREATE TABLE tv_label WITH (pg_tviews.group_state = on) AS
SELECT label AS pk_label, count(*) AS sales, sum(amount) AS amount FROM tb_sale WHERE label IS NOT NULL GROUP BY label;
CREATE TABLE tv_name WITH (pg_tviews.group_state = on) AS
SELECT s.name AS pk_name, count(*) AS sales, sum(units) AS units FROM tb_sale AS t JOIN tb_shop AS s ON s.pk_shop = t.fk_shop GROUP BY s.name;
CREATE TABLE tv_share WITH (pg_tviews.group_state = on) AS
SELECT fk_shop AS pk_share, 1000 / (sum(units) - 1000000) AS share, count(*) AS sales FROM tb_sale WHERE fk_shop IS NOT NULL GROUP BY fk_shop;
"""
number = 1000


def touch():
    """What concerns every state: rows come, change, move, and go."""
    global number
    number += 10
    run(connection, "INSERT INTO tb_sale (pk_sale, fk_shop, amount, units, label) SELECT %s + i, 1 + i %% 4, i * 1.25, i, 'l' || i FROM generate_series(0, 3) AS i", (number,))
    run(connection, "UPDATE tb_sale SET fk_shop = 1 + fk_shop %% 4, amount = amount + 0.125, label = 'm' WHERE pk_sale BETWEEN %s AND %s", (number - 10, number))
    run(connection, "DELETE FROM tb_sale WHERE pk_sale = %s", (number - 8,))
    run(connection, "SELECT pg_tviews_wait()")


def check(what, kept=None):
    """`kept`: how many states are to be valid, and to be kept by delta from now on."""
    settle(connection, what)
    for entity, in run(connection, "SELECT entity FROM pg_tview_meta"):
        found = run(connection, "SELECT * FROM pg_tviews_verify(%s)", (entity,))
        assert not found, f"{what}: {entity}: {found}"

    def are_kept():
        touch()
        return len(states(connection)) == (STATES if kept is None else kept)
    wait_until(are_kept, f"{what}: the states")
    before = builds(connection)
    touch()
    assert builds(connection) == before, f"{what}: states are built anew"
    settle(connection, what)


def after(what, *statements, kept=None):
    touch()
    for statement in statements:
        run(connection, statement)
    touch()
    check(what, kept)


def tool(name, *arguments):
    directory = bash('server_bin "$1"', server.directory)
    return bash('as_server env PGHOST="$1" PGUSER=postgres "${@:2}" 2>&1', server.socket, f"{directory}/{name}", *arguments)


STATES = 5
with Server("group_states_beside") as server:
    connection = server.prepare("beside", SCRIPT)
    check("at the start")

    after("another query", "SELECT pg_tviews_replace('label', 'SELECT label AS pk_label, count(*) AS sales, sum(amount) FILTER (WHERE units > 2) AS amount"
          " FROM tb_sale WHERE label IS NOT NULL GROUP BY label')")
    after("other columns", "SELECT pg_tviews_replace('label', 'SELECT label AS pk_label, sum(units) AS units, min(pk_sale) AS first, count(*) AS sales"
          " FROM tb_sale WHERE label IS NOT NULL GROUP BY label')")
    # A key that cannot be computed, and its repair: the state follows meanwhile.
    run(connection, "INSERT INTO tb_sale SELECT 900, 3, 1, 1000000 - sum(units) FROM tb_sale WHERE fk_shop = 3")
    run(connection, "SELECT pg_tviews_wait()")
    assert value(connection, "SELECT count(*) FROM pg_tview_dead_letter WHERE tview = 'tv_share'::regclass") == 1
    run(connection, "UPDATE tb_sale SET amount = 1.50 WHERE pk_sale < 30")
    run(connection, "DELETE FROM tb_sale WHERE pk_sale = 900")
    run(connection, "SELECT pg_tviews_retry('share')")
    check("after quarantine")

    # Left behind: its changes wait, its states do not.
    holder = server.connect("beside", autocommit=False, name="holder")
    run(holder, "LOCK TABLE tb_shop IN ACCESS EXCLUSIVE MODE")
    run(connection, "UPDATE tb_sale SET label = 'held', amount = amount * 2 WHERE pk_sale < 40")
    wait_until(lambda: run(connection, "SELECT tview FROM pg_tview_behind WHERE tview = 'tv_shop'::regclass"), "the TVIEW to be left behind")
    run(connection, "DELETE FROM tb_sale WHERE pk_sale BETWEEN 30 AND 60")
    holder.rollback()
    holder.close()
    check("after it caught up")

    after("a pause", "SELECT pg_tviews_pause()", "UPDATE tb_sale SET amount = amount + 0.5 WHERE pk_sale < 100",
          "DELETE FROM tb_sale WHERE pk_sale < 80", "SELECT pg_tviews_resume()")
    after("a lane and back", "ALTER TABLE tv_label SET (pg_tviews.lane = 'reports')", "UPDATE tb_sale SET label = 'lane' WHERE pk_sale BETWEEN 80 AND 90",
          "ALTER TABLE tv_label SET (pg_tviews.lane = 'main')")
    after("another collation", 'ALTER TABLE tb_sale ALTER COLUMN label TYPE varchar(20) COLLATE "C"')
    after("a longer type", "ALTER TABLE tb_sale ALTER COLUMN label TYPE varchar(40)")
    after("another type of number", "ALTER TABLE tb_sale ALTER COLUMN units TYPE bigint")
    after("another scale", "ALTER TABLE tb_sale ALTER COLUMN amount TYPE numeric(20,2)")
    after("another order of columns", "ALTER TABLE tb_sale DROP COLUMN IF EXISTS gone, ADD COLUMN gone int DEFAULT 5", "ALTER TABLE tb_sale DROP COLUMN gone")

    # A partition, and again a table by itself; an inheritor, which ends states, and none.
    after("as a partition", "CREATE TABLE tb_every (LIKE tb_sale) PARTITION BY RANGE (pk_sale)",
          "ALTER TABLE tb_every ATTACH PARTITION tb_sale FOR VALUES FROM (MINVALUE) TO (1000000)",
          "INSERT INTO tb_every (pk_sale, fk_shop, amount, units) VALUES (990, 1, 1.25, 1)",
          kept=0)
    after("by itself again", "UPDATE tb_every SET amount = amount + 1 WHERE pk_sale = 990", "ALTER TABLE tb_every DETACH PARTITION tb_sale", "DROP TABLE tb_every")
    after("with an inheritor", "CREATE TABLE tb_more () INHERITS (tb_sale)", "INSERT INTO tb_more (pk_sale, fk_shop, amount, units, label) VALUES (-1, 1, 7.5, 3, 'm')", kept=0)
    after("without it", "ALTER TABLE tb_more NO INHERIT tb_sale", "DROP TABLE tb_more", "ANALYZE tb_sale",
          *(f"ALTER TABLE tv_{entity} SET (pg_tviews.group_state = on)" for entity in ("shop", "label", "name", "share")))
    after("after a transaction that is too large", "SET pg_tviews.transaction_memory = 64",
          "UPDATE tb_sale SET amount = amount + 1, units = units + 1", "RESET pg_tviews.transaction_memory")

    # In a dump there are no states. They come with the adoption.
    place = f"{server.directory}/dumps"
    bash('make_server_dir "$1"', place)
    tool("pg_dump", "-Fc", "-d", "beside", "-f", f"{place}/beside")
    tool("createdb", "restored")
    tool("pg_restore", "--exit-on-error", "-d", "restored", f"{place}/beside")
    connection.close()
    connection = server.connect("restored")
    wait_until(lambda: value(connection, "SELECT count(*) FROM pg_tview_meta") == 4, "the adoption")
    check("restored")
