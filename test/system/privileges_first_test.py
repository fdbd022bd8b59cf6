"""A command that its role may not give has no effect before it is refused: the applier of a database stays, nobody waits
for locks of somebody who may not take them. One that fails although its role may give it is over at once."""
import psycopg2

import shop
from tviews_server import Server, check_equal, run, value, wait_until

APPLIER = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_tviews applier' AND datname = 'shop'"
REFUSED = (
    "DROP DATABASE shop", "DROP DATABASE IF EXISTS shop WITH (FORCE)", "CREATE DATABASE stolen TEMPLATE shop",
    "ALTER DATABASE shop RENAME TO mine", "ALTER DATABASE shop SET TABLESPACE pg_default", "ALTER DATABASE shop CONNECTION LIMIT 5",
)


def applier(admin):
    wait_until(lambda: run(admin, APPLIER), "an applier")
    return value(admin, APPLIER)


def refused(connection, statement):
    try:
        run(connection, statement)
    except psycopg2.Error as error:
        return error
    raise AssertionError(f"{statement}: no error")


with Server("privileges_first", conf="pg_tviews.applier_idle_timeout = '10min'\n") as server:
    admin = server.connect()
    session = server.prepare("shop", shop.SCRIPT)
    check_equal(session)
    run(admin, "CREATE ROLE nobody LOGIN; CREATE ROLE maker LOGIN CREATEDB; CREATE ROLE keeper LOGIN CREATEDB")
    before = applier(admin)
    for role in ("nobody", "maker"):
        run(admin, f"SET SESSION AUTHORIZATION {role}")
        for statement in REFUSED * 3:
            assert refused(admin, statement).pgcode == "42501", statement
        run(admin, "RESET SESSION AUTHORIZATION")
    assert applier(admin) == before, "somebody without rights has sent the applier away"

    # The owner's commands that cannot succeed, because of a transaction block and because the database is in use.
    run(admin, "ALTER DATABASE shop OWNER TO keeper; SET SESSION AUTHORIZATION keeper")
    for statement in ("BEGIN; DROP DATABASE shop", "BEGIN; CREATE DATABASE stolen TEMPLATE shop"):
        assert refused(admin, statement).pgcode == "25001"
        run(admin, "ROLLBACK")
    run(admin, "ALTER DATABASE shop CONNECTION LIMIT 50")
    assert refused(admin, "CREATE DATABASE postgres TEMPLATE shop").pgcode == "42P04"
    run(admin, "RESET SESSION AUTHORIZATION")
    assert applier(admin) == before, "the applier was sent away for nothing"
    run(admin, "SET SESSION AUTHORIZATION keeper")
    assert refused(admin, "DROP DATABASE shop").pgcode == "55006"
    run(admin, "RESET SESSION AUTHORIZATION")
    run(session, "UPDATE tb_customer SET name = 'at once' WHERE pk_customer = 1")
    run(session, "SELECT pg_tviews_wait('10 s')")
    assert applier(admin) != before, "the applier did not step aside for its owner's command"

    # Who may not create in a schema, or put triggers on a source, takes no lock on it.
    run(session, "CREATE ROLE builder; GRANT SELECT, TRIGGER ON tb_customer TO builder; GRANT SELECT ON tb_order TO builder; "
                 "CREATE SCHEMA closed; CREATE SCHEMA own AUTHORIZATION builder")
    writer = server.connect("shop", autocommit=False)
    run(writer, "UPDATE tb_customer SET name = 'open'; UPDATE tb_order SET fk_customer = fk_customer")
    run(session, "SET lock_timeout = '2s'; SET ROLE builder")
    for statement in ("CREATE TABLE closed.tv_mine AS SELECT pk_customer AS pk_mine, name FROM public.tb_customer",
                      "CREATE TABLE own.tv_mine AS SELECT pk_order AS pk_mine FROM public.tb_order"):
        assert refused(session, statement).pgcode == "42501", statement
    for statement in ("SELECT pg_tviews_drop('customer')", "SELECT pg_tviews_refresh('customer')",
                      "SELECT pg_tviews_replace('customer', 'SELECT 1')",
                      "ALTER TABLE tv_customer SET (pg_tviews.notify = on)",
                      "ALTER TABLE tb_order ADD COLUMN x int", "TRUNCATE tb_order", "DROP EXTENSION pg_tviews CASCADE",
                      "SELECT pg_tviews_pause()", "SELECT pg_tviews_reinstall_triggers()", "SELECT pg_tviews_install_stmt_triggers()",
                      "SELECT * FROM pg_tviews_drop_orphans()", "SELECT * FROM pg_tviews_adopt()", "SELECT pg_tviews_stats_reset()"):
        assert refused(session, statement).pgcode == "42501", statement
    # The same from a session that looks like a restore's.
    run(session, "SET check_function_bodies = off; SET row_security = off; SELECT set_config('search_path', '', false)")
    for statement in ("DROP VIEW public.v_customer", "CREATE OR REPLACE VIEW public.v_customer AS SELECT 1"):
        assert refused(session, statement).pgcode in ("42501", "42809"), statement
    run(session, "RESET ALL; RESET ROLE")
    writer.rollback()
    check_equal(session, "at the end")
