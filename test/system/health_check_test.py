"""Every finding of pg_tviews_health_check(): the fault is provoked, the finding names it, its repair ends it."""
import psycopg2

import pauses
from tviews_server import Server, bash, check_equal, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_maker (pk_maker int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_lamp (pk_lamp int PRIMARY KEY, fk_maker int NOT NULL, watts int NOT NULL);
CREATE INDEX tb_lamp_maker ON tb_lamp (fk_maker);
INSERT INTO tb_maker SELECT i, 'maker ' || i FROM generate_series(1, 10) AS i;
INSERT INTO tb_lamp SELECT i, i % 10 + 1, i FROM generate_series(1, 40) AS i;
CREATE TABLE tv_lamp AS
SELECT tb_lamp.pk_lamp, tb_maker.name, 100 / tb_lamp.watts AS share
FROM tb_lamp JOIN tb_maker ON tb_maker.pk_maker = tb_lamp.fk_maker;
CREATE TABLE tv_maker AS SELECT tb_maker.pk_maker, tb_maker.name FROM tb_maker;
CREATE TABLE tb_alone (pk_alone int PRIMARY KEY);
"""
COMPONENTS = ["version", "library", "jsonb_delta", "settings", "metadata", "triggers", "workers", "blocked applier",
              "queue and lag", "spill", "quarantine", "indexes", "autovacuum", "old snapshot", "prepared transactions",
              "replication slots", "audit", "privileges", "feed", "cost"]


def findings(connection, patience="1 minute"):
    rows = run(connection, "SELECT status, component, message, severity FROM pg_tviews_health_check(%s)", (patience,))
    for status, component, message, severity in rows:
        assert (status, severity) in {("OK", "info"), ("WARNING", "warning"), ("ERROR", "error")}, rows
        assert component in COMPONENTS and message.endswith((".", ";")), (component, message)
    return [(component, severity, message) for _, component, message, severity in rows if severity != "info"]


def expect(connection, component, severity, *parts, patience="1 minute"):
    """There is such a finding; all its parts are in one message."""
    found = findings(connection, patience)
    assert any(c == component and s == severity and all(part in m for part in parts) for c, s, m in found), \
        f"{component}, {severity}, {parts} is not among {found}"


def expect_well(connection, patience="1 minute"):
    found = findings(connection, patience)
    assert not found, found


def hint_of_wait(connection):
    try:
        run(connection, "SELECT pg_tviews_wait('100 ms')")
    except psycopg2.errors.QueryCanceled as error:
        return error.diag.message_hint
    return ""


def reload(connection, *statements):
    for statement in statements:
        run(connection, statement)
    run(connection, "SELECT pg_reload_conf()")


def wait_for(connection, component, severity, *parts, patience="1 minute"):
    wait_until(lambda: any(c == component and s == severity and all(part in m for part in parts)
                           for c, s, m in findings(connection, patience)), f"{component}: {parts}")


def check_well(server, connection):
    rows = run(connection, "SELECT component, severity FROM pg_tviews_health_check()")
    assert sorted(rows) == sorted((component, "info") for component in COMPONENTS), rows
    # Who may call it.
    run(connection, "CREATE ROLE watcher LOGIN IN ROLE pg_monitor; CREATE ROLE stranger LOGIN")
    for role, may in (("watcher", True), ("stranger", False)):
        run(connection, f"SET ROLE {role}")
        for query in ("pg_tviews_health_check()", "pg_tviews_queue_realtime", "pg_tviews_workers"):
            try:
                run(connection, f"SELECT * FROM {query}")
                assert may, f"{role} reads {query}"
            except psycopg2.errors.InsufficientPrivilege:
                assert not may, f"{role} cannot read {query}"
        run(connection, "RESET ROLE")


def check_jsonb_delta(server, connection):
    """It says whether an extension of that name is installed: here an empty one, in the server's private installation."""
    finding = "SELECT pg_tviews_check_jsonb_delta(), message FROM pg_tviews_health_check() WHERE component = 'jsonb_delta'"
    assert run(connection, finding) == [(False, "Not installed, and not needed: documents are recomputed.")]
    files = bash('echo "$("$(server_bin "$1")/pg_config" --sharedir)/extension/jsonb_delta"', server.directory)
    bash("""echo "default_version = '1.0'" >"$1.control"; touch "$1--1.0.sql"; chmod a+r "$1"*""", files)
    try:
        run(connection, "CREATE EXTENSION jsonb_delta")
        assert run(connection, finding) == [(True, "Installed; documents are recomputed, not patched.")]
        run(connection, "DROP EXTENSION jsonb_delta")
    finally:
        bash('rm -f "$1.control" "$1--1.0.sql"', files)


def check_triggers(connection):
    run(connection, "UPDATE pg_trigger SET tgenabled = 'D' WHERE tgname = 'pg_tviews_capture' AND tgrelid = 'tb_lamp'::regclass")
    expect(connection, "triggers", "error", "pg_tviews_capture on public.tb_lamp is disabled", "pg_tviews_reinstall_triggers()")
    run(connection, "UPDATE pg_trigger SET tgenabled = 'O' WHERE tgname = 'pg_tviews_capture' AND tgrelid = 'tb_lamp'::regclass")
    expect(connection, "triggers", "error", "pg_tviews_capture on public.tb_lamp does not fire for replicated changes")
    run(connection, "SELECT pg_tviews_reinstall_triggers()")
    expect_well(connection)
    run(connection, """WITH gone AS (DELETE FROM pg_trigger WHERE tgname = 'pg_tviews_truncate' AND tgrelid = 'tb_maker'::regclass RETURNING oid)
                       DELETE FROM pg_depend USING gone WHERE classid = 'pg_trigger'::regclass AND objid = gone.oid""")
    expect(connection, "triggers", "error", "pg_tviews_truncate on public.tb_maker is missing", "pg_tviews_reinstall_triggers()")
    run(connection, "SELECT pg_tviews_reinstall_triggers()")
    expect_well(connection)
    run(connection, "CREATE TRIGGER stray AFTER INSERT ON tb_alone FOR EACH ROW EXECUTE FUNCTION pg_tviews_capture()")
    expect(connection, "triggers", "warning", "stray on public.tb_alone captures for no TVIEW", "pg_tviews_drop_orphans()")
    # It may be for a table that came with a dump, and will be needed when that is adopted.
    run(connection, "BEGIN")
    run(connection, """CREATE TABLE tv_came (pk_came int PRIMARY KEY);
        SECURITY LABEL FOR pg_tviews ON TABLE tv_came IS '{"entity": "came", "key": "pk_came", "view": "v_came"}'""")
    expect(connection, "triggers", "warning", "stray on public.tb_alone captures for no TVIEW yet", "pg_tviews_adopt()")
    run(connection, "ROLLBACK")
    assert run(connection, "SELECT * FROM pg_tviews_drop_orphans()") == [("trigger", "stray on public.tb_alone")]
    expect_well(connection)
    assert run(connection, "SELECT * FROM pg_tviews_drop_orphans()") == []


def check_metadata(connection):
    run(connection, "CREATE TEMP TABLE saved AS SELECT * FROM pg_tview_lineage LIMIT 1; UPDATE saved SET tview = 4000000000::oid")
    run(connection, "INSERT INTO pg_tview_lineage SELECT * FROM saved")
    expect(connection, "metadata", "warning", "4000000000", "pg_tviews_drop_orphans()")
    # A TVIEW that was dropped while the module was not loaded: its metadata stay, and its triggers.
    run(connection, "CREATE TABLE tv_alone AS SELECT tb_alone.pk_alone FROM tb_alone")
    for table in ("pg_tview_meta", "pg_tview_lineage"):
        run(connection, f"CREATE TEMP TABLE saved_{table} AS SELECT * FROM {table} WHERE tview = 'tv_alone'::regclass")
    run(connection, "DROP TABLE tv_alone")
    run(connection, "CREATE TRIGGER pg_tviews_capture AFTER INSERT OR UPDATE OR DELETE ON tb_alone FOR EACH ROW EXECUTE FUNCTION pg_tviews_capture()")
    for table in ("pg_tview_meta", "pg_tview_lineage"):
        run(connection, f"UPDATE saved_{table} SET tview = 4000000001::oid; INSERT INTO {table} SELECT * FROM saved_{table}")
    expect(connection, "metadata", "error", "TVIEW alone is listed, its table does not exist", "pg_tviews_drop_orphans()")
    dropped = run(connection, "SELECT * FROM pg_tviews_drop_orphans()")
    assert dropped == [("metadata", "4000000000"), ("metadata", "alone")], dropped
    assert value(connection, "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'tb_alone'::regclass") == 0
    expect_well(connection)
    for change, parts in (
            ("UPDATE pg_tview_meta SET backing_view = 4000000002::oid WHERE entity = 'maker'", ("TVIEW maker has lost its backing view",)),
            ("UPDATE pg_tview_meta SET dependencies = '{4000000003}' WHERE entity = 'maker'", ("TVIEW maker has lost a source",)),
            ("UPDATE pg_tview_meta SET backing_view = 'v_lamp' WHERE entity = 'maker'", ("TVIEW maker has other columns than its backing view public.v_lamp",)),
            ("UPDATE pg_index SET indisvalid = false WHERE indrelid = 'tv_maker'::regclass", ("TVIEW maker has no unique index on its key", "ADD PRIMARY KEY (pk_maker)")),
            ("UPDATE pg_tview_meta SET database_oid = 1 WHERE entity = 'maker'", ("TVIEW maker was copied from another database", "pg_tviews_adopt()")),
            ("DELETE FROM pg_tview_frontier", ("pg_tview_frontier is missing",))):
        run(connection, "BEGIN")
        run(connection, change)
        expect(connection, "metadata", "error", *parts)
        if "v_lamp" in change:
            expect(connection, "indexes", "warning", 'view public.v_lamp has no column "pk_maker"')
        run(connection, "ROLLBACK")
    expect_well(connection)


def check_settings(connection):
    for setting, broken, severity, part in (
            ("pg_tviews.enabled", "off", "error", "pg_tviews.enabled is off"),
            ("pg_tviews.protect", "off", "warning", "pg_tviews.protect is off for everybody"),
            ("pg_tviews.pause_at", "''nowhere:1''", "warning", "pg_tviews.pause_at is set")):
        before = value(connection, f"SHOW {setting}")
        reload(connection, f"ALTER SYSTEM SET {setting} = " + broken.replace("''", "'"))
        wait_for(connection, "settings", severity, part)
        set_back = "SET pg_tviews.pause_at = ''" if setting == "pg_tviews.pause_at" else f"RESET {setting}"
        reload(connection, f"ALTER SYSTEM {set_back}")
        wait_until(lambda: value(connection, f"SHOW {setting}") == before, "the reload")
    for setting in ("autovacuum", "track_counts"):
        reload(connection, f"ALTER SYSTEM SET {setting} = off")
        wait_for(connection, "autovacuum", "error", f"{setting} is off", "ALTER SYSTEM RESET")
        reload(connection, f"ALTER SYSTEM RESET {setting}")
        wait_until(lambda: value(connection, f"SHOW {setting}") == "on", "the reload")
    expect_well(connection)


def check_quarantine(connection):
    run(connection, "UPDATE tb_lamp SET watts = 0 WHERE pk_lamp IN (3, 4)")
    run(connection, "SELECT pg_tviews_wait()")
    expect(connection, "quarantine", "warning", "2 keys of TVIEW lamp are in quarantine", "pg_tviews_retry('lamp')")
    run(connection, "UPDATE tb_lamp SET watts = pk_lamp WHERE pk_lamp IN (3, 4)")
    run(connection, "SELECT pg_tviews_wait()")
    expect_well(connection)
    run(connection, "ALTER TABLE tv_maker OWNER TO watcher; UPDATE tb_maker SET name = 'x' WHERE pk_maker = 1")
    run(connection, "SELECT pg_tviews_wait()")
    expect(connection, "quarantine", "error", "TVIEW maker as a whole is in quarantine (42501: permission denied", "pg_tviews_retry('maker')")
    run(connection, "ALTER TABLE tv_maker OWNER TO postgres")
    run(connection, "SELECT pg_tviews_retry('maker')")
    expect_well(connection)


def check_indexes(connection):
    # A table of one page wants no index.
    run(connection, "INSERT INTO tb_lamp SELECT i, 1, i FROM generate_series(41, 2040) AS i")
    run(connection, "DROP INDEX tb_lamp_maker")
    expect(connection, "indexes", "warning", "public.tv_lamp", "CREATE INDEX ON public.tb_lamp (fk_maker);")
    run(connection, "CREATE INDEX tb_lamp_maker ON tb_lamp (fk_maker)")
    run(connection, "DELETE FROM tb_lamp WHERE pk_lamp > 40")
    expect_well(connection)


def check_cost(connection):
    run(connection, """
        CREATE FUNCTION slowly(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_catalog.pg_sleep(0.11); RETURN i; END $$;
        CREATE TABLE tb_job (pk_job int PRIMARY KEY, n int);
        INSERT INTO tb_job VALUES (1, 1);
        CREATE TABLE tv_job AS SELECT pk_job, slowly(n) AS n FROM tb_job;
        CREATE TABLE tv_place AS SELECT pk_job AS pk_place, slowly(n) AS n, rank() OVER (ORDER BY n) AS place FROM tb_job""")
    for i in range(10):
        run(connection, "UPDATE tb_job SET n = n + 1")
        run(connection, "SELECT pg_tviews_wait()")
    expect(connection, "cost", "warning", "A refresh of TVIEW job takes", "(refreshes: 10, keys: 10): its query takes that long", "suggest_indexes('job')")
    expect(connection, "cost", "warning", "A refresh of TVIEW place takes", "no condition leads from a row of public.tb_job", "compares all rows")
    run(connection, "DROP TABLE tv_job, tv_place")
    # Large groups that were small when the TVIEW was created.
    run(connection, """
        CREATE TABLE tb_scan (pk_scan int PRIMARY KEY, fk_lamp int) WITH (autovacuum_enabled = off);
        CREATE INDEX ON tb_scan (fk_lamp);
        CREATE TABLE tv_scans AS SELECT pk_lamp AS pk_scans, (SELECT count(*) FROM tb_scan WHERE fk_lamp = pk_lamp) AS scans FROM tb_lamp""")
    expect_well(connection)
    run(connection, "INSERT INTO tb_scan SELECT i, 1 FROM generate_series(1, 2000) AS i; ANALYZE tb_scan")
    statement = "ALTER TABLE public.tv_scans SET (pg_tviews.group_state = auto)"
    expect(connection, "cost", "warning", "makes TVIEW scans read a whole group", "tb_scan by fk_lamp", "about 2000 rows", statement)
    run(connection, statement)
    expect_well(connection)
    run(connection, "DROP TABLE tv_scans, tb_job, tb_scan")


def check_work(server, connection):
    run(connection, "SELECT pg_tviews_pause()")
    expect(connection, "workers", "warning", "paused", "pg_tviews_resume()")
    for i in range(300):
        run(connection, "UPDATE tb_lamp SET watts = watts + 1 WHERE pk_lamp IN (1, 2)")
    expect(connection, "spill", "warning", "found no room in the queue", "pg_tviews.queue_size")
    half = value(connection, "SELECT ((clock_timestamp() - min(last_enqueued)) / 2)::text FROM pg_tviews_queue_realtime")
    expect(connection, "queue and lag", "warning", "TVIEWs are behind since", patience=half)
    expect(connection, "queue and lag", "error", "TVIEWs are behind since", patience="0.001 ms")
    run(connection, "SELECT pg_tviews_resume()")
    check_equal(connection, "after the pause")
    expect_well(connection)

    # A session that holds a source.
    holder = server.connect("lamps", autocommit=False, name="forgotten session")
    run(holder, "LOCK TABLE tb_lamp IN ACCESS EXCLUSIVE MODE")
    run(connection, "UPDATE tb_maker SET name = 'y' WHERE pk_maker = 2")
    wait_for(connection, "blocked applier", "warning", f"Process {holder.get_backend_pid()} (forgotten session, idle in transaction",
             "tb_lamp", f"pg_terminate_backend({holder.get_backend_pid()})", patience="0")
    wait_for(connection, "queue and lag", "warning", "TVIEW public.tv_lamp is behind the others since", "lock", patience="0")
    expect_well(connection)  # nobody waits for a lock in vain before the patience ends
    run(connection, "SELECT pg_terminate_backend(%s, 10000)", (holder.get_backend_pid(),))
    check_equal(connection, "after the lock")
    expect_well(connection)

    # Batches that fail: a finding once they have for longer than the patience.
    reload(connection, "ALTER SYSTEM SET pg_tviews.fail_at = 'before_commit:40001'")
    wait_until(lambda: value(connection, "SHOW pg_tviews.fail_at") != "", "the reload")
    run(connection, "UPDATE tb_maker SET name = 'x' WHERE pk_maker = 2")
    wait_for(connection, "workers", "warning", "Batches fail and are repeated", patience="1 ms")
    backs_off = "SELECT state = 'backing off' FROM pg_tviews_workers WHERE kind = 'applier' AND database = current_database()"
    wait_until(lambda: value(connection, backs_off), "a failed batch")
    wait_until(lambda: "Batches fail and are tried again" in hint_of_wait(connection), "the hint of a read that waits for such a batch")
    expect_well(connection)
    reload(connection, "ALTER SYSTEM RESET pg_tviews.fail_at")
    check_equal(connection, "after failing batches")
    expect_well(connection)

    # No applier, and no launcher that could start one.
    reload(connection, "ALTER SYSTEM RESET pg_tviews.pause_at")
    with pauses.pause(server, "lamps", "after_snapshot") as is_there:
        run(connection, "UPDATE tb_maker SET name = 'z' WHERE pk_maker = 3")
        is_there()
        reload(connection, "ALTER SYSTEM SET pg_tviews.enabled = off")
        applier = value(connection, "SELECT pid FROM pg_tviews_workers WHERE kind = 'applier' AND database = current_database()")
        run(connection, "SELECT pg_terminate_backend(%s, 10000)", (applier,))
    wait_for(connection, "workers", "error", "No applier runs here and records wait since", patience="1 ms")
    launcher = value(connection, "SELECT pid FROM pg_tviews_workers WHERE kind = 'launcher'")
    run(connection, "SELECT pg_terminate_backend(%s, 10000)", (launcher,))
    expect(connection, "workers", "error", "The launcher does not run")
    reload(connection, "ALTER SYSTEM RESET pg_tviews.enabled", "ALTER SYSTEM SET pg_tviews.pause_at = ''")
    check_equal(connection, "with new workers")
    expect_well(connection)


def check_vacuum(server, connection):
    for table in ("public.tv_lamp", "tviews_internal.pg_tview_outbox", "public.pg_tview_frontier"):
        run(connection, f"ALTER TABLE {table} SET (autovacuum_enabled = off)")
        expect(connection, "autovacuum", "warning", f"autovacuum is disabled for {table}", f"ALTER TABLE {table} RESET (autovacuum_enabled)")
        run(connection, f"ALTER TABLE {table} RESET (autovacuum_enabled)")
    expect_well(connection)
    reader = server.connect("lamps", autocommit=False, name="old reader")
    reader.set_session(isolation_level="REPEATABLE READ")
    run(reader, "SELECT count(*) FROM tv_lamp")
    expect_well(connection)
    expect(connection, "old snapshot", "warning", f"Process {reader.get_backend_pid()} (old reader, idle in transaction)",
           f"pg_terminate_backend({reader.get_backend_pid()})", patience="0.001 ms")
    reader.rollback()
    run(reader, "UPDATE tb_maker SET name = 'prepared' WHERE pk_maker = 4")
    run(reader, "PREPARE TRANSACTION 'forgotten'")
    expect(connection, "prepared transactions", "warning", "Transaction 'forgotten' is prepared since", "ROLLBACK PREPARED 'forgotten'", patience="0 s")
    reader.close()
    run(connection, "COMMIT PREPARED 'forgotten'")
    run(connection, "SELECT pg_create_logical_replication_slot('unread', 'pgoutput')")
    expect(connection, "replication slots", "warning", "Replication slot unread holds back vacuum of catalogs", "nobody reads it",
           "pg_drop_replication_slot('unread')")
    run(connection, "SELECT pg_drop_replication_slot('unread')")
    check_equal(connection, "at the end")
    # 120,000 rows of the TVIEW die, and nobody removes them.
    reload(connection, "ALTER SYSTEM SET autovacuum_naptime = '1h'")
    run(connection, "INSERT INTO tb_lamp SELECT i, 1, i FROM generate_series(41, 120040) AS i")
    run(connection, "SELECT pg_tviews_wait()")
    run(connection, "DELETE FROM tb_lamp WHERE pk_lamp > 40")
    run(connection, "SELECT pg_tviews_wait()")
    wait_for(connection, "autovacuum", "warning", "public.tv_lamp has", "dead rows beside", "VACUUM public.tv_lamp")
    run(connection, "VACUUM tv_lamp")
    wait_until(lambda: not [f for f in findings(connection) if f[0] == "autovacuum"], "vacuum to be counted")


def check_versions(server, connection):
    run(connection, "UPDATE pg_extension SET extversion = '0.0.9' WHERE extname = 'pg_tviews'")
    assert findings(connection) == [("version", "error", findings(connection)[0][2])], findings(connection)
    expect(connection, "version", "error", "extension of version 0.0.9", "ALTER EXTENSION pg_tviews UPDATE")
    version = value(connection, "SELECT pg_tviews_version()")
    run(connection, "UPDATE pg_extension SET extversion = %s WHERE extname = 'pg_tviews'", (version,))
    expect_well(connection)
    connection.close()
    # Settings that only a restart changes, and a server without the module.
    with open(server.directory / "data" / "postgresql.conf", "a") as conf:
        conf.write("\nmax_worker_processes = 3\npg_tviews.max_databases = 1\n")
    server.stop()
    server.start()
    connection = server.connect("lamps")
    expect(connection, "settings", "warning", "max_worker_processes (3) has no room", "pg_tviews.max_workers (4)")
    with open(server.directory / "data" / "postgresql.conf", "a") as conf:
        conf.write("\nmax_worker_processes = 20\nshared_preload_libraries = ''\n")
    server.stop()
    server.start()
    connection = server.connect("lamps")
    expect(connection, "library", "error", "pg_tviews is not loaded", "shared_preload_libraries")


with Server("health_check", conf=pauses.CONF + "pg_tviews.queue_size = '8kB'\npg_tviews.lock_timeout = '100ms'\nwal_level = logical\nmax_wal_senders = 2\n") as server:
    connection = server.prepare("lamps", SCRIPT)
    run(connection, "SELECT pg_tviews_wait()")
    reload(connection, "ALTER SYSTEM SET pg_tviews.pause_at = ''")
    wait_until(lambda: value(connection, "SHOW pg_tviews.pause_at") == "", "the reload")
    check_well(server, connection)
    check_jsonb_delta(server, connection)
    check_triggers(connection)
    check_metadata(connection)
    check_settings(connection)
    check_quarantine(connection)
    check_indexes(connection)
    check_cost(connection)
    check_work(server, connection)
    check_vacuum(server, connection)
    check_versions(server, connection)
