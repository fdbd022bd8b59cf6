"""DROP EXTENSION commits where an applier holds no lock: after the snapshot of a batch, and between a batch's commit and
what it does then. The applier still knows the OIDs of the extension's tables; it ends with an error, not with a crash
of the server, and the extension can be made again."""
import pauses
from tviews_server import Server, check_equal, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_item (pk_item int PRIMARY KEY, name text);
INSERT INTO tb_item SELECT i, 'start' FROM generate_series(1, 50) AS i;
CREATE TABLE tb_owner (pk_owner int PRIMARY KEY, name text);
INSERT INTO tb_owner SELECT i, 'start' FROM generate_series(1, 50) AS i;
CREATE VIEW owners AS SELECT tb_owner.pk_owner, tb_owner.name FROM tb_owner;
"""
TVIEWS = """
CREATE TABLE tv_item AS SELECT tb_item.pk_item, tb_item.name FROM tb_item;
CREATE TABLE tv_owner AS SELECT owners.pk_owner, owners.name FROM owners;
"""
# A reader would wait for a batch that is paused.
CONF = pauses.CONF + """
autovacuum = off
pg_tviews.read_consistency = eventual
"""


def check_end(point):
    wait_until(lambda: server.log().count("pg_tviews applier ends: the extension is gone") == ends,
               f"the end of the applier at {point}")
    assert "was terminated by signal" not in server.log(), f"a crash, stopped at {point}"
    run(connection, "DROP TABLE tv_item, tv_owner")
    run(connection, "CREATE EXTENSION pg_tviews")


with Server("drop_extension", CONF) as server:
    connection = server.prepare("items", SCRIPT)
    for ends, point in enumerate(("after_snapshot", "after_apply"), 1):
        run(connection, TVIEWS)
        check_equal(connection, f"before {point}")
        with pauses.pause(server, "items", point) as paused:
            run(connection, f"UPDATE tb_item SET name = '{point}'")
            paused()
            run(connection, "DROP EXTENSION pg_tviews CASCADE")
        check_end(point)

    # A TVIEW waits to be adopted, because its source is locked: each batch looks for such ones, with what it
    # knows of the tables of the extension, one of which it has to look up again.
    run(connection, TVIEWS)
    check_equal(connection, "before the restore")
    holder = server.connect("items", autocommit=False)
    run(holder, "LOCK TABLE tb_owner IN ROW EXCLUSIVE MODE")
    run(connection, "SET check_function_bodies = off; SET row_security = off; SELECT set_config('search_path', '', false)")
    run(connection, "CREATE OR REPLACE VIEW public.owners AS SELECT pk_owner, upper(name) AS name FROM public.tb_owner")
    run(connection, "RESET ALL")
    run(connection, "UPDATE tb_item SET name = 'noticed'")
    wait_until(lambda: value(connection, "SELECT count(*) FROM tv_item WHERE name = 'noticed'"), "a batch")
    run(connection, "ANALYZE tviews_internal.pg_tview_dead_letter")
    with pauses.pause(server, "items", "after_snapshot") as paused:
        run(connection, "UPDATE tb_item SET name = 'dropped'")
        paused()
        holder.rollback()
        run(connection, "DROP EXTENSION pg_tviews CASCADE")
    ends = 3
    check_end("after_snapshot, with a TVIEW to adopt")
