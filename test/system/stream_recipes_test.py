"""docs/integrations/streams.md with clients of our own: a search index by a worker, a cache that notifications empty, and a
poller by an incrementing column, as Kafka Connect's JDBC source does it. Each is killed in between."""
import json
import random
import select

from tviews_server import Server, check_equal, run, value

SCRIPT = """
CREATE TABLE tb_item (pk_item int PRIMARY KEY, id uuid NOT NULL DEFAULT gen_random_uuid(), words text NOT NULL);
CREATE TABLE tv_item WITH (pg_tviews.feed = data, pg_tviews.notify = on) AS
SELECT pk_item, id, jsonb_build_object('words', words) AS data FROM tb_item;
"""


class Index:
    """A search engine without transactions: it writes by key, and refuses a version that is not newer, as Elasticsearch
    does with version_type=external."""

    def __init__(self):
        self.documents, self.versions = {}, {}

    def write(self, key, version, document):
        if self.versions.get(key, 0) >= version:
            return
        self.versions[key] = version
        self.documents.pop(key, None)
        if document is not None:
            self.documents[key] = document["words"]


def index_some(dies):
    """A worker's turn; one that dies has written, and has not acknowledged."""
    rows = run(worker, "SELECT position, key, new_data FROM pg_tviews_feed_read('search', 7)")
    for position, key, document in rows:
        index.write(key, position, document)
    if rows and not dies:
        run(worker, "SELECT pg_tviews_feed_ack('search', %s)", (rows[-1][0],))
    return bool(rows)


def poll(dies):
    """mode=incrementing: the connector keeps the offset with what it has sent, or neither."""
    global offset
    rows = run(worker, "SELECT position, key, operation, new_data FROM pg_tviews_feed WHERE position > %s ORDER BY position LIMIT 5", (offset,))
    if dies or not rows:
        return bool(rows)
    topic.extend(rows)
    offset = rows[-1][0]
    return True


def invalidate():
    while select.select([listener], [], [], 0)[0]:
        listener.poll()
    for note in listener.notifies:
        message = json.loads(note.payload)
        if "unnamed" in message:
            cache.clear()
        for name in message.get("updated", []) + message.get("deleted", []):
            cache.pop(name, None)
    listener.notifies.clear()


def through_cache(name):
    if name not in cache:
        rows = run(worker, "SELECT data ->> 'words' FROM tv_item WHERE id = %s", (name,))
        cache[name] = rows[0][0] if rows else None
    return cache[name]


with Server("stream_recipes") as server:
    connection = server.prepare("items", SCRIPT)
    worker, listener = server.connect("items"), server.connect("items")
    run(listener, "LISTEN tv_item")
    run(connection, "SELECT pg_tviews_wait(); SELECT pg_tviews_feed_register('search')")
    index, topic, offset, cache, r = Index(), [], 0, {}, random.Random(4)
    for turn in range(40):
        key = r.randint(1, 12)
        run(connection, r.choice(["DELETE FROM tb_item WHERE pk_item = %s", "UPDATE tb_item SET words = words || '!' WHERE pk_item = %s",
                                  "INSERT INTO tb_item (pk_item, words) VALUES (%s, 'new') ON CONFLICT (pk_item) DO UPDATE SET words = 'again'"]), (key,))
        if turn % 4:
            continue
        index_some(dies=turn % 8 == 0)
        poll(dies=turn % 8 == 0)
        check_equal(connection)
        run(listener, "SELECT 1")  # what was sent before is received with the answer
        invalidate()
        for name, words in run(connection, "SELECT id::text, data ->> 'words' FROM tv_item"):
            assert through_cache(name) == words, (turn, name)
    check_equal(connection)
    while index_some(dies=False):
        pass
    while poll(dies=False):
        pass
    expected = dict(run(connection, "SELECT pk_item::text, data ->> 'words' FROM tv_item"))
    assert index.documents == expected, (index.documents, expected)
    state = {}
    for _, key, operation, document in topic:
        assert (key in state) == (operation != "insert"), (key, operation)
        state.pop(key, None)
        if document is not None:
            state[key] = document["words"]
    assert state == expected and len(topic) == value(connection, "SELECT count(*) FROM pg_tviews_feed"), (state, expected)
