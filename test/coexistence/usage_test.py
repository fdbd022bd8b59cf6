"""What other extensions are for works in a database with TVIEWs, and TVIEWs stay right meanwhile, with all of them loaded.

Danger: a partition manager creates and drops partitions of a source, a scheduler writes as another role, a decoder meets the tables of
the extension, a hypothetical index is taken for a real one, a hint is put into a query of ours. Extensions that the archive
has not are left out, and named."""
import os

from tviews_server import Server, check_equal, run, value, wait_until

SETTINGS = """
wal_level = logical
cron.database_name = 'use'
cron.use_background_workers = on
pg_qualstats.sample_rate = 1
pg_hint_plan.enable_hint = on
pgaudit.log = 'all'
pg_stat_statements.track = all
"""
SCRIPT = """
SET client_min_messages = warning;
CREATE TABLE tb_maker (pk_maker int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_event (id bigint NOT NULL, at date NOT NULL, fk_maker int NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE INDEX ON tb_event (fk_maker);
INSERT INTO tb_maker SELECT i, 'maker ' || i FROM generate_series(1, 50) AS i;
CREATE TABLE tv_maker AS SELECT pk_maker, name, (SELECT count(*) FROM tb_event WHERE fk_maker = pk_maker) AS events FROM tb_maker;
"""
WRITE = "INSERT INTO tb_event SELECT i + 1000 * (SELECT count(*) FROM tb_event), current_date, 1 + i % 50 FROM generate_series(1, 200) AS i"


def use_pg_partman(session):
    run(session, "CREATE SCHEMA partman; CREATE EXTENSION pg_partman SCHEMA partman")
    major = int(value(session, "SELECT split_part(extversion, '.', 1) FROM pg_extension WHERE extname = 'pg_partman'"))
    kind = "'native', 'daily'" if major < 5 else "'1 day'"
    run(session, f"SELECT partman.create_parent('public.tb_event', 'at', {kind})")
    run(session, WRITE)
    run(session, "INSERT INTO tb_event VALUES (1, current_date + 1, 1), (2, current_date - 1, 2), (3, '2020-01-01', 3)")
    check_equal(session)
    run(session, "UPDATE partman.part_config SET retention = '1 hour', retention_keep_table = false")
    run(session, "CALL partman.run_maintenance_proc()")
    run(session, "CALL partman.partition_data_proc('public.tb_event')")
    check_equal(session)


def use_hypopg(session):
    run(session, "CREATE EXTENSION hypopg")
    run(session, "SELECT * FROM hypopg_create_index('CREATE INDEX ON tb_maker (name)')")
    run(session, "EXPLAIN SELECT * FROM tv_maker JOIN tb_maker USING (pk_maker) WHERE tb_maker.name = 'maker 3'")
    run(session, "CREATE TABLE tv_named AS SELECT pk_maker AS pk_named, name FROM tb_maker")
    check_equal(session)


def use_pg_hint_plan(session):
    run(session, "/*+ SeqScan(tb_maker) Set(enable_indexscan off) */ UPDATE tb_maker SET name = 'hinted' WHERE pk_maker = 3")
    run(session, "CREATE TABLE tv_hinted AS /*+ SeqScan(tb_event) */ SELECT fk_maker AS id, count(*) AS n FROM tb_event GROUP BY fk_maker")


def use_pg_cron(session):
    run(session, "CREATE EXTENSION pg_cron")
    run(session, "UPDATE tb_maker SET name = 'waiting' WHERE pk_maker = 7")
    job = value(session, "SELECT cron.schedule('touch', '1 seconds', $$UPDATE tb_maker SET name = 'by cron' WHERE pk_maker = 7$$)") \
        if value(session, "SELECT extversion >= '1.5' FROM pg_extension WHERE extname = 'pg_cron'") else None
    if job:
        wait_until(lambda: run(session, "SELECT 1 FROM tb_maker WHERE name = 'by cron'"), "the job")
        run(session, f"SELECT cron.unschedule({job})")
        check_equal(session)
        assert value(session, "SELECT name FROM tv_maker WHERE pk_maker = 7") == "by cron"
    else:
        print("note: pg_cron: this version has no jobs by the second; its library was loaded and its extension created")


def use_wal2json(session):
    if value(session, "SELECT current_setting('output_plugin_libraries', true)") is not None:  # newer minor versions ask
        run(session, "ALTER SYSTEM SET output_plugin_libraries = 'pgoutput', 'wal2json'")
        run(session, "SELECT pg_reload_conf()")
        wait_until(lambda: "wal2json" in value(session, "SHOW output_plugin_libraries"), "the setting")
    run(session, "SELECT pg_create_logical_replication_slot('json', 'wal2json')")
    run(session, "UPDATE tb_maker SET name = 'decoded' WHERE pk_maker = 9")
    check_equal(session)
    changes = []  # the applier's come when its commit is on disk
    wait_until(lambda: changes.extend(run(session, "SELECT data FROM pg_logical_slot_get_changes('json', NULL, NULL, 'add-tables', 'public.tb_maker,public.tv_maker')"))
               or all(any(f'"table":"{table}"' in data and '"decoded"' in data for data, in changes) for table in ("tb_maker", "tv_maker")), f"both changes: {changes}")
    run(session, "SELECT pg_drop_replication_slot('json')")


def use_set_user(session):
    run(session, "CREATE EXTENSION set_user; CREATE ROLE plain; GRANT ALL ON tb_maker TO plain; GRANT EXECUTE ON FUNCTION set_user(text) TO plain")
    run(session, "SELECT set_user('plain')")
    run(session, "UPDATE tb_maker SET name = 'as plain' WHERE pk_maker = 11")
    run(session, "SELECT reset_user()")
    check_equal(session)


def use_pg_qualstats(session):
    run(session, "CREATE EXTENSION pg_qualstats")
    run(session, "SELECT count(*) FROM tv_maker WHERE name = 'nobody'")
    assert value(session, "SELECT count(*) FROM pg_qualstats") > 0


def use_pg_wait_sampling(session):
    run(session, "CREATE EXTENSION pg_wait_sampling")
    run(session, WRITE)
    assert value(session, "SELECT count(*) FROM pg_wait_sampling_current") > 0


def use_pg_stat_statements(session):
    run(session, "CREATE EXTENSION pg_stat_statements")
    run(session, WRITE)
    assert value(session, "SELECT count(*) FROM pg_stat_statements WHERE query LIKE '%tb_event%'") > 0


def use_plpgsql_check(session):
    run(session, "CREATE EXTENSION plpgsql_check")
    run(session, "CREATE FUNCTION reader() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT count(*) FROM tv_maker); END $$")
    assert run(session, "SELECT * FROM plpgsql_check_function('reader()')") == []
    assert value(session, "SELECT reader()") == 50


def use_pgaudit(session):
    run(session, "CREATE EXTENSION pgaudit")
    run(session, "UPDATE tb_maker SET name = 'audited' WHERE pk_maker = 13")
    check_equal(session)
    assert "AUDIT: SESSION" in server.log()


LIBRARIES = {"pg_stat_statements": "pg_stat_statements", "pg_cron": "pg_cron", "pg_qualstats": "pg_qualstats", "pg_wait_sampling": "pg_wait_sampling",
             "pg_hint_plan": "pg_hint_plan", "set_user": "set_user", "plpgsql_check": "plpgsql_check", "pgaudit": "pgaudit"}
present = os.environ.get("COEXISTENCE_LIBRARIES", "pg_stat_statements").split()
loaded = [library for library in LIBRARIES if library in present]
USES = [use_pg_partman, use_hypopg, use_pg_hint_plan, use_wal2json, use_set_user, use_pg_qualstats, use_pg_wait_sampling, use_pg_stat_statements,
        use_plpgsql_check, use_pgaudit, use_pg_cron]

with Server("coexistence_usage", SETTINGS + f"shared_preload_libraries = '{', '.join(loaded + ['pg_tviews'])}'\n") as server:
    session = server.prepare("use", SCRIPT)
    available = {name for name, in run(session, "SELECT name FROM pg_available_extensions")} | set(present)
    for use in USES:
        name = use.__name__.removeprefix("use_")
        if name not in available or (name in LIBRARIES and name not in loaded):
            print(f"note: {name} is not there")
            continue
        use(session)
        check_equal(session, name)
        print(f"note: {name}: works")
    assert run(session, "SELECT component, message FROM pg_tviews_health_check() WHERE severity = 'error'") == []
