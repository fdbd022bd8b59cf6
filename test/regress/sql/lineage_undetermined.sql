-- Definitions whose rows are not determined by their sources (LINEAGE J): what order leaves open, and
-- equality between values that are not the same.
CREATE SCHEMA lineage_undetermined;
SET search_path = lineage_undetermined, public;
SET pg_tviews.notice_lineage = off;
SET client_min_messages = warning;
\pset format unaligned
\pset tuples_only on
CREATE TABLE p (pk int PRIMARY KEY, amount numeric, price numeric(8, 2), label text, f float8);
CREATE TABLE c (pk int PRIMARY KEY, fk int NOT NULL, at int, amount numeric, price numeric(8, 2), tags numeric[]);
CREATE TABLE link (pk_p int, pk_tag int, PRIMARY KEY (pk_p, pk_tag));
CREATE TABLE tag (pk int PRIMARY KEY, name text);
CREATE TABLE number (pk numeric PRIMARY KEY, name text);
CREATE TABLE parent (pk numeric PRIMARY KEY);
CREATE TABLE heir () INHERITS (parent);
CREATE PROCEDURE say(query text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'CREATE TABLE tv_said AS ' || query;
    RAISE WARNING '%', (SELECT CASE WHEN options ? 'undetermined' THEN 'undetermined' ELSE 'determined' END
                        FROM pg_tview_meta WHERE tview = 'tv_said'::regclass);
    DROP TABLE tv_said;
END $$;
\set VERBOSITY terse

-- ties of an aggregate's ORDER BY
CALL say('SELECT fk AS pk_said, array_agg(pk ORDER BY at) FROM c GROUP BY fk');
CALL say('SELECT fk AS pk_said, array_agg(at ORDER BY at) FROM c GROUP BY fk');
CALL say('SELECT fk AS pk_said, array_agg(at + 1 ORDER BY at, amount) FROM c GROUP BY fk');
CALL say('SELECT fk AS pk_said, array_agg(amount ORDER BY at, pk) FROM c GROUP BY fk');
CALL say('SELECT fk AS pk_said, array_agg(amount ORDER BY amount) FROM c GROUP BY fk');
CALL say('SELECT fk AS pk_said, array_agg(price ORDER BY price) FROM c GROUP BY fk');
CALL say('SELECT fk AS pk_said, array_agg(DISTINCT at) FROM c GROUP BY fk');
CALL say('SELECT fk AS pk_said, array_agg(DISTINCT amount) FROM c GROUP BY fk');
-- ... where a unique key orders one table and the others are joined by theirs
CALL say('SELECT pk AS pk_said, (SELECT jsonb_agg(tag.name ORDER BY tag.pk) FROM link JOIN tag ON tag.pk = link.pk_tag
          WHERE link.pk_p = p.pk) FROM p');
CALL say('SELECT pk AS pk_said, (SELECT jsonb_agg(tag.name ORDER BY link.pk_tag) FROM link LEFT JOIN tag ON tag.pk = link.pk_tag
          WHERE link.pk_p = p.pk) FROM p');
CALL say('SELECT p.pk AS pk_said, jsonb_agg(c.at ORDER BY tag.pk) FROM p JOIN c ON c.fk = p.pk
          LEFT JOIN tag ON tag.pk = c.at GROUP BY p.pk');
CALL say('SELECT p.pk AS pk_said, jsonb_agg(c.amount ORDER BY tag.pk) FROM p JOIN c ON c.fk = p.pk
          LEFT JOIN tag ON c.pk = tag.pk GROUP BY p.pk');
-- ... where the rows come out of a subquery or a view
CREATE VIEW named AS SELECT c.pk, c.fk, c.at, tag.name FROM c JOIN tag ON tag.pk = c.at;
CREATE VIEW summed AS SELECT fk, at, count(*) AS n FROM c GROUP BY fk, at;
CALL say('SELECT pk AS pk_said, (SELECT jsonb_agg(name ORDER BY named.pk) FROM named WHERE fk = p.pk) FROM p');
CALL say('SELECT pk AS pk_said, (SELECT jsonb_agg(name ORDER BY at) FROM named WHERE fk = p.pk) FROM p');
CALL say('SELECT pk AS pk_said, (SELECT jsonb_agg(n ORDER BY at) FROM summed WHERE fk = p.pk) FROM p');
CALL say('SELECT pk AS pk_said, (SELECT jsonb_agg(at ORDER BY n) FROM summed WHERE fk = p.pk) FROM p');

-- one of several values that are equal but not the same
CALL say('SELECT amount AS pk_said, count(*) FROM c GROUP BY amount');
CALL say('SELECT price AS pk_said, count(*) FROM c GROUP BY price');
CALL say('SELECT tags AS pk_said, count(*) FROM c GROUP BY tags');
CALL say('SELECT number.pk AS pk_said, count(*) FROM number JOIN c ON c.amount = number.pk GROUP BY number.pk');
CALL say('SELECT pk AS pk_said, count(*) FROM parent GROUP BY pk');
CALL say('SELECT DISTINCT amount AS pk_said FROM c');
CALL say('SELECT DISTINCT pk AS pk_said, amount FROM c');
CALL say('SELECT amount AS pk_said FROM c UNION SELECT amount FROM p');
CALL say('SELECT pk AS pk_said, amount FROM c UNION ALL SELECT -pk, amount FROM p');
CALL say('SELECT pk AS pk_said, price FROM c EXCEPT SELECT pk, price FROM p');
CALL say('SELECT fk AS pk_said, max(amount) FROM c GROUP BY fk');
CALL say('SELECT fk AS pk_said, max(price), min(at) FROM c GROUP BY fk');
CALL say('SELECT pk AS pk_said, max(f) FROM p GROUP BY pk');

-- rows cut where their order is open
CALL say('SELECT pk AS pk_said, ARRAY(SELECT at FROM c WHERE c.fk = p.pk ORDER BY c.price LIMIT 2) FROM p');
CALL say('SELECT pk AS pk_said, ARRAY(SELECT at FROM c WHERE c.fk = p.pk ORDER BY c.price, c.pk LIMIT 2) FROM p');
CALL say('SELECT DISTINCT ON (fk) fk AS pk_said, pk FROM named ORDER BY fk, at');
CALL say('SELECT DISTINCT ON (fk) fk AS pk_said, pk FROM named ORDER BY fk, at, pk');
CALL say('SELECT DISTINCT ON (parent.pk) parent.pk AS pk_said FROM parent ORDER BY parent.pk');

-- all reasons of one definition
RESET client_min_messages;
SET pg_tviews.notice_lineage = on;
CREATE TABLE tv_open AS
SELECT amount AS pk_open, max(amount) AS most, array_agg(at ORDER BY fk) AS list, array_agg(at) AS any FROM c GROUP BY amount
UNION SELECT DISTINCT amount, 0, ARRAY[pk], NULL::int[] FROM p;

SET client_min_messages = warning;
DROP SCHEMA lineage_undetermined CASCADE;
