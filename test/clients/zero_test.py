"""Zero (npm's @rocicorp/zero) serves TVIEWs to a client: zero-cache replicates them, and the client's view of a query is the TVIEW.

Danger: zero-cache's event triggers and the extension's DDL disturb each other; a document is missed, or its value is another; zero-cache
or the server is killed. Right answer: what docs/integrations/streams.md says. Needs node and npm, which has to be able to fetch packages."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import item_stream
from item_stream import change, settle
from monitoring import answers, free_port
from tviews_server import ROOT, Server, check_equal, children, run, wait_until

SCRIPT = item_stream.SCRIPT + "CREATE PUBLICATION zero_documents FOR TABLE tv_item, tv_price"
BUILD = pathlib.Path(sys.argv[1]).resolve() / "zero"


class Process:
    """A program with its processes, which may have sessions of their own: killed as one."""

    def __init__(self, command, output, environment):
        self.process = subprocess.Popen(command, cwd=BUILD, stdout=output, stderr=sys.stderr, env={**os.environ, **environment})

    def kill(self):
        found = [self.process.pid]
        for pid in found:
            found += children(pid)
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        wait_until(lambda: not any(pathlib.Path(f"/proc/{pid}/exe").exists() for pid in found), "its processes to be gone")


def start_cache():
    started = Process([NODE, "node_modules/.bin/zero-cache"], sys.stderr, {
        "PATH": f"{NODE.parent}:{os.environ['PATH']}",  # of its processes too
        "ZERO_UPSTREAM_DB": f"postgres://postgres@127.0.0.1:{port}/items", "ZERO_APP_PUBLICATIONS": "zero_documents", "ZERO_PORT": str(cache_port),
        "ZERO_REPLICA_FILE": str(BUILD / "replica.db"), "ZERO_QUERY_URL": f"http://127.0.0.1:{query_port}/query", "ZERO_ADMIN_PASSWORD": "streams",
        "ZERO_NUM_SYNC_WORKERS": "1", "ZERO_LOG_LEVEL": "warn", "DO_NOT_TRACK": "1", "ZERO_ENABLE_TELEMETRY": "false"})
    try:
        wait_until(lambda: answers(cache_port, "/"), "zero-cache")
    except AssertionError:
        started.kill()
        raise
    return started


def shown(name):
    lines = [json.loads(line) for line in views.read_bytes().split(b"\n")[:-1]]
    return [line["rows"] for line in lines if line["name"] == name][-1:]


def plain(rows):
    """Without the names that the client adds for itself; times are floating point numbers of milliseconds."""
    return [{name: round(member, 3) if name == "since" else member for name, member in row.items() if not name.startswith("_")} for row in rows]


def check(what):
    settle(connection, what)
    items = [{"pk_item": row[0], "id": row[1], "since": row[2] / 1000, "price": row[3], "data": row[4]} for row in run(connection, """
        SELECT pk_item, id::text, (extract(epoch FROM since) * 1000000)::bigint, price::float8, data FROM tv_item ORDER BY pk_item""")]
    prices = [{"pk_price": row[0], "items": row[1], "total": row[2]} for row in run(connection, "SELECT pk_price, items, total::float8 FROM tv_price ORDER BY 1")]
    same = lambda: [plain(rows) for rows in shown("items")] == [plain(items)] and [plain(rows) for rows in shown("prices")] == [prices]
    try:
        wait_until(same, f"{what}: the client's view")
    except AssertionError as error:
        wrong = [(a, b) for a, b in zip(plain(shown("items")[0]), plain(items)) if a != b] if shown("items") else "nothing shown"
        raise AssertionError(f"{error}: {wrong} {shown('prices')}, not {prices}") from error


shutil.rmtree(BUILD, ignore_errors=True)
shutil.copytree(ROOT / "test/clients/zero", BUILD)
# With an older Node than 22 zero-cache hangs at its first copy.
subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=BUILD, check=True)
NODE = next(BUILD.glob("node_modules/node-linux-*/bin/node"))
port, cache_port, query_port = free_port(), free_port(), free_port()
os.environ["PGPORT"] = str(port)  # of the socket too
views = BUILD / "views"
with Server("zero", f"wal_level = logical\nlisten_addresses = '127.0.0.1'\nport = {port}\n") as server:
    connection = server.prepare("items", SCRIPT)
    change(connection, 30)
    check_equal(connection)
    cache = start_cache()
    with open(views, "wb") as output:
        client = Process([NODE, "follow.mjs", str(cache_port), str(query_port)], output, {})
    try:
        check("the first copy")
        change(connection, 60)
        check("while it runs")
        change(connection, 20)
        cache.kill()
        change(connection, 40)
        cache = start_cache()
        check("after a kill of zero-cache")
        change(connection, 20)
        server.kill()
        cache.kill()
        server.start()
        connection = server.connect("items")
        change(connection, 40)
        cache = start_cache()
        check("after a kill of both")
        # Its event triggers do not disturb the extension's commands.
        run(connection, "CREATE TABLE tv_words AS SELECT pk_item AS pk_words, words FROM tb_item")
        run(connection, "ALTER TABLE tv_words SET (pg_tviews.feed = keys)")
        run(connection, "DROP TABLE tv_words")
        change(connection, 20)
        check("after other TVIEWs")
        print(f"note: {len(views.read_bytes().splitlines())} views")
    finally:
        client.kill()
        cache.kill()
