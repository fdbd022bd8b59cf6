"""Two TVIEWs for tools that follow logical decoding: types that such tools take for others, NULL, values that are stored outside
of the row, rows that come and go."""
import random

from tviews_server import check_equal, run, value

SCRIPT = """
CREATE TABLE tb_item (pk_item int PRIMARY KEY, id uuid NOT NULL DEFAULT gen_random_uuid(), words text, price numeric(8,2),
                      fk_item int, since timestamptz NOT NULL DEFAULT '2026-01-02 03:04:05.678901+00');
INSERT INTO tb_item (pk_item, words, price) SELECT i, 'item ' || i, i / 4.0 FROM generate_series(1, 8) AS i;
CREATE TABLE tv_item WITH (pg_tviews.feed = data) AS
SELECT pk_item, id, since, price, jsonb_build_object('words', words, 'price', price) AS data FROM tb_item;
CREATE TABLE tv_price AS SELECT fk_item AS pk_price, count(*) AS items, sum(price) AS total FROM tb_item WHERE fk_item IS NOT NULL GROUP BY fk_item;
"""
STATEMENTS = (
    "UPDATE tb_item SET words = words || '!', price = price + 0.25 WHERE pk_item = %(key)s",
    "UPDATE tb_item SET words = NULL, price = NULL, fk_item = %(other)s WHERE pk_item = %(key)s",
    "UPDATE tb_item SET words = (SELECT string_agg(md5(i::text || %(other)s), '') FROM generate_series(1, 300) AS i), since = now() WHERE pk_item = %(key)s",
    "UPDATE tb_item SET fk_item = %(other)s WHERE pk_item = %(key)s",
    "DELETE FROM tb_item WHERE pk_item = %(key)s",
    "INSERT INTO tb_item (pk_item, words, price, fk_item) VALUES (%(key)s, 'new', 1.5, %(other)s) ON CONFLICT DO NOTHING",
)
random_numbers = random.Random(7)


def change(connection, count):
    for _ in range(count):
        run(connection, random_numbers.choice(STATEMENTS), {"key": random_numbers.randint(1, 12), "other": random_numbers.randint(1, 3)})


def settle(connection, what):
    """Everything is applied, and in the stream: batches commit asynchronously, and a commit that does not flushes them."""
    check_equal(connection, what)
    value(connection, "WITH made AS (UPDATE tb_item SET fk_item = NULL WHERE false RETURNING 1) SELECT pg_current_xact_id()")
