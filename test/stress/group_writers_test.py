"""What writers pay for a group state: pgbench clients insert and change rows of a table whose sums a TVIEW keeps, with the state and without, by
turns. The applier is paused meanwhile, so that it is the capture that is measured. Prints the transactions per second of each and their ratio,
and the same for rows that fail the condition of the TVIEW: without a state these are not even noted. Where the machine has other work, too,
the CPU time of a backend that does the same in a loop says more.

SCALE (default 0.02) is the share of 20 s that each turn takes, of which there are five each from SCALE=0.1 on; with SCALE=1 the CPU time of a
transaction whose rows count is at most MOST (1.1) times that without."""
import os
import re
import statistics

from tviews_server import Server, bash, check_equal, cpu_seconds, run, value

SCALE = float(os.environ.get("SCALE", 0.02))
SECONDS = max(1, int(20 * SCALE))
TURNS, WARM = (5, 1) if SCALE >= 0.1 else (1, 0)  # and turns before that, which do not count
MOST = float(os.environ.get("MOST", 1.1 if SCALE >= 1 else 0))
LOOPS = max(500, int(100000 * SCALE))
SCRIPT = """
CREATE TABLE tb_sale (pk_sale bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, fk_shop int NOT NULL, kind text NOT NULL, amount numeric(12,2) NOT NULL, note text);
INSERT INTO tb_sale (fk_shop, kind, amount) SELECT i % 100, CASE WHEN i % 2 = 0 THEN 'paid' ELSE 'open' END, i FROM generate_series(1, 20000) AS i;
CREATE INDEX ON tb_sale (fk_shop);
CREATE TABLE tv_shop AS SELECT fk_shop AS pk_shop, count(*) AS sales, sum(amount) AS amount FROM tb_sale WHERE kind = 'paid' GROUP BY fk_shop;
CREATE PROCEDURE repeat(loops int, of_kind text, first int) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..loops LOOP
        INSERT INTO tb_sale (fk_shop, kind, amount) VALUES (i % 99, of_kind, 12.50);
        UPDATE tb_sale SET amount = amount + 1 WHERE pk_sale = 2 * (i % 10000) + first;
        COMMIT;
    END LOOP;
END $$;
"""
KINDS = {"that count": "paid", "that fail the condition": "open"}
TRANSACTION = r"""\set shop random(1, 99)
\set key random(0, 9999)
INSERT INTO tb_sale (fk_shop, kind, amount) VALUES (:shop, 'KIND', 12.50);
UPDATE tb_sale SET amount = amount + 1 WHERE pk_sale = 2 * :key + OFFSET;
"""


def rate(kind):
    out = bash('as_server "$1" -n -c 2 -j 1 -M prepared -T "$2" -f "$3" -h "$4" -U postgres writers 2>&1', pgbench, SECONDS, scripts[kind], server.socket)
    found = re.search(r"tps = ([0-9.]+)", out)
    assert found and "aborted" not in out, out
    return float(found[1])


def cpu(kind):
    """Microseconds of CPU that a transaction takes."""
    session = server.connect("writers")
    before = cpu_seconds([session.info.backend_pid])
    run(session, f"CALL repeat({LOOPS}, '{KINDS[kind]}', {2 if KINDS[kind] == 'paid' else 1})")
    after = cpu_seconds([session.info.backend_pid])
    session.close()
    return 1e6 * (after - before) / LOOPS


with Server("group_writers", "pg_tviews.read_timeout = '10 min'\nmax_wal_size = 4GB\n") as server:
    connection = server.prepare("writers", SCRIPT)
    pgbench = bash('server_bin "$1"', server.directory) + "/pgbench"
    scripts = {}
    for kind, text in KINDS.items():
        scripts[kind] = f"{server.directory}/{text}.sql"
        bash('printf "%s" "$1" | as_server tee "$2" >/dev/null', TRANSACTION.replace("KIND", text).replace("OFFSET", "2" if text == "paid" else "1"), scripts[kind])
    times = {(kind, state): [] for kind in KINDS for state in ("off", "on")}
    rates = {(kind, state): [] for kind in KINDS for state in ("off", "on")}
    for turn in range(TURNS + WARM):
        for state in (("off", "on"), ("on", "off"))[turn % 2]:
            run(connection, f"ALTER TABLE tv_shop SET (pg_tviews.group_state = {state})")
            assert value(connection, "SELECT count(*) FROM pg_tviews_group_states") == (state == "on")
            for kind in KINDS:
                run(connection, "SELECT pg_tviews_pause()")
                found, took = rate(kind), cpu(kind)
                run(connection, "SELECT pg_tviews_resume()")
                run(connection, "SELECT pg_tviews_wait('10 min')")
                if turn >= WARM:
                    rates[kind, state].append(found)
                    times[kind, state].append(took)
    dearer = {}
    for kind in KINDS:
        without, with_state = (statistics.median(rates[kind, state]) for state in ("off", "on"))
        cheap, dear = (statistics.median(times[kind, state]) for state in ("off", "on"))
        dearer[kind] = dear / cheap
        print(f"note: {os.cpu_count()} cores, rows {kind}: {without:.0f} transactions per second without a group state, {with_state:.0f} with it"
              f" ({with_state / without:.2f}); {cheap:.0f} and {dear:.0f} us of CPU each ({dearer[kind]:.2f})")
    assert not MOST or dearer["that count"] <= MOST, times
    check_equal(connection, "at the end")
