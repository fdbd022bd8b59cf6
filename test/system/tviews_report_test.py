"""tools/tviews_report.sh writes one page that says what the views say, to a member of pg_monitor, whatever relations are called."""
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree

import trap
from tviews_server import ROOT, Server, bash, run, value, wait_until

HTML = "{http://www.w3.org/1999/xhtml}"
SCRIPT = """
CREATE SCHEMA "tv & views";
DROP EXTENSION pg_tviews;
CREATE EXTENSION pg_tviews SCHEMA "tv & views";
GRANT USAGE ON SCHEMA "tv & views" TO watcher;
SET client_min_messages = warning;
CREATE TABLE tb_cup (pk_cup int PRIMARY KEY, size int NOT NULL);
INSERT INTO tb_cup SELECT i, i FROM generate_series(1, 3000) AS i;
CREATE TABLE tv_cup AS SELECT tb_cup.pk_cup, 100 / tb_cup.size AS share FROM tb_cup;
CREATE TABLE tv_rank AS SELECT tv_cup.pk_cup AS id, rank() OVER (ORDER BY tv_cup.share) AS place FROM tv_cup;
CREATE TABLE "tb_&lt;a&""'<b>" (id int PRIMARY KEY, "fk_<i>" int REFERENCES tb_cup);
INSERT INTO "tb_&lt;a&""'<b>" VALUES (1, 1);
CREATE INDEX ON "tb_&lt;a&""'<b>" ("fk_<i>");
CREATE TABLE "tv_<script>alert(1)</script>" AS SELECT hostile.id, tv_cup.share FROM "tb_&lt;a&""'<b>" AS hostile JOIN tv_cup ON tv_cup.pk_cup = "fk_<i>";
CREATE SCHEMA "</title>";
CREATE TABLE "</title>"."tv_]]>\\n\t\n--><svg onload=x>\x01é漢" WITH (pg_tviews.lane = 'slow_ones') AS SELECT tb_cup.pk_cup AS id, tb_cup.size FROM tb_cup;
"""
NAMES = ["tv_cup", "tv_rank", '"tv_<script>alert(1)</script>"', '"</title>"."tv_]]>\\n  --><svg onload=x>\N{REPLACEMENT CHARACTER}é漢"']

SUMMARY = """SELECT total_refreshes, errors FROM "tv & views".pg_tviews_performance_summary WHERE entity = 'cup'"""


def program(server, tool, database, user, **environment):
    path = bash('server_bin "$1"', server.directory) + ":" + os.environ["PATH"]
    return subprocess.run([ROOT / "tools" / tool, "-h", server.socket, "-U", user, "-d", database],
                          env={"PATH": path, **environment}, stdin=subprocess.DEVNULL, capture_output=True, timeout=120)


def read(done):
    """The page as a tree: it is well-formed, complete, and has nothing but its own text, lines and colours in it."""
    assert done.returncode == 0 and done.stderr == b"", done
    page = done.stdout.decode()
    tree = xml.etree.ElementTree.fromstring(page)
    tags = {element.tag.removeprefix(HTML) for element in tree.iter()}
    allowed = """html head meta title style body header h1 h2 p section div span b small strong em details summary dl dt dd
                 svg defs marker path a g rect text table thead tbody tr th td i code""".split()
    assert tags <= set(allowed), tags - set(allowed)
    attributes = {name for element in tree.iter() for name in element.attrib}
    assert not [name for name in attributes if name.startswith("on") or name in ("src", "srcset", "action")], attributes
    links = {element.get("href") for element in tree.iter() if element.get("href")}
    anchors = {"#" + element.get("id") for element in tree.iter() if element.get("id")}
    assert links <= anchors, links - anchors
    assert not re.search(r"url\((?!#)|@import|https?://(?!www\.w3\.org/1999/xhtml)", page), page
    return tree


def words(element):
    return " ".join("".join(element.itertext()).split())


def table(tree, title):
    """The rows of the table under a heading, as {column: text}."""
    body = list(tree.find(HTML + "body"))
    at = next(number for number, element in enumerate(body) if element.tag == HTML + "h2" and words(element) == title)
    found = next(element for element in body[at:] if element.find(HTML + "table") is not None)
    return [{cell.get("data-label"): "".join(cell.itertext()) for cell in row} for row in found.find(f"{HTML}table/{HTML}tbody")]


def boxes(tree):
    """{name: (left, top, right, bottom)} of the graph."""
    found = {}
    for group in tree.iter(HTML + "g"):
        rect = group.find(HTML + "rect")
        x, y, width, height = (float(rect.get(name)) for name in ("x", "y", "width", "height"))
        found["".join(group.find(HTML + "text").itertext())] = (x, y, x + width, y + height)
    return found


def check_graph(tree, sources):
    drawn = boxes(tree)
    assert set(drawn) == set(NAMES) | set(sources), drawn
    svg = next(tree.iter(HTML + "svg"))
    across, down = float(svg.get("width")), float(svg.get("height"))
    for name, (left, top, right, bottom) in drawn.items():
        assert -4 <= left < right <= across and -4 <= top < bottom <= down, (name, drawn[name], across, down)
        for other, box in drawn.items():
            apart = right <= box[0] or box[2] <= left or bottom <= box[1] or box[3] <= top
            assert name == other or apart, f"{name} covers {other}: {drawn}"
    edges = {}
    for path in tree.iter(HTML + "path"):
        if "edge" in path.get("class", ""):
            title = "".join(path.itertext())
            ends = title.split("\n")[0].split(" → ")
            edges[tuple(ends)] = path.get("class").split()[1]
            numbers = [float(number) for number in re.findall(r"-?[\d.]+", path.get("d"))]
            assert abs(numbers[0] - drawn[ends[0]][2]) < 90 and numbers[0] < numbers[-2], (ends, path.get("d"))
            assert abs(numbers[-2] - drawn[ends[1]][0]) < 90, (ends, path.get("d"))
    return edges


with Server("tviews_report", "pg_tviews.performance_log_min_duration = 0\n") as server:
    run(server.connect(), "CREATE ROLE watcher LOGIN IN ROLE pg_monitor; CREATE ROLE passer LOGIN")
    connection = server.prepare("cups", SCRIPT)
    run(connection, "UPDATE tb_cup SET size = 200 WHERE pk_cup <= 3")
    run(connection, 'SELECT "tv & views".pg_tviews_wait()')
    run(connection, "UPDATE tb_cup SET size = 0 WHERE pk_cup = 4")
    run(connection, 'SELECT "tv & views".pg_tviews_wait()')
    trap.set_trap(connection, namesakes=True)

    source = "\"tb_&lt;a&\"\"'<b>\""
    layouts = ["none"] + (["dot"] if shutil.which("dot") else [])
    for layout in layouts:
        before = run(connection, SUMMARY)[0]
        tree = read(program(server, "tviews_report.sh", "cups", "watcher", DOT=layout))
        after = run(connection, SUMMARY)[0]
        assert check_graph(tree, ["tb_cup", source]) == {
            ("tb_cup", "tv_cup"): "direct", ("tv_cup", "tv_rank"): "full", (source, NAMES[2]): "direct",
            ("tv_cup", NAMES[2]): "lookup", ("tb_cup", NAMES[3]): "direct"}, layout
        rows = {row["TVIEW"]: row for row in table(tree, "TVIEWs")}
        assert set(rows) == set(NAMES), rows
        shown = (int(rows["tv_cup"]["refreshes"]), int(rows["tv_cup"]["errors"]))
        assert all(low <= number <= high for low, number, high in zip(before, shown, after)), (before, shown, after)
        assert rows["tv_cup"]["rows"] == "3\N{THIN SPACE}000" and rows["tv_rank"]["strategy"] == "full", rows
        assert re.fullmatch(r"[\d.]+ (ms|s)", rows["tv_cup"]["lag p99"]) and re.fullmatch(r"[\d.]+ (ms|s)", rows["tv_cup"]["p99"]), rows
        costs = table(tree, "What costs most")
        assert {row["TVIEW"] for row in costs} <= set(NAMES) and sum(float(row["share of batches"].strip(" %")) for row in costs) > 95, costs
        assert "compared as a whole" in {row["how"] for row in table(tree, "Slowest refreshes on record")}
        lanes = {row["lane"]: row for row in table(tree, "Lanes")}
        assert {name: row["TVIEWs"] for name, row in lanes.items()} == {"main": "3", "slow_ones": "1"}, lanes
        assert [element.text for element in tree.iter(HTML + "text") if element.get("class") == "lane"] == ["slow_ones"]
        findings = [words(element) for element in tree.iter(HTML + "p") if "finding" in element.get("class", "")]
        assert [text for text in findings if text.startswith("warning quarantine") and "pg_tviews_retry('cup')" in text], findings
    assert "dot" in layouts or not os.environ.get("CI"), "Graphviz is in CHECK_PACKAGES"

    # A creation that cannot go on: the page shows it, and does not wait for it.
    holder = server.connect("cups")
    run(holder, "SELECT pg_advisory_lock(77)")
    run(connection, """CREATE FUNCTION public.gate(pk int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_catalog.pg_advisory_xact_lock_shared(77); RETURN pk; END $$""")
    creation = subprocess.Popen([bash('server_bin "$1"', server.directory) + "/psql", "-X", "-q", "-h", server.socket, "-U", "postgres", "-d", "cups", "-c",
                                 "SET client_min_messages = warning; CREATE TABLE tv_gate AS SELECT public.gate(pk_cup) AS pk_gate FROM tb_cup"])
    wait_until(lambda: value(connection, 'SELECT count(*) FROM "tv & views".pg_tviews_progress'), "the creation")
    under_way = table(read(program(server, "tviews_report.sh", "cups", "watcher", DOT="none")), "Under way")
    assert [(row["entity"], row["what"]) for row in under_way] == [("gate", "creation")], under_way
    run(holder, "SELECT pg_advisory_unlock(77)")
    assert creation.wait() == 0
    run(connection, "DROP TABLE tv_gate")

    # A row of the page is as long as its TVIEW is there.
    run(connection, 'DROP TABLE "</title>"."' + NAMES[3].split('"."')[1].replace("  ", "\t\n").replace("\N{REPLACEMENT CHARACTER}", "\x01"))
    tree = read(program(server, "tviews_report.sh", "cups", "watcher", DOT="none"))
    assert {row["TVIEW"] for row in table(tree, "TVIEWs")} == set(NAMES[:3])
    # tviews_top.sh as well finds the extension in a schema of its own, and nothing of others.
    shown = program(server, "tviews_top.sh", "cups", "watcher", COUNT="1")
    assert shown.returncode == 0 and shown.stderr == b"" and b"| quarantine |" in shown.stdout, shown

    # No TVIEWs yet.
    server.prepare("empty", "SELECT 1")
    tree = read(program(server, "tviews_report.sh", "empty", "watcher"))
    assert not list(tree.iter(HTML + "svg")) and "CREATE TABLE tv_example AS" in words(tree.find(HTML + "body")), words(tree)

    # Nothing is written where the page cannot be made, and the message says why.
    run(connection, 'REVOKE USAGE ON SCHEMA "tv & views" FROM watcher')
    for database, user, message in (("cups", "watcher", 'GRANT USAGE ON SCHEMA "tv & views"'), ("postgres", "watcher", "no extension pg_tviews"),
                                    ("empty", "passer", "permission denied for function pg_tviews_health_check"), ("nowhere", "watcher", "does not exist")):
        failed = program(server, "tviews_report.sh", database, user)
        assert failed.returncode != 0 and failed.stdout == b"" and message in failed.stderr.decode(), (message, failed)
    assert value(connection, 'SELECT count(*) FROM "tv & views".tviews') == 3
