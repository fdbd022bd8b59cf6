"""Without shared_preload_libraries the extension says what to do, and the server is unharmed."""
import psycopg2

from tviews_server import Server, run, value

with Server("not_preloaded", preload=False) as server:
    connection = server.connect()
    try:
        run(connection, "CREATE EXTENSION pg_tviews")
        raise AssertionError("CREATE EXTENSION succeeded without shared_preload_libraries")
    except psycopg2.Error as error:
        text = f"{error.diag.message_primary} {error.diag.message_hint}"
        assert "shared_preload_libraries" in text, text
    assert value(connection, "SELECT count(*) FROM pg_extension WHERE extname = 'pg_tviews'") == 0
    run(connection, "CREATE TABLE tv_plain AS SELECT 1 AS pk_plain")
    assert value(connection, "SELECT count(*) FROM tv_plain") == 1
