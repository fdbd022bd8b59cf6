"""What writers pay for lanes: two pgbench clients change rows of two tables, of which one TVIEW each is made, both in the main lane or
each in a lane of its own, by turns. Prints the transactions per second of each, and their ratio.

SCALE (default 0.02) is the share of 30 s that each turn takes, of which there are five each; with SCALE=1 the ratio of the medians has to be
at least MIN_RATIO (0.95).
"""
import os
import re
import statistics

from tviews_server import Server, bash, check_equal, run, value

SCALE = float(os.environ.get("SCALE", 0.02))
SECONDS = max(1, int(30 * SCALE))
TURNS = int(os.environ.get("TURNS", 5 if SCALE >= 1 else 2))
MIN_RATIO = float(os.environ.get("MIN_RATIO", 0.95 if SCALE >= 1 else 0))
SCRIPT = """
CREATE TABLE tb_user (pk_user int PRIMARY KEY, name text NOT NULL, visits int NOT NULL);
CREATE TABLE tb_item (pk_item int PRIMARY KEY, price int NOT NULL);
INSERT INTO tb_user SELECT i, 'user ' || i, 0 FROM generate_series(1, 10000) i;
INSERT INTO tb_item SELECT i, i FROM generate_series(1, 10000) i;
CREATE TABLE tv_user AS SELECT pk_user, jsonb_build_object('name', name, 'visits', visits) AS data FROM tb_user;
CREATE TABLE tv_item AS SELECT pk_item, jsonb_build_object('price', price) AS data FROM tb_item;
"""
TRANSACTION = r"""\set key random(1, 10000)
UPDATE tb_user SET visits = visits + 1 WHERE pk_user = :key;
UPDATE tb_item SET price = price + 1 WHERE pk_item = :key;
"""


def rate():
    out = bash('as_server "$1" -n -c 2 -j 1 -T "$2" -f "$3" -h "$4" -U postgres writers 2>&1', pgbench, SECONDS, script, server.socket)
    found = re.search(r"tps = ([0-9.]+)", out)
    assert found and "aborted" not in out, out
    run(connection, "SELECT pg_tviews_wait('10 min')")
    return float(found[1])


with Server("lane_writers", "pg_tviews.read_timeout = '10 min'\n") as server:
    connection = server.prepare("writers", SCRIPT)
    check_equal(connection, "at the start")
    script = f"{server.directory}/transaction.sql"
    bash('printf "%s" "$1" | as_server tee "$2" >/dev/null', TRANSACTION, script)
    pgbench = bash('server_bin "$1"', server.directory) + "/pgbench"
    rates = {"in one lane": [], "in two lanes": []}
    rate()
    for turn in range(TURNS):
        for lanes in (list(rates), list(rates)[::-1])[turn % 2]:
            run(connection, "ALTER TABLE tv_item " + ("SET (pg_tviews.lane = 'items')" if lanes == "in two lanes" else "RESET (pg_tviews.lane)"))
            run(connection, "SELECT pg_tviews_wait('10 min')")
            rates[lanes].append(rate())
    one, two = (statistics.median(of_kind) for of_kind in rates.values())
    print(f"note: {os.cpu_count()} cores, {TURNS} turns of {SECONDS} s: {one:.0f} transactions per second in one lane, {two:.0f} in two, {two / one:.3f}")
    assert not MIN_RATIO or two / one >= MIN_RATIO, rates
    assert value(connection, "SELECT sum(visits) FROM tb_user") > 0
    check_equal(connection, "at the end")
