"""tools/tviews_top.sh shows a member of pg_monitor what the views say, screen after screen, and ends where it cannot."""
import os
import subprocess

import trap
from tviews_server import ROOT, Server, bash, run, value, wait_until

SCRIPT = """
CREATE ROLE watcher LOGIN IN ROLE pg_monitor;
CREATE TABLE tb_cup (pk_cup int PRIMARY KEY, size int NOT NULL);
INSERT INTO tb_cup SELECT i, i FROM generate_series(1, 10) AS i;
CREATE TABLE tv_cup AS SELECT tb_cup.pk_cup, 100 / tb_cup.size AS share FROM tb_cup;
-- Stops at one row while somebody holds the lock.
CREATE FUNCTION gate(pk int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_catalog.pg_advisory_xact_lock_shared(77);
    RETURN pk;
END $$;
"""


def top(server, database, **environment):
    path = bash('server_bin "$1"', server.directory) + ":" + os.environ["PATH"]
    return subprocess.run([ROOT / "tools/tviews_top.sh", "-h", server.socket, "-U", "watcher", "-d", database],
                          env={"PATH": path, "INTERVAL": "0.1", **environment}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60)


def screens(text):
    """Per screen {first column's name: [{column: value}]}."""
    found, rows, heads = [], None, None
    lines = text.splitlines()
    for number, line in enumerate(lines):
        cells = [cell.strip() for cell in line.split("|")]
        if number + 1 < len(lines) and set(lines[number + 1]) <= set("-+") and lines[number + 1]:
            heads, rows = cells, []
            if heads[0] == "database":
                found.append({})
            found[-1][heads[0] + " " + heads[1]] = rows
        elif rows is not None and line and not set(line) <= set("-+"):
            rows.append(dict(zip(heads, cells)))
    return found


with Server("tviews_top") as server:
    connection = server.prepare("cups", SCRIPT)
    trap.set_trap(connection)
    run(connection, "UPDATE tb_cup SET size = 20 WHERE pk_cup <= 3")
    run(connection, "SELECT pg_tviews_wait()")
    run(connection, "UPDATE tb_cup SET size = 0 WHERE pk_cup = 4")
    run(connection, "SELECT pg_tviews_wait()")
    applier, retries = run(connection, "SELECT pid::text, retries::text FROM pg_tviews_workers WHERE kind = 'applier' AND database = current_database()")[0]
    assert int(retries) > 0, retries

    writer = server.connect("cups", autocommit=False)
    run(writer, "UPDATE tb_cup SET size = 30 WHERE pk_cup = 5")
    holder, creator = server.connect("cups"), server.connect("cups")
    run(holder, "SELECT pg_advisory_lock(77)")
    creation = subprocess.Popen([bash('server_bin "$1"', server.directory) + "/psql", "-X", "-q", "-h", server.socket, "-U", "postgres", "-d", "cups", "-c",
                                 "CREATE TABLE tv_gate AS SELECT pk_i AS pk_gate, gate(pk_i) FROM (SELECT pk_cup AS pk_i FROM tv_cup) AS i"])
    wait_until(lambda: value(connection, "SELECT count(*) FROM pg_tviews_progress"), "the creation")
    shown = top(server, "cups", COUNT="2")
    assert shown.returncode == 0 and shown.stderr == "", shown
    found = screens(shown.stdout)
    assert len(found) == 2, shown.stdout
    for screen in found:
        assert [(row["database"], row["collecting"], row["queued"]) for row in screen["database now"]] == [("cups", "1", "0")], screen
        workers = {row["kind"]: row for row in screen["pid kind"]}
        assert (workers["applier"]["pid"], workers["applier"]["retries"]) == (applier, retries), workers
        assert workers["launcher"]["state"] == "running", workers
        assert [(row["entity"], row["operation"], row["phase"]) for row in screen["pid entity"]] == [("gate", "creation", "filling")], screen
        rows = {row["entity"]: row for row in screen["entity refreshes"]}
        assert [rows["cup"][name] for name in ("refreshes", "keys", "written", "errors")] == ["2", "4", "3", "1"], rows
        assert float(rows["cup"]["avg_ms"]) > 0 and float(rows["cup"]["lag_p99"]) > 0, rows
        assert [row["component"] for row in screen["severity component"] if row["component"] == "quarantine"], screen
    assert found[0]["database now"][0]["now"] <= found[1]["database now"][0]["now"], found
    run(holder, "SELECT pg_advisory_unlock(77)")
    assert creation.wait() == 0
    writer.rollback()

    failed = top(server, "postgres")  # without the extension
    assert failed.returncode != 0 and "does not exist" in failed.stderr, failed
