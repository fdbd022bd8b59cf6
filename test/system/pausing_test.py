"""A pause is one: when pg_tviews_pause() has returned, the applier works on nothing of this database.

Danger: batches are held, but not the adoption of restored tables, which the same process does: it takes the very tables
that somebody has paused it for."""
import psycopg2

from pauses import paused
from tviews_server import Server, check_equal, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_note (pk_note int PRIMARY KEY, body text);
INSERT INTO tb_note VALUES (1, 'one');
CREATE TABLE tv_note AS SELECT pk_note, body FROM tb_note;
CREATE VIEW v_found AS SELECT pk_note AS pk_found, body FROM tb_note;
CREATE TABLE found (pk_found int PRIMARY KEY, body text);
ALTER TABLE found RENAME TO tv_found;
"""
LABEL = """SECURITY LABEL FOR pg_tviews ON TABLE tv_found IS '{"entity": "found", "key": "pk_found", "view": "public.v_found"}'"""


def adopted():
    return value(connection, "SELECT count(*) FROM pg_tview_meta WHERE entity = 'found'") == 1


with Server("pausing", "pg_tviews.pause_at = 'before_adoption:4711'\n") as server:
    connection = server.prepare("pausing", SCRIPT)
    check_equal(connection)
    # An adoption that has begun is waited for.
    holder = server.connect("pausing")
    run(holder, "SELECT pg_advisory_lock(4711)")
    run(connection, LABEL)
    wait_until(lambda: paused(holder, "before_adoption"), "adoption to begin")
    run(connection, "SET statement_timeout = '300ms'")
    try:
        run(connection, "SELECT pg_tviews_pause()")
        raise AssertionError("a pause began beside an adoption")
    except psycopg2.errors.QueryCanceled:
        pass
    run(connection, "RESET statement_timeout")
    holder.close()
    wait_until(adopted, "the end of the adoption")
    check_equal(connection, "adopted")
    # None begins in a pause, though the applier looks again and again.
    run(connection, "DROP TABLE tv_found")
    run(connection, """CREATE VIEW v_found AS SELECT pk_note AS pk_found, body FROM tb_note;
        CREATE TABLE found (pk_found int PRIMARY KEY, body text); ALTER TABLE found RENAME TO tv_found""")
    run(connection, "SELECT pg_tviews_pause()")
    run(connection, LABEL)
    assert run(connection, "SELECT adopted, pending FROM pg_tviews_adopt()") == [(1, 0)], "somebody else has adopted"
    run(connection, "SELECT pg_tviews_resume()")
    check_equal(connection, "adopted in a pause")
