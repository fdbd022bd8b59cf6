"""The workloads. Each is a function of the bench that measures its contenders interleaved and records
one value per contender, round and metric; bench.py checks every document against its query afterwards.
"""
import collections

from curve import Curve
from measure import commit_until_visible, cost, pgbench

Script = collections.namedtuple("Script", "name text clients contenders")


def bulk(bench, schema, source, cases,
         contenders=("floor", "hand", "refresh", "concurrently", "row", "single")):
    """Statements that change many rows, until every document is right. cases: label, statement, where."""
    for label, statement, where in cases:
        for turn in bench.rounds(f"{schema} {label}"):
            for kind in rotated(contenders, turn):
                for contender in bench.contenders(schema, (kind,)):
                    with bench.setting("pg_tviews.max_helpers", 0, kind == "single"):
                        contender.settle()
                        text = statement.format(turn=bench.turn(), where=where)
                        figures = cost(contender, lambda: contender.bulk(source, text, where))
                    record(bench, f"{schema} {label}", kind, figures, turn)


def record(bench, case, kind, figures, turn):
    for metric, figure in figures.items():
        bench.record(case, kind, metric, figure, turn)


def statement_alone(bench, schema, label, statement, where):
    """What capture adds to one large statement: the statement until its commit, applier paused."""
    for turn in bench.rounds(f"{schema} {label}, statement alone"):
        for contender in bench.contenders(schema, rotated(("bare", "row", "stmt"), turn)):
            contender.settle()
            text = statement.format(turn=bench.turn(), where=where)
            with bench.paused(contender):
                record(bench, f"{schema} {label}, statement alone", contender.kind,
                       cost(contender, lambda: contender.bulk_alone(text)), turn)


def writers(bench, schema, scripts, sync=("on", "off")):
    """Saturated clients: transactions per second, and the CPU time that a transaction costs its session."""
    for mode in sync:
        bench.set_synchronous_commit(mode)
        for script in scripts:
            for clients in script.clients if mode == "on" else [c for c in script.clients if c <= 4]:
                case = f"{schema} {script.name}, {clients} clients, synchronous_commit {mode}"
                for contender in bench.contenders(schema, script.contenders):
                    contender.settle()
                for turn in bench.rounds(case):
                    for kind in rotated(script.contenders, turn):
                        run_writers(bench, schema, script, kind, clients, case, turn)
    bench.set_synchronous_commit("on")


def rotated(kinds, turn):
    """The contenders in another order every round, so that none always has the same predecessor."""
    first = turn % len(kinds)
    return kinds[first:] + kinds[:first]


def run_writers(bench, schema, script, kind, clients, case, turn):
    (contender,) = bench.contenders(schema, (kind,)) or (None,)
    if contender is None:
        return
    contender.settle_documents()
    before = contender.written()
    with bench.paused(contender, kind == "paused"):
        (tps, transactions), cpu = bench.session_cpu_seconds(
            lambda: pgbench(bench, contender, script.text, clients))
    began = bench.now()
    contender.settle_documents()
    bench.record(case, kind, "transactions per second", tps, turn)
    bench.record(case, kind, "CPU microseconds per transaction of the session", cpu / transactions * 1e6, turn)
    if contender.kind in ("row", "stmt") and kind != "paused":
        bench.record(case, kind, "seconds until the last is visible", bench.now() - began, turn)
        documents, records = (a - b for a, b in zip(contender.written(), before))
        bench.record(case, kind, "documents per change", documents / max(records, 1), turn)


def blog_writers(bench):
    users, posts = int(10000 * bench.scale), int(100000 * bench.scale)
    head = f"\\set post random(1, {posts})\n\\set user random(1, {users})\n\\set n random(1, 1000000)\n"
    main, capture = ("bare", "hand", "row", "stmt", "paused"), ("bare", "hand", "row", "paused")
    writers(bench, "blog", [
        Script("post", head + "UPDATE tb_post SET title = 'title ' || :n WHERE pk_post = :post;", (1, 4, 8, 64), main),
        Script("user", head + "UPDATE tb_user SET name = 'name ' || :n WHERE pk_user = :user;", (4,), capture),
        Script("irrelevant column", head + "UPDATE tb_post SET views = views + 1 WHERE pk_post = :post;", (4,), main),
        Script("comments", head + f"""INSERT INTO tb_comment VALUES (nextval('new_comment'), DEFAULT, :post, :user, 'new');
UPDATE tb_comment SET content = 'changed ' || :n WHERE pk_comment = :post;
DELETE FROM tb_comment WHERE pk_comment = {posts} + :n % {posts};""", (4,), capture),
        Script("hot row", head + "UPDATE tb_post SET title = 'title ' || :n WHERE pk_post = 1;", (4,), ("bare", "hand", "row")),
    ])


def blog_bulk(bench):
    change = "UPDATE tb_post SET title = 'title ' || pk_post || ' ' || {turn} WHERE {where}"
    bulk(bench, "blog", "tb_post", [(f"{n} posts", change, f"pk_post % {100000 // n} = 0")
                                    for n in (1000, 10000, 100000)])


def feed(bench):
    """The dearest document, with a subquery of its own: what helper processes are for."""
    bulk(bench, "feed", "tb_post", [
        ("100000 feeds", "UPDATE tb_post SET title = 'title ' || pk_post || ' ' || {turn} WHERE {where}", "true")],
         ("floor", "row", "single"))


def statements(bench):
    change = "UPDATE tb_post SET title = 'title ' || pk_post || ' ' || {turn} WHERE {where}"
    for n in (1000, 100000):
        statement_alone(bench, "blog", f"{n} posts", change, f"pk_post % {100000 // n} = 0")
    statement_alone(bench, "blog", "irrelevant column of 100000 posts",
                    "UPDATE tb_post SET views = {turn} WHERE {where}", "true")


def item(bench):
    change = "UPDATE tb_stress_item SET amount = {turn} WHERE {where}"
    bulk(bench, "item", "tb_stress_item", [("single row", change, "pk_item = 77")])
    bulk(bench, "item", "tb_stress_category", [
        ("category", "UPDATE tb_stress_category SET name = 'name ' || {turn} WHERE {where}", "pk_category = 7")])
    bulk(bench, "item", "tb_stress_item", [("100000 items", change, "pk_item % 10 = 0"),
                                           ("1000000 items", change, "true")])


def flatness(bench):
    """1,000 documents spread over TVIEWs of 10,000 to 10 million: the time per document must not grow. After a
    checkpoint the log takes the whole page of each row that changes; again, the rows alone."""
    for rows in (10000, 100000, 1000000, 10000000):
        schema, items = f"flat{rows}", int(rows * bench.scale)
        # By key: a scan for the rows to change would be measured too.
        where = f"pk_item IN (SELECT generate_series(1, {items}, {max(items // 1000, 1)}))"
        label = f"{schema} 1000 documents"
        for turn in bench.rounds(label):
            for kind in rotated(("floor", "single"), turn):
                for contender in bench.contenders(schema, (kind,)):
                    contender.settle()
                    for when in ("after a checkpoint", "again"):
                        text = f"UPDATE tb_stress_item SET amount = {bench.turn()} WHERE {where}"
                        figures = cost(contender, lambda: contender.bulk("tb_stress_item", text, where))
                        record(bench, f"{label}, {when}", kind, figures, turn)
        bench.check("flatness")
        bench.forget(schema)


def chain(bench):
    bulk(bench, "chain", "tb_base", [("500000 documents", "UPDATE tb_base SET amount = {turn} WHERE {where}", "true")])


def wide(bench):
    everybody = ("floor", "hand", "refresh", "concurrently", "row")
    for count, contenders in ((10, everybody), (50, ("floor", "hand", "row"))):
        bulk(bench, f"wide{count}", "tb_base", [
            (f"{count * 10000} documents", "UPDATE tb_base SET amount = {turn} WHERE {where}", "pk_base % 10 = 0")],
             contenders)


def fan(bench):
    bulk(bench, "fan", "tb_hub", [(f"{n} documents", "UPDATE tb_hub SET amount = {turn} WHERE {where}", f"pk_hub = {hub}")
                                  for hub, n in ((1, 30000), (2, 100000), (3, 300000))])


def creation(bench):
    """CREATE TABLE AS with its indexes, and the TVIEW of the same query: what creating contenders took."""
    for schema in ("blog", "item"):
        for turn in bench.rounds(f"{schema} creation"):
            for kind in ("floor", "row"):
                for contender in bench.contenders(schema, (kind,)):
                    bench.record(f"{schema} creation", kind, "seconds", contender.create_again(), turn)


def latency(bench):
    """From commit to visible, 300 writes per second of one session; then while a fan-out runs."""
    posts = int(100000 * bench.scale)
    for turn in bench.rounds("blog commit until visible"):
        for contender in bench.contenders("blog", ("row",)):
            contender.settle()
            figures = commit_until_visible(bench, contender, "UPDATE tb_post SET title = 'title ' || {n} "
                                           f"WHERE pk_post = {{n}} * 37 % {posts} + 1", 300)
            record(bench, "blog commit until visible", contender.kind, figures, turn)
    for turn in bench.rounds("fan commit until visible beside 300000 documents"):
        for contender in bench.contenders("fan", ("row",)):
            contender.settle()
            with bench.beside(contender, f"UPDATE tb_hub SET amount = {bench.turn()} WHERE pk_hub = 3"):
                figures = commit_until_visible(bench, contender, "UPDATE tb_leaf SET amount = {n} WHERE pk_leaf = "
                                               f"{int(435000 * bench.scale)}", 20)
            record(bench, "fan commit until visible beside 300000 documents", contender.kind, figures, turn)


def tpcb(bench):
    text = bench.tpcb_script()
    writers(bench, "tpcb", [Script("TPC-B", text, (4,), ("bare", "hand", "row", "paused"))], sync=("on",))


def readers(bench):
    items = int(1000000 * bench.scale)
    text = f"\\set item random(1, {items})\nSELECT data FROM tv_stress_item WHERE pk_stress_item = :item;"
    for turn in bench.rounds("item readers, 2 clients"):
        for contender in bench.contenders("item", ("floor", "row")):
            contender.settle()
            bench.record("item readers, 2 clients", contender.kind, "transactions per second",
                         pgbench(bench, contender, text, 2)[0], turn)


def crowd(bench):
    """Writers, and a server with nothing to do, without and with 1,000 TVIEWs and 200 databases that nobody changes."""
    posts = int(100000 * bench.scale)
    text = f"""\\set post random(1, {posts})\n\\set n random(1, 1000000)
UPDATE tb_post SET title = 'title ' || :n WHERE pk_post = :post;"""
    for name in ("alone", "in a crowd"):
        if name == "in a crowd":
            for contender in bench.contenders("crowd", ("row",)):
                bench.gather_crowd(contender, int(1000 * min(1, bench.scale)), int(200 * min(1, bench.scale)))
        writers(bench, "crowd", [Script(name, text, (4,), ("bare", "row"))], sync=("on",))
        for turn in bench.rounds(f"crowd {name}, nothing to do"):
            bench.record(f"crowd {name}, nothing to do", "row", "CPU ms per second", bench.idle_cpu() * 1000, turn)


def soak(bench):
    """Full load for bench.soak_seconds over 10 times the items: outbox, queue and memory must not grow."""
    items = int(10000000 * bench.scale)
    for contender in bench.contenders("soak", ("row",)):
        text = f"\\set item random(1, {items})\nUPDATE tb_stress_item SET amount = amount + 1 WHERE pk_item = :item;"
        curve = Curve(bench.server, contender)
        with curve.drawn():
            bench.record("soak", contender.kind, "transactions per second", pgbench(bench, contender, text, 4, bench.soak_seconds)[0], 0)
        if bench.options.output:
            curve.write(bench.options.output)


ALL = {function.__name__: function for function in (
    statements, blog_bulk, feed, blog_writers, latency, item, chain, wide, fan, tpcb, creation, readers)}
WITH_FLAG = {"flatness": flatness, "crowd": crowd, "soak": soak}
