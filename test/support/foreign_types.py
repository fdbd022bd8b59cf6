"""TVIEWs over the types of other extensions: as columns, in documents, as keys, in joins, in groups. What each change may cost is written
beside it; and results are compared byte for byte, because equal is not the same for some of these types."""
from tviews_server import run, tviews, use_settings

WHOLE = 10**9  # the nearest to a point can be any: the TVIEW is compared with its query

# Per extension: tables with rows, TVIEWs, and changes, each with the number of keys that it may have recomputed per entity.
KINDS = {
    "citext": ("""
        CREATE TABLE tb_person (email citext PRIMARY KEY, name text NOT NULL);
        CREATE TABLE tb_mail (id int PRIMARY KEY, recipient citext NOT NULL);
        CREATE INDEX ON tb_mail (recipient);
        INSERT INTO tb_person SELECT 'User' || i || '@example.org', 'name ' || i FROM generate_series(1, 200) AS i;
        INSERT INTO tb_mail SELECT i, upper('user' || 1 + i % 200 || '@example.org') FROM generate_series(1, 1000) AS i;
        CREATE TABLE tv_person WITH (pg_tviews.key = email) AS
        SELECT email, jsonb_build_object('name', name, 'mails', (SELECT count(*) FROM tb_mail WHERE recipient = email)) AS data FROM tb_person;
        CREATE TABLE tv_mail AS SELECT tb_mail.id, email, recipient, name FROM tb_mail JOIN tb_person ON email = recipient;
        CREATE TABLE tv_domain WITH (pg_tviews.key = domain) AS
        SELECT lower(split_part(email::text, '@', 2)) AS domain, count(*) AS people FROM tb_person GROUP BY 1""", [
        ("UPDATE tb_person SET email = upper(email) WHERE email = 'user7@EXAMPLE.org'", {"person": 2, "mail": 5, "domain": 1}),
        ("UPDATE tb_mail SET recipient = lower(recipient) WHERE id = 7", {"person": 2, "mail": 1}),
        ("UPDATE tb_mail SET recipient = 'USER9@example.ORG' WHERE id = 3", {"person": 2, "mail": 1}),
        ("DELETE FROM tb_person WHERE email = 'USER20@example.org'", {"person": 1, "mail": 5, "domain": 1}),
        ("INSERT INTO tb_person VALUES ('uSeR20@Example.org', 'again')", {"person": 1, "mail": 5, "domain": 2})]),
    "ltree": ("""
        CREATE TABLE tb_folder (path ltree PRIMARY KEY, label text NOT NULL);
        CREATE TABLE tb_file (id int PRIMARY KEY, path ltree NOT NULL, size int NOT NULL);
        CREATE INDEX ON tb_file USING gist (path);
        CREATE INDEX ON tb_folder USING gist (path);
        CREATE INDEX ON tb_file (subpath(path, 0, 2));
        INSERT INTO tb_folder VALUES ('top', 'everything');
        INSERT INTO tb_folder SELECT text2ltree('top.f' || i), 'label ' || i FROM generate_series(1, 50) AS i;
        INSERT INTO tb_file SELECT i, text2ltree('top.f' || 1 + i % 50 || '.x' || i), i FROM generate_series(1, 1000) AS i;
        CREATE TABLE tv_folder WITH (pg_tviews.key = path) AS
        SELECT folder.path, folder.label, (SELECT sum(size) FROM tb_file AS file WHERE file.path <@ folder.path) AS size FROM tb_folder AS folder;
        CREATE TABLE tv_file AS
        SELECT file.id, jsonb_build_object('path', file.path, 'folder', folder.label) AS data
        FROM tb_file AS file JOIN tb_folder AS folder ON folder.path = subpath(file.path, 0, 2);
        CREATE TABLE tv_branch WITH (pg_tviews.key = branch) AS
        SELECT subpath(path, 0, 2) AS branch, count(*) AS files, max(nlevel(path)) AS depth FROM tb_file GROUP BY 1""", [
        ("UPDATE tb_file SET path = 'top.f3.deep.er' WHERE id = 5", {"folder": 3, "file": 1, "branch": 2}),
        ("UPDATE tb_folder SET label = 'other' WHERE path = 'top.f7'", {"folder": 1, "file": 20}),
        ("UPDATE tb_file SET size = 0 WHERE path ~ 'top.f9.*'", {"folder": 2, "branch": 1, "file": 0}),
        ("DELETE FROM tb_folder WHERE path = 'top.f9'", {"folder": 1, "file": 20})]),
    "hstore": ("""
        CREATE TABLE tb_thing (id int PRIMARY KEY, properties hstore NOT NULL);
        CREATE INDEX ON tb_thing ((properties -> 'color'));
        INSERT INTO tb_thing SELECT i, hstore('color', 'c' || i % 50) || hstore('size', i::text) FROM generate_series(1, 1000) AS i;
        CREATE TABLE tv_thing AS SELECT id, properties, properties -> 'color' AS color, hstore_to_jsonb(properties) AS data FROM tb_thing;
        CREATE TABLE tv_color WITH (pg_tviews.key = color) AS
        SELECT properties -> 'color' AS color, count(*) AS things, array_agg(properties -> 'size' ORDER BY id) AS sizes
        FROM tb_thing WHERE properties ? 'color' GROUP BY 1;
        CREATE TABLE tv_property WITH (pg_tviews.key = 'id, key') AS
        SELECT tb_thing.id, each.key, each.value FROM tb_thing CROSS JOIN LATERAL each(properties)""", [
        ("UPDATE tb_thing SET properties = properties || 'color=>red' WHERE id = 3", {"thing": 1, "color": 2, "property": 3}),
        ("UPDATE tb_thing SET properties = delete(properties, 'color') WHERE id = 4", {"thing": 1, "color": 1, "property": 3}),
        ("UPDATE tb_thing SET properties = 'size=>3, color=>blue' WHERE id = 3", {"thing": 1, "color": 2, "property": 3}),
        ("DELETE FROM tb_thing WHERE properties -> 'color' = 'c7'", {"thing": 20, "color": 1, "property": 40})]),
    "postgis": ("""
        CREATE TABLE tb_shop (id int PRIMARY KEY, place geometry(Point, 4326) NOT NULL, at geography(Point, 4326) NOT NULL);
        CREATE TABLE tb_area (id int PRIMARY KEY, shape geometry(Polygon, 4326) NOT NULL);
        CREATE INDEX ON tb_shop USING gist (place);
        CREATE INDEX ON tb_area USING gist (shape);
        INSERT INTO tb_shop SELECT i, ST_SetSRID(ST_MakePoint(i % 100 + 0.5, i / 100 + 0.5), 4326), ST_SetSRID(ST_MakePoint(i % 100, i / 100), 4326)::geography FROM generate_series(0, 999) AS i;
        INSERT INTO tb_area SELECT i, ST_MakeEnvelope(i * 2, 0, i * 2 + 2, 20, 4326) FROM generate_series(0, 49) AS i;
        CREATE TABLE tv_shop AS SELECT id, place, jsonb_build_object('place', ST_AsGeoJSON(place)::jsonb, 'at', ST_AsText(at), 'x', ST_X(place)) AS data FROM tb_shop;
        CREATE TABLE tv_area AS SELECT tb_area.id, ST_Area(shape) AS size, (SELECT count(*) FROM tb_shop WHERE ST_Contains(shape, place)) AS shops FROM tb_area;
        CREATE TABLE tv_inside WITH (pg_tviews.key = 'area, shop') AS
        SELECT tb_area.id AS area, tb_shop.id AS shop, ST_Distance(place, ST_Centroid(shape)) AS distance FROM tb_area JOIN tb_shop ON ST_Contains(shape, place);
        CREATE TABLE tv_hull AS SELECT tb_area.id, ST_AsText(ST_ConvexHull(ST_Collect(array_agg(place ORDER BY tb_shop.id)))) AS hull
        FROM tb_area JOIN tb_shop ON ST_Contains(shape, place) GROUP BY tb_area.id""", [
        ("UPDATE tb_shop SET place = ST_SetSRID(ST_MakePoint(40.5, 5), 4326) WHERE id = 7", {"shop": 1, "area": 2, "inside": 2, "hull": 2}),
        ("UPDATE tb_area SET shape = ST_MakeEnvelope(0, 0, 6, 20, 4326) WHERE id = 0", {"area": 1, "inside": 60, "hull": 1}),
        ("UPDATE tb_shop SET at = 'POINT(1 1)' WHERE id = 9", {"shop": 1, "area": 0, "inside": 0, "hull": 0}),
        ("DELETE FROM tb_shop WHERE ST_X(place) < 2", {"shop": 20, "area": 2, "inside": 40, "hull": 2})]),
    "vector": ("""
        CREATE TABLE tb_item (id int PRIMARY KEY, topic int NOT NULL, embedding vector(3) NOT NULL);
        CREATE TABLE tb_question (id int PRIMARY KEY, embedding vector(3) NOT NULL);
        CREATE INDEX ON tb_item (topic);
        CREATE INDEX ON tb_item USING hnsw (embedding vector_l2_ops);
        INSERT INTO tb_item SELECT i, i % 20, ARRAY[i, i % 7, i % 11]::vector(3) FROM generate_series(1, 500) AS i;
        INSERT INTO tb_question SELECT i, ARRAY[i * 10, 3, 5]::vector(3) FROM generate_series(1, 20) AS i;
        CREATE TABLE tv_item AS SELECT id, embedding, jsonb_build_object('embedding', embedding::text, 'length', vector_norm(embedding)) AS data FROM tb_item;
        CREATE TABLE tv_topic WITH (pg_tviews.key = topic) AS SELECT topic, count(*) AS items, sum(vector_norm(embedding) ORDER BY id) AS norms FROM tb_item GROUP BY 1;
        CREATE TABLE tv_answer AS SELECT question.id, ARRAY(SELECT tb_item.id FROM tb_item ORDER BY (tb_item.embedding <-> question.embedding) + 0, tb_item.id LIMIT 3) AS items
        FROM tb_question AS question""", [
        ("UPDATE tb_item SET embedding = '[1,2,3]' WHERE id = 77", {"item": 1, "topic": 1, "answer": WHOLE}),
        ("UPDATE tb_question SET embedding = '[9,9,9]' WHERE id = 2", {"item": 0, "topic": 0, "answer": 1}),
        ("DELETE FROM tb_item WHERE topic = 5", {"item": 25, "topic": 1, "answer": WHOLE})]),
}


def differences(connection):
    """{tview: rows that differ from its query, as text}."""
    found = {}
    for tview, view in tviews(connection):
        before = use_settings(connection, tview)
        rows = run(connection, f"""(SELECT 'missing', v::text FROM {view} AS v EXCEPT ALL SELECT 'missing', t::text FROM {tview} AS t)
            UNION ALL (SELECT 'extra', t::text FROM {tview} AS t EXCEPT ALL SELECT 'extra', v::text FROM {view} AS v) LIMIT 5""")
        for name, setting in before:
            run(connection, "SELECT set_config(%s, %s, false)", (name, setting))
        if rows:
            found[tview] = rows
    return found


def check_type(connection, extension, schema="foreign_types"):
    """The TVIEWs over an extension's types, in a new schema, while the extension is in another one that the search path names."""
    tables, changes = KINDS[extension]
    run(connection, f"CREATE SCHEMA {schema}; CREATE SCHEMA {schema}_extension; CREATE EXTENSION {extension} SCHEMA {schema}_extension")
    run(connection, f"SET search_path = {schema}, {schema}_extension, public; SET client_min_messages = warning")
    run(connection, tables)
    run(connection, "SELECT pg_tviews_wait()")
    full = run(connection, "SELECT tview::text, source::text FROM pg_tview_lineage WHERE strategy = 'full' AND tview::text <> 'tv_answer'")
    assert not full, f"{extension}: {full} are compared as a whole"
    for change, most in changes:
        run(connection, "SELECT pg_tviews_stats_reset()")
        run(connection, change)
        run(connection, "SELECT pg_tviews_wait()")
        wrong = differences(connection)
        assert not wrong, f"{extension}, after {change}: {wrong}"
        costs = dict(run(connection, "SELECT entity, keys + 1000000 * full_refreshes FROM pg_tviews_performance_summary"))
        beyond = {entity: keys for entity, keys in costs.items() if keys > most.get(entity, 0)}
        assert not beyond, f"{extension}, {change}: recomputed {beyond}, expected at most {most}"
        reached = {entity for entity, keys in costs.items() if keys}
        assert reached, f"{extension}, {change}: nothing was recomputed"
    assert run(connection, "SELECT tview, error FROM pg_tview_dead_letter") == []
    run(connection, f"SET client_min_messages = error; DROP SCHEMA {schema}, {schema}_extension CASCADE; RESET search_path")
