"""Every function and view of the extension that reads works where the planner may use parallel workers for everything:
debug_parallel_query (force_parallel_mode before 16), and parallel plans that cost nothing."""
from tviews_server import Server, run, value

SCRIPT = """
CREATE TABLE tb_a (pk_a int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_b (pk_b int PRIMARY KEY, fk_a int NOT NULL REFERENCES tb_a);
INSERT INTO tb_a SELECT i, 'a' || i FROM generate_series(1, 2000) i;
INSERT INTO tb_b SELECT i, i % 2000 + 1 FROM generate_series(1, 20000) i;
CREATE TABLE tv_a AS SELECT pk_a, name, to_jsonb(tb_a) AS data FROM tb_a;
CREATE TABLE tv_b AS SELECT pk_b, tv_a.data FROM tb_b JOIN tv_a ON tv_a.pk_a = tb_b.fk_a;
ANALYZE;
"""
SETTINGS = """
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET min_parallel_index_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
"""
# What the arguments without a default are; {} of a function that has none.
ARGUMENTS = {
    "pg_tviews_analyze_cascade(text,bigint)": "'a', 1",
    "pg_tviews_analyze_cascade(text,text)": "'a', '1'",
    "pg_tviews_build_object(\"any\")": "'a', pg_backend_pid()",
    "pg_tviews_cascade(oid,bigint)": "'tb_a'::regclass, 1",
    "pg_tviews_cascade(oid,text)": "'tb_a'::regclass, '1'",
    "pg_tviews_check_lanes(interval)": "'1 s'",
    "pg_tviews_check_queue(interval)": "'1 s'",
    "pg_tviews_check_vacuum(interval)": "'1 s'",
    "pg_tviews_check_workers(interval)": "'1 s'",
    "pg_tviews_explain_ddl(text)": "'ALTER TABLE tb_a ADD COLUMN more int'",
    "pg_tviews_explain_change(regclass,bigint)": "'tb_a', 1",
    "pg_tviews_explain_change(regclass,text)": "'tb_a', '1'",
    "pg_tviews_explain_lineage(text)": "'a'",
    "pg_tviews_explain_query(text,text)": "'SELECT pk_a FROM tb_a', 'pk_a'",
    "pg_tviews_refresh(text)": "'a'",
    "pg_tviews_retry(text)": "'a'",
    "pg_tviews_show_cascade_path(text)": "'a'",
    "pg_tviews_table(text)": "'a'",
    "pg_tviews_feed_ack(text,bigint)": "'a', 0",
    "pg_tviews_feed_claim(text)": "'a'",
    "pg_tviews_feed_read(text,integer,bigint)": "'a'",
    "pg_tviews_stats_reset(text)": "'a'",
    "pg_tviews_suggest_indexes(text)": "'a'",
    "pg_tviews_suggest_group_states(text)": "'a'",
    "pg_tviews_verify(text)": "'a'",
}
# Not for SQL, or of a kind that a query cannot call; those that end or change what the others look at.
LEFT_OUT = ["pg_tviews_capture", "pg_tviews_adopt", "pg_tviews_convert_table", "pg_tviews_pause", "pg_tviews_resume",
            "pg_tviews_wait_for", "pg_tviews_create", "pg_tviews_replace", "pg_tviews_replace_cancel",
            "pg_tviews_replace_finish", "pg_tviews_drop", "pg_tviews_restore_dropped",
            "pg_tviews_build_array_end", "pg_tviews_feed_register", "pg_tviews_feed_drop", "pg_tviews_wait_for_publisher",
            "pg_tviews_install_stmt_triggers", "pg_tviews_uninstall_stmt_triggers"]


def failures(session, statements):
    found = []
    for statement in statements:
        try:
            run(session, statement)
        except Exception as error:  # of whatever kind: the text says which
            found.append(f"{statement}: {str(error).splitlines()[0]}")
    return found


with Server("parallel_functions") as server:
    connection = server.prepare("parallel", SCRIPT)
    run(connection, "SELECT pg_tviews_wait()")
    run(connection, "SELECT pg_tviews_feed_register('a', 0)")
    session = server.connect("parallel")
    run(session, SETTINGS)
    parallel = "debug_parallel_query" if session.server_version >= 160000 else "force_parallel_mode"
    views = [row[0] for row in run(connection, """
        SELECT c.oid::regclass::text FROM pg_class c JOIN pg_depend d ON d.objid = c.oid AND d.deptype = 'e'
        JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'pg_tviews'
        WHERE c.relkind IN ('v', 'r', 'm') AND d.classid = 'pg_class'::regclass ORDER BY 1""")]
    functions = run(connection, """
        SELECT p.oid::regprocedure::text, p.oid::regproc::text, p.pronargs - p.pronargdefaults, p.prorettype::regtype::text, p.proretset
        FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e'
        JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'pg_tviews'
        WHERE d.classid = 'pg_proc'::regclass AND p.prokind = 'f' ORDER BY 1""")
    assert len(views) > 20 and len(functions) > 30, (views, functions)
    calls = []
    calls_of_one_value = []
    unknown = []
    for signature, name, needed, result, is_set in functions:
        if result in ("trigger", "event_trigger", "internal") or name.split(".")[-1] in LEFT_OUT:
            continue
        arguments = ARGUMENTS.get(signature, "" if needed == 0 else None)
        if arguments is None:
            unknown.append(signature)
        else:
            calls.append(f"{name}({arguments})")
            if not is_set:
                calls_of_one_value.append(calls[-1])
    statements = [f"SELECT * FROM {view}" for view in views]
    statements += [f"SELECT count(*) FROM {view}, tb_b" for view in views]
    statements += [f"SELECT * FROM {call}" for call in calls]
    statements += [f"SELECT (SELECT count(*) FROM {call}), count(*) FROM tb_b" for call in calls]
    # Where a worker may call it, it does.
    statements += [f"SELECT count(x) FROM (SELECT {call} AS x FROM tb_b WHERE pk_b < 4 OFFSET 0) AS t"
                   for call in calls_of_one_value]
    # A parallel plan is what these settings give.
    assert "Gather" in str(run(session, "EXPLAIN SELECT count(*) FROM tb_b"))
    found = failures(session, statements)
    run(session, f"SET {parallel} = on")
    found += failures(session, statements)
    assert not unknown, f"say how to call {unknown}"
    assert not found, "\n".join(found)
