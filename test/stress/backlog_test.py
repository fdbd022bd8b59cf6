"""A stopped applier: writers pay no more than while it runs, the backlog stays on disk, and is applied in
bounded memory when the applier goes on.

SCALE (default 0.1) is the share of 1,000,000 changed keys and 100,000 transactions; 1 is the full size.
"""
# Runs alone: it compares how fast writers are.
import os
import pathlib
import statistics
import threading
import time

from tviews_server import Server, check_equal, run, value, wait_until

MOST_SAMPLES = 12
SCALE = float(os.environ.get("SCALE", 0.1))
KEYS, TRANSACTIONS, SESSIONS = int(1000000 * SCALE), int(100000 * SCALE), 4
SCRIPT = f"""
CREATE TABLE tb_owner (pk_owner int PRIMARY KEY, name text NOT NULL);
CREATE TABLE tb_item (pk_item int PRIMARY KEY, fk_owner int NOT NULL, amount int NOT NULL) WITH (fillfactor = 50);
CREATE INDEX ON tb_item (fk_owner);
INSERT INTO tb_owner SELECT i, 'owner ' || i FROM generate_series(0, 999) i;
INSERT INTO tb_item SELECT i, i % 1000, 0 FROM generate_series(1, {KEYS}) i;
CREATE TABLE tv_item AS SELECT i.pk_item, o.name, i.amount FROM tb_item i JOIN tb_owner o ON o.pk_owner = i.fk_owner;
CREATE TABLE tv_owner AS SELECT o.pk_owner, o.name,
    (SELECT sum(i.amount) FROM tb_item i WHERE i.fk_owner = o.pk_owner) AS amount FROM tb_owner o;
"""
# The transactions run on the server: what is measured is the server, not this program.
WRITE = """
DO $$ BEGIN FOR i IN 1..{count} LOOP
  UPDATE tb_item SET amount = amount + 1 WHERE pk_item = 1 + ({seed} + i::bigint * 7919) % {keys};
  COMMIT;
END LOOP; END $$
"""


def write(transactions):
    """Transactions per second."""
    def work(session):
        connection = server.connect("backlog")
        run(connection, "SET synchronous_commit = off")
        run(connection, WRITE.format(count=transactions // SESSIONS, seed=session * KEYS // SESSIONS, keys=KEYS))
        connection.close()
    threads = [threading.Thread(target=work, args=(session,)) for session in range(SESSIONS)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return transactions / (time.monotonic() - began)


def applier():
    return value(connection, "SELECT pid FROM pg_tviews_workers WHERE kind = 'applier' AND database = 'backlog'")


def own_memory(pid):
    """MB that the process does not share with others."""
    return int(pathlib.Path(f"/proc/{pid}/status").read_text().split("RssAnon:")[1].split()[0]) / 1024


with Server("backlog", "shared_buffers = '256MB'\nmax_wal_size = '8GB'\npg_tviews.batch_memory = '32MB'\n") as server:
    connection = server.prepare("backlog", SCRIPT)
    run(connection, "VACUUM ANALYZE")
    check_equal(connection, "at the start")
    sample = max(TRANSACTIONS // 5, 10000)
    # In turn, since whatever else the machine does makes the one or the other slower: the means of ever more samples.
    before, of_running, of_paused = 0, [], []
    for samples in range(1, MOST_SAMPLES + 1):
        of_running.append(write(sample))
        check_equal(connection, "while running")
        before = before or own_memory(applier())
        run(connection, "SELECT pg_tviews_pause()")
        of_paused.append(write(sample))
        running, paused = statistics.harmonic_mean(of_running), statistics.harmonic_mean(of_paused)
        if samples >= 2 and paused > running * 0.8:
            break
        run(connection, "SELECT pg_tviews_resume()")
        check_equal(connection, "after a pause")
    else:
        raise AssertionError(f"writers are slower while the applier is paused: {paused:.0f} a second, not {running:.0f}")
    write(TRANSACTIONS - sample if TRANSACTIONS > sample else SESSIONS)
    run(connection, "UPDATE tb_item SET amount = amount + 1")
    backlog, size = run(connection, "SELECT count(*), pg_total_relation_size('tviews_internal.pg_tview_outbox') / 1e6 FROM tviews_internal.pg_tview_outbox")[0]
    assert backlog >= TRANSACTIONS, backlog

    highest = before
    done = threading.Event()

    def watch():
        global highest
        while not done.is_set():
            highest = max(highest, own_memory(pid))
            time.sleep(0.02)

    pid = applier()
    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.monotonic()
    run(connection, "SELECT pg_tviews_resume(); SELECT pg_tviews_wait()")
    seconds = time.monotonic() - began
    done.set()
    watcher.join()
    assert applier() == pid, "the applier has not survived its backlog"
    check_equal(connection, "after the backlog")
    assert value(connection, "SELECT count(*) FROM tviews_internal.pg_tview_outbox") == 0
    print(f"note: {running:.0f} transactions/s while running, {paused:.0f} while paused; {KEYS} keys and {backlog} "
          f"transactions ({size:.0f} MB of outbox) applied in {seconds:.1f} s, {KEYS / seconds:.0f} keys/s, "
          f"with {highest - before:.0f} MB more memory than the {before:.0f} MB before")
    # Batch memory and its hash tables' spare room, the bytes of one record, and what recomputing and comparing takes,
    # whatever the size of the backlog.
    assert highest - before < 90, f"{highest - before} MB"
