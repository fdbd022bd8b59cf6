"""A counter over one large group: how long an insert takes to be visible, with a group state and without.

One user has all posts but 10,000; SCALE (default 0.05) is the share of 1,000,000 posts. CPU time is the applier's."""
import os
import statistics
import time

from tviews_server import Server, check_equal, cpu_seconds, run, value

POSTS = int(1000000 * float(os.environ.get("SCALE", 0.05)))
INSERTS = 40
SCRIPT = f"""
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_post (pk_post int PRIMARY KEY, fk_user int NOT NULL, size int NOT NULL);
INSERT INTO tb_user SELECT i, 'user ' || i FROM generate_series(1, 1000) AS i;
INSERT INTO tb_post SELECT i, CASE WHEN i <= 10000 THEN i % 1000 + 1 ELSE 1 END, i % 100 FROM generate_series(1, {POSTS}) AS i;
CREATE INDEX ON tb_post (fk_user);
CREATE TABLE tv_user WITH (pg_tviews.group_state = 'off') AS
SELECT pk_user, jsonb_build_object('name', name, 'posts', (SELECT count(*) FROM tb_post WHERE fk_user = pk_user),
                                   'size', (SELECT sum(size) FROM tb_post WHERE fk_user = pk_user)) AS data FROM tb_user;
"""


def measure(first):
    """Seconds until an insert is visible, medians of the clock's and of the applier's CPU."""
    visible = []
    before = cpu_seconds([applier])
    for number in range(first, first + INSERTS):
        run(session, "INSERT INTO tb_post VALUES (%s, 1, 1)", (number,))
        began = time.monotonic()
        posts = value(session, "SELECT data->>'posts' FROM tv_user WHERE pk_user = 1")
        visible.append(time.monotonic() - began)
        assert int(posts) == value(session, "SELECT count(*) FROM tb_post WHERE fk_user = 1")
    return statistics.median(visible), (cpu_seconds([applier]) - before) / INSERTS


with Server("counters", "max_wal_size = 4GB\n") as server:
    session = server.prepare("counters", SCRIPT)
    run(session, "VACUUM ANALYZE tb_post, tb_user")
    run(session, "UPDATE tb_post SET size = 1 WHERE pk_post = 1")
    run(session, "SELECT pg_tviews_wait('60 s')")
    applier = value(session, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_tviews applier' AND datname = 'counters'")
    without, without_cpu = measure(POSTS + 1)
    run(session, "ALTER TABLE tv_user SET (pg_tviews.group_state = 'on')")
    run(session, f"INSERT INTO tb_post VALUES ({POSTS + 1000}, 1, 1)")
    run(session, "SELECT pg_tviews_wait('60 s')")  # which builds the state
    assert value(session, "SELECT bool_and(is_valid) FROM pg_tviews_group_states"), "no state is valid"
    with_state, with_cpu = measure(POSTS + 2000)
    print(f"note: {POSTS} posts of one user: visible after {1000 * without:.1f} ms ({1000 * without_cpu:.1f} ms of CPU),"
          f" with a group state {1000 * with_state:.1f} ms ({1000 * with_cpu:.1f} ms)")
    check_equal(session)
