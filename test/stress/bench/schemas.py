"""The tables and documents that the benchmark maintains, once for every contender.

A document is what a TVIEW stores: its query, and for each source the query that names the documents
which a set of changed rows of that source affects. pg_tviews derives the latter by itself; the
hand-written contenders need it.
"""
import dataclasses


@dataclasses.dataclass
class Document:
    entity: str  # stored as tv_<entity>, its query is v_<entity>
    query: str   # its first column is the key, pk_<entity>
    affected: dict  # source: the keys that `changed` (rows of that source) affects
    indexed: tuple = ("id",)

    @property
    def key(self):
        return f"pk_{self.entity}"


@dataclasses.dataclass
class Schema:
    name: str
    tables: str
    documents: list
    relevant: dict  # source: the columns that documents read; others change nothing
    keys: dict      # source: its primary key


def blog(scale):
    users, posts, comments = int(10000 * scale), int(100000 * scale), int(500000 * scale)
    author = "jsonb_build_object('id', u.id, 'name', u.name)"
    return Schema("blog", f"""
        CREATE TABLE tb_user (pk_user bigint PRIMARY KEY, id uuid NOT NULL DEFAULT gen_random_uuid(),
          name text NOT NULL, email text NOT NULL, visits int NOT NULL DEFAULT 0) WITH (fillfactor = 70);
        CREATE TABLE tb_post (pk_post bigint PRIMARY KEY, id uuid NOT NULL DEFAULT gen_random_uuid(),
          fk_user bigint NOT NULL REFERENCES tb_user, title text NOT NULL, body text NOT NULL,
          views int NOT NULL DEFAULT 0) WITH (fillfactor = 70);
        CREATE TABLE tb_comment (pk_comment bigint PRIMARY KEY, id uuid NOT NULL DEFAULT gen_random_uuid(),
          fk_post bigint NOT NULL REFERENCES tb_post, fk_user bigint NOT NULL REFERENCES tb_user,
          content text NOT NULL) WITH (fillfactor = 70);
        INSERT INTO tb_user SELECT i, gen_random_uuid(), 'user ' || i, 'user' || i || '@example.org'
          FROM generate_series(1, {users}) i;
        INSERT INTO tb_post SELECT i, gen_random_uuid(), i % {users} + 1, 'title of post ' || i,
          repeat('body ' || i || ' ', 20) FROM generate_series(1, {posts}) i;
        INSERT INTO tb_comment SELECT i, gen_random_uuid(), i % {posts} + 1, (i * 7919::bigint) % {users} + 1,
          'what comment ' || i || ' says' FROM generate_series(1, {comments}) i;
        CREATE INDEX ON tb_post (fk_user);
        CREATE INDEX ON tb_comment (fk_post);
        CREATE INDEX ON tb_comment (fk_user);
        CREATE SEQUENCE new_comment START {comments + 1};
        """, [
        Document("user", """SELECT u.pk_user, u.id, jsonb_build_object('id', u.id, 'name', u.name, 'email', u.email) AS data
            FROM tb_user u""", {"tb_user": "SELECT pk_user FROM changed"}),
        Document("post", f"""SELECT p.pk_post, p.id, p.fk_user,
              jsonb_build_object('id', p.id, 'title', p.title, 'body', p.body, 'author', {author}) AS data
            FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user""", {
            "tb_user": "SELECT p.pk_post FROM tb_post p JOIN changed c ON c.pk_user = p.fk_user",
            "tb_post": "SELECT pk_post FROM changed"}, ("id", "fk_user")),
        Document("comment", f"""SELECT c.pk_comment, c.id, c.fk_post, c.fk_user,
              jsonb_build_object('id', c.id, 'content', c.content, 'title', p.title, 'author', {author}) AS data
            FROM tb_comment c JOIN tb_post p ON p.pk_post = c.fk_post JOIN tb_user u ON u.pk_user = c.fk_user""", {
            "tb_user": "SELECT m.pk_comment FROM tb_comment m JOIN changed c ON c.pk_user = m.fk_user",
            "tb_post": "SELECT m.pk_comment FROM tb_comment m JOIN changed c ON c.pk_post = m.fk_post",
            "tb_comment": "SELECT pk_comment FROM changed"}, ("id", "fk_post", "fk_user")),
        Document("feed", f"""SELECT p.pk_post AS pk_feed, p.id, p.fk_user,
              jsonb_build_object('id', p.id, 'title', p.title, 'author', {author}, 'comments', coalesce(
                (SELECT jsonb_agg(jsonb_build_object('id', c.id, 'content', c.content, 'author', w.name) ORDER BY c.pk_comment)
                 FROM tb_comment c JOIN tb_user w ON w.pk_user = c.fk_user WHERE c.fk_post = p.pk_post), '[]')) AS data
            FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user""", {
            "tb_user": """SELECT p.pk_post FROM tb_post p JOIN changed c ON c.pk_user = p.fk_user
                UNION SELECT m.fk_post FROM tb_comment m JOIN changed c ON c.pk_user = m.fk_user""",
            "tb_post": "SELECT pk_post FROM changed",
            "tb_comment": "SELECT fk_post FROM changed"}, ("id", "fk_user")),
    ], {"tb_user": ("id", "name", "email"), "tb_post": ("id", "fk_user", "title", "body"),
        "tb_comment": ("id", "fk_post", "fk_user", "content")},
        {"tb_user": "pk_user", "tb_post": "pk_post", "tb_comment": "pk_comment"})


def feed(scale):
    """The blog with its largest document alone: a post with its author and its comments."""
    whole = blog(scale)
    return dataclasses.replace(whole, name="feed", documents=[d for d in whole.documents if d.entity == "feed"])


def item(scale):
    items = int(1000000 * scale)
    return Schema("item", f"""
        CREATE TABLE tb_stress_category (pk_category int PRIMARY KEY, name text NOT NULL);
        CREATE TABLE tb_stress_item (pk_item bigint PRIMARY KEY, id uuid NOT NULL DEFAULT gen_random_uuid(),
          fk_category int NOT NULL REFERENCES tb_stress_category, title text NOT NULL, amount int NOT NULL)
          WITH (fillfactor = 70);
        INSERT INTO tb_stress_category SELECT i, 'category ' || i FROM generate_series(1, 100) i;
        INSERT INTO tb_stress_item SELECT i, gen_random_uuid(), i % 100 + 1, 'item number ' || i, 0
          FROM generate_series(1, {items}) i;
        CREATE INDEX ON tb_stress_item (fk_category);
        """, [
        Document("stress_item", """SELECT i.pk_item AS pk_stress_item, i.id, i.fk_category,
              jsonb_build_object('id', i.id, 'title', i.title, 'amount', i.amount, 'category', c.name) AS data
            FROM tb_stress_item i JOIN tb_stress_category c ON c.pk_category = i.fk_category""", {
            "tb_stress_item": "SELECT pk_item FROM changed",
            "tb_stress_category": "SELECT i.pk_item FROM tb_stress_item i JOIN changed c ON c.pk_category = i.fk_category"},
            ("id", "fk_category")),
    ], {"tb_stress_item": ("id", "fk_category", "title", "amount"), "tb_stress_category": ("name",)},
        {"tb_stress_item": "pk_item", "tb_stress_category": "pk_category"})


def base_table(rows):
    return f"""
        CREATE TABLE tb_base (pk_base bigint PRIMARY KEY, id uuid NOT NULL DEFAULT gen_random_uuid(),
          title text NOT NULL, amount int NOT NULL DEFAULT 0) WITH (fillfactor = 70);
        INSERT INTO tb_base SELECT i, gen_random_uuid(), 'title ' || i FROM generate_series(1, {rows}) i;
        """


def chain(scale):
    """Five TVIEWs, each reading the one before."""
    documents = [Document("level1", """SELECT b.pk_base AS pk_level1, b.id,
        jsonb_build_object('id', b.id, 'title', b.title, 'amount', b.amount) AS data FROM tb_base b""",
        {"tb_base": "SELECT pk_base FROM changed"})]
    relevant, keys = {"tb_base": ("id", "title", "amount")}, {"tb_base": "pk_base"}
    for level in range(2, 6):
        below = f"tv_level{level - 1}"
        documents.append(Document(f"level{level}", f"""SELECT b.pk_level{level - 1} AS pk_level{level}, b.id,
            jsonb_build_object('level', {level}, 'below', b.data) AS data FROM {below} b""",
            {below: f"SELECT pk_level{level - 1} FROM changed"}))
        relevant[below] = ("id", "data")
        keys[below] = f"pk_level{level - 1}"
    return Schema("chain", base_table(int(100000 * scale)), documents, relevant, keys)


def wide(scale, count):
    """One source and `count` TVIEWs that read it."""
    documents = [Document(f"wide{n}", f"""SELECT b.pk_base AS pk_wide{n}, b.id,
        jsonb_build_object('id', b.id, 'kind', {n}, 'title', b.title, 'amount', b.amount) AS data FROM tb_base b""",
        {"tb_base": "SELECT pk_base FROM changed"}) for n in range(1, count + 1)]
    return Schema(f"wide{count}", base_table(int(100000 * scale)), documents,
                  {"tb_base": ("id", "title", "amount")}, {"tb_base": "pk_base"})


def fan(scale):
    """Rows that reach 30,000, 100,000 and 300,000 documents, and one that reaches few."""
    sizes = [int(n * scale) for n in (30000, 100000, 300000, 10000)]
    leaves = "".join(f"""INSERT INTO tb_leaf SELECT i, gen_random_uuid(), {hub}, 'leaf ' || i
          FROM generate_series({sum(sizes[:hub - 1]) + 1}, {sum(sizes[:hub])}) i;""" for hub in range(1, 5))
    return Schema("fan", f"""
        CREATE TABLE tb_hub (pk_hub int PRIMARY KEY, name text NOT NULL, amount int NOT NULL DEFAULT 0);
        CREATE TABLE tb_leaf (pk_leaf bigint PRIMARY KEY, id uuid NOT NULL, fk_hub int NOT NULL REFERENCES tb_hub,
          title text NOT NULL, amount int NOT NULL DEFAULT 0) WITH (fillfactor = 70);
        INSERT INTO tb_hub SELECT i, 'hub ' || i FROM generate_series(1, 4) i;
        {leaves}
        CREATE INDEX ON tb_leaf (fk_hub);
        """, [
        Document("leaf", """SELECT l.pk_leaf, l.id, l.fk_hub, jsonb_build_object('id', l.id, 'title', l.title,
              'amount', l.amount, 'hub', jsonb_build_object('name', h.name, 'amount', h.amount)) AS data
            FROM tb_leaf l JOIN tb_hub h ON h.pk_hub = l.fk_hub""", {
            "tb_leaf": "SELECT pk_leaf FROM changed",
            "tb_hub": "SELECT l.pk_leaf FROM tb_leaf l JOIN changed c ON c.pk_hub = l.fk_hub"}, ("id", "fk_hub")),
    ], {"tb_leaf": ("id", "fk_hub", "title", "amount"), "tb_hub": ("name", "amount")},
        {"tb_leaf": "pk_leaf", "tb_hub": "pk_hub"})


def tpcb(scale):
    """pgbench's own tables; `tables` is empty, pgbench fills them."""
    return Schema("tpcb", "", [
        Document("branch", """SELECT b.bid AS pk_branch, jsonb_build_object('balance', b.bbalance,
              'tellers', count(t.tid), 'tellers_balance', sum(t.tbalance)) AS data
            FROM pgbench_branches b JOIN pgbench_tellers t ON t.bid = b.bid GROUP BY b.bid, b.bbalance""", {
            "pgbench_branches": "SELECT bid FROM changed",
            "pgbench_tellers": "SELECT bid FROM changed"}, ()),
    ], {"pgbench_branches": ("bbalance",), "pgbench_tellers": ("bid", "tbalance")},
        {"pgbench_branches": "bid", "pgbench_tellers": "tid"})


def by_name(name, scale):
    if name.startswith("wide"):
        return wide(scale, int(name[4:]))
    if name.startswith("flat"):
        return dataclasses.replace(item(int(name[4:]) / 1e6 * scale), name=name)
    if name == "soak":
        return dataclasses.replace(item(10 * scale), name="soak")
    if name == "crowd":
        return dataclasses.replace(blog(scale), name="crowd")
    return {"blog": blog, "feed": feed, "item": item, "chain": chain, "fan": fan, "tpcb": tpcb}[name](scale)
