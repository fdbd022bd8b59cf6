"""Settings that a session or a database can have, and what must not depend on them."""
import psycopg2

from tviews_server import run, value

PLACES = ["creator", "writer", "reader", "database", "role"]

# Of those that are neither yes or no, a number, nor one of a list.
TEXTS = {
    "TimeZone": "Asia/Kolkata", "DateStyle": "German, DMY", "client_encoding": "LATIN1", "search_path": "nowhere", "role": "other",
    "lc_monetary": "C", "lc_numeric": "C", "lc_time": "C", "lc_messages": "C", "default_text_search_config": "pg_catalog.english",
    "timezone_abbreviations": "India", "temp_tablespaces": "", "default_tablespace": "", "default_table_access_method": "heap",
    "session_authorization": "other", "local_preload_libraries": "", "session_preload_libraries": "", "dynamic_library_path": "/nowhere",
    "application_name": "x", "backtrace_functions": "", "wal_consistency_checking": "", "createrole_self_grant": "",
}
# What says what readers may wait for, and what is nobody's to change beside tests.
LEFT_OUT = ["pg_tviews.read_consistency", "pg_tviews.pause_at", "pg_tviews.fail_at", "zero_damaged_pages", "ignore_checksum_failure",
            "ignore_system_indexes", "allow_system_table_mods", "session_authorization", "transaction_isolation",
            "transaction_read_only", "transaction_deferrable", "pg_tviews.protect", "debug_discard_caches", "trace_sort",
            "track_activities"]  # without which no test sees where a process has stopped
CONTEXTS = "('user', 'superuser')"


class Different(Exception):
    """Something depends on a setting that must not."""


def names():
    """Of settings or of small groups of them; `Settings` finds what the server has."""
    return [f"setting {i}" for i in range(170)]


class Settings:
    def __init__(self, server, admin, rng):
        self.server, self.admin, self.rng = server, admin, rng
        rows = run(admin, f"""
            SELECT name, vartype, setting, min_val, max_val, enumvals, unit FROM pg_settings
            WHERE context IN {CONTEXTS} AND name NOT LIKE 'log%' AND name NOT LIKE 'debug_p%' AND name NOT LIKE 'plpgsql%' ORDER BY name""")
        self.known = [row for row in rows if row[0] not in LEFT_OUT]

    def values(self, row):
        name, kind, setting, least, most, listed, _ = row
        if kind == "bool":
            return ["off" if setting == "on" else "on"]
        if kind == "enum":
            return [one for one in listed if one != setting]
        if kind in ("integer", "real"):
            some = {least, most, "1" if kind == "integer" else "0.5"}
            return [one for one in some if float(least) <= float(one) <= float(most) and one != setting]
        return [TEXTS[name]] if name in TEXTS else []

    def perform(self, text, place, check):
        """The setting with this number, in this place."""
        row = self.known[int(text.split()[1]) % len(self.known)]
        values = self.values(row)
        if not values:
            return
        name, setting = row[0], self.rng.choice(sorted(values))
        self.text = f"{name} = '{setting}' of the {place}"
        try:
            getattr(self, place)(name, setting)
        except psycopg2.Error as error:
            if error.pgcode is None and "closed" not in str(error) and "terminat" not in str(error):
                raise Different(f"{self.text}: {error}") from error
            if error.pgcode and error.pgcode.startswith("XX"):
                raise Different(f"{self.text}: {error.pgcode} {error}") from error
        try:
            check()
        except Exception as error:
            raise Different(f"{self.text}: {error}") from error
        finally:
            self.reset()

    def session(self, name, setting):
        connection = self.server.connect("ddl", name="with settings")
        run(connection, "SELECT set_config(%s, %s, false)", (name, setting))
        return connection

    def creator(self, name, setting):
        """A TVIEW of its making, which `check` compares with the others."""
        connection = self.session(name, setting)
        try:
            run(connection, "CREATE TABLE app.tv_made WITH (pg_tviews.key = 'id') AS SELECT p.id, to_jsonb(p) AS data, p.at::text AS at,"
                            " p.at::date AS day, p.id / 3.0::float8 AS third, (p.id / 3.0::float8)::text AS text, p.span::text AS span,"
                            " to_tsvector(p.name)::text AS words, p.pair::text AS pair, p.name || E'\\x41' AS escaped,"
                            " '{a,NULL}'::text[] AS nulls FROM app.plain p WHERE p.name IS NOT NULL OR p.id = 1")
        finally:
            connection.close()

    def writer(self, name, setting):
        connection = self.session(name, setting)
        try:
            for statement in ("UPDATE app.plain SET name = 'written', at = '2024-05-06 07:08:09+00'", "DELETE FROM app.part WHERE id = 2",
                              "INSERT INTO app.part VALUES (2, 'again')", "BEGIN; SAVEPOINT s; UPDATE app.base SET name = 'x'; ROLLBACK TO s;"
                              " UPDATE app.base SET name = 'saved'; COMMIT"):
                run(connection, statement)
        finally:
            connection.close()

    def reader(self, name, setting):
        """Sees what it has written, whatever its settings, or an error."""
        connection = self.session(name, setting)
        try:
            run(connection, "UPDATE app.guarded SET name = %s", (f"by {name}",))
            seen = run(connection, "SELECT DISTINCT name FROM app.tv_guarded")
            rows = value(connection, "SELECT count(*) FROM app.tv_plain")
        finally:
            connection.close()
        if seen != [(f"by {name}",)]:
            raise Different(f"{self.text}: it reads {seen}")
        if rows != value(self.admin, "SELECT count(*) FROM app.plain"):
            raise Different(f"{self.text}: it reads {rows} rows")

    def database(self, name, setting):
        self.of_new_processes(f"ALTER DATABASE ddl SET {name} = %s", setting)

    def role(self, name, setting):
        self.of_new_processes(f"ALTER ROLE postgres SET {name} = %s", setting)

    def of_new_processes(self, statement, setting):
        run(self.admin, statement, (setting,))
        run(self.admin, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                        " WHERE backend_type = 'pg_tviews applier' AND datname = current_database()")

    def reset(self):
        run(self.admin, "ALTER DATABASE ddl RESET ALL; ALTER ROLE postgres RESET ALL; DROP TABLE IF EXISTS app.tv_made")
