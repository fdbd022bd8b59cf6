"""What docs/integrations/dbt.md says of the materialization in integrations/dbt, with dbt itself.

Danger: a run that changes nothing rewrites documents, one that changes a model takes other TVIEWs or grants with it, or leaves
half of it done; a query with quotes, dollars or comments arrives as another one; tests that follow a seed read old documents."""
import json
import os
import pathlib
import shutil
import subprocess
import sys

from tviews_server import ROOT, Server, check_equal, run, value

BUILD = pathlib.Path(sys.argv[1]).resolve()
REQUIREMENTS = ROOT / "test/clients/requirements.txt"


def install():
    """A virtual environment of the build directory, with what requirements.txt says."""
    place = BUILD / "clients-python"
    stamp = place / "installed"
    if not stamp.exists() or stamp.read_text() != REQUIREMENTS.read_text():
        subprocess.run(["python3", "-m", "venv", "--clear", place], check=True)
        subprocess.run([place / "bin/pip", "install", "-q", "--disable-pip-version-check", "-r", REQUIREMENTS], check=True)
        shutil.copy(REQUIREMENTS, stamp)
    return place / "bin/dbt"


class Project:
    def __init__(self, dbt, directory, socket):
        self.dbt, self.directory = dbt, directory
        shutil.rmtree(directory, ignore_errors=True)
        self.write("dbt_project.yml", """
            {name: shop, version: 1.0.0, config-version: 2, profile: shop, flags: {send_anonymous_usage_stats: false},
             query-comment: {comment: "who's; $model$ {{ node.name }}", append: true},
             models: {shop: {+materialized: tview}}}""")
        self.write("packages.yml", json.dumps({"packages": [{"local": str(ROOT / "integrations/dbt")}]}))
        self.write("profiles.yml", json.dumps({"shop": {"target": "dev", "outputs": {"dev": {
            "type": "postgres", "host": socket, "port": 5432, "user": "builder", "password": "", "dbname": "dbt", "schema": "Mart 1", "threads": 4}}}}))

    def write(self, name, text):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def model(self, name, query, **config):
        arguments = ", ".join(f"{key}={value!r}" for key, value in config.items())
        self.write(f"models/{name}.sql", "{{ config(" + arguments + ") }}\n" + query)

    def __call__(self, *arguments, fails=None):
        """Runs dbt; {node: its message, or its status where it has none}."""
        results = self.directory / "target/run_results.json"
        results.unlink(missing_ok=True)
        done = subprocess.run([self.dbt, "--no-use-colors", *arguments, "--project-dir", self.directory, "--profiles-dir", self.directory],
                              cwd=self.directory, capture_output=True, text=True, timeout=300, env={"PATH": os.environ["PATH"], "HOME": str(self.directory)})
        assert (done.returncode == 0) == (fails is None) and (fails or "") in done.stdout, done.stdout + done.stderr
        assert "eprecat" not in done.stdout, done.stdout
        if not results.exists():
            return {}
        return {result["unique_id"].split(".")[2]: result["message"] or result["status"] for result in json.loads(results.read_text())["results"]}


def state(connection):
    """All that a run which changes nothing leaves as it is."""
    return run(connection, """
        SELECT relation.oid::regclass::text, relation.oid, relation.relfilenode, relation.relacl::text, relation.xmin::text, obj_description(relation.oid),
               (SELECT array_agg(attribute.attname || ' ' || coalesce(col_description(relation.oid, attribute.attnum), '') ORDER BY attribute.attnum)
                FROM pg_attribute AS attribute WHERE attribute.attrelid = relation.oid AND attribute.attnum > 0)
        FROM pg_class AS relation JOIN pg_namespace ON pg_namespace.oid = relation.relnamespace
        WHERE pg_namespace.nspname IN ('Mart 1', 'public') ORDER BY 1""") + run(connection, "SELECT count(*), max(log_id) FROM tviews.pg_tview_audit_log") + run(
            connection, "SELECT xmin::text, description FROM pg_description WHERE objoid IN (SELECT tview FROM tviews.pg_tview_meta) ORDER BY objoid, objsubid")


def counts(connection, entity):
    return run(connection, "SELECT operation FROM tviews.pg_tview_audit_log WHERE entity = %s ORDER BY log_id", (entity,))


def rows(connection, table):
    return run(connection, f'SELECT * FROM "Mart 1".{table} ORDER BY 1')


dbt = install()
with Server("dbt") as server:
    administrator = server.connect()
    run(administrator, "CREATE ROLE builder LOGIN; CREATE ROLE reader; CREATE ROLE other")
    run(administrator, "CREATE DATABASE dbt OWNER builder")
    connection = server.connect("dbt")
    project = Project(dbt, BUILD / "dbt-project", server.socket)
    project.write("seeds/users.csv", "pk_user,name\n1,Ann\n2,Bob\n")
    project.write("seeds/posts.csv", "pk_post,fk_user,title\n10,1,Hello\n11,2,Good morning\n")
    project.write("models/schema.yml", json.dumps({"models": [
        {"name": "tv_user", "description": "People; 'quoted' $x$", "config": {"persist_docs": {"relation": True, "columns": True}},
         "columns": [{"name": "pk_user", "description": "the key", "data_tests": ["unique", "not_null"]}]},
        {"name": "post_document", "columns": [{"name": "author", "data_tests": [
            {"accepted_values": {"arguments": {"values": ["Ann", "Bob", "Carl"]}}}, {"relationships": {"arguments": {"to": "ref('tv_user')", "field": "name"}}}]}]}]}))
    project.model("tv_user", "select pk_user, name from {{ ref('users') }}",
                  unique_key="pk_user", indexes=[{"columns": ["name"]}, {"columns": ["lower(name)", "pk_user"], "unique": True}], grants={"select": ["reader"]})
    project.model("post_document", """with u as (select * from {{ ref('tv_user') }}) -- a CTE; 'not' $model$ closed
        select p.pk_post, u.name as author, 'it''s $model$ $$ %s {}' || p.title as title
        from {{ ref('posts') }} as p join u on u.pk_user = p.fk_user /* ; */ -- the end""",
                  unique_key=["pk_post"], pg_tviews={"feed": "data"})
    project.model("tv_pair", "select p.fk_user, p.pk_post, p.author from (select d.pk_post, d.author, u.pk_user as fk_user from {{ ref('post_document') }} d"
                  " join {{ ref('tv_user') }} u on u.name = d.author) p", unique_key="fk_user, pk_post")
    assert not project("deps")

    # Without the extension the message says what to do.
    project("build", fails="CREATE EXTENSION pg_tviews SCHEMA tviews")
    run(connection, 'CREATE SCHEMA tviews; CREATE EXTENSION pg_tviews SCHEMA tviews; GRANT USAGE ON SCHEMA tviews TO builder')

    done = project("build")
    assert [done[name] for name in ("tv_user", "post_document", "tv_pair")] == ["created"] * 3, done
    assert rows(connection, "post_document") == [(10, "Ann", "it's $model$ $$ %s {}Hello"), (11, "Bob", "it's $model$ $$ %s {}Good morning")]
    assert rows(connection, "tv_pair") == [(1, 10, "Ann"), (2, 11, "Bob")]
    assert value(connection, "SELECT options ->> 'feed' FROM tviews.pg_tview_meta WHERE entity = 'post_document'") == "data"
    assert run(connection, "SELECT entity, key_columns::text FROM tviews.pg_tview_meta ORDER BY 1") == [
        ("pair", "{fk_user,pk_post}"), ("post_document", "{pk_post}"), ("user", "{pk_user}")]
    check_equal_here = lambda: (run(connection, 'SET search_path = "Mart 1", tviews'), check_equal(connection), run(connection, "RESET search_path"))
    check_equal_here()

    # Twice is once.
    before = state(connection)
    assert set(project("run").values()) == {"unchanged"}
    assert state(connection) == before
    # A seed with other rows: tests that follow in the same build see its documents.
    project.write("seeds/users.csv", "pk_user,name\n1,Ann\n2,Carl\n")
    assert [message for name, message in project("build").items() if name in ("tv_user", "post_document", "tv_pair")] == ["unchanged"] * 3
    assert rows(connection, "tv_pair") == [(1, 10, "Ann"), (2, 11, "Carl")]

    # Other expressions, and more columns at the end: in place. Indexes, grants, comments, OIDs and readers stay.
    kept = run(connection, """SELECT oid, relacl::text, obj_description(oid) FROM pg_class WHERE oid = '"Mart 1".tv_user'::regclass""")
    config = dict(unique_key="pk_user", indexes=[{"columns": ["name"]}, {"columns": ["pk_user"], "type": "hash"}], grants={"select": ["reader", "other"]})
    project.model("tv_user", "select pk_user, initcap(name) as name, 7 as seven from {{ ref('users') }}", **config)
    done = project("run")
    assert (done["tv_user"], done["post_document"]) == ("replaced", "unchanged"), done
    assert counts(connection, "user") == [("CREATE",), ("REPLACE",)], counts(connection, "user")
    assert [row[0] for row in kept] == [value(connection, """SELECT '"Mart 1".tv_user'::regclass::oid""")]
    assert rows(connection, "tv_user") == [(1, "Ann", 7), (2, "Carl", 7)]
    assert run(connection, """SELECT grantee::regrole::text FROM pg_class, aclexplode(relacl) WHERE oid = '"Mart 1".tv_user'::regclass
        AND privilege_type = 'SELECT' AND grantee <> relowner ORDER BY 1""") == [("other",), ("reader",)]
    indexes = """SELECT count(*) FROM pg_index WHERE indrelid = '"Mart 1".tv_user'::regclass"""
    assert value(connection, indexes) == 4, "the key, two of before and one that is new"
    assert set(project("run").values()) == {"unchanged"} and value(connection, indexes) == 4

    # A grant that is no longer configured goes, also where the query stays.
    project.model("tv_user", "select pk_user, initcap(name) as name, 7 as seven from {{ ref('users') }}", **{**config, "grants": {"select": ["other"]}})
    assert project("run", "-s", "tv_user") == {"tv_user": "unchanged"}
    assert not value(connection, """SELECT has_table_privilege('reader', '"Mart 1".tv_user', 'SELECT')""")

    # Columns that replace cannot bring: dropped, created and its readers restored in one transaction, with what dbt does not know.
    run(connection, 'GRANT SELECT ON "Mart 1".tv_pair TO other; CREATE INDEX pair_of_us ON "Mart 1".tv_pair (author)')
    project.model("tv_user", "select name, pk_user from {{ ref('users') }}", **config)
    done = project("run", "-s", "tv_user")
    assert done == {"tv_user": "created anew"}, done
    assert rows(connection, "tv_user") == [("Ann", 1), ("Carl", 2)] and rows(connection, "tv_pair") == [(1, 10, "Ann"), (2, 11, "Carl")]
    assert value(connection, """SELECT has_table_privilege('other', '"Mart 1".tv_pair', 'SELECT') AND to_regclass('"Mart 1".pair_of_us') IS NOT NULL""")
    check_equal_here()

    # One that a reader cannot do without: nothing has changed.
    before = state(connection)
    project.model("tv_user", "select pk_user from {{ ref('users') }}", unique_key="pk_user")
    project("run", "-s", "tv_user", fails="does not exist")
    assert state(connection) == before
    # Likewise where something else than a TVIEW reads it.
    run(connection, 'CREATE VIEW public.report AS SELECT * FROM "Mart 1".tv_user')
    before = state(connection)
    project.model("tv_user", "select 1.5 as pk_user, name from {{ ref('users') }} where pk_user = 1", **config)
    project("run", "-s", "tv_user", fails="other objects depend on it")
    assert state(connection) == before
    run(connection, "DROP VIEW public.report")

    # Another key, and --full-refresh.
    project.model("tv_user", "select name, pk_user from {{ ref('users') }}", unique_key="name")
    project.model("post_document", "select p.pk_post, u.name as author, p.title from {{ ref('posts') }} as p join {{ ref('tv_user') }} as u on u.pk_user = p.fk_user",
                  unique_key=["pk_post"])
    assert project("run", "-s", "tv_user") == {"tv_user": "created anew"}
    assert value(connection, "SELECT key_columns::text FROM tviews.pg_tview_meta WHERE entity = 'user'") == "{name}"
    assert set(project("run", "--full-refresh").values()) == {"created anew"}
    assert value(connection, "SELECT options ->> 'feed' FROM tviews.pg_tview_meta WHERE entity = 'post_document'") is None
    check_equal_here()
    # A seed that is loaded with --full-refresh takes its TVIEWs with it; the same build brings them back. Two at once, with a
    # reader of both, can meet in a deadlock, as over ordinary views.
    assert [message for name, message in project("build", "--full-refresh", "--threads", "1").items() if name in ("tv_user", "post_document", "tv_pair")] == ["created"] * 3
    check_equal_here()

    # What was a table becomes a TVIEW, and a TVIEW a table.
    project.model("total", "select fk_user, count(*) as posts from {{ ref('posts') }} group by fk_user", materialized="table")
    assert project("run", "-s", "total")["total"].startswith("SELECT")
    project.model("total", "select fk_user, count(*) as posts from {{ ref('posts') }} group by fk_user", unique_key="fk_user")
    assert project("run", "-s", "total") == {"total": "created"}
    project.model("total", "select fk_user, count(*) as posts from {{ ref('posts') }} group by fk_user", materialized="view")
    assert project("run", "-s", "total")["total"] == "CREATE VIEW"
    project.model("total", "select fk_user, count(*) as posts from {{ ref('posts') }} group by fk_user", unique_key="fk_user")
    assert project("run", "-s", "total") == {"total": "created"}
    # Filled in slices, and complete when the run ends.
    project.model("sliced", "select number from {{ source('big', 'numbers') }} -- all", unique_key="number", online=True)
    project.write("models/big.yml", json.dumps({"sources": [{"name": "big", "schema": "public", "tables": [{"name": "numbers"}]}]}))
    run(connection, "SET client_min_messages = warning; CREATE TABLE numbers AS SELECT number FROM generate_series(1, 30000) AS number")
    run(connection, "ALTER TABLE numbers ADD PRIMARY KEY (number); ALTER TABLE numbers OWNER TO builder")
    assert project("run", "-s", "sliced") == {"sliced": "created"} and value(connection, 'SELECT count(*) FROM "Mart 1".sliced') == 30000
    assert value(connection, "SELECT count(*) FROM tviews_internal.pg_tview_fill WHERE completed_by IS NOT NULL") == 1
    assert project("run", "-s", "sliced") == {"sliced": "unchanged"}
    # Over what dbt makes anew in each run, the TVIEW is made anew too.
    project.model("base", "select * from {{ ref('posts') }}", materialized="table")
    project.model("over_base", "select pk_post, title from {{ ref('base') }}", unique_key="pk_post")
    assert [project("run", "-s", "base", "over_base")["over_base"] for _ in range(2)] == ["created"] * 2
    # A contract is one: types are compared before anything changes.
    project.write("models/total.yml", json.dumps({"models": [{"name": "total", "config": {"contract": {"enforced": True}}, "columns": [
        {"name": "fk_user", "data_type": "integer"}, {"name": "posts", "data_type": "text"}]}]}))
    project("run", "-s", "total", fails="contract")
    project.write("models/total.yml", json.dumps({"models": [{"name": "total", "config": {"contract": {"enforced": True}}, "columns": [
        {"name": "fk_user", "data_type": "integer"}, {"name": "posts", "data_type": "bigint"}]}]}))
    assert project("run", "-s", "total") == {"total": "unchanged"}

    # Many at once.
    for number in range(12):
        project.model(f"many_{number}", f"select pk_post, title || '{number}' as title from {{{{ ref('posts') }}}}", unique_key="pk_post")
    assert set(project("run", "-s", "many_*").values()) == {"created"}
    assert set(project("run", "-s", "many_*", "--full-refresh").values()) == {"created anew"}
    project("docs", "generate")
    check_equal_here()
