"""examples/live: two browsers see a shop's products change, each what its role may see, while the gateway and PostgreSQL
are killed and started again: every event arrives once, and in the end the pages show what the database has.

Needs node, npm and chromium."""
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import subprocess
import sys

from monitoring import free_port
from tviews_server import ROOT, Server, check_equal, run, value, wait_until

BUILD = pathlib.Path(sys.argv[1]).resolve()
ROLES = ("visitor", "seller_ann")


def install(source, name):
    target = BUILD / name
    shutil.copytree(source, target, dirs_exist_ok=True)
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=target, check=True)
    return target


class Gateway:
    def __init__(self):
        self.port = free_port()
        self.start()

    def start(self):
        self.process = subprocess.Popen(["node", "gateway.mjs"], cwd=EXAMPLE, stdout=sys.stderr, env={
            **os.environ, "PGHOST": server.socket, "PGUSER": "gateway", "PGDATABASE": "shop", "PORT": str(self.port),
            "SESSIONS": json.dumps({"ann": "seller_ann"}), "LOG_LEVEL": "error"})
        wait_until(self.answers, "the gateway")

    def answers(self):
        assert self.process.poll() is None, "the gateway ended"
        with contextlib.suppress(ConnectionError):
            return self.get("/")[0] == 200

    def stop(self):
        self.process.kill()
        self.process.wait()

    def get(self, path, **headers):
        """(status, headers, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path, headers={name.replace("_", "-"): text for name, text in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()


class Browsers:
    def __init__(self, port):
        self.process = subprocess.Popen(["node", "browsers.mjs", f"http://127.0.0.1:{port}/"], cwd=TOOLS, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == "ready\n"

    def look(self):
        self.process.stdin.write("look\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def visible(role):
    """What the role sees, sorted as the pages sort it."""
    run(connection, f"SET ROLE {role}")
    rows = run(connection, "SELECT data ->> 'name', (data ->> 'cents')::int FROM my_product")
    run(connection, "RESET ROLE")
    return sorted(map(list, rows), key=lambda row: f"{row[0]},{row[1]}")


def check(what):
    """The pages come to what the database has, and each has had every position of the feed once, in order."""
    check_equal(connection, what)
    positions = [str(row[0]) for row in run(connection, "SELECT position FROM pg_tviews_feed WHERE position > %s ORDER BY 1", (begin,))]
    arrived = lambda: all([event["id"] for event in page["log"]][-1:] == positions[-1:] for page in browsers.look())
    wait_until(arrived, f"{what}: the last event")
    for role, page in zip(ROLES, browsers.look()):
        assert [event["id"] for event in page["log"]] == positions, (what, role, page["log"], positions)
        assert page["shown"] == visible(role), (what, role, page["shown"], visible(role))


def events(path, count, **headers):
    """The first events of a stream, [(event, id, data)]."""
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    connection.request("GET", path, headers={name.replace("_", "-"): text for name, text in headers.items()})
    answer, found, fields = connection.getresponse(), [], {}
    assert answer.status == 200 and answer.headers["content-type"] == "text/event-stream", answer.status
    while len(found) < count:
        line = answer.readline().decode().rstrip("\n")
        if line:
            name, _, text = line.partition(": ")
            fields[name] = text
        elif "event" in fields:
            found.append((fields["event"], fields["id"], json.loads(fields["data"])))
            fields = {}
    connection.close()
    return found


def check_documents():
    for role, cookie in zip(ROLES, ({}, {"cookie": "session=ann"})):
        status, headers, body = gateway.get("/products", **cookie)
        assert status == 200, body
        assert sorted([[product["data"]["name"], product["data"]["cents"]] for product in json.loads(body)["products"]],
                      key=lambda row: f"{row[0]},{row[1]}") == visible(role)
        assert gateway.get("/products", if_none_match=headers["etag"], **cookie)[0] == 304
    # The ETag is the role's, and the frontier's.
    assert gateway.get("/products", if_none_match=headers["etag"])[0] == 200
    run(connection, "UPDATE product SET cents = cents + 1 WHERE name = 'Lamp'")
    check_equal(connection)
    assert gateway.get("/products", if_none_match=headers["etag"], cookie="session=ann")[0] == 200
    hidden = value(connection, "SELECT id::text FROM product WHERE NOT is_public")
    assert gateway.get(f"/products/{hidden}")[0] == 404
    assert gateway.get(f"/products/{hidden}", cookie="session=bob")[0] == 404
    status, _, body = gateway.get(f"/products/{hidden}", cookie="session=ann")
    assert status == 200 and json.loads(body)["id"] == hidden, body
    assert gateway.get("/products/1")[0] == 400
    assert gateway.get("/events")[0] == 400 and gateway.get("/events?after=x")[0] == 400


def check_streams():
    last = value(connection, "SELECT pg_tviews_feed_end()")
    everything = events(f"/events?after={begin}", 3)
    assert [(event, position) for event, position, _ in events(f"/events?after={last}", 2, last_event_id=everything[0][1])] == \
        [(event, position) for event, position, _ in everything[1:]], "Last-Event-ID goes before"
    # A visitor is told nothing about what he may not see, except that something nameless is gone.
    hidden = value(connection, "SELECT id::text FROM product WHERE NOT is_public")
    run(connection, "UPDATE product SET cents = 1 WHERE id = %s", (hidden,))
    check_equal(connection)
    (event, _, data), = events(f"/events?after={last}", 1)
    assert event == "gone" and set(data) == {"tag"} and hidden not in json.dumps(data), data
    (event, _, seen), = events(f"/events?after={last}", 1, cookie="session=ann")
    assert event == "changed" and seen["tag"] == data["tag"] and seen["data"]["id"] == hidden, seen
    # Who comes too late, or from another database, begins anew.
    assert events("/events?after=999999999", 1)[0][0] == "reset"


EXAMPLE = install(ROOT / "examples/live", "live")
TOOLS = install(ROOT / "test/clients/live", "live-browsers")

with Server("live") as server:
    connection = server.prepare("shop", (ROOT / "examples/live/shop.sql").read_text())
    run(connection, """INSERT INTO product (seller_id, name, cents, is_public)
                       VALUES (1, 'Lamp', 100, true), (1, 'Secret', 200, false), (2, 'Chair', 300, true), (2, 'Desk', 400, false)""")
    run(connection, "DELETE FROM product WHERE name = 'Desk'")
    check_equal(connection)
    gateway = Gateway()
    check_documents()
    begin = value(connection, "SELECT pg_tviews_feed_end()")
    first = begin
    browsers = Browsers(gateway.port)
    try:
        wait_until(lambda: all(page["state"] == "live" for page in browsers.look()), "both pages")
        run(connection, "UPDATE product SET cents = cents + 1 WHERE name = 'Chair'")
        check("a change")
        run(connection, "INSERT INTO product (seller_id, name, cents) VALUES (1, 'Bed', 500)")
        check("a new document")  # what changes twice between two looks is one event
        run(connection, "UPDATE seller SET name = 'Anna' WHERE id = 1")
        check("one row, several documents")
        run(connection, "UPDATE product SET is_public = NOT is_public WHERE name IN ('Lamp', 'Secret')")
        check("what is hidden, and what is shown")
        for round_number in range(2):
            gateway.stop()
            run(connection, "UPDATE product SET cents = cents + 1")
            check_equal(connection)
            run(connection, "DELETE FROM product WHERE name LIKE 'New%'")
            run(connection, "INSERT INTO product (seller_id, name, cents) VALUES (2, 'New ' || %s, 1)", (round_number,))
            check_equal(connection)
            gateway.start()
            wait_until(lambda: all(page["shown"] == visible(role) for role, page in zip(ROLES, browsers.look())), "the pages")
            # Of several changes of one document, the last is told of.
            newest = {row[0] for row in run(connection, "SELECT max(position) FROM pg_tviews_feed WHERE position > %s GROUP BY id", (begin,))}
            begin = value(connection, "SELECT pg_tviews_feed_end()")
            wait_until(lambda: all(page["log"][-1]["id"] == str(begin) for page in browsers.look()), "the last event")
            for page in browsers.look():
                ids = [int(event["id"]) for event in page["log"]]
                assert ids == sorted(set(ids)) and newest <= set(ids), (ids, newest)
            before = [len(page["log"]) for page in browsers.look()]
            server.kill()
            server.start()
            connection = server.connect("shop")
            run(connection, "UPDATE product SET cents = cents + 10")
            check_equal(connection)
            positions = [str(row[0]) for row in run(connection, "SELECT position FROM pg_tviews_feed WHERE position > %s ORDER BY 1", (begin,))]
            wait_until(lambda: all(page["log"][-1]["id"] == positions[-1] for page in browsers.look()), "the last event")
            for role, page, known in zip(ROLES, browsers.look(), before):
                assert [event["id"] for event in page["log"]][known:] == positions, (role, page["log"], known, positions)
                assert page["shown"] == visible(role), (role, page["shown"])
            begin = int(positions[-1])
        begin = first
        check_streams()
    finally:
        browsers.stop()
        gateway.stop()
