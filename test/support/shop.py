"""A small shop with TVIEWs of several shapes, and sessions that write to it."""
import random
import threading

import psycopg2

from tviews_server import run

SCRIPT = """
CREATE TABLE tb_customer (pk_customer bigint PRIMARY KEY, id uuid NOT NULL DEFAULT gen_random_uuid(),
                          name text NOT NULL);
CREATE TABLE tb_order (pk_order bigint PRIMARY KEY, id uuid NOT NULL DEFAULT gen_random_uuid(),
                       fk_customer bigint NOT NULL REFERENCES tb_customer ON DELETE CASCADE,
                       state text NOT NULL);
CREATE TABLE tb_line (pk_line bigserial PRIMARY KEY, fk_order bigint NOT NULL REFERENCES tb_order ON DELETE CASCADE,
                      item text NOT NULL, amount int NOT NULL);
CREATE INDEX ON tb_order (fk_customer);
CREATE INDEX ON tb_line (fk_order);
INSERT INTO tb_customer SELECT i, gen_random_uuid(), 'customer ' || i FROM generate_series(1, 50) i;
INSERT INTO tb_order SELECT i, gen_random_uuid(), i % 50 + 1, 'new' FROM generate_series(1, 200) i;
INSERT INTO tb_line (fk_order, item, amount) SELECT i % 200 + 1, 'item ' || i, i % 7 FROM generate_series(1, 800) i;

CREATE TABLE tv_customer AS
SELECT c.pk_customer, c.id, jsonb_build_object('name', c.name,
         'orders', (SELECT count(*) FROM tb_order o WHERE o.fk_customer = c.pk_customer)) AS data
FROM tb_customer c;
CREATE TABLE tv_order AS
SELECT o.pk_order, o.id, o.fk_customer,
       jsonb_build_object('state', o.state, 'customer', c.name,
         'lines', COALESCE((SELECT jsonb_agg(jsonb_build_object('item', l.item, 'amount', l.amount) ORDER BY l.pk_line)
                            FROM tb_line l WHERE l.fk_order = o.pk_order), '[]')) AS data
FROM tb_order o JOIN tb_customer c ON c.pk_customer = o.fk_customer;
CREATE TABLE tv_spending AS
SELECT c.pk_customer AS pk_spending, sum(l.amount) AS total
FROM tb_customer c JOIN tb_order o ON o.fk_customer = c.pk_customer JOIN tb_line l ON l.fk_order = o.pk_order
GROUP BY c.pk_customer;
CREATE TABLE tv_summary AS
SELECT 1 AS pk_summary, count(*) AS lines, coalesce(sum(amount), 0) AS total FROM tb_line;
"""


def random_statement(r):
    customer, order, line = r.randint(1, 60), r.randint(1, 220), r.randint(1, 1000)
    return r.choice([
        f"UPDATE tb_customer SET name = 'renamed {r.random()}' WHERE pk_customer = {customer}",
        f"UPDATE tb_order SET state = 'state {r.random()}' WHERE pk_order = {order}",
        f"UPDATE tb_order SET fk_customer = c.pk_customer FROM (SELECT pk_customer FROM tb_customer OFFSET {r.randint(0, 40)} LIMIT 1) c WHERE pk_order = {order}",
        f"UPDATE tb_line SET amount = amount + 1 WHERE pk_line BETWEEN {line} AND {line + 20}",
        f"INSERT INTO tb_line (fk_order, item, amount) SELECT pk_order, 'more', 1 FROM tb_order WHERE pk_order = {order}",
        f"INSERT INTO tb_order (pk_order, fk_customer, state) SELECT {order}, pk_customer, 'again' FROM tb_customer WHERE pk_customer = {customer} ON CONFLICT (pk_order) DO UPDATE SET state = 'kept'",
        f"INSERT INTO tb_customer (pk_customer, name) VALUES ({customer}, 'back') ON CONFLICT DO NOTHING",
        f"DELETE FROM tb_line WHERE pk_line = {line}",
        f"DELETE FROM tb_order WHERE pk_order = {order}",
        f"DELETE FROM tb_customer WHERE pk_customer = {customer} AND pk_customer > 45",
    ])


class Writers:
    """Sessions that write until stop(); a lost connection ends a writer, a failed statement does not."""

    def __init__(self, connect, sessions, seed):
        self.committed = 0
        self.failed = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(connect, seed * 1000 + i))
                         for i in range(sessions)]
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self.failed:
            raise AssertionError(f"a writer failed: {self.failed[0]}")

    def _work(self, connect, seed):
        r = random.Random(seed)
        try:
            connection = connect()
            connection.autocommit = False
            while not self._stop.is_set():
                self._transaction(connection, r)
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            pass
        except psycopg2.Error as error:
            # A connection that breaks during COMMIT gives a plain DatabaseError without a code.
            if error.pgcode is not None:
                self.failed.append(error)
        except Exception as error:  # reported by stop()
            self.failed.append(error)

    def _transaction(self, connection, r):
        try:
            for _ in range(r.randint(1, 4)):
                run(connection, random_statement(r))
                if r.random() < 0.15:
                    run(connection, "SAVEPOINT s")
                    run(connection, random_statement(r))
                    run(connection, r.choice(["ROLLBACK TO s", "RELEASE s"]))
            if r.random() < 0.1:
                connection.rollback()
                return
            connection.commit()
            with self._lock:
                self.committed += 1
        except (psycopg2.extensions.TransactionRollbackError, psycopg2.IntegrityError):
            connection.rollback()
