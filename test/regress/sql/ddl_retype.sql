-- ALTER TABLE ... ALTER COLUMN ... TYPE of columns that TVIEWs read.
CREATE SCHEMA ddl_retype;
SET search_path = ddl_retype, public;
SET pg_tviews.notice_lineage = off;

-- The oracle: both ways, with the types of the columns.
CREATE FUNCTION differences(entity text) RETURNS TABLE (missing bigint, extra bigint, types text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SELECT count(*) FROM (TABLE v_%1$s EXCEPT ALL TABLE tv_%1$s) AS m', entity) INTO missing;
    EXECUTE format('SELECT count(*) FROM (TABLE tv_%1$s EXCEPT ALL TABLE v_%1$s) AS m', entity) INTO extra;
    SELECT string_agg(format('%s %s', t.attname, CASE
               WHEN (t.atttypid, t.atttypmod, t.attcollation) = (v.atttypid, v.atttypmod, v.attcollation)
               THEN format_type(t.atttypid, t.atttypmod) ELSE 'differs' END), ', ' ORDER BY t.attnum)
    INTO types FROM pg_attribute t JOIN pg_attribute v USING (attnum)
    WHERE t.attrelid = ('tv_' || entity)::regclass AND v.attrelid = ('v_' || entity)::regclass AND t.attnum > 0;
    RETURN NEXT;
END
$$;
-- What a command has cost: rows that a batch has compared, whole comparisons, and files written.
CREATE TABLE seen (full_refreshes bigint, unchanged bigint, files text);
CREATE VIEW now_seen AS
SELECT f.full_refreshes, f.rows_unchanged + f.rows_inserted + f.rows_updated + f.rows_deleted,
       (SELECT string_agg(c.oid || ':' || c.relfilenode, ' ' ORDER BY c.oid) FROM pg_class c
        WHERE c.relname LIKE 'tv\_%' AND c.relnamespace = 'ddl_retype'::regnamespace)
FROM pg_tview_frontier f;
CREATE FUNCTION remember() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_tviews_wait();
    DELETE FROM seen;
    INSERT INTO seen TABLE now_seen;
END
$$;
CREATE FUNCTION cost() RETURNS TABLE (whole bigint, compared bigint, rewritten boolean) LANGUAGE sql AS $$
    SELECT n.full_refreshes - s.full_refreshes, n.rows - s.unchanged, n.files IS DISTINCT FROM s.files
    FROM seen s, now_seen AS n (full_refreshes, rows, files)
$$;

CREATE TABLE tb_author (pk_author int PRIMARY KEY, name varchar(30), age int, note text);
CREATE TABLE tb_book (pk_book int PRIMARY KEY, fk_author int REFERENCES tb_author, title varchar(20) COLLATE "C", price numeric(6, 2), tags text[]);
INSERT INTO tb_author SELECT i, 'author ' || i, 20 + i, 'n' FROM generate_series(1, 20) AS i;
INSERT INTO tb_book SELECT i, 1 + i % 20, 'title ' || i, i + 0.25, ARRAY['t' || i] FROM generate_series(1, 60) AS i;
CREATE VIEW named AS SELECT pk_author, name, upper(name) AS shout FROM tb_author;
CREATE TABLE tv_author AS SELECT pk_author, name, age, jsonb_build_object('name', name, 'age', age) AS data FROM tb_author;
CREATE TABLE tv_book AS SELECT pk_book, fk_author, title, shout, price, tb_book.price * 2 AS twice
FROM tb_book JOIN named ON pk_author = fk_author;
CREATE TABLE tv_shelf AS SELECT pk_author AS pk_shelf, tv_author.name, count(pk_book) AS books, max(tv_book.title) AS title
FROM tv_author LEFT JOIN tv_book ON fk_author = pk_author GROUP BY 1, 2;
CREATE VIEW report AS SELECT name, age + 1 AS next_age FROM tv_author;
CREATE VIEW over_report AS SELECT max(next_age) AS oldest, min(name) AS first FROM report;
GRANT SELECT ON report TO PUBLIC;
COMMENT ON VIEW report IS 'kept';
CREATE INDEX author_name ON tv_author (name);
SELECT oid AS report_oid FROM pg_class WHERE oid = 'report'::regclass \gset

-- Longer: types follow, nothing is rewritten or compared.
SELECT remember();
ALTER TABLE tb_author ALTER COLUMN name TYPE varchar(60);
SELECT pg_tviews_wait();
SELECT * FROM cost();
SELECT e, d.* FROM unnest('{author,book,shelf}'::text[]) AS e, differences(e) AS d;
\d report
SELECT replace(pg_get_viewdef('report'::regclass), 'tv_author.', '') AS query;
\d over_report
-- The same: nothing at all, not even a lock.
SELECT remember();
BEGIN;
ALTER TABLE tb_author ALTER COLUMN name TYPE varchar(60), ALTER age TYPE integer;
SELECT relation::regclass, mode FROM pg_locks
WHERE pid = pg_backend_pid() AND relation::regclass::text ~ '^(tv?|v|tb)_' AND mode <> 'AccessShareLock' ORDER BY 1, 2;
COMMIT;
SELECT pg_tviews_wait();
SELECT * FROM cost();
-- varchar to text, and back.
ALTER TABLE tb_author ALTER COLUMN name TYPE text;
SELECT pg_tviews_wait();
SELECT * FROM cost();
SELECT e, d.* FROM unnest('{author,book,shelf}'::text[]) AS e, differences(e) AS d;
ALTER TABLE tb_author ALTER COLUMN name TYPE varchar;
ALTER TABLE tb_author ALTER COLUMN name TYPE varchar(80);
SELECT pg_tviews_wait();
SELECT e, d.* FROM unnest('{author,book,shelf}'::text[]) AS e, differences(e) AS d;
-- Unread: nothing, although the table is rewritten.
SELECT remember();
ALTER TABLE tb_author ALTER COLUMN note TYPE jsonb USING to_jsonb(note);
ALTER TABLE tb_author ADD COLUMN stamp timestamptz DEFAULT clock_timestamp();
ALTER TABLE tb_author ALTER stamp TYPE timestamp, ALTER note SET STORAGE EXTERNAL;
ALTER TABLE tb_author SET (fillfactor = 90), ALTER COLUMN name SET STATISTICS 50;
SELECT pg_tviews_wait();
SELECT * FROM cost();
-- Others values: several in one statement, with those of a TVIEW over the TVIEW.
UPDATE tb_author SET age = 50 WHERE pk_author = 3;
SELECT remember();
BEGIN;
ALTER TABLE tb_author ALTER COLUMN age TYPE bigint, ALTER COLUMN name TYPE text COLLATE "C" USING 'the ' || name, ALTER note TYPE text;
UPDATE tb_author SET age = 5000000000 WHERE pk_author = 4;
COMMIT;
SELECT pg_tviews_wait();
SELECT whole, rewritten FROM cost();
SELECT e, d.* FROM unnest('{author,book,shelf}'::text[]) AS e, differences(e) AS d;
SELECT oldest, first FROM over_report;
\d report
SELECT obj_description('report'::regclass), relacl IS NOT NULL AS granted, oid = :report_oid AS same FROM pg_class WHERE oid = 'report'::regclass;
\d tv_author
-- What it still follows.
UPDATE tb_author SET name = 'new' WHERE pk_author = 5;
INSERT INTO tb_author VALUES (21, 'last', 1);
SELECT pg_tviews_wait();
SELECT e, d.* FROM unnest('{author,book,shelf}'::text[]) AS e, differences(e) AS d;
SELECT entity, (SELECT count(*) FROM pg_tviews_verify(tview::text)) FROM pg_tview_meta WHERE tview::text ~ 'author|book|shelf' ORDER BY 1;
-- Keys, and what joins by them.
ALTER TABLE tb_book DROP CONSTRAINT tb_book_fk_author_fkey;
ALTER TABLE tb_author ALTER COLUMN pk_author TYPE bigint;
SELECT pg_tviews_wait();
SELECT e, d.* FROM unnest('{author,book,shelf}'::text[]) AS e, differences(e) AS d;
BEGIN;
UPDATE tb_book SET title = 'moved' WHERE pk_book = 1;
ALTER TABLE tb_book ALTER COLUMN fk_author TYPE bigint, ALTER pk_book TYPE text;
UPDATE tb_book SET fk_author = 7 WHERE pk_book = '2';
COMMIT;
SELECT pg_tviews_wait();
SELECT e, d.* FROM unnest('{author,book,shelf}'::text[]) AS e, differences(e) AS d;
UPDATE tb_author SET name = name || '!' WHERE pk_author IN (1, 7);
UPDATE tb_book SET title = 'again' WHERE pk_book = '3';
SELECT pg_tviews_wait();
SELECT e, d.* FROM unnest('{author,book,shelf}'::text[]) AS e, differences(e) AS d;
SELECT entity, (SELECT count(*) FROM pg_tviews_verify(tview::text)) FROM pg_tview_meta WHERE tview::text ~ 'author|book|shelf' ORDER BY 1;
-- A key of a type without an order.
ALTER TABLE tb_book ALTER COLUMN pk_book TYPE json USING to_json(pk_book);
-- Undone.
BEGIN;
ALTER TABLE tb_book ALTER COLUMN title TYPE text, ALTER price TYPE float8;
ROLLBACK;
BEGIN;
SAVEPOINT s;
ALTER TABLE tb_book ALTER COLUMN title TYPE text, ALTER price TYPE float8;
ROLLBACK TO s;
COMMIT;
ALTER TABLE tb_book ALTER COLUMN title TYPE text, ALTER nothing TYPE text;
ALTER TABLE tb_book ALTER COLUMN title TYPE int;
SELECT pg_tviews_wait();
SELECT e, d.* FROM unnest('{author,book,shelf}'::text[]) AS e, differences(e) AS d;
-- Values that no cast makes: unknown until the batch, for which everybody waits.
ALTER TABLE tb_book ALTER COLUMN title TYPE int USING length(title);
TABLE tv_book ORDER BY pk_book LIMIT 3;
SELECT pg_tviews_wait();
SELECT e, d.* FROM unnest('{author,book,shelf}'::text[]) AS e, differences(e) AS d;
-- Lengths that cut values off.
ALTER TABLE tb_book ALTER price TYPE numeric(6, 0);
SELECT pg_tviews_wait();
SELECT e, d.* FROM unnest('{author,book,shelf}'::text[]) AS e, differences(e) AS d;
-- Other views in the way are the server's matter.
CREATE VIEW plain AS SELECT name FROM tb_author;
ALTER TABLE tb_author ALTER COLUMN name TYPE varchar(90);
DROP VIEW plain;
CREATE MATERIALIZED VIEW stored AS SELECT name FROM tv_author;
ALTER TABLE tb_author ALTER COLUMN name TYPE varchar(90);
DROP MATERIALIZED VIEW stored;
CREATE RULE write AS ON INSERT TO report DO INSTEAD NOTHING;
ALTER TABLE tb_author ALTER COLUMN name TYPE varchar(90);
DROP RULE write ON report;
ALTER TABLE tb_author ALTER COLUMN name TYPE varchar(90);
SELECT pg_tviews_wait();
SELECT e, d.* FROM unnest('{author,book,shelf}'::text[]) AS e, differences(e) AS d;
-- A query that means something else for the new type.
CREATE FUNCTION label_of(int) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'int ' || $1 $$;
CREATE FUNCTION label_of(bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'bigint ' || $1 $$;
CREATE TABLE tb_thing (pk_thing int PRIMARY KEY, amount int, word varchar(5), doc jsonb);
INSERT INTO tb_thing VALUES (1, 7, 'b', '{"a": 1}'), (2, 9, 'B', '{"a": 2}');
CREATE TABLE tv_thing AS SELECT pk_thing, label_of(amount) AS label, amount / 2 AS half, pg_typeof(word)::text AS type FROM tb_thing;
CREATE TABLE tv_row AS SELECT pk_thing AS pk_row, to_jsonb(t) AS data FROM tb_thing t;
ALTER TABLE tb_thing ALTER amount TYPE bigint, ALTER word TYPE text;
SELECT pg_tviews_wait();
SELECT e, d.* FROM unnest('{thing,row}'::text[]) AS e, differences(e) AS d;
TABLE tv_thing ORDER BY 1;
SELECT remember();
ALTER TABLE tb_thing ALTER word TYPE varchar(40);
SELECT pg_tviews_wait();
SELECT whole FROM cost();
-- (What versions print differently of the query is left out.)
CREATE FUNCTION refused(command text, OUT message text, OUT context text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, context = PG_EXCEPTION_CONTEXT;
    context := split_part(context, E'\n', 1);
END $$;
SELECT * FROM refused('ALTER TABLE tb_thing ALTER amount TYPE numeric(8, 2)');
SELECT pg_tviews_wait();
SELECT e, d.* FROM unnest('{thing,row}'::text[]) AS e, differences(e) AS d;
TABLE tv_row ORDER BY 1;
ALTER TABLE tb_thing ALTER doc TYPE text;
SELECT pg_tviews_wait();
SELECT e, d.* FROM unnest('{thing,row}'::text[]) AS e, differences(e) AS d;
TABLE tv_row ORDER BY 1;
-- Constants and casts of which the query says nothing: the text is as it was meant.
CREATE TYPE status AS ENUM ('new', 'paid', 'gone');
CREATE TABLE tb_order (pk_order int PRIMARY KEY, status text, day date, total numeric(8, 2), code varchar(8));
INSERT INTO tb_order SELECT i, (ARRAY['new', 'paid', 'gone'])[1 + i % 3], date '2026-01-01' + i, i * 1.5, 'c' || i FROM generate_series(1, 9) AS i;
CREATE TABLE tv_order AS SELECT pk_order, status, CASE WHEN status = 'new' THEN 'paid' ELSE status END AS shown, total > 5 AS big,
       day + interval '1 day' AS due, coalesce(code, '0') AS code, jsonb_build_object('status', status, 'day', day) AS data
FROM tb_order WHERE status IN ('new', 'paid') OR status = 'gone' AND day > '2026-01-03';
CREATE TABLE tv_count AS SELECT status AS pk_count, count(*), max(code) AS last, sum(total) AS total FROM tb_order GROUP BY status;
ALTER TABLE tb_order ALTER status TYPE status USING status::status;
ALTER TABLE tb_order ALTER status TYPE varchar(7);
ALTER TABLE tb_order ALTER day TYPE timestamp, ALTER total TYPE float8, ALTER code TYPE int USING substr(code, 2)::int;
ALTER TABLE tb_order ALTER code TYPE bigint;
ALTER TABLE tb_order ALTER status TYPE status USING status::status;
CREATE TABLE tb_state (pk_state int PRIMARY KEY, state text);
INSERT INTO tb_state VALUES (1, 'new'), (2, 'paid');
CREATE TABLE tv_state AS SELECT pk_state, state FROM tb_state WHERE state = 'new' OR state IN ('gone', 'paid');
ALTER TABLE tb_state ALTER state TYPE status USING state::status;
CREATE TABLE tv_open AS SELECT pk_order AS pk_open, CASE WHEN code = 3 THEN 'three' ELSE code::text END AS code FROM tb_order WHERE code <> '2';
SELECT * FROM refused($$ALTER TABLE tb_order ALTER code TYPE date USING date '2026-01-01' + code::int$$);
SELECT pg_tviews_wait();
SELECT e, d.* FROM unnest('{order,count,state,open}'::text[]) AS e, differences(e) AS d;
-- Domains, generated columns, composite types, partitions, inheritance.
CREATE DOMAIN percent AS int CHECK (VALUE BETWEEN 0 AND 100);
CREATE TABLE tb_gen (pk_gen int PRIMARY KEY, a int, g int GENERATED ALWAYS AS (a * 2) STORED);
INSERT INTO tb_gen (pk_gen, a) VALUES (1, 10), (2, 20);
CREATE TABLE tv_gen AS SELECT pk_gen, a, g FROM tb_gen;
ALTER TABLE tb_gen ALTER g TYPE bigint;
ALTER TABLE tb_gen ALTER a TYPE percent;
ALTER TABLE tb_gen ALTER g TYPE percent;
SELECT pg_tviews_wait();
SELECT * FROM differences('gen');
UPDATE tb_gen SET a = 30 WHERE pk_gen = 1;
SELECT pg_tviews_wait();
SELECT * FROM differences('gen');
CREATE TYPE place AS (pk_place int, town varchar(10));
CREATE TABLE tb_place OF place (PRIMARY KEY (pk_place));
INSERT INTO tb_place VALUES (1, 'here');
CREATE TABLE tv_place AS SELECT pk_place, town FROM tb_place;
ALTER TYPE place ALTER ATTRIBUTE town TYPE varchar(30) CASCADE;
ALTER TYPE place ALTER ATTRIBUTE pk_place TYPE bigint CASCADE;
SELECT pg_tviews_wait();
SELECT * FROM differences('place');
CREATE TABLE tb_event (pk_event int, day date, what varchar(10), PRIMARY KEY (pk_event, day)) PARTITION BY RANGE (day);
CREATE TABLE tb_event_1 PARTITION OF tb_event FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE tb_event_2 (what varchar(10), day date NOT NULL, pk_event int NOT NULL);
ALTER TABLE tb_event ATTACH PARTITION tb_event_2 FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
INSERT INTO tb_event VALUES (1, '2026-01-05', 'one'), (2, '2026-02-05', 'two');
CREATE TABLE tv_event AS SELECT pk_event, what FROM tb_event;
CREATE TABLE tv_second AS SELECT pk_event AS pk_second, what FROM tb_event_2;
ALTER TABLE tb_event ALTER what TYPE varchar(50);
ALTER TABLE tb_event ALTER pk_event TYPE bigint, ALTER what TYPE text USING upper(what);
INSERT INTO tb_event VALUES (5000000000, '2026-02-06', 'three');
SELECT pg_tviews_wait();
SELECT e, d.* FROM unnest('{event,second}'::text[]) AS e, differences(e) AS d;
TABLE tv_second ORDER BY 1;
CREATE TABLE tb_parent (pk_parent int PRIMARY KEY, v varchar(3));
CREATE TABLE tb_child (extra int) INHERITS (tb_parent);
INSERT INTO tb_parent VALUES (1, 'a');
INSERT INTO tb_child VALUES (2, 'b', 1);
CREATE TABLE tv_parent AS SELECT pk_parent, v FROM tb_parent;
CREATE TABLE tv_child AS SELECT pk_parent AS pk_child, v, extra FROM tb_child;
ALTER TABLE tb_parent ALTER v TYPE varchar(9), ALTER pk_parent TYPE int8;
SELECT pg_tviews_wait();
SELECT e, d.* FROM unnest('{parent,child}'::text[]) AS e, differences(e) AS d;
-- A hundred years of settings do not change what is read again.
SET DateStyle = 'German';
SET IntervalStyle = 'sql_standard';
SET extra_float_digits = -15;
SET transform_null_equals = on;
CREATE TABLE tb_time (pk_time int PRIMARY KEY, at timestamptz(0), word varchar(4), n float8);
INSERT INTO tb_time VALUES (1, '2026-01-02 03:04:05+00', 'w', 1);
SET transform_null_equals = off;
CREATE TABLE tv_time AS SELECT pk_time, at > '02.03.2026 10:00'::timestamptz AS later, at + '-1 day 2 hours'::interval AS moved,
       n * 0.1234567890123456789::float8 AS product, word = NULL AS unknown, word
FROM tb_time;
SET transform_null_equals = on;
ALTER TABLE tb_time ALTER word TYPE varchar(8);
RESET DateStyle;
RESET IntervalStyle;
RESET extra_float_digits;
RESET transform_null_equals;
SELECT replace(pg_get_viewdef('v_time'::regclass), 'tb_time.', '') AS query;
SELECT * FROM differences('time');
-- In an event trigger's session, and by a function.
CREATE FUNCTION widen() RETURNS void LANGUAGE plpgsql AS $$ BEGIN ALTER TABLE ddl_retype.tb_time ALTER word TYPE varchar(12); END $$;
SELECT widen();
SELECT * FROM differences('time');

-- Rights: the table is one role's, the TVIEW another's.
CREATE ROLE retype_table NOLOGIN;
CREATE ROLE retype_tview NOLOGIN;
GRANT USAGE, CREATE ON SCHEMA ddl_retype TO retype_table, retype_tview;
SET ROLE retype_table;
CREATE TABLE tb_shared (pk_shared int PRIMARY KEY, v varchar(5), n int);
INSERT INTO tb_shared VALUES (1, 'a', 1), (2, 'b', 2);
GRANT SELECT, TRIGGER ON tb_shared TO retype_tview;
RESET ROLE;
SET ROLE retype_tview;
CREATE TABLE tv_shared AS SELECT pk_shared, v, n, to_jsonb(v) AS data FROM tb_shared;
RESET ROLE;
SET ROLE retype_table;
ALTER TABLE tb_shared ALTER v TYPE varchar(10), ALTER n TYPE bigint;
CREATE TABLE witness (who text);
GRANT INSERT ON witness TO PUBLIC;
CREATE DOMAIN mine AS text;
CREATE TYPE pair AS (a int, b text);
CREATE FUNCTION to_pair(bigint) RETURNS pair LANGUAGE plpgsql AS $$
BEGIN INSERT INTO ddl_retype.witness VALUES (current_user); RETURN ROW($1, 'x')::ddl_retype.pair; END $$;
CREATE CAST (bigint AS pair) WITH FUNCTION to_pair(bigint) AS ASSIGNMENT;
ALTER TABLE tb_shared ALTER v TYPE mine;
ALTER TABLE tb_shared ALTER n TYPE pair;
RESET ROLE;
TABLE witness;
SET ROLE retype_tview;
ALTER TABLE tb_shared ALTER v TYPE text;
RESET ROLE;
-- A superuser may, and so may a member of the TVIEW's owner.
ALTER TABLE tb_shared ALTER v TYPE mine;
GRANT retype_tview TO retype_table;
SET ROLE retype_table;
ALTER TABLE tb_shared ALTER v TYPE text;
RESET ROLE;
SELECT pg_tviews_wait();
SELECT * FROM differences('shared');
SELECT relname, relowner::regrole FROM pg_class WHERE relname ~ '^t?v_shared$' ORDER BY 1;
-- A function in a schema of everybody, for the new type.
CREATE FUNCTION shown(int) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'n' || $1 $$;
REVOKE retype_tview FROM retype_table;
SET ROLE retype_tview;
CREATE TABLE tv_shown AS SELECT pk_shared AS pk_shown, shown(pk_shared) AS s FROM tb_shared;
RESET ROLE;
SET ROLE retype_table;
CREATE FUNCTION shown(bigint) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN current_user; END $$;
ALTER TABLE tb_shared ALTER pk_shared TYPE bigint;
RESET ROLE;
SELECT pg_tviews_wait();
SELECT e, d.* FROM unnest('{shared,shown}'::text[]) AS e, differences(e) AS d;

SELECT entity FROM pg_tview_meta WHERE tview::text ~ 'ddl_retype' AND state <> 'active';
SET client_min_messages = warning;
DROP SCHEMA ddl_retype CASCADE;
DROP ROLE retype_table, retype_tview;
RESET client_min_messages;
SELECT pg_tviews_wait();
