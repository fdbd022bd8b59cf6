"""ALTER DATABASE ... SET and ALTER ROLE ... SET reach background workers too (ATTACKS B8): the applier
goes on working and stays exact."""
from tviews_server import Server, check_equal, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_a (pk_a int PRIMARY KEY, name text, at timestamptz DEFAULT '2020-02-03 04:05:06+00');
INSERT INTO tb_a SELECT i, 'old' FROM generate_series(1, 10) i;
CREATE TABLE tv_a AS SELECT pk_a, name, at FROM tb_a;
CREATE TABLE tv_text AS SELECT pk_a AS pk_text, at::text AS at, (at - now)::text AS since, pk_a / 3.0::float8 AS third,
  to_jsonb(tb_a) AS data FROM tb_a, CAST('2020-01-01 00:00+00' AS timestamptz) AS now;
CREATE ROLE nobody;
"""
SETTINGS = {
    "default_transaction_read_only": "on",
    "default_transaction_isolation": "'read committed'",
    "default_transaction_deferrable": "on",
    "statement_timeout": "1",
    "lock_timeout": "1",
    "idle_in_transaction_session_timeout": "1",
    "search_path": "nowhere",
    "session_replication_role": "replica",
    "row_security": "off",
    "role": "nobody",
    "client_min_messages": "debug1",
    "quote_all_identifiers": "on",
    "standard_conforming_strings": "off",
    "transform_null_equals": "on",
    "DateStyle": "'SQL, DMY'",
    "IntervalStyle": "sql_standard",
    "bytea_output": "escape",
    "array_nulls": "off",
    "work_mem": "'64kB'",
    "client_encoding": "'LATIN1'",
    "enable_indexscan": "off",
    "plan_cache_mode": "force_custom_plan",
    "pg_tviews.pause_at": "'after_take:x,,:,before_commit'",
    "default_text_search_config": "'simple'",
    "TimeZone": "'Asia/Kolkata'",
    "extra_float_digits": "-12",
    "lc_monetary": "'C'",
    "xmlbinary": "hex",
    "idle_session_timeout": "1",
    "exit_on_error": "on",
    "gin_fuzzy_search_limit": "1",
    "backslash_quote": "off",
}


def applier():
    rows = run(connection, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_tviews applier'")
    return rows[0][0] if rows else None


def replace_applier():
    old = applier()
    if old:
        run(connection, "SELECT pg_terminate_backend(%s)", (old,))
    run(connection, "UPDATE tb_a SET name = name || '.' WHERE pk_a = 1")
    wait_until(lambda: applier() not in (None, old), "another applier")


with Server("hostile_settings") as server:
    connection = server.prepare("hostile", SCRIPT)
    admin = server.connect()
    parallel = "debug_parallel_query" if admin.server_version >= 160000 else "force_parallel_mode"
    SETTINGS[parallel] = "on"
    if admin.server_version >= 170000:
        SETTINGS["transaction_timeout"] = "1"
    check_equal(connection)
    for target in ("DATABASE hostile", "ROLE postgres", "ROLE ALL"):
        for name, setting in SETTINGS.items():
            run(admin, f"ALTER {target} SET {name} = {setting}")
        replace_applier()
        for i in range(3):
            run(connection, f"UPDATE tb_a SET name = '{target} {i} \u00e9' WHERE pk_a <= 5")
            run(connection, f"DELETE FROM tb_a WHERE pk_a = {i + 6}")
            run(connection, f"INSERT INTO tb_a VALUES ({i + 6}, NULL)")
            check_equal(connection, target)
        run(admin, f"ALTER {target} RESET ALL")
    log = server.log()
    assert "a batch failed" not in log, "batches failed"
