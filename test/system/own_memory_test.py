"""Where nobody may write temporary files, and work_mem is small, the extension's own statements go on: what they read
grows with the TVIEWs, and no administrator's setting is meant for it. A definition that needs a file fails by itself.
"""
from tviews_server import Server, differences, run, value, wait_until

TVIEWS = 30
SCRIPT = """
CREATE TABLE tb_user (pk_user int PRIMARY KEY, tenant int NOT NULL, name text NOT NULL);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int NOT NULL REFERENCES tb_user, title text NOT NULL);
CREATE INDEX ON tb_post (fk_user);
INSERT INTO tb_user SELECT i, i % 3, 'u' || i FROM (SELECT generate_series(1, 20) AS i) AS s;
INSERT INTO tb_post SELECT i, i % 20 + 1, 'p' || i FROM (SELECT generate_series(1, 6000) AS i) AS s;
SET pg_tviews.notice_lineage = off;
"""


def one_more(number, name="name"):
    return (f"CREATE TABLE tv_post{number} WITH (pg_tviews.key = 'tenant, pk_post{number}', pg_tviews.feed = keys) AS"
            f" SELECT pk_post AS pk_post{number}, u.tenant, jsonb_build_object('title', title, 'user', u.{name}, 'number', {number}) AS data"
            f" FROM tb_post AS p JOIN tb_user AS u ON pk_user = fk_user WHERE pk_post <= 10 AND title <> '{'a' * 3000}'")


def check():
    """By SQL, in a session that may write files."""
    run(connection, "SELECT pg_tviews_wait()")
    session = server.connect("small")
    run(session, "SET temp_file_limit = -1")
    wrong = differences(session)
    session.close()
    assert not wrong, wrong


with Server("own_memory", "temp_file_limit = 0\nwork_mem = 64kB\n") as server:
    connection = server.prepare("small", SCRIPT)
    assert value(connection, "SHOW temp_file_limit") == "0"
    for number in range(TVIEWS):
        run(connection, one_more(number))
    assert value(connection, "SELECT sum(coalesce(length(lookup), 0) + 60) FROM pg_tview_lineage") > 0
    # An applier that loads all of them anew.
    connection.close()
    server.stop()
    server.start()
    connection = server.connect("small")
    run(connection, "SET pg_tviews.notice_lineage = off")
    run(connection, "UPDATE tb_user SET name = name || '!'")
    check()
    assert value(connection, "SELECT count(*) FROM tviews_internal.pg_tview_feed") == TVIEWS * 10
    # What goes through the catalogs: all TVIEWs that read a table.
    run(connection, "ALTER TABLE tb_post ALTER COLUMN title TYPE varchar(40), ADD COLUMN added int")
    run(connection, "ALTER TABLE tb_user RENAME COLUMN name TO called")
    run(connection, "SELECT pg_tviews_reinstall_triggers()")
    run(connection, "UPDATE tb_user SET called = called || '?' WHERE pk_user < 4")
    check()
    run(connection, "SELECT pg_tviews_drop('post5')")
    run(connection, one_more(5, "called"))
    check()

    # Many keys at once, which a statement is given by name.
    run(connection, "CREATE TABLE tv_note AS SELECT pk_post AS pk_note, title FROM tb_post")
    run(connection, "UPDATE tb_post SET title = 'n' || pk_post")
    check()
    assert value(connection, "SELECT count(*) FROM pg_tview_behind") == 0
    assert "temporary file size" not in server.log()

    # Its own need: it is left behind, and the others follow.
    run(connection, "CREATE TABLE tb_big (pk_big int PRIMARY KEY, n int NOT NULL)")
    run(connection, "CREATE TABLE tv_sorted AS SELECT 1 AS pk_sorted, array_agg(n ORDER BY n)::text AS ns FROM tb_big")
    run(connection, "INSERT INTO tb_big SELECT i, -i FROM (SELECT generate_series(1, 20000) AS i) AS s")
    run(connection, "UPDATE tb_user SET called = 'last' WHERE pk_user = 3")
    wait_until(lambda: value(connection, "SELECT count(*) FROM pg_tview_behind WHERE reason LIKE '%%temp_file_limit%%'") == 1,
               "tv_sorted to be left behind")
    run(connection, "SET pg_tviews.read_consistency = eventual")
    assert value(connection, "SELECT data ->> 'user' FROM tv_post7 WHERE pk_post7 = 2") == "last"
