"""Sessions that write, read back and compare at once, over every protocol: in `session` none misses its
own change, in `eventual` some do. Then `strict`, with the order of commits passed from client to client
outside the database: a reader that has written nothing sees what another one has committed.
FULL=1: 100,000 rounds and more instead of a tenth of them."""
import os
import random
import subprocess
import threading

from tviews_server import Server, bash, check_equal, run, value

FULL = os.environ.get("FULL") == "1"
CLIENTS = 8
ROUNDS = 110_000 if FULL else 10_000  # of session, over all protocols
HANDOVERS = 5_000 if FULL else 1_000
SCRIPT = """
CREATE TABLE tb_owner (pk_owner int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_item (pk_item int PRIMARY KEY, fk_owner int NOT NULL REFERENCES tb_owner, n bigint NOT NULL);
INSERT INTO tb_owner SELECT i, 'owner ' || i FROM generate_series(0, 3) i;
INSERT INTO tb_item SELECT i, i % 4, 0 FROM generate_series(0, 99) i;
CREATE TABLE tv_item AS
SELECT tb_item.pk_item, jsonb_build_object('n', tb_item.n, 'owner', tb_owner.name) AS data
FROM tb_item JOIN tb_owner ON tb_owner.pk_owner = tb_item.fk_owner;
CREATE FUNCTION shown(item int) RETURNS bigint LANGUAGE plpgsql STABLE
AS 'BEGIN RETURN (SELECT data ->> ''n'' FROM tv_item WHERE pk_item = item); END';
CREATE TABLE misses (way text);
"""
ROUND = """
\\set n random(1, 1000000000)
\\set way random(1, 10)
BEGIN;
UPDATE tb_item SET n = :n WHERE pk_item = :client_id;
COMMIT;
\\if :way = 1
SELECT (shown(:client_id) <> :n)::int AS missed \\gset
\\elif :way = 2
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT ((data ->> 'n')::bigint <> :n)::int AS missed FROM tv_item WHERE pk_item = :client_id \\gset
COMMIT;
\\else
SELECT ((data ->> 'n')::bigint <> :n)::int AS missed FROM tv_item WHERE pk_item = :client_id \\gset
\\endif
\\if :missed
INSERT INTO misses VALUES (:way);
\\endif
"""


def rounds(server, script, protocol, count, consistency):
    """Runs `count` rounds of all clients together; how many missed."""
    done = subprocess.run(
        [bash('server_bin "$1"', server.directory) + "/pgbench", "-h", server.socket, "-U", "postgres", "-n",
         "-M", protocol, "-c", str(CLIENTS), "-j", "2", "-t", str(count // CLIENTS + 1), "-f", str(script),
         "--max-tries=1000", "reads"],
        env={**os.environ, "PGOPTIONS": f"-c pg_tviews.read_consistency={consistency}"},
        capture_output=True, text=True)
    assert done.returncode == 0 and "failed transactions: 0 " in done.stdout, done.stdout + done.stderr
    missed = value(connection, "SELECT count(*) FROM misses")
    run(connection, "TRUNCATE misses")
    print(f"{consistency}, {protocol}: {missed} of {(count // CLIENTS + 1) * CLIENTS} rounds missed")
    return missed


def hand_over(reader_mode, turns, seed):
    """A writer commits and tells a reader, which reads at once. How many readers missed it."""
    r = random.Random(seed)
    writer, reader = server.connect("reads"), server.connect("reads")
    run(reader, f"SET pg_tviews.read_consistency = {reader_mode}")
    missed = 0
    for _ in range(turns):
        n = r.randint(1, 10**9)
        run(writer, "UPDATE tb_item SET n = %s WHERE pk_item = %s", (n, 50 + seed))
        missed += value(reader, "SELECT (data ->> 'n')::bigint FROM tv_item WHERE pk_item = %s", (50 + seed,)) != n
    writer.close()
    reader.close()
    return missed


def hand_overs(mode):
    missed = []
    threads = [threading.Thread(target=lambda i=i: missed.append(hand_over(mode, HANDOVERS // 4, i))) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(missed) == 4, "a client failed"
    print(f"{mode}: {sum(missed)} of {HANDOVERS} handed-over commits missed")
    return sum(missed)


with Server("read_your_writes") as server:
    connection = server.prepare("reads", SCRIPT)
    check_equal(connection)
    path = server.conf.with_suffix(".sql")
    path.write_text(ROUND)
    for protocol in ("simple", "extended", "prepared"):
        assert rounds(server, path, protocol, ROUNDS // 3, "session") == 0
    assert rounds(server, path, "prepared", 2_000, "strict") == 0
    assert rounds(server, path, "prepared", 2_000, "eventual") > 0
    assert hand_overs("strict") == 0
    assert hand_overs("session") > 0, "what others commit is not waited for"
    check_equal(connection, "at the end")
