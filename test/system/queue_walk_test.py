"""A long queue is read by monitoring in several steps, while others write to it and while batches free it: no record that
waits all the time is missed, none is shown twice, and the counts of pg_tviews_lag are of the same records."""
import re
import threading

from tviews_server import Server, check_equal, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_a (pk_a int PRIMARY KEY, name text NOT NULL);
INSERT INTO tb_a SELECT i, '' FROM generate_series(1, 100) AS i;
CREATE TABLE tv_a AS SELECT pk_a, name FROM tb_a;
"""
MANY = 3000  # records: several times what one step reads
LISTED = "SELECT transaction_id::text FROM pg_tviews_queue_realtime WHERE state = 'waiting'"


def write(count, row):
    session = server.connect("walk")
    run(session, f"DO $$ BEGIN FOR i IN 1..{count} LOOP UPDATE tb_a SET name = i::text WHERE pk_a = {row}; COMMIT; END LOOP; END $$")
    session.close()


def listed(context):
    rows = [row[0] for row in run(connection, LISTED)]
    assert len(set(rows)) == len(rows), f"{len(rows) - len(set(rows))} transactions are shown twice {context}"
    return set(rows)


def beside_writers(check):
    writers = [threading.Thread(target=write, args=(1000, row)) for row in (2, 3)]
    for writer in writers:
        writer.start()
    rounds = 0
    while any(writer.is_alive() for writer in writers) or not rounds:
        check()
        rounds += 1
    for writer in writers:
        writer.join()
    print(f"note: {rounds} looks beside writers")


def waits_still():
    missed = first - listed("beside writers")
    assert not missed, f"{len(missed)} of {len(first)} are missed beside writers"
    records = value(connection, LAG)
    assert records >= MANY, f"pg_tviews_lag counts {records}"


LAG = "SELECT records FROM pg_tviews_lag WHERE database = current_database()"
with Server("queue_walk", conf="pg_tviews.queue_size = '4MB'\n") as server:
    connection = server.prepare("walk", SCRIPT)
    check_equal(connection)
    run(connection, "SELECT pg_tviews_pause()")
    write(MANY, 1)
    first = listed("at rest")
    assert len(first) == MANY, len(first)
    assert value(connection, LAG) == MANY, value(connection, LAG)
    # Writers wait for one step, not for the whole queue.
    run(connection, "SET client_min_messages = debug1")
    listed("with debug messages")
    run(connection, "RESET client_min_messages")
    steps = [int(found) for found in re.findall(r"steps of at most (\d+) records", "".join(connection.notices))]
    assert 0 < max(steps) <= MANY / 2, steps
    beside_writers(waits_still)
    assert len(listed("at rest again")) == MANY + 2000
    run(connection, "SELECT pg_tviews_resume()")
    beside_writers(lambda: listed("beside batches"))
    check_equal(connection)
    wait_until(lambda: value(connection, LAG) == 0 and not listed("at the end"), "an empty queue")
