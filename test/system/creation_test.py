"""A TVIEW is created while a batch is under way, and by a transaction that writes its sources itself,
before and after, also under savepoints (ATTACKS A2, A3, B11)."""
import threading

import pauses
from tviews_server import Server, check_equal, run, value, wait_until

SCRIPT = """
CREATE TABLE tb_a (pk_a int PRIMARY KEY, fk_b int, name text, note text, amount int);
CREATE TABLE tb_b (pk_b int PRIMARY KEY, name text);
INSERT INTO tb_b SELECT i, 'b' FROM generate_series(1, 10) i;
INSERT INTO tb_a SELECT i, i % 10 + 1, 'a', 'note', i FROM generate_series(1, 30) i;
CREATE TABLE tv_a AS SELECT pk_a, fk_b, name FROM tb_a;
"""
COUNT = iter(range(100))


def nested(session):
    name = f"nested{next(COUNT)}"
    run(session, f"CREATE TABLE tv_{name} AS SELECT a.pk_a AS pk_{name}, upper(a.name) AS name, b.name AS b FROM tv_a a JOIN tb_b b ON b.pk_b = a.fk_b")


def plain(session):
    name = f"plain{next(COUNT)}"
    run(session, f"CREATE TABLE tv_{name} AS SELECT b.pk_b AS pk_{name}, b.name, (SELECT sum(a.amount) FROM tb_a a WHERE a.fk_b = b.pk_b) AS total FROM tb_b b")


def traffic(i):
    run(connection, f"UPDATE tb_a SET name = name || '{i}', amount = amount + 1 WHERE pk_a % 3 = {i % 3}")


with Server("creation", pauses.CONF) as server:
    connection = server.prepare("creation", SCRIPT)
    other = server.connect("creation")
    check_equal(connection)

    for point in ("after_snapshot", "after_take", "before_commit"):
        # Created and committed while a batch stands at the point. With its locks it holds creation up.
        with pauses.pause(server, "creation", point) as paused:
            traffic(1)
            paused()
            creator = threading.Thread(target=nested, args=(other,))
            creator.start()
            if point != "before_commit":
                creator.join()
                traffic(2)
        creator.join()
        check_equal(connection, f"nested TVIEW created {point}")

    # The batch waits for the creator's locks.
    with pauses.pause(server, "creation", "after_snapshot") as paused:
        traffic(1)
        paused()
        run(other, "BEGIN")
        nested(other)
    wait_until(lambda: value(connection, "SELECT count(*) FROM pg_locks WHERE NOT granted"), "the batch to wait")
    run(other, "COMMIT")
    check_equal(connection, "nested TVIEW whose creator a batch waited for")

    # The creator writes before and after, others commit and batches run meanwhile.
    for create in (plain, nested):
        run(other, "BEGIN")
        run(other, "UPDATE tb_b SET name = name || 'before' WHERE pk_b <= 5")
        create(other)
        run(other, "UPDATE tb_b SET name = name || 'after' WHERE pk_b BETWEEN 3 AND 7")
        run(other, "INSERT INTO tb_b VALUES ((SELECT max(pk_b) + 1 FROM tb_b), 'new')")
        run(connection, "CREATE TABLE IF NOT EXISTS other (x int); INSERT INTO other VALUES (1)")
        run(connection, "SELECT pg_tviews_wait('5 s')")
        run(other, "COMMIT")
        check_equal(connection, "what the creator wrote itself")

    # The capture configuration changes in the middle of a transaction, and back.
    run(other, "BEGIN")
    run(other, "UPDATE tb_a SET note = 'early', fk_b = 1 WHERE pk_a = 1")
    run(other, "CREATE TABLE tv_note AS SELECT pk_a AS pk_note, note, amount FROM tb_a")
    run(other, "UPDATE tb_a SET note = 'late' WHERE pk_a IN (1, 2)")
    run(other, "SAVEPOINT s")
    plain(other)
    run(other, "UPDATE tb_a SET amount = 100, fk_b = 2 WHERE pk_a = 3")
    run(other, "ROLLBACK TO s")
    run(other, "UPDATE tb_a SET amount = 200, fk_b = 3 WHERE pk_a = 4")
    run(other, "SAVEPOINT t")
    run(other, "DROP TABLE tv_note")
    run(other, "UPDATE tb_a SET note = 'without' WHERE pk_a = 5")
    run(other, "ROLLBACK TO t")
    plain(other)
    run(other, "UPDATE tb_a SET note = 'last', fk_b = 4 WHERE pk_a = 6")
    run(other, "DELETE FROM tb_a WHERE pk_a = 7")
    run(connection, "INSERT INTO other VALUES (2)")
    run(other, "COMMIT")
    check_equal(connection, "a transaction across configurations")
