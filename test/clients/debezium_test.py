"""Debezium follows TVIEWs, their frontier, the messages of the batches and the feed: its engine and its connector, from Maven.

Danger: a tool that is killed misses a document, meets half a batch, or takes a value for another (numeric, NULL, a large document).
Right answer: what docs/integrations/streams.md says. What it has printed, last state by key, is the TVIEW; of the feed every
position is there, in order. It is killed with its server in between. Needs a JDK and mvn, which has to be able to fetch packages."""
import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys

import item_stream
from item_stream import change, settle
from monitoring import free_port
from tviews_server import ROOT, Server, check_equal, run, value, wait_until

SCRIPT = item_stream.SCRIPT + """
CREATE ROLE debezium LOGIN REPLICATION PASSWORD 'streams';
CREATE PUBLICATION documents FOR TABLE tv_item, tv_price, pg_tview_frontier (lane, snapshot), tviews_internal.pg_tview_feed
    WITH (publish = 'insert, update, delete');
GRANT SELECT ON tv_item, tv_price, pg_tview_frontier, tviews_internal.pg_tview_feed TO debezium;
GRANT USAGE ON SCHEMA tviews_internal TO debezium;
"""
PROPERTIES = """
name=documents
connector.class=io.debezium.connector.postgresql.PostgresConnector
offset.storage=org.apache.kafka.connect.storage.FileOffsetBackingStore
offset.storage.file.filename={offsets}
offset.flush.interval.ms=100
topic.prefix=shop
database.hostname=127.0.0.1
database.port={port}
database.user=debezium
database.password=streams
database.dbname=items
plugin.name=pgoutput
slot.name=debezium
publication.name=documents
publication.autocreate.mode=disabled
table.include.list=public.tv_item,public.tv_price,public.pg_tview_frontier,tviews_internal.pg_tview_feed
decimal.handling.mode=string
include.unknown.datatypes=true
converter.schemas.enable=false
tombstones.on.delete=false
errors.max.retries=0
"""
HERE, BUILD = ROOT / "test/clients/debezium", pathlib.Path(sys.argv[1]).resolve() / "debezium"


class Engine:
    def __init__(self):
        shutil.rmtree(BUILD, ignore_errors=True)
        BUILD.mkdir(parents=True)
        subprocess.run(["mvn", "-q", "-B", "-f", HERE / "pom.xml", "dependency:copy-dependencies", f"-DoutputDirectory={BUILD}/lib",
                        "-DincludeScope=runtime"], check=True)
        self.properties, self.output = BUILD / "engine.properties", BUILD / "events"
        self.properties.write_text(PROPERTIES.format(offsets=BUILD / "offsets", port=port))
        self.start()

    def start(self):
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(["java", "-cp", f"{BUILD}/lib/*", HERE / "Follow.java", self.properties], stdout=output, stderr=sys.stderr)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def events(self, table):
        """[(key, value)], of complete lines: what was cut off by a kill comes again."""
        assert self.process.poll() is None, "the engine ended"
        found = []
        for line in self.output.read_bytes().split(b"\n")[:-1]:
            if not line.startswith(b"{") or not line.endswith(b"}"):
                continue
            event = json.loads(line)
            if event["topic"].endswith(table):
                found.append((event["key"], event["value"]))
        return found

    def state(self, table, key):
        rows = {}
        for _, event in self.events(table):
            row = event["after"] or event["before"]
            rows.pop(row[key], None)
            if event["op"] != "d":
                assert event["op"] in ("r", "c", "u"), event
                rows[row[key]] = event["after"]
        return rows


def items():
    return {row[0]: {"pk_item": row[0], "id": row[1], "since": row[2], "price": row[3], "data": json.loads(row[4])} for row in run(connection, """
        SELECT pk_item, id::text, to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), price::text, data::text FROM tv_item""")}


def prices():
    return {row[0]: {"pk_price": row[0], "items": row[1], "total": row[2]} for row in run(connection, "SELECT pk_price, items, total::text FROM tv_price")}


def seen_items():
    found = engine.state("public.tv_item", "pk_item")
    return {key: {**row, "data": json.loads(row["data"])} for key, row in found.items()}


def check(what):
    settle(connection, what)
    wait_until(lambda: seen_items() == items() and engine.state("public.tv_price", "pk_price") == prices(), f"{what}: Debezium to have it all")
    positions = [position for position, in run(connection, "SELECT position FROM pg_tviews_feed ORDER BY position")]
    seen = lambda: [event["after"]["position"] for _, event in engine.events("tviews_internal.pg_tview_feed")]
    wait_until(lambda: seen()[-1:] == positions[-1:], f"{what}: the feed")
    assert sorted(set(seen())) == positions, (what, seen(), positions)
    first = list(dict.fromkeys(seen()))
    assert first == positions, (what, "out of order", first, positions)


port = free_port()
os.environ["PGPORT"] = str(port)  # of the socket too
with Server("debezium", f"wal_level = logical\nlisten_addresses = '127.0.0.1'\nport = {port}\npg_tviews.logical_messages = on\n") as server:
    connection = server.prepare("items", SCRIPT)
    change(connection, 30)
    check_equal(connection)
    engine = Engine()
    try:
        check("the first snapshot")
        change(connection, 60)
        check("while it runs")
        change(connection, 20)
        engine.kill()
        change(connection, 60)
        engine.start()
        check("after a kill of Debezium")
        change(connection, 20)
        engine.kill()
        server.kill()
        server.start()
        connection = server.connect("items")
        change(connection, 40)
        engine.start()
        check("after a kill of both")
        frontier = lambda: base64.b64decode(engine.state("public.pg_tview_frontier", "lane")["main"]["snapshot"]).decode()
        now = value(connection, "SELECT snapshot::text FROM pg_tview_frontier WHERE lane = 'main'")
        wait_until(lambda: frontier() == now, f"the frontier {now}")
        messages = [json.loads(base64.b64decode(event["message"]["content"])) for _, event in engine.events("message")]
        assert messages[-1]["frontier"] == now, (messages[-1:], now)
        print(f"note: {len(engine.events('public.tv_item'))} events of documents, {len(messages)} messages")
    finally:
        engine.kill()
