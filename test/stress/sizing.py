"""What documents and their indexes take: room, CPU time, log. Two tables on stdout, for docs/howto/size-a-server.md and
docs/operations/index-optimization.md.

Usage: test/stress/sizing.py BUILD_DIR [--sizes 10000,100000,1000000]

Times are CPU seconds of the process that does the work, so that another load takes little part in them; sizes, pages and
log do not depend on it at all. After each size every TVIEW is compared with its query.
"""
import argparse
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from tviews_server import Server, check_equal, run, value  # noqa: E402

CONF = "shared_buffers = 1GB\nmax_wal_size = 8GB\nclient_min_messages = warning\npg_tviews.max_helpers = 0\npg_tviews.audit_rate = 0\n" \
       "maintenance_work_mem = 256MB\nautovacuum = off\nfsync = off\nmax_parallel_maintenance_workers = 0\njit = off\n"
DOCUMENT = """SELECT p.pk_post, p.fk_user, p.created_at, jsonb_build_object('title', p.title, 'body', p.body, 'author', u.name,
    'tags', p.tags) AS data FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user"""
TABLES = """
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int NOT NULL, created_at timestamptz NOT NULL, title text NOT NULL,
                      body text NOT NULL, tags text[] NOT NULL);
INSERT INTO tb_user SELECT n, 'user ' || n FROM generate_series(1, 1000) AS n;
INSERT INTO tb_post SELECT n, 1 + n % 1000, '2026-01-01'::timestamptz + n * interval '1 s', 'title ' || n,
    repeat(md5(n::text), 8), ARRAY['t' || n % 50, 'u' || n % 1000] FROM generate_series(1, {rows}) AS n;
CREATE INDEX ON tb_post (fk_user);
VACUUM ANALYZE tb_user, tb_post;
"""
INDEXES = {
    "btree on a column": ("(created_at)", "tv.created_at < '2026-01-01 00:00:21'"),
    "btree on an expression": ("((data ->> 'title'))", "tv.data ->> 'title' = 'title 77'"),
    "GIN, `jsonb_path_ops`": ("USING gin (data jsonb_path_ops)", """tv.data @> '{"tags": ["u77"]}'"""),
    "GIN, default": ("USING gin (data)", """tv.data @> '{"tags": ["u77"]}'"""),
    "GIN on one member": ("USING gin ((data -> 'tags'))", """tv.data -> 'tags' ? 'u77'"""),
}


def cpu(pid):
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9


def spent(pid, action):
    before = cpu(pid)
    action()
    return cpu(pid) - before


def session(connection):
    return connection.info.backend_pid


def applier(connection):
    return value(connection, "SELECT pid FROM pg_tviews_workers WHERE kind = 'applier' AND database = current_database()")


def refresh(connection, number):
    """CPU seconds of the applier and bytes of log for 1,000 documents that change, spread over the TVIEW."""
    run(connection, "SELECT pg_tviews_wait()")
    pid, rows = applier(connection), value(connection, "SELECT count(*) FROM tb_post")
    begun = value(connection, "SELECT pg_current_wal_insert_lsn()")

    def change():
        run(connection, f"UPDATE tb_post SET title = title || {number} WHERE pk_post % {rows // 1000} = 0")
        run(connection, "SELECT pg_tviews_wait()")
    seconds = spent(pid, change)
    return seconds, int(value(connection, f"SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '{begun}')"))


def pages(connection, condition):
    plan = value(connection, f"EXPLAIN (ANALYZE, BUFFERS, FORMAT json) SELECT tv.data FROM tv_post tv WHERE {condition}")[0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], plan["Actual Rows"]


def try_size(server, rows, documents, indexes):
    database = f"size_{rows}"
    connection = server.prepare(database, TABLES.replace("{rows}", str(rows)).replace("VACUUM ANALYZE", "ANALYZE"))
    filled = spent(session(connection), lambda: run(connection, "CREATE TABLE tv_post AS " + DOCUMENT))
    run(connection, "VACUUM ANALYZE tv_post")
    for number in range(3):  # the first plans
        plain, log = refresh(connection, number)
    size = "pg_table_size('{0}'), pg_indexes_size('{0}')"
    (table, keys), = run(connection, "SELECT " + size.format("tv_post"))
    (source,), = run(connection, "SELECT pg_table_size('tb_post')")
    average = value(connection, "SELECT avg(pg_column_size(data)) FROM tv_post")
    documents.append(f"| {rows:,} | {average:.0f} B | {source / 1e6:.1f} MB | {table / 1e6:.1f} MB | {table / rows:.0f} B | "
                     f"{keys / 1e6:.1f} MB | {filled:.2f} s | {plain * 1000:.0f} ms | {log / 1e6:.1f} MB |")
    for name, (index, condition) in INDEXES.items():
        before, found = pages(connection, condition)
        built = spent(session(connection), lambda: run(connection, f"CREATE INDEX tried ON tv_post {index}"))
        run(connection, "ANALYZE tv_post")
        after, same = pages(connection, condition)
        assert found == same, (name, found, same)
        taken = value(connection, "SELECT pg_relation_size('tried')")
        seconds, log = refresh(connection, 7)
        indexes.append(f"| {rows:,} | {name} | {taken / 1e6:.1f} MB | {built:.2f} s | {before:,} → {after:,} | "
                       f"{seconds * 1000:.0f} ms ({plain * 1000:.0f}) | {log / 1e6:.1f} MB |")
        run(connection, "DROP INDEX tried")
        run(connection, "VACUUM tv_post, tb_post")
    check_equal(connection, f"with {rows} documents")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--sizes", default="10000,100000,1000000")
    options = parser.parse_args()
    documents, indexes = [], []
    os.environ.setdefault("BUILD", options.build)
    with Server("sizing", CONF) as server:
        for rows in map(int, options.sizes.split(",")):
            try_size(server, rows, documents, indexes)
    print("| documents | a document | its source table | the TVIEW | per document | its indexes | fill | 1,000 change | log of that |")
    print("|---|---|---|---|---|---|---|---|---|", *documents, "", sep="\n")
    print("| documents | index | size | build | pages that a search reads | 1,000 change (without it) | log of that |")
    print("|---|---|---|---|---|---|---|", *indexes, sep="\n")


if __name__ == "__main__":
    main()
