"""Keys of several columns under writers beside: several sessions change tenants, members, groups and links, keys too, while
batches, an auditor, retries and a refresh of the whole go on; a helper computes slices. Every TVIEW equals its query at the end, and
the durable feed replayed over what was there first gives the rows by their keys."""
import json
import random
import threading

import psycopg2

from tviews_server import Server, check_equal, run, value

SEED = random.randrange(1000000)
CONF = "max_parallel_workers = 8\npg_tviews.max_helpers = 2\nparallel_setup_cost = 0\nparallel_tuple_cost = 0\n"
SCRIPT = """
CREATE TABLE tb_tenant (id int PRIMARY KEY, name text);
CREATE TABLE tb_member (tenant_id int, code text, n int NOT NULL, PRIMARY KEY (tenant_id, code));
CREATE TABLE tb_group (id int PRIMARY KEY, name text);
CREATE TABLE tb_link (tenant_id int, code text, group_id int REFERENCES tb_group ON DELETE CASCADE, PRIMARY KEY (tenant_id, code, group_id),
  FOREIGN KEY (tenant_id, code) REFERENCES tb_member ON UPDATE CASCADE ON DELETE CASCADE);
INSERT INTO tb_tenant SELECT i, 't' || i FROM generate_series(1, 6) AS i;
INSERT INTO tb_member SELECT t, 'code ' || i, i FROM generate_series(1, 6) AS t, generate_series(1, 40) AS i;
INSERT INTO tb_group SELECT i, 'g' || i FROM generate_series(1, 8) AS i;
INSERT INTO tb_link SELECT tenant_id, code, n % 8 + 1 FROM tb_member;
CREATE TABLE tv_member WITH (pg_tviews.key = 'tenant_id, code', pg_tviews.feed = data) AS
SELECT m.tenant_id, m.code, m.n, t.name FROM tb_member m JOIN tb_tenant t ON t.id = m.tenant_id;
CREATE TABLE tv_membership WITH (pg_tviews.key = 'tenant_id, code, group_id') AS
SELECT m.tenant_id, m.code, g.id AS group_id, m.n, g.name FROM tb_member m JOIN tb_link l ON l.tenant_id = m.tenant_id AND l.code = m.code
JOIN tb_group g ON g.id = l.group_id;
CREATE TABLE tv_pair WITH (pg_tviews.key = 'tenant_id, group_id') AS
SELECT t.id AS tenant_id, g.id AS group_id, t.name || g.name AS names FROM tb_tenant t JOIN tb_group g ON g.id % 2 = t.id % 2;
CREATE TABLE tv_count WITH (pg_tviews.key = 'tenant, "group"') AS
SELECT t.name AS tenant, g.name AS "group", count(*) AS members FROM tb_tenant t JOIN tb_link l ON l.tenant_id = t.id
JOIN tb_group g ON g.id = l.group_id GROUP BY t.name, g.name;
CREATE TABLE tv_place WITH (pg_tviews.key = 'tenant_id, place') AS
SELECT tenant_id, row_number() OVER (PARTITION BY tenant_id ORDER BY n, code) AS place, code FROM tb_member;
"""
STATEMENTS = [
    "UPDATE tb_member SET n = n + {i} WHERE tenant_id = {t} AND code = 'code {m}'",
    "UPDATE tb_member SET code = 'code {i}' WHERE tenant_id = {t} AND code = 'code {m}'",
    "DELETE FROM tb_member WHERE tenant_id = {t} AND code = 'code {m}'",
    "INSERT INTO tb_member VALUES ({t}, 'code {m}', {i}) ON CONFLICT DO NOTHING",
    "UPDATE tb_tenant SET name = 't' || {i} || '-' || id WHERE id = {t}",
    "UPDATE tb_group SET name = 'g' || {i} || '-' || id WHERE id = {g}",
    "INSERT INTO tb_link SELECT tenant_id, code, {g} FROM tb_member WHERE tenant_id = {t} AND n % 5 = {i} % 5 ON CONFLICT DO NOTHING",
    "DELETE FROM tb_link WHERE group_id = {g} AND tenant_id = {t}",
    "DELETE FROM tb_group WHERE id = {g}",
    "INSERT INTO tb_group VALUES ({g}, 'new {i}') ON CONFLICT DO NOTHING",
]
failures = []


def write(number):
    rng = random.Random(SEED + number)
    connection = server.connect("composite", autocommit=False)
    try:
        for _ in range(150):
            try:
                for _ in range(rng.randint(1, 4)):
                    run(connection, rng.choice(STATEMENTS).format(
                        i=rng.randint(1, 99), t=rng.randint(1, 6), m=rng.randint(1, 50), g=rng.randint(1, 9)))
                connection.commit() if rng.random() < 0.9 else connection.rollback()
            except (psycopg2.errors.DeadlockDetected, psycopg2.errors.UniqueViolation, psycopg2.errors.ForeignKeyViolation):
                connection.rollback()
    except Exception as error:  # noqa: BLE001
        failures.append(error)
    connection.close()


print(f"seed {SEED}")
with Server("composite_writers", CONF) as server:
    connection = server.prepare("composite", SCRIPT)
    run(connection, "SELECT pg_tviews_wait()")
    rows = {(t, c): (n, name) for t, c, n, name in run(connection, "TABLE tv_member")}
    writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        run(connection, "SELECT pg_tviews_refresh('pair')")
        run(connection, "SELECT pg_tviews_verify('membership')")
        run(connection, "SELECT pg_tviews_retry('count')")
    assert not failures, failures
    check_equal(connection, f"seed {SEED}")
    assert value(connection, "SELECT count(*) FROM pg_tview_dead_letter") == 0

    # Replayed, the feed gives the rows that are there.
    for key, operation, new in run(connection, "SELECT key, operation, new_data FROM pg_tviews_feed ORDER BY position"):
        key = json.loads(key)
        name = (key["tenant_id"], key["code"])
        if operation == "delete":
            del rows[name]
        else:
            assert (operation == "insert") == (name not in rows), (operation, name)
            rows[name] = (new["n"], new["name"])
    assert rows == {(t, c): (n, name) for t, c, n, name in run(connection, "TABLE tv_member")}

    # All keys at once, in slices of helpers.
    run(connection, "INSERT INTO tb_member SELECT t, 'many ' || i, i FROM generate_series(1, 6) AS t, generate_series(1, 4000) AS i")
    run(connection, "SELECT pg_tviews_wait(); ANALYZE")
    run(connection, "UPDATE tb_member SET n = n + 1")
    check_equal(connection, "all keys")
