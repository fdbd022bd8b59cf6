"""The world of the statements in `ddl_statements.py`: objects of every kind, TVIEWs over them, and changes of all rows."""
from tviews_server import run

ROLES = """
CREATE ROLE owner LOGIN;
CREATE ROLE other LOGIN;
GRANT CREATE ON DATABASE ddl TO owner, other;
"""

# In the database: functions that change rows of whatever tables there are, also those that a statement has renamed.
TOUCH = """
CREATE FUNCTION public.touch(number int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  t record;
  changed int := 0;
BEGIN
  FOR t IN
    SELECT c.oid::regclass AS name,
      (SELECT string_agg(format('%1$I = left(%1$I::text || %2$L, 9)', a.attname, (number % 10)::text), ', ')
       FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 1 AND NOT a.attisdropped AND a.attgenerated = ''
       AND a.atttypid IN ('text'::regtype, 'varchar'::regtype)) AS texts,
      (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
       WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity = '') AS columns,
      (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = 1) AS first
    FROM pg_class c
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace::regnamespace::text IN ('app', 'lib', 'application', 'library')
      AND c.relname NOT LIKE 'tv\\_%' AND NOT EXISTS (SELECT FROM pg_tview_meta m WHERE m.tview = c.oid)
    ORDER BY c.oid
  LOOP
    CONTINUE WHEN t.texts IS NULL OR t.first IS NULL;
    BEGIN
      EXECUTE format('UPDATE %s x SET %s WHERE x.%I %% 2 = %s', t.name, t.texts, t.first, number % 2);
      changed := changed + 1;
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
    BEGIN
      IF number % 3 = 0 THEN
        EXECUTE format('DELETE FROM %1$s x WHERE x.%2$I = (SELECT max(y.%2$I) FROM %1$s y WHERE y.%2$I < 100)', t.name, t.first);
      ELSE
        EXECUTE format('INSERT INTO %1$s (%3$s) SELECT %3$s FROM (SELECT (jsonb_populate_record(NULL::%1$s, to_jsonb(x) || '
          'jsonb_build_object(%4$L, (SELECT max(y.%2$I) + 1 FROM %1$s y WHERE y.%2$I < 100)))).* FROM %1$s x LIMIT 1) z',
          t.name, t.first, t.columns, t.first);
      END IF;
    EXCEPTION WHEN OTHERS THEN NULL;
    END;
  END LOOP;
  RETURN changed;
END $$;
"""

OBJECTS = """
CREATE SCHEMA lib AUTHORIZATION owner;
CREATE SCHEMA app AUTHORIZATION owner;
GRANT USAGE ON SCHEMA app, lib TO PUBLIC;
SET ROLE owner;
CREATE TYPE lib.mood AS ENUM ('sad', 'ok', 'glad');
CREATE TYPE lib.pair AS (a int, b text);
CREATE TYPE lib.row_type AS (id int, name text, spare text);
CREATE TYPE lib.span AS RANGE (subtype = int);
CREATE DOMAIN lib.label AS text CONSTRAINT label_check CHECK (length(VALUE) < 40);
CREATE DOMAIN lib.number AS int;
CREATE COLLATION lib.folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE CONVERSION lib.conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE TEXT SEARCH DICTIONARY lib.dict (TEMPLATE = pg_catalog.simple);
CREATE TEXT SEARCH CONFIGURATION lib.conf (COPY = pg_catalog.simple);
ALTER TEXT SEARCH CONFIGURATION lib.conf ALTER MAPPING FOR asciiword WITH lib.dict;
CREATE FUNCTION lib.shown(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT upper($1) $$;
CREATE FUNCTION lib.times(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN i * 2; END $$;
CREATE FUNCTION lib.joined(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $1 || $2 $$;
CREATE FUNCTION lib.inner_one(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $1 || '-' $$;
CREATE FUNCTION lib.outer_one(a text) RETURNS text LANGUAGE sql IMMUTABLE RETURN lib.inner_one(a) || '.';
CREATE FUNCTION lib.when_text(timestamptz) RETURNS text LANGUAGE sql STABLE AS $$ SELECT $1::text $$;
CREATE FUNCTION lib.first(lib.pair) RETURNS int LANGUAGE sql IMMUTABLE RETURN ($1).a;
CREATE FUNCTION lib.longer(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT greatest($1, $2) $$;
CREATE AGGREGATE lib.longest(text) (SFUNC = lib.longer, STYPE = text);
CREATE OPERATOR lib.~+ (FUNCTION = lib.joined, LEFTARG = text, RIGHTARG = text);
CREATE FUNCTION lib.louder() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := upper(NEW.name); RETURN NEW; END $$;
CREATE FUNCTION lib.skipped() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE FUNCTION lib.more_changes() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN UPDATE app.guarded SET name = 'by a trigger' WHERE id = 1; RETURN NULL; END $$;
CREATE FUNCTION lib.watched() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; END $$;
CREATE TABLE app.parent (id int PRIMARY KEY, name text);
CREATE TABLE app.plain (id int PRIMARY KEY, name text, spare text, mood lib.mood, label lib.label, pair lib.pair, doc jsonb,
  at timestamptz, fk int REFERENCES app.parent, number lib.number, span lib.span);
CREATE TABLE app.part (id int PRIMARY KEY, name text, spare text) PARTITION BY RANGE (id);
CREATE TABLE app.part_1 PARTITION OF app.part FOR VALUES FROM (0) TO (100);
CREATE TABLE app.part_2 PARTITION OF app.part FOR VALUES FROM (100) TO (200);
CREATE TABLE app.part_new (id int PRIMARY KEY, name text, spare text);
CREATE TABLE app.base (id int PRIMARY KEY, name text, spare text);
CREATE TABLE app.heir (extra text, PRIMARY KEY (id)) INHERITS (app.base);
CREATE TABLE app.lone (id int NOT NULL PRIMARY KEY, name text, spare text);
CREATE TABLE app.typed OF lib.row_type (PRIMARY KEY (id));
CREATE TABLE app.rowed (id int, name text);
CREATE TABLE app.holder (id int PRIMARY KEY, name text, held app.rowed);
CREATE TABLE app.gen (id int PRIMARY KEY, name text, loud text GENERATED ALWAYS AS (upper(name)) STORED, num int GENERATED ALWAYS AS IDENTITY);
CREATE TABLE app.log (id int, name text);
CREATE TABLE app.guarded (id int PRIMARY KEY, name text);
CREATE POLICY all_rows ON app.guarded USING (true);
CREATE RULE logging AS ON UPDATE TO app.gen DO ALSO INSERT INTO app.log VALUES (OLD.id, OLD.name);
INSERT INTO app.parent SELECT i, 'parent ' || i FROM generate_series(1, 3) i;
INSERT INTO app.plain SELECT i, 'plain ' || i, 'spare', (ARRAY['sad', 'ok', 'glad'])[i % 3 + 1]::lib.mood, 'label'::lib.label, ROW(i, ('b' || i)::text)::lib.pair, '{"a": 1}',
  timestamptz '2024-01-01 12:00+00' + i * interval '1 day', i % 3 + 1, i, lib.span(i, i + 2) FROM generate_series(1, 5) i;
INSERT INTO app.part SELECT i, 'part ' || i, 'spare' FROM unnest('{1, 2, 3, 110, 120}'::int[]) i;
INSERT INTO app.part_new SELECT i, 'new ' || i, 'spare' FROM unnest('{210, 220}'::int[]) i;
INSERT INTO app.base SELECT i, 'base ' || i, 'spare' FROM generate_series(1, 3) i;
INSERT INTO app.heir SELECT i, 'heir ' || i, 'spare', 'extra' FROM generate_series(401, 402) i;
INSERT INTO app.lone SELECT i, 'lone ' || i, 'spare' FROM generate_series(501, 502) i;
INSERT INTO app.typed SELECT i, 'typed ' || i, 'spare' FROM generate_series(1, 3) i;
INSERT INTO app.holder SELECT i, 'holder', ROW(i, 'held ' || i)::app.rowed FROM generate_series(1, 3) i;
INSERT INTO app.gen SELECT i, 'gen ' || i FROM generate_series(1, 3) i;
INSERT INTO app.guarded SELECT i, 'guarded ' || i FROM generate_series(1, 4) i;
CREATE VIEW app.shown_plain AS SELECT id, name, fk FROM app.plain;
CREATE VIEW app.over_plain AS SELECT * FROM app.shown_plain;
CREATE MATERIALIZED VIEW app.mv AS SELECT fk AS id, count(*) AS n FROM app.plain GROUP BY fk;
CREATE UNIQUE INDEX ON app.mv (id);
RESET ROLE;
CREATE PUBLICATION pub;
CREATE OPERATOR CLASS lib.text_ops FOR TYPE text USING btree AS FUNCTION 1 bttextcmp(text, text), OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >;
"""

TVIEWS = {
    "plain": "SELECT id, name, mood::text AS mood, label, (pair).b AS b, doc FROM app.plain",
    "whole": "SELECT p.id, to_jsonb(p) AS data FROM app.plain p",
    "row": "SELECT p.id, p AS row, p::text AS text FROM app.plain p",
    "when": "SELECT id, at::text AS at, lib.when_text(at) AS by_function FROM app.plain",
    "joined": "SELECT p.id, p.name, q.name AS parent, g.name AS guard FROM app.plain p JOIN app.parent q ON q.id = p.fk"
              " LEFT JOIN app.guarded g ON g.id = p.id",
    "part": "SELECT t.id, t.name, to_jsonb(t) AS data, count(*) OVER (PARTITION BY t.spare) AS mates FROM app.part t",
    "base": "SELECT b.id, to_jsonb(b) AS data, b.name FROM app.base b",
    "heir": "SELECT h.id, h::text AS row FROM app.heir h",
    "typed": "SELECT t.id, to_jsonb(t) AS data FROM app.typed t",
    "holder": "SELECT h.id, h.name, to_jsonb(h.held) AS held, h.held::text AS text FROM app.holder h",
    "gen": "SELECT id, name, loud, num FROM app.gen",
    "guarded": "SELECT id, name FROM app.guarded",
    "over": "SELECT o.id, to_jsonb(o) AS data FROM app.over_plain o",
    "func": "SELECT id, lib.shown(name) AS shown, lib.times(id) AS times, name OPERATOR(lib.~+) 'x' AS joined, lib.outer_one(name) AS outer_one,"
            " upper(name) AS upper FROM app.plain",
    "agg": "SELECT fk AS id, lib.longest(name ORDER BY name) AS longest, count(*) AS n FROM app.plain WHERE fk IS NOT NULL GROUP BY fk",
    "words": "SELECT id, to_tsvector('lib.conf', name)::text AS words, to_tsvector('simple', name)::text AS simple FROM app.plain",
    "folded": "SELECT id, rank() OVER (ORDER BY name COLLATE lib.folded, id) AS place FROM app.plain",
    "mood": "SELECT id, mood, mood > 'sad' AS better, number, span::text AS span FROM app.plain WHERE mood <> 'sad'",
    "mv": "SELECT m.id, m.n, to_jsonb(m) AS data FROM app.mv m",
    "next": "SELECT t.id, t.name || '+' AS name, to_jsonb(t) AS data FROM app.tv_plain t",
}

DROP = """
SET client_min_messages = error;
DROP EVENT TRIGGER IF EXISTS watching;
DROP PUBLICATION IF EXISTS pub;
DROP SCHEMA IF EXISTS app, lib, application, library CASCADE;
DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'owned') THEN ALTER ROLE owned RENAME TO owner; END IF; END $$;
ALTER EXTENSION pg_tviews SET SCHEMA public;
DROP OWNED BY owner, other CASCADE;
GRANT CREATE ON DATABASE ddl TO owner, other;
ALTER ROLE owner INHERIT; ALTER ROLE owner RESET ALL;
RESET client_min_messages;
"""


def make(connection):
    run(connection, "SET search_path = public; RESET ROLE")
    for statement in DROP.strip().split("\n"):
        run(connection, statement)
    run(connection, OBJECTS)


def make_tviews(connection, names):
    """As their owner; [(name, error)] of those that cannot be made."""
    failed = []
    run(connection, "SET ROLE owner; SET search_path = app, lib, public")
    for name in names:
        try:
            run(connection, f"CREATE TABLE app.tv_{name} WITH (pg_tviews.key = 'id') AS {TVIEWS[name]}")
        except Exception as error:  # the caller looks at it
            failed.append((name, error))
    run(connection, "RESET ROLE; SET search_path = public")
    return failed
