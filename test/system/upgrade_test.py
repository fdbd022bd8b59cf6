"""ALTER EXTENSION ... UPDATE in both directions with data and under load: no difference to a fresh
installation, nothing lost, and clear errors while library and SQL objects are of different versions."""
import psycopg2

import extension_objects
import shop
from tviews_server import Server, check_equal, run, value, wait_until

OLD, NEW = "0.1.0", "0.2.0"


def fresh(server, version):
    """What a new installation of a version consists of."""
    database = "fresh_" + version.replace(".", "_")
    run(server.connect(), f"CREATE DATABASE {database}")
    connection = server.connect(database)
    run(connection, f"CREATE EXTENSION pg_tviews VERSION '{version}'")
    facts = extension_objects.describe(connection)
    connection.close()
    return facts


def expect_error(connection, statement, message, hint):
    try:
        run(connection, statement)
    except psycopg2.Error as error:
        text = f"{error.diag.message_primary} / {error.diag.message_hint}"
        assert message in text and hint in text, f"{statement}: {text}"
    else:
        raise AssertionError(f"{statement}: no error")


def update(connection, version, wanted, script):
    run(connection, f"ALTER EXTENSION pg_tviews UPDATE TO '{version}'")
    extension_objects.compare(extension_objects.describe(connection), wanted, script)


def check_old(server, connection):
    """What works, and what is refused, while the library is newer than the SQL objects."""
    for statement in ("SELECT pg_tviews_wait()", "SELECT pg_tviews_refresh('order')",
                      "CREATE TABLE tv_refused AS SELECT pk_order, id FROM tb_order",
                      "SELECT pg_tviews_create('refused', 'SELECT pk_order AS pk_refused FROM tb_order')",
                      "SELECT * FROM pg_tviews_verify('order')"):
        expect_error(connection, statement, f"still at version {OLD}", "ALTER EXTENSION pg_tviews UPDATE")
    assert value(connection, "SELECT count(*) FROM tv_order") > 0
    run(connection, "UPDATE tb_customer SET name = 'noted meanwhile' WHERE pk_customer = 1")
    run(connection, "SELECT * FROM pg_tviews_workers")
    run(connection, "SELECT * FROM pg_tviews_queue_realtime")
    assert value(connection, "SELECT count(*) FROM pg_tview_outbox") > 0, "the change is not in the outbox"
    wait_until(lambda: f"still at version {OLD}" in server.log(), "the applier to say why it waits")


with Server("upgrade", conf="pg_tviews.queue_size = '256kB'\n") as server:
    wanted = {version: fresh(server, version) for version in (OLD, NEW)}
    connection = server.prepare("shop", shop.SCRIPT)
    extension_objects.compare(extension_objects.describe(connection), wanted[NEW], "nothing")

    writers = shop.Writers(lambda: server.connect("shop"), sessions=3, seed=60)
    for round_number in range(2):
        before = writers.committed
        wait_until(lambda: writers.committed > before + 100, "the writers to commit")
        update(connection, OLD, wanted[OLD], f"pg_tviews--{NEW}--{OLD}.sql")
        check_old(server, connection)
        before = writers.committed
        wait_until(lambda: writers.committed > before + 100, "the writers to go on")
        update(connection, NEW, wanted[NEW], f"pg_tviews--{OLD}--{NEW}.sql")
        run(connection, "SELECT pg_tviews_wait()")
    writers.stop()
    check_equal(connection, "after downgrades and upgrades under load")

    # What was done is still known, in order, after the way back and forth; while away it can be read.
    log = "SELECT log_id, operation, entity, performed_at, details FROM {} ORDER BY log_id"
    logged = run(connection, log.format("pg_tview_audit_log"))
    assert {row[1] for row in logged} == {"CREATE"}, logged
    update(connection, OLD, wanted[OLD], f"pg_tviews--{NEW}--{OLD}.sql")
    assert run(connection, log.format("pg_tviews_saved_audit_log")) == logged
    assert value(connection, "SELECT relacl FROM pg_class WHERE relname = 'pg_tviews_saved_audit_log'") in (None, "{postgres=arwdDxt/postgres}", "{postgres=arwdDxtm/postgres}")
    update(connection, NEW, wanted[NEW], f"pg_tviews--{OLD}--{NEW}.sql")
    assert run(connection, log.format("pg_tview_audit_log")) == logged
    assert value(connection, "SELECT to_regclass('pg_tviews_saved_audit_log') IS NULL")
    run(connection, "SELECT pg_tviews_stats_reset()")
    assert value(connection, "SELECT operation FROM pg_tview_audit_log ORDER BY log_id DESC LIMIT 1") == "RESET STATISTICS"
    # A table of that name which is somebody else's is left alone.
    run(connection, f"ALTER EXTENSION pg_tviews UPDATE TO '{OLD}'")
    run(connection, "CREATE ROLE forger; ALTER TABLE pg_tviews_saved_audit_log OWNER TO forger")
    update(connection, NEW, wanted[NEW], f"pg_tviews--{OLD}--{NEW}.sql")
    assert value(connection, "SELECT count(*) FROM pg_tview_audit_log") == 0
    run(connection, "DROP TABLE pg_tviews_saved_audit_log; DROP ROLE forger")

    # A downgrade that is rolled back changes nothing; one inside a transaction is complete in it.
    transaction = server.connect("shop", autocommit=False)
    update(transaction, OLD, wanted[OLD], f"pg_tviews--{NEW}--{OLD}.sql")
    update(transaction, NEW, wanted[NEW], f"pg_tviews--{OLD}--{NEW}.sql")
    run(transaction, f"ALTER EXTENSION pg_tviews UPDATE TO '{OLD}'")
    transaction.rollback()
    run(connection, "UPDATE tb_customer SET name = 'after the rollback' WHERE pk_customer = 2")
    check_equal(connection, "after a downgrade that was rolled back")

    # A restart with old SQL objects, as after the installation of a new package.
    run(connection, f"ALTER EXTENSION pg_tviews UPDATE TO '{OLD}'")
    run(connection, "UPDATE tb_customer SET name = 'before the restart' WHERE pk_customer = 3")
    server.stop()
    server.start()
    connection = server.connect("shop")
    run(connection, "UPDATE tb_customer SET name = 'after the restart' WHERE pk_customer = 4")
    check_old(server, connection)
    update(connection, NEW, wanted[NEW], f"pg_tviews--{OLD}--{NEW}.sql")
    check_equal(connection, "after a restart with old SQL objects")
    assert "after the restart" in value(connection, "SELECT data::text FROM tv_customer WHERE pk_customer = 4")

    # SQL objects that are newer than the library: refused beforehand, and recognised where they are.
    expect_error(connection, "ALTER EXTENSION pg_tviews UPDATE TO '9.0.0'", "needs a newer library", "restart")
    run(connection, "UPDATE pg_extension SET extversion = '9.0.0' WHERE extname = 'pg_tviews'")
    server.stop()
    server.start()
    connection = server.connect("shop")
    expect_error(connection, "SELECT pg_tviews_wait()", "needs a newer library", "restart")
    run(connection, "UPDATE tb_customer SET name = 'for the new library' WHERE pk_customer = 5")
    run(connection, f"UPDATE pg_extension SET extversion = '{NEW}' WHERE extname = 'pg_tviews'")
    server.stop()
    server.start()
    connection = server.connect("shop")
    check_equal(connection, "after SQL objects that were too new")

    # Keys in quarantine: the old version knows their texts only. They heal, each with its own change; what the
    # old version could not read as a key is the whole TVIEW to it.
    letters = "SELECT key FROM pg_tview_dead_letter WHERE tview = 'tv_customer'::regclass ORDER BY key"
    run(connection, f"ALTER EXTENSION pg_tviews UPDATE TO '{OLD}'")
    run(connection, """INSERT INTO pg_tview_dead_letter (tview, key, sqlstate, error, first_seen, last_seen)
                       SELECT 'tv_customer'::regclass, key, '22012', 'old', now(), now() FROM unnest('{6,7}'::text[]) key""")
    run(connection, f"ALTER EXTENSION pg_tviews UPDATE TO '{NEW}'")
    run(connection, "UPDATE tb_customer SET name = 'healed' WHERE pk_customer = 6")
    run(connection, "SELECT pg_tviews_wait()")
    assert run(connection, letters) == [("7",)], run(connection, letters)
    run(connection, f"ALTER EXTENSION pg_tviews UPDATE TO '{OLD}'")
    assert run(connection, letters) == [(None,)], run(connection, letters)
    run(connection, f"ALTER EXTENSION pg_tviews UPDATE TO '{NEW}'")
    run(connection, "UPDATE tb_customer SET name = 'of another key' WHERE pk_customer = 8")
    wait_until(lambda: run(connection, letters) == [], "the TVIEW to heal")
    check_equal(connection, "after keys in quarantine went through both directions")

    run(connection, f"ALTER EXTENSION pg_tviews UPDATE TO '{OLD}'")
    run(connection, "DROP EXTENSION pg_tviews CASCADE")
    assert value(connection, "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal") == 0

    # What 0.1.0 accepted with a NOTICE, or without a word, is named by the update, and not changed by it.
    before = server.prepare("before", """
        CREATE TABLE tb_offer (pk_offer int PRIMARY KEY, expires_at timestamptz NOT NULL);
        INSERT INTO tb_offer VALUES (1, 'infinity'), (2, clock_timestamp() + '500 ms');
        CREATE FUNCTION rate(n int) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN n; END';
        CREATE TABLE tv_plain AS SELECT pk_offer AS pk_plain FROM tb_offer;
        CREATE TABLE tv_age WITH (pg_tviews.clock_period = '1 s') AS SELECT pk_offer AS pk_age, now() AS shown FROM tb_offer;
        CREATE TABLE tv_offer AS SELECT pk_offer FROM tb_offer WHERE expires_at > now();
        CREATE TABLE tb_label (pk_label int PRIMARY KEY, text text NOT NULL);
        INSERT INTO tb_label VALUES (1, 'old');
        CREATE FUNCTION label() RETURNS text LANGUAGE sql STABLE AS 'SELECT text FROM public.tb_label';
        CREATE TABLE tv_label AS SELECT pk_offer AS pk_label, label() AS text FROM tb_offer;
        CREATE TABLE tv_rate WITH (pg_tviews.function_reads = 'none') AS SELECT pk_offer AS pk_rate, rate(pk_offer) AS rate FROM tb_offer""")
    run(before, "SELECT pg_tviews_wait()")
    run(before, f"ALTER EXTENSION pg_tviews UPDATE TO '{OLD}'")
    run(before, "UPDATE pg_tview_meta SET options = options - '{clock,clock_period,deadlines,function_reads}'::text[]")
    run(before, "DELETE FROM pg_tview_lineage WHERE source = 'tb_label'::regclass")
    run(before, "UPDATE pg_tview_meta SET dependencies = array_remove(dependencies, 'tb_label'::regclass::oid)")
    contents = "SELECT (SELECT text FROM tv_label LIMIT 1), (SELECT array_agg((pk_age, shown) ORDER BY 1) FROM tv_age)::text, (SELECT count(*) FROM tv_offer), (SELECT sum(rate) FROM tv_rate)"
    run(before, "SET pg_tviews.read_consistency = 'eventual'")
    shown = run(before, contents)
    before.notices.clear()
    run(before, f"ALTER EXTENSION pg_tviews UPDATE TO '{NEW}'")
    told = "".join(notice for notice in before.notices if notice.startswith("WARNING"))
    run(before, "UPDATE tb_label SET text = 'new'")
    for text in ("TVIEW label calls functions in SQL", "SELECT pg_tviews_replace('label', meta.definition)", "TVIEW age uses the clock", "ALTER TABLE tv_age SET (pg_tviews.clock_period", "TVIEW offer uses the clock",
                 "TVIEW rate calls rate(integer)", "ALTER TABLE tv_rate SET (pg_tviews.function_reads"):
        assert text in told, (text, told)
    assert "TVIEW plain" not in told, told
    run(before, "SELECT pg_tviews_wait()")
    wait_until(lambda: value(before, "SELECT bool_and(expires_at = 'infinity' OR expires_at < clock_timestamp() - interval '1 s') FROM tb_offer"), "time to pass")
    assert run(before, contents) == shown, "the update has changed them"
    assert value(before, "SELECT count(*) FROM pg_tviews_unseen") == 4
    found = [message for message, in run(before, "SELECT message FROM pg_tviews_health_check() WHERE severity = 'warning' AND component = 'metadata'")]
    assert sum("uses the clock" in message for message in found) == 2 and sum("rate(integer)" in message for message in found) == 1, found
    # What they say to do, makes them exact.
    run(before, "SELECT pg_tviews_replace('label', meta.definition) FROM pg_tview_meta AS meta WHERE meta.entity = 'label'")
    run(before, "ALTER TABLE tv_age SET (pg_tviews.clock_period = '1 hour')")
    run(before, "ALTER TABLE tv_offer SET (pg_tviews.clock_period = '1 s')")
    run(before, "ALTER TABLE tv_rate SET (pg_tviews.function_reads = 'none')")
    run(before, "SELECT pg_tviews_wait()")
    assert value(before, "SELECT count(*) FROM pg_tviews_unseen") == 0
    wait_until(lambda: value(before, "SELECT count(*) FROM tv_offer") == 1, "the deadline")
    assert value(before, "SELECT min(text) FROM tv_label") == "new"
    run(before, "UPDATE tb_label SET text = 'newer'")
    run(before, "SELECT pg_tviews_wait()")
    assert value(before, "SELECT min(text) FROM tv_label") == "newer"
    for entity in ("label", "age", "offer", "rate", "plain"):
        assert run(before, f"SELECT * FROM pg_tviews_verify('{entity}')") == [], entity
