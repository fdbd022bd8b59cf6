"""An applier that ends between the commit of its batch and the advance of the queue leaves entries
whose outbox rows are gone, and whose places other transactions take: nothing is deleted that was not
applied, nothing stays behind (ATTACKS A15). One that is only interrupted there goes on with those entries, and
does not read the whole outbox first: there, too, it deletes nothing but what its snapshot sees."""
import pauses
from tviews_server import Server, check_equal, run, value

SCRIPT = """
CREATE TABLE tb_item (pk_item int PRIMARY KEY, name text);
INSERT INTO tb_item SELECT i, 'start' FROM generate_series(1, 50) AS i;
CREATE TABLE tv_item AS SELECT tb_item.pk_item, tb_item.name FROM tb_item;
CREATE TABLE tb_bulk (pk_bulk int PRIMARY KEY, name text);
INSERT INTO tb_bulk SELECT i, 'start' FROM generate_series(1, 2000) AS i;
CREATE TABLE tv_bulk AS SELECT tb_bulk.pk_bulk, tb_bulk.name FROM tb_bulk;
"""

# The applier stops before it tells readers that its batch is committed: they must not wait for it.
CONF = pauses.CONF + """
autovacuum = off
pg_tviews.read_consistency = eventual
pg_tviews.queue_size = 8
"""
APPLIER = "SELECT {} FROM pg_tviews_workers WHERE kind = 'applier'"

with Server("applier_exit", CONF) as server:
    connection = server.prepare("items", SCRIPT)
    check_equal(connection, "at the start")
    for round in range(5):
        with pauses.pause(server, "items", "after_apply") as paused:
            for i in range(1, 11):
                run(connection, f"UPDATE tb_item SET name = 'round {round}' WHERE pk_item = {i}")
            paused()
            assert value(connection, f"SELECT count(*) FROM tv_item WHERE name = 'round {round}'") > 0
            # The places of the rows that the batch has deleted become free, and are taken again.
            run(connection, "VACUUM tviews_internal.pg_tview_outbox")
            run(connection, APPLIER.format("pg_terminate_backend(pid)"))
            for i in range(11, 21):
                run(connection, f"UPDATE tb_item SET name = 'round {round}' WHERE pk_item = {i}")
        check_equal(connection, f"round {round}")
        assert value(connection, "SELECT count(*) FROM tviews_internal.pg_tview_outbox") == 0, f"round {round}"

    # The place of a record that is applied already goes to one that the next batch's snapshot does not see, and that is
    # only in the outbox: the queue has no room for so many keys.
    run(connection, "VACUUM tviews_internal.pg_tview_outbox")
    applier = run(connection, APPLIER.format("pid, outbox_scans"))
    with pauses.pause(server, "items", "after_apply") as applied:
        run(connection, "UPDATE tb_item SET name = 'interrupted' WHERE pk_item = 1")
        applied()
        run(connection, "VACUUM tviews_internal.pg_tview_outbox")
        with pauses.pause(server, "items", "after_take") as taken:
            run(connection, APPLIER.format("pg_cancel_backend(pid)"))
            taken()
            run(connection, "UPDATE tb_bulk SET name = 'elsewhere'")
            assert run(connection, "SELECT ctid::text FROM tviews_internal.pg_tview_outbox") == [("(0,1)",)], "it has another place"
    check_equal(connection, "after an interruption")
    assert value(connection, "SELECT count(*) FROM tviews_internal.pg_tview_outbox") == 0
    assert run(connection, APPLIER.format("pid, outbox_scans")) == applier, "it has read the whole outbox"
