"""What the extension keeps to itself stays so whatever is granted around it: default privileges before the installation,
GRANT ON ALL TABLES after it, in every schema that it may be installed in, and after an update."""
import psycopg2

import extension_objects
from tviews_server import Server, check_equal, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_secret (pk_secret text PRIMARY KEY, card text NOT NULL);
CREATE TABLE tv_secret WITH (pg_tviews.feed = data) AS
SELECT tb_secret.pk_secret, length(tb_secret.card) / (length(tb_secret.card) - 3) AS share, tb_secret.card FROM tb_secret;
"""
DEFAULTS = """
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO app, pg_monitor, PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO app, pg_monitor, PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON ROUTINES TO app, pg_monitor;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO app, pg_monitor, PUBLIC;
"""
PRIVATE = "outbox", "owed", "dead_letter", "feed", "audit_log"


def database(server, name, *statements):
    run(server.connect(), f"CREATE DATABASE {name}")
    connection = server.connect(name)
    for statement in statements:
        run(connection, statement)
    return connection


def rows_for(connection, role, relation):
    """What a role reads there; None where it may not."""
    run(connection, f"SET ROLE {role}")
    try:
        return run(connection, f"SELECT relation::text FROM {relation} AS relation")
    except psycopg2.Error as error:
        assert error.pgcode in ("42501", "42P01"), error
        return None
    finally:
        run(connection, "RESET ROLE")


def expect_nothing(connection, role, schema="public"):
    """The role reads no value of tb_secret anywhere, though there is one in every place."""
    for schema_name in (schema, "tviews_internal"):
        for table in PRIVATE:
            assert not rows_for(connection, role, f"{schema_name}.pg_tview_{table}"), f"{role} reads {schema_name}.{table}"
    assert not rows_for(connection, role, f"{schema}.pg_tviews_feed")


def make_secrets(connection):
    run(connection, "SET pg_tviews.read_consistency = 'eventual'")
    run(connection, SCRIPT)
    run(connection, "REVOKE ALL ON tb_secret, tv_secret, v_secret FROM app, PUBLIC")
    run(connection, "INSERT INTO tb_secret VALUES ('4111', 'four'), ('5500', 'six'), ('6600', 'twelve')")
    run(connection, "SELECT pg_tviews_wait()")
    run(connection, "SELECT pg_tviews_pause()")
    run(connection, "INSERT INTO tb_secret VALUES ('7700', 'seven')")
    run(connection, "INSERT INTO tviews_internal.pg_tview_owed (tview, payload) SELECT 'tv_secret'::regclass, payload FROM tviews_internal.pg_tview_outbox")
    for table in PRIVATE:
        assert value(connection, f"SELECT count(*) FROM tviews_internal.pg_tview_{table}") > 0, table


def messages(connection):
    return [(severity, message) for severity, message in run(
        connection, "SELECT severity, message FROM pg_tviews_health_check() WHERE component = 'privileges'")]


def check_defaults(server):
    wanted = extension_objects.describe(database(server, "plain", "CREATE EXTENSION pg_tviews"))
    connection = database(server, "defaults", DEFAULTS, "CREATE EXTENSION pg_tviews")
    extension_objects.compare(extension_objects.describe(connection), wanted, "90_privileges.sql, with default privileges,")
    assert messages(connection) == [("info", "What is private is nobody else's.")]
    run(connection, "ALTER EXTENSION pg_tviews UPDATE TO '0.1.0'")
    run(connection, "GRANT SELECT ON pg_tview_dead_letter, pg_tview_outbox TO app, watcher")
    run(connection, "ALTER EXTENSION pg_tviews UPDATE")
    extension_objects.compare(extension_objects.describe(connection), wanted, "pg_tviews--0.1.0--0.2.0.sql, with default privileges,")
    run(connection, "GRANT EXECUTE ON FUNCTION pg_tviews_pause() TO watcher")
    run(connection, "ALTER EXTENSION pg_tviews UPDATE TO '0.1.0'")
    run(connection, "ALTER EXTENSION pg_tviews UPDATE")
    assert value(connection, "SELECT has_function_privilege('watcher', 'pg_tviews_pause()', 'EXECUTE')"), "a GRANT is lost"
    make_secrets(connection)
    expect_nothing(connection, "app")


def check_grants(server):
    """GRANT ON ALL TABLES after the installation: nothing is shown, and what is too much is found."""
    connection = database(server, "granted", "CREATE EXTENSION pg_tviews")
    make_secrets(connection)
    run(connection, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO app")
    run(connection, "REVOKE SELECT ON tv_secret, tb_secret FROM app")
    expect_nothing(connection, "app")
    assert messages(connection) == [("info", "What is private is nobody else's.")]
    # Who watches, and who owns the TVIEW.
    run(connection, "GRANT SELECT ON pg_tview_dead_letter, pg_tview_audit_log TO watcher, builder")
    assert rows_for(connection, "watcher", "pg_tview_dead_letter") and rows_for(connection, "watcher", "pg_tview_audit_log")
    assert not rows_for(connection, "builder", "pg_tview_dead_letter")
    run(connection, "GRANT SELECT ON tb_secret TO builder; GRANT CREATE ON SCHEMA public TO builder; ALTER TABLE tv_secret OWNER TO builder")
    assert rows_for(connection, "builder", "pg_tview_dead_letter") and not rows_for(connection, "builder", "pg_tview_audit_log")
    # More than SELECT, and what is private itself.
    run(connection, "GRANT ALL ON ALL TABLES IN SCHEMA public TO app")
    found = messages(connection)
    assert any(severity == "warning" and "REVOKE" in text and "public.pg_tview_meta" in text and "FROM app." in text
               for severity, text in found), found
    run(connection, "GRANT SELECT ON ALL TABLES IN SCHEMA tviews_internal TO app; GRANT USAGE ON SCHEMA tviews_internal TO PUBLIC; "
                    "GRANT UPDATE (payload) ON tviews_internal.pg_tview_outbox TO builder")
    for _ in range(2):
        for severity, text in messages(connection):
            if severity != "info":
                run(connection, text[text.index("REVOKE"):].rstrip("."))
    assert messages(connection) == [("info", "What is private is nobody else's.")], messages(connection)
    run(connection, "REVOKE ALL ON tv_secret, tb_secret FROM app")
    expect_nothing(connection, "app")
    run(connection, "SELECT pg_tviews_resume()")


def check_schema(server):
    """In a schema of its own, as README recommends."""
    connection = database(server, "apart", "CREATE SCHEMA tviews", "CREATE EXTENSION pg_tviews SCHEMA tviews",
                          "SET search_path = public, tviews")
    make_secrets(connection)
    run(connection, "GRANT USAGE ON SCHEMA tviews TO app; GRANT SELECT ON ALL TABLES IN SCHEMA tviews TO app")
    expect_nothing(connection, "app", "tviews")
    run(connection, "SELECT pg_tviews_resume(); DELETE FROM tviews_internal.pg_tview_owed; DELETE FROM tb_secret WHERE pk_secret = '5500'")
    run(connection, "SELECT pg_tviews_wait()")
    wait_until(lambda: value(connection, "SELECT count(*) FROM pg_tview_dead_letter") == 0, "the key to heal")
    check_equal(connection)
    run(connection, "DROP EXTENSION pg_tviews CASCADE")
    assert value(connection, "SELECT to_regnamespace('tviews_internal') IS NULL")
    run(connection, "CREATE EXTENSION pg_tviews SCHEMA tviews")


def check_names_taken(server):
    """A schema or a table of that name that is not the extension's is not used for it."""
    connection = database(server, "taken", "CREATE EXTENSION pg_tviews VERSION '0.1.0'", "CREATE SCHEMA tviews_internal",
                          "CREATE TABLE tviews_internal.pg_tview_outbox (payload bytea NOT NULL)")
    try:
        run(connection, "ALTER EXTENSION pg_tviews UPDATE")
        raise AssertionError("updated into a schema of somebody else")
    except psycopg2.errors.DuplicateSchema:
        pass
    run(connection, "CREATE TABLE tb_a (pk_a int PRIMARY KEY)")
    run(connection, "CREATE TRIGGER pg_tviews_capture AFTER INSERT ON tb_a FOR EACH ROW EXECUTE FUNCTION pg_tviews_capture()")
    assert value(connection, "SELECT count(*) FROM tviews_internal.pg_tview_outbox") == 0
    run(connection, "DROP SCHEMA tviews_internal CASCADE")
    run(connection, "ALTER EXTENSION pg_tviews UPDATE")


with Server("private") as server:
    run(server.connect(), "CREATE ROLE app; CREATE ROLE watcher IN ROLE pg_monitor; CREATE ROLE builder")
    check_defaults(server)
    check_grants(server)
    check_schema(server)
    check_names_taken(server)
