"""Metadata that are lost come back by themselves, and after DROP EXTENSION the way that disaster-recovery.md shows makes
TVIEWs of what was left: nothing that was changed in between is missing, also beside writers."""
import re

import shop
from tviews_server import ROOT, Server, check_equal, run, value, wait_until

PAGE = (ROOT / "docs/operations/disaster-recovery.md").read_text(encoding="utf-8")
CONVERT = re.search(r"SELECT pg_tviews_convert_table\(pair_table.*?;", PAGE, re.DOTALL)[0]

with Server("lost_metadata") as server:
    connection = server.prepare("shop", shop.SCRIPT)
    run(connection, """CREATE TABLE tv_pair WITH (pg_tviews.key = 'customer, place') AS
        SELECT o.fk_customer AS customer, o.pk_order % 3 AS place, count(*) AS orders FROM tb_order o GROUP BY 1, 2""")
    names = "SELECT tview::regclass::text FROM pg_tview_meta ORDER BY 1"
    tviews = run(connection, names)
    writers = shop.Writers(lambda: server.connect("shop"), sessions=2, seed=61)

    run(connection, "DELETE FROM pg_tview_lineage; DELETE FROM pg_tview_meta")
    before = writers.committed
    wait_until(lambda: writers.committed > before + 100, "the writers to go on")
    # As the page says: it waits for no lock, so beside writers it is called until nothing is left.
    wait_until(lambda: value(connection, "SELECT pending FROM pg_tviews_adopt()") == 0, "the metadata to be made again")
    assert run(connection, names) == tviews
    writers.stop()
    check_equal(connection, "after the metadata were lost")

    run(connection, "DROP EXTENSION pg_tviews CASCADE")
    run(connection, "UPDATE tb_customer SET name = name || ' moved'; DELETE FROM tb_order WHERE pk_order % 7 = 0")
    run(connection, "CREATE EXTENSION pg_tviews")
    run(connection, CONVERT)
    assert run(connection, names) == tviews, run(connection, names)
    assert value(connection, "SELECT key_columns FROM pg_tview_meta WHERE entity = 'pair'") in (["customer", "place"], "{customer,place}")
    writers = shop.Writers(lambda: server.connect("shop"), sessions=2, seed=62)
    wait_until(lambda: writers.committed > 100, "the writers to commit")
    writers.stop()
    check_equal(connection, "after the extension was dropped and created again")
