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

-- aggregates of users, and of the server that sort by themselves
CREATE FUNCTION joined(state text, value int) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT concat(state, ',', value) $$;
CREATE FUNCTION noisy(state int, value int) RETURNS int VOLATILE LANGUAGE sql AS $$ SELECT coalesce(state, 0) + value $$;
CREATE AGGREGATE join_up(int) (SFUNC = joined, STYPE = text);
CREATE AGGREGATE noise(int) (SFUNC = noisy, STYPE = int);
CALL say('SELECT fk AS pk_said, join_up(pk) FROM c GROUP BY fk');
CALL say('SELECT fk AS pk_said, join_up(pk ORDER BY pk) FROM c GROUP BY fk');
CALL say('SELECT fk AS pk_said, join_up(at ORDER BY price) FROM c GROUP BY fk');
CALL say('SELECT pk AS pk_said, join_up(pk) OVER (PARTITION BY fk) FROM c');
CALL say('SELECT pk AS pk_said, join_up(pk) FROM c GROUP BY pk');
CALL say('SELECT fk AS pk_said, noise(pk) FROM c GROUP BY fk');
CALL say('SELECT pk AS pk_said, noise(pk) OVER (ORDER BY pk) FROM c');
CALL say('SELECT fk AS pk_said, mode() WITHIN GROUP (ORDER BY at) FROM c GROUP BY fk');
CALL say('SELECT fk AS pk_said, percentile_cont(0.5) WITHIN GROUP (ORDER BY at) FROM c GROUP BY fk');
CALL say('SELECT at AS pk_said, percentile_cont(0.5) WITHIN GROUP (ORDER BY f) FROM c, p WHERE fk = p.pk GROUP BY at');
CALL say('SELECT fk AS pk_said, percentile_disc(0.5) WITHIN GROUP (ORDER BY at) FROM c GROUP BY fk');
CALL say('SELECT fk AS pk_said, percentile_disc(0.5) WITHIN GROUP (ORDER BY amount) FROM c GROUP BY fk');
CALL say('SELECT fk AS pk_said, rank(7) WITHIN GROUP (ORDER BY at) FROM c GROUP BY fk');
-- sums that round
CALL say('SELECT at AS pk_said, sum(f) FROM c, p WHERE fk = p.pk GROUP BY at');
CALL say('SELECT at AS pk_said, sum(f ORDER BY c.pk) FROM c, p WHERE fk = p.pk GROUP BY at');
CALL say('SELECT pk AS pk_said, sum(f) FROM p GROUP BY pk');
CALL say('SELECT pk AS pk_said, sum(f) OVER () FROM p');
CALL say('SELECT pk AS pk_said, sum(f) OVER (ORDER BY pk) FROM p');
CALL say('SELECT pk AS pk_said, avg(amount) OVER () FROM p');

-- windows: places in the order, and frames that count rows
CALL say('SELECT pk AS pk_said, array_agg(pk) OVER (PARTITION BY fk) FROM c');
CALL say('SELECT pk AS pk_said, string_agg(at::text, '','') OVER (PARTITION BY fk ORDER BY at) FROM c');
CALL say('SELECT pk AS pk_said, string_agg(pk::text, '','') OVER (PARTITION BY fk ORDER BY at) FROM c');
CALL say('SELECT pk AS pk_said, array_agg(pk) OVER (PARTITION BY fk ORDER BY at, pk) FROM c');
CALL say('SELECT pk AS pk_said, sum(at) OVER (PARTITION BY fk ORDER BY at) FROM c');
CALL say('SELECT pk AS pk_said, count(*) OVER (PARTITION BY fk ORDER BY at ROWS UNBOUNDED PRECEDING) FROM c');
CALL say('SELECT pk AS pk_said, sum(at) OVER (ORDER BY fk ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM c');
CALL say('SELECT pk AS pk_said, sum(at) OVER (ORDER BY pk ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM c');
CALL say('SELECT pk AS pk_said, sum(at) OVER (ORDER BY fk GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM c');
CALL say('SELECT pk AS pk_said, first_value(at) OVER (PARTITION BY fk ORDER BY at) FROM c');
CALL say('SELECT pk AS pk_said, last_value(pk) OVER (PARTITION BY fk ORDER BY at) FROM c');
CALL say('SELECT pk AS pk_said, nth_value(pk, 2) OVER (PARTITION BY fk ORDER BY at) FROM c');
CALL say('SELECT pk AS pk_said, lag(at) OVER (PARTITION BY fk ORDER BY at) FROM c');
CALL say('SELECT pk AS pk_said, rank() OVER (PARTITION BY fk ORDER BY at) FROM c');

-- arrays, and aggregates over rows that come in order
CALL say('SELECT pk AS pk_said, ARRAY(SELECT c.pk FROM c WHERE c.fk = p.pk) FROM p');
CALL say('SELECT pk AS pk_said, ARRAY(SELECT c.pk FROM c WHERE c.fk = p.pk ORDER BY c.pk) FROM p');
CALL say('SELECT pk AS pk_said, ARRAY(SELECT c.pk FROM c WHERE c.fk = p.pk ORDER BY c.at) FROM p');
CALL say('SELECT pk AS pk_said, ARRAY(SELECT c.at FROM c WHERE c.fk = p.pk ORDER BY c.at) FROM p');
CALL say('SELECT pk AS pk_said, ARRAY(SELECT c.at FROM c WHERE c.pk = p.pk) FROM p');
CALL say('SELECT pk AS pk_said, ARRAY(SELECT at FROM c UNION SELECT pk FROM p ORDER BY 1) FROM p');
CALL say('SELECT pk AS pk_said, ARRAY(SELECT at FROM c UNION SELECT pk FROM p) FROM p');
CALL say('SELECT pk AS pk_said, (SELECT jsonb_agg(to_jsonb(s)) FROM (SELECT c.pk, c.at FROM c WHERE c.fk = p.pk ORDER BY c.at, c.pk) s) FROM p');
CALL say('SELECT pk AS pk_said, (SELECT jsonb_agg(to_jsonb(s)) FROM (SELECT c.pk, c.at FROM c WHERE c.fk = p.pk ORDER BY c.at) s) FROM p');
CALL say('SELECT pk AS pk_said, (SELECT jsonb_agg(s.at) FROM (SELECT c.pk, c.at FROM c WHERE c.fk = p.pk ORDER BY c.pk LIMIT 3) s WHERE s.at > 0) FROM p');
CALL say('SELECT pk AS pk_said, (SELECT jsonb_agg(s.at) FROM (SELECT t.* FROM (SELECT c.pk, c.at FROM c WHERE c.fk = p.pk ORDER BY c.pk) t) s) FROM p');
CALL say('SELECT pk AS pk_said, (SELECT jsonb_agg(s.at) FROM (SELECT c.pk, c.at FROM c WHERE c.fk = p.pk ORDER BY c.pk) s, tag) FROM p');
CALL say('SELECT fk AS pk_said, jsonb_agg(s.at) FROM (SELECT c.pk, c.fk, c.at FROM c ORDER BY c.pk) s GROUP BY fk');
CALL say('SELECT pk AS pk_said, (SELECT jsonb_agg(s.at) || jsonb_agg(s.at ORDER BY s.pk DESC) FROM (SELECT c.pk, c.at FROM c WHERE c.fk = p.pk ORDER BY c.pk) s) FROM p');
CALL say('SELECT fk AS pk_said, jsonb_object_agg(pk, at) FROM c GROUP BY fk');
CALL say('SELECT fk AS pk_said, jsonb_object_agg(at, pk) FROM c GROUP BY fk');
CALL say('SELECT fk AS pk_said, json_object_agg(pk, at) FROM c GROUP BY fk');
CALL say('SELECT fk AS pk_said, json_object_agg(pk, at ORDER BY pk) FROM c GROUP BY fk');

-- rows cut after an order that tells all that is left
CALL say('SELECT pk AS pk_said, (SELECT at FROM c WHERE c.fk = p.pk GROUP BY at ORDER BY count(*) DESC, at LIMIT 1) FROM p');
CALL say('SELECT pk AS pk_said, (SELECT t.name FROM c JOIN tag t ON t.pk = c.at WHERE c.fk = p.pk GROUP BY t.pk, t.name ORDER BY count(*) DESC, t.pk LIMIT 1) FROM p');
CALL say('SELECT pk AS pk_said, (SELECT at FROM c WHERE c.fk = p.pk GROUP BY at ORDER BY count(*) DESC LIMIT 1) FROM p');
CALL say('SELECT pk AS pk_said, (SELECT at FROM c WHERE c.fk = p.pk ORDER BY at LIMIT 1) FROM p');
CALL say('SELECT pk AS pk_said, (SELECT max(at) FROM c WHERE c.fk = p.pk LIMIT 1) FROM p');
CALL say('SELECT pk AS pk_said FROM c ORDER BY at FETCH FIRST 3 ROWS WITH TIES');
CALL say('SELECT pk AS pk_said, at FROM c UNION SELECT pk, 0 FROM p ORDER BY 1, 2 LIMIT 5');
CALL say('SELECT pk AS pk_said, at FROM c UNION SELECT pk, 0 FROM p ORDER BY 1 LIMIT 5');
CALL say('SELECT DISTINCT ON (u.pk) u.pk AS pk_said, u.at FROM (SELECT pk, at FROM c UNION SELECT pk, 0 FROM p) u ORDER BY u.pk, u.at');
CALL say('SELECT DISTINCT ON (u.pk) u.pk AS pk_said, u.at FROM (SELECT pk, at FROM c UNION ALL SELECT pk, 0 FROM p) u ORDER BY u.pk, u.at');
CALL say('SELECT DISTINCT ON (u.pk) u.pk AS pk_said, u.at FROM (SELECT pk, at FROM c UNION SELECT pk, 0 FROM p) u ORDER BY u.pk');
CALL say('SELECT DISTINCT ON (fk) fk AS pk_said, at FROM c ORDER BY fk, at');

-- char(n) is padded: equal values are the same
CREATE TABLE padded (pk int PRIMARY KEY, code char(5) NOT NULL, loose bpchar NOT NULL);
CALL say('SELECT code AS pk_said, count(*) FROM padded GROUP BY code');
CALL say('SELECT DISTINCT code AS pk_said FROM padded');
CALL say('SELECT loose AS pk_said, count(*) FROM padded GROUP BY loose');

-- names of what is in the catalogs: renamed without a change of a source
CREATE TABLE catalogued (pk int PRIMARY KEY, part regclass, parts regtype[], note text);
CALL say('SELECT pk AS pk_said, part, parts FROM catalogued');
CALL say('SELECT pk AS pk_said, part::text FROM catalogued');
CALL say('SELECT pk AS pk_said, parts::text FROM catalogued');
CALL say('SELECT pk AS pk_said, to_jsonb(catalogued) FROM catalogued');
CALL say('SELECT pk AS pk_said, jsonb_build_object(''type'', pg_typeof(note)) FROM catalogued');
CALL say('SELECT pk AS pk_said, note::regnamespace FROM catalogued');
CALL say('SELECT pk AS pk_said, quote_ident(note) FROM catalogued');

-- all reasons of one definition
RESET client_min_messages;
SET pg_tviews.notice_lineage = on;
CREATE TABLE tv_open AS
SELECT amount AS pk_open, max(amount) AS most, array_agg(at ORDER BY fk) AS list, array_agg(at) AS any FROM c GROUP BY amount
UNION SELECT DISTINCT amount, 0, ARRAY[pk], NULL::int[] FROM p;

SET client_min_messages = warning;
DROP SCHEMA lineage_undetermined CASCADE;
