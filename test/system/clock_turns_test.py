"""More databases with deadlines than places in shared memory: who gives its place away gets one again when the time has
come, without a write and without a reader."""
from tviews_server import Server, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_offer (pk_offer int PRIMARY KEY, expires_at timestamptz NOT NULL);
CREATE INDEX ON tb_offer (expires_at);
CREATE TABLE tv_offer AS SELECT tb_offer.pk_offer FROM tb_offer WHERE tb_offer.expires_at > now();
"""
CONF = """
pg_tviews.max_workers = 1
pg_tviews.max_databases = 1
"""
NAMES = ("first", "second", "third")

with Server("clock_turns", CONF) as server:
    connections = {name: server.prepare(name, SCRIPT) for name in NAMES}
    for connection in connections.values():
        run(connection, "SET pg_tviews.read_consistency = 'eventual'")
    for name, connection in connections.items():
        run(connection, "INSERT INTO tb_offer SELECT i, clock_timestamp() + interval '20 s' + i * interval '1 s' FROM generate_series(1, 3) AS i")
        run(connection, "SELECT pg_tviews_wait()")
        shown, expected = run(connection, "SELECT (SELECT count(*) FROM tv_offer), (SELECT count(*) FROM tb_offer WHERE expires_at > clock) FROM pg_tview_frontier")[0]
        assert shown == expected, (name, shown, expected)
    # One of them has the place; only time passes now.
    for name, connection in connections.items():
        wait_until(lambda: value(connection, "SELECT count(*) FROM tv_offer") == 0, f"the offers of {name} to expire", timeout=90)
        assert value(connection, "SELECT count(*) FROM tb_offer WHERE expires_at > clock_timestamp()") == 0, "too early"
