"""Labels of tables may come from anybody: one that is none of a TVIEW is refused, before the extension is there too, and one
that is there nevertheless concerns nobody but its table."""
import psycopg2

from tviews_server import Server, check_equal, run, value, wait_until

HOSTILE = ("[1]", "not json", "{}", "null", "", "{", '{"entity": 1, "key": "a", "view": "b"}', "[" * 10000,
           '{"entity": "x", "key": "pk", "view": "v"} more', '{"entity": "x", "key": "pk", "view": "v", "options": 7}',
           '{"entity": "x", "key": "pk", "view": "v", "options": {"feed": 7}}',
           '{"entity": "x", "key": "pk", "view": "v", "options": {"notify": "yes"}}',
           '{"entity": "x", "key": "pk", "view": "v", "options": {"lane": "a,b}"}}',
           '{"entity": "x", "key": "pk", "view": "v", "options": {"lane": ""}}',
           '{"entity": "x", "key": "pk", "view": "v", "options": {"lane": "' + 64 * "x" + '"}}',
           '{"entity": "x", "key": "pk", "view": "v", "options": {"lane": 7}}',
           '{"entity": "x", "key": "pk", "view": "v", "options": {"lag_target": "5 s"}}',
           '{"entity": "x", "key": "pk", "view": "v", "options": {"lag_target": -5}}',
           '{"entity": "x", "key": "pk", "view": "v", "options": {"lag_target": 3600001}}',
           '{"entity": null, "key": null, "view": null}', '{"entity": "\\ud800", "key": "pk", "view": "v"}')

with Server("labels") as server:
    run(server.connect(), "CREATE DATABASE early")
    session = server.connect("early")
    run(session, "CREATE ROLE somebody; GRANT CREATE ON SCHEMA public TO somebody; SET ROLE somebody")
    run(session, "CREATE TABLE tv_hostile (pk_hostile int PRIMARY KEY)")
    for label in HOSTILE:
        try:
            run(session, "SECURITY LABEL FOR pg_tviews ON TABLE tv_hostile IS %s", (label,))
            assert label == "", label
        except psycopg2.Error as error:
            assert "invalid label of a TVIEW" in error.diag.message_primary, error
    run(session, "RESET ROLE")
    # As older libraries let them pass.
    for i, label in enumerate(HOSTILE):
        run(session, f"CREATE TABLE tv_hostile{i} (pk_hostile{i} int PRIMARY KEY)")
        run(session, f"INSERT INTO pg_seclabel SELECT 'tv_hostile{i}'::regclass, 'pg_class'::regclass, 0, 'pg_tviews', %s", (label,))
    # Well-formed, but about nothing that there is.
    run(session, "CREATE TABLE tv_lost (pk_lost int PRIMARY KEY)")
    run(session, """SECURITY LABEL FOR pg_tviews ON TABLE tv_lost IS '{"entity": "lost", "key": "nothing", "view": ";; no view"}'""")
    # And one as a dump has it.
    run(session, "CREATE TABLE tb_good (pk_good int PRIMARY KEY, name text); INSERT INTO tb_good VALUES (1, 'one')")
    run(session, "CREATE VIEW v_good AS SELECT pk_good, name FROM tb_good; CREATE TABLE tv_good (pk_good int PRIMARY KEY, name text)")
    run(session, """SECURITY LABEL FOR pg_tviews ON TABLE tv_good IS '{"entity": "good", "key": "pk_good", "view": "public.v_good",
        "options": {"notify": true, "lane": "slow", "lag_target": 100, "a_later_one": [1.5, {"x": null}]}}'""")
    # A third says that it is the second.
    run(session, "CREATE VIEW v_false AS SELECT pk_good AS pk_false FROM tb_good; CREATE TABLE tv_false (pk_false int PRIMARY KEY)")
    run(session, """SECURITY LABEL FOR pg_tviews ON TABLE tv_false IS '{"entity": "good", "key": "pk_false", "view": "public.v_false"}'""")

    # Nobody asks for adoption: what was restored before the extension is found at its creation.
    run(session, "CREATE EXTENSION pg_tviews")
    wait_until(lambda: value(session, "SELECT count(*) FROM pg_tview_meta WHERE entity = 'good'") == 1, "the good one to be adopted")
    check_equal(session, "beside hostile labels")
    assert run(session, "SELECT entity, tview::text FROM pg_tview_meta ORDER BY 1") == [("false", "tv_false"), ("good", "tv_good")]
    assert value(session, "SELECT options ->> 'notify' FROM pg_tview_meta WHERE entity = 'good'") == "true"
    run(session, "INSERT INTO tb_good VALUES (2, 'two')")
    check_equal(session, "after a change")
    named = {row[0] for row in run(session, "SELECT tview::text FROM pg_tview_dead_letter WHERE error LIKE '%label%'")}
    assert named == {f"tv_hostile{i}" for i in range(len(HOSTILE))}, named
    # Those that go, or lose their label, leave nothing behind.
    run(session, "DROP TABLE tv_lost; SECURITY LABEL FOR pg_tviews ON TABLE tv_hostile1 IS NULL")
    wait_until(lambda: value(session, "SELECT count(*) FROM pg_tview_dead_letter") == len(HOSTILE) - 1, "their dead letters to go")
    assert value(session, "SELECT count(*) FROM pg_tviews_health_check() WHERE message ~ 'is no TVIEW'") == 0
    assert "terminated by signal" not in server.log() and "was terminated" not in server.log()
    run(session, "CREATE TABLE tv_more AS SELECT pk_good AS pk_more FROM tb_good")
    check_equal(session, "with another one")

    # What is owed is malformed: that TVIEW is compared with its query.
    run(session, "SELECT pg_tviews_wait(); SELECT pg_tviews_pause()")
    run(session, "INSERT INTO tviews_internal.pg_tview_owed (tview, payload) VALUES ('tv_good'::regclass, 'nonsense')")
    run(session, "INSERT INTO pg_tview_behind (tview, reason, since) VALUES ('tv_good'::regclass, 'a test', now())")
    run(session, "INSERT INTO tviews_internal.pg_tview_outbox VALUES ('nonsense'), ('')")
    server.stop()
    server.start()
    session = server.connect("early")
    run(session, "SELECT pg_tviews_resume()")
    run(session, "INSERT INTO tb_good VALUES (3, 'three')")
    wait_until(lambda: value(session, "SELECT count(*) FROM pg_tview_behind") == 0, "it to catch up")
    check_equal(session, "after malformed records")
