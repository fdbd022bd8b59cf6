"""The ways to keep documents current that are compared: each is a database of its own.

bare          the source tables alone
hand          statement-level triggers by hand, synchronous, one set-based upsert per document
floor         after the statement, in its transaction, the set-based upserts by hand: no triggers
refresh       materialized views, REFRESH after the statement
concurrently  the same with REFRESH ... CONCURRENTLY
row           pg_tviews with row triggers, the default
stmt          pg_tviews with statement triggers
single        `row`, the applier without helper processes
paused        `row`, the applier stopped: capture alone
"""
from tviews_server import run, value

NAMES = ("bare", "hand", "floor", "refresh", "concurrently", "row", "stmt", "single", "paused")
SHARED = {"single": "row", "paused": "row"}  # contenders that are another one under other conditions
PG_TVIEWS = ("row", "stmt")
# What creation gives a TVIEW, so that every contender writes the same kind of table.
STORAGE = "fillfactor = 50"


def upsert(schema, document, affected):
    """The statement by hand that makes the documents with the affected keys right."""
    return f"""INSERT INTO tv_{document.entity} SELECT * FROM v_{document.entity} v
        WHERE v.{document.key} IN ({affected})
        ON CONFLICT ({document.key}) DO UPDATE SET ({{columns}}) = ROW ({{excluded}})"""


def columns_of(connection, document):
    names = [name for (name,) in run(connection, """SELECT attname FROM pg_attribute
        WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum""", (f"v_{document.entity}",))]
    names.remove(document.key)
    return {"columns": ", ".join(names), "excluded": ", ".join(f"excluded.{name}" for name in names)}


class Contender:
    def __init__(self, bench, kind, schema):
        self.bench, self.kind, self.schema = bench, kind, schema
        self.database = f"{schema.name}_{kind}"
        self.creation = {}  # entity: seconds

    def create(self):
        base = f"{self.schema.name}_base"
        if not self.bench.has_database(base):
            self.create_base(base)
        run(self.bench.control, f"CREATE DATABASE {self.database} TEMPLATE {base} STRATEGY file_copy")
        self.connection = self.bench.server.connect(self.database)
        if self.kind in PG_TVIEWS:
            run(self.connection, "CREATE EXTENSION pg_tviews; SET pg_tviews.notice_lineage = off")
        if self.kind == "stmt":
            run(self.connection, "SET client_min_messages = warning")
        for document in self.schema.documents if self.kind != "bare" else []:
            self.create_document(document)
        if self.kind == "hand":
            self.create_triggers()
        if self.kind == "stmt":
            run(self.connection, "SELECT pg_tviews_install_stmt_triggers()")
        self.settle()

    def create_base(self, base):
        run(self.bench.control, f"CREATE DATABASE {base}")
        if self.schema.name == "tpcb":
            self.bench.pgbench(base, ["-i", "-s", str(max(1, int(100 * self.bench.scale)))])
            connection = self.bench.server.connect(base)
        else:
            connection = self.bench.server.connect(base)
            run(connection, self.schema.tables)
        run(connection, "VACUUM ANALYZE")
        connection.close()

    def create_document(self, document):
        name = f"tv_{document.entity}"
        began = self.bench.now()
        if self.kind in PG_TVIEWS:
            run(self.connection, f"CREATE TABLE {name} AS {document.query}")
        else:
            run(self.connection, f"CREATE VIEW v_{document.entity} AS {document.query}")
            if self.kind in ("refresh", "concurrently"):
                run(self.connection, f"CREATE MATERIALIZED VIEW {name} AS SELECT * FROM v_{document.entity}")
                run(self.connection, f"CREATE UNIQUE INDEX ON {name} ({document.key})")
            else:
                run(self.connection, f"CREATE TABLE {name} WITH ({STORAGE}) AS SELECT * FROM v_{document.entity}")
                run(self.connection, f"ALTER TABLE {name} ADD PRIMARY KEY ({document.key})")
            for column in document.indexed:
                run(self.connection, f"CREATE INDEX ON {name} ({column})")
            run(self.connection, f"ANALYZE {name}")
        self.creation[document.entity] = self.bench.now() - began

    def create_triggers(self):
        for source in self.schema.relevant:
            for event in ("INSERT", "UPDATE", "DELETE"):
                self.create_trigger(source, event)

    def create_trigger(self, source, event):
        old, new = event != "INSERT", event != "DELETE"
        changed = " UNION ALL ".join(f"SELECT * FROM {t}_rows" for t in ("old",) * old + ("new",) * new)
        key, body = self.schema.keys[source], ""
        if event == "UPDATE":
            sides = (", ".join(f"{t}.{c}" for c in self.schema.relevant[source]) for t in ("o", "n"))
            body += f"""IF NOT EXISTS (SELECT FROM old_rows o FULL JOIN new_rows n ON o.{key} = n.{key}
                WHERE ({next(sides)}) IS DISTINCT FROM ({next(sides)})) THEN RETURN NULL; END IF;\n"""
        for document in self.schema.documents:
            if source not in document.affected:
                continue
            affected = f"WITH changed AS ({changed}) {document.affected[source]}"
            if event == "DELETE":
                body += f"""DELETE FROM tv_{document.entity} t WHERE t.{document.key} IN ({affected})
                    AND NOT EXISTS (SELECT FROM v_{document.entity} v WHERE v.{document.key} = t.{document.key});\n"""
            statement = upsert(self.schema, document, affected)
            body += statement.format(**columns_of(self.connection, document)) + ";\n"
        name = f"{source}_{event.lower()}"
        tables = " ".join(f"{t.upper()} TABLE AS {t}_rows" for t in ("old",) * old + ("new",) * new)
        run(self.connection, f"""CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS
            $f$BEGIN {body} RETURN NULL; END$f$;
            CREATE TRIGGER {name} AFTER {event} ON {source} REFERENCING {tables}
            FOR EACH STATEMENT EXECUTE FUNCTION {name}()""")

    def bulk(self, source, statement, where):
        """Runs a statement on rows of `source` that `where` selects until every document is right. Returns what
        it measured meanwhile."""
        if self.kind != "floor":
            run(self.connection, statement)
        if self.kind in ("refresh", "concurrently"):
            option = "CONCURRENTLY" if self.kind == "concurrently" else ""
            for document in self.schema.documents:
                run(self.connection, f"REFRESH MATERIALIZED VIEW {option} tv_{document.entity}")
        elif self.kind in PG_TVIEWS:
            committed = self.bench.now()
            run(self.connection, "SELECT pg_tviews_wait()")
            return {"seconds after the commit": self.bench.now() - committed}
        elif self.kind == "floor":
            self.bulk_by_hand(source, statement, where)
        return {}

    def bulk_by_hand(self, source, statement, where):
        run(self.connection, "BEGIN")
        run(self.connection, statement)
        changed = {source: f"SELECT * FROM {source} WHERE {where}"}
        for document in self.schema.documents:
            # A chain's level affects the next: its changed rows are those of the same keys.
            keys = [f"WITH changed AS ({rows}) {document.affected[table]}"
                    for table, rows in changed.items() if table in document.affected]
            if not keys:
                continue
            affected = " UNION ".join(f"({k})" for k in keys)
            run(self.connection, upsert(self.schema, document, affected).format(
                **columns_of(self.connection, document)))
            changed[f"tv_{document.entity}"] = f"""SELECT * FROM tv_{document.entity}
                WHERE {document.key} IN ({affected})"""
        run(self.connection, "COMMIT")

    def bulk_alone(self, statement):
        run(self.connection, statement)
        return {}

    def create_again(self):
        """Seconds that creating all documents with their indexes takes, of the same rows."""
        began = self.bench.now()
        run(self.connection, "BEGIN")
        for document in reversed(self.schema.documents):
            run(self.connection, f"DROP TABLE tv_{document.entity}")
            run(self.connection, f"DROP VIEW IF EXISTS v_{document.entity}")
        for document in self.schema.documents:
            self.create_document(document)
        run(self.connection, "COMMIT")
        return self.bench.now() - began

    def settle_documents(self):
        if self.kind in PG_TVIEWS:
            run(self.connection, "SELECT pg_tviews_wait()")

    def settle(self):
        """Nothing left to apply, to vacuum or to write."""
        self.settle_documents()
        run(self.connection, "VACUUM ANALYZE")
        run(self.bench.control, "CHECKPOINT")

    def wrong(self):
        """The oracle: how many stored documents differ from their query. Triggers by hand may miss
        what concurrent transactions change together; TVIEWs may not."""
        if self.kind == "bare":
            return 0
        self.settle_documents()
        wrong = {}
        for document in self.schema.documents:
            stored, query = f"SELECT * FROM tv_{document.entity}", f"SELECT * FROM v_{document.entity}"
            wrong[document.entity] = value(self.connection, f"""SELECT count(*) FROM (
                ({stored} EXCEPT ALL {query}) UNION ALL ({query} EXCEPT ALL {stored})) d""")
        if self.kind in PG_TVIEWS and any(wrong.values()):
            raise AssertionError(f"{self.database}: documents differ from their query: {wrong}")
        return sum(wrong.values())

    def written(self):
        """Documents recomputed so far, and change records applied (pg_tviews only)."""
        if self.kind not in PG_TVIEWS:
            return 0, 0
        return run(self.connection, """SELECT rows_inserted + rows_updated + rows_deleted + rows_unchanged,
            records FROM pg_tview_frontier""")[0]

    def updates(self):
        """Updates of documents so far, and how many of them were HOT."""
        run(self.connection, "SELECT pg_stat_force_next_flush()")
        return run(self.connection, """SELECT coalesce(sum(n_tup_upd), 0), coalesce(sum(n_tup_hot_upd), 0)
            FROM pg_stat_user_tables WHERE relname LIKE 'tv\\_%'""")[0]

    def processes(self):
        """Whose CPU time this contender costs: its session, and its applier."""
        pids = [value(self.connection, "SELECT pg_backend_pid()")]
        if self.kind in PG_TVIEWS:
            pids += [pid for (pid,) in run(self.connection, """SELECT pid FROM pg_stat_activity
                WHERE backend_type = 'pg_tviews applier' AND datname = current_database()""")]
        return pids
