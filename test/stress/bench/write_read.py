"""A client that writes a row and reads its document at once: latency of the pair, and reads alone.

Usage: write_read.py BUILD_DIR [SECONDS] [ROUNDS]

First `pgbench -S`: prepared single-row reads in which nothing is pending, of a TVIEW and of a plain table with the same
rows in the same database. Then three databases with the same 10,000 rows: `plain` reads a table of documents that nobody
keeps, `trigger` one that a row trigger keeps (synchronous), `tview` a TVIEW in session consistency. The pair is two
transactions of one connection, so in `tview` the read waits for the applier. Contenders take turns; medians over rounds.
"""
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "test/support"))
from tviews_server import Server, bash, check_equal, run  # noqa: E402

CONF = "fsync = on\nfull_page_writes = on\nshared_buffers = 512MB\nlog_min_messages = warning\n"
ROWS = 10000
TABLE = f"""CREATE TABLE tb_item (pk_item int PRIMARY KEY, name text NOT NULL, n int NOT NULL);
    INSERT INTO tb_item SELECT i, 'item ' || i, 0 FROM generate_series(1, {ROWS}) i;"""
DOCUMENT = "tb_item.pk_item, jsonb_build_object('name', tb_item.name, 'n', tb_item.n) AS data"
DATABASES = {
    "plain": "CREATE TABLE doc (pk_item int PRIMARY KEY, data jsonb) WITH (fillfactor = 70);"
             f"INSERT INTO doc SELECT {DOCUMENT} FROM tb_item;",
    "trigger": "CREATE TABLE doc (pk_item int PRIMARY KEY, data jsonb) WITH (fillfactor = 70);"
               f"INSERT INTO doc SELECT {DOCUMENT} FROM tb_item;"
               """CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                  UPDATE doc SET data = jsonb_build_object('name', new.name, 'n', new.n) WHERE pk_item = new.pk_item;
                  RETURN NULL; END $$;
                  CREATE TRIGGER keep AFTER UPDATE ON tb_item FOR EACH ROW EXECUTE FUNCTION keep();""",
    "tview": f"CREATE TABLE tv_item AS SELECT {DOCUMENT} FROM tb_item;"
             "CREATE TABLE doc (LIKE tv_item INCLUDING ALL); INSERT INTO doc SELECT * FROM tv_item;",
}
PAIR = f"""\\set item random(1, {ROWS})
UPDATE tb_item SET n = n + 1 WHERE pk_item = :item;
SELECT data FROM {{table}} WHERE pk_item = :item;
"""
READ = f"""\\set item random(1, {ROWS})
SELECT data FROM {{table}} WHERE pk_item = :item;
"""


def pgbench(server, database, text, clients, seconds):
    """(transactions per second, latencies in ms)"""
    with tempfile.TemporaryDirectory() as directory:
        script = pathlib.Path(directory) / "script.sql"
        script.write_text(text)
        program = bash('server_bin "$1"', server.directory) + "/pgbench"
        done = subprocess.run([program, "-h", server.socket, "-U", "postgres", "-n", "-M", "prepared", "-c", str(clients),
                               "-T", str(seconds), "-f", str(script), "-l", "--log-prefix", f"{directory}/log", database],
                              check=True, capture_output=True, text=True)
        tps = float(next(line for line in done.stdout.splitlines() if line.startswith("tps")).split()[2])
        lines = [line for log in pathlib.Path(directory).glob("log*") for line in log.read_text().splitlines()]
        return tps, sorted(int(line.split()[2]) / 1000 for line in lines)


def quantile(values, share):
    return values[min(len(values) - 1, int(len(values) * share))]


def main():
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    with Server("write_read", CONF) as server:
        connections = {name: server.prepare(name, TABLE + script) for name, script in DATABASES.items()}
        for connection in connections.values():
            run(connection, "VACUUM ANALYZE")
        pairs = {name: ([], []) for name in DATABASES}
        reads = {"doc": [], "tv_item": []}
        for i in range(4 * rounds):
            for table in reads if i % 2 else reversed(reads):
                reads[table].append(pgbench(server, "tview", READ.format(table=table), 1, seconds)[0])
        for _ in range(rounds):
            for name in DATABASES:
                text = PAIR.format(table="tv_item" if name == "tview" else "doc")
                _, latencies = pgbench(server, name, text, 1, seconds)
                pairs[name][0].append(quantile(latencies, 0.5))
                pairs[name][1].append(quantile(latencies, 0.99))
        check_equal(connections["tview"])
        print(f"write, then read, one client, {rounds} rounds of {seconds} s, medians in ms:")
        base = statistics.median(pairs["plain"][0])
        for name, (p50, p99) in pairs.items():
            print(f"  {name:8} p50 {statistics.median(p50):6.3f} ({statistics.median(p50) / base:.2f})  p99 {statistics.median(p99):6.3f}")
        plain, tview = (statistics.median(reads[table]) for table in ("doc", "tv_item"))
        ratios = [b / a for a, b in zip(reads["doc"], reads["tv_item"])]
        print(f"pgbench -S, one client, nothing pending: plain {plain:.0f}/s, TVIEW {tview:.0f}/s,"
              f" ratio of medians {tview / plain:.3f}, median of ratios {statistics.median(ratios):.3f}")


if __name__ == "__main__":
    main()
