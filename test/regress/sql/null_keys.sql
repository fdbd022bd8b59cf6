-- A row without a key belongs to no key, so it is looked for: after a change that may have made one, and not
-- where it is known that there is none.
SET client_min_messages = warning;
CREATE SCHEMA null_keys;
SET search_path = null_keys, public;
SET pg_tviews.notice_lineage = off;
\pset format unaligned
\pset tuples_only on
\set wait 'SELECT pg_tviews_wait() \\gset waited_'

-- 1. Keys that cannot be NULL, told from their expressions.
CREATE DOMAIN label AS text;
CREATE TYPE color AS ENUM ('red', 'green');
CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL, big bigint NOT NULL, word text NOT NULL, code varchar(20) NOT NULL,
    fixed char(3) NOT NULL, price numeric NOT NULL, ratio float8 NOT NULL, at timestamptz NOT NULL, day date NOT NULL,
    noon time NOT NULL, stamp timestamp NOT NULL, span interval NOT NULL, uid uuid NOT NULL, ok bool NOT NULL,
    doc jsonb NOT NULL, list int[] NOT NULL, during int4range NOT NULL, lab label NOT NULL,
    hue color NOT NULL, maybe text, maybe_n int);
CREATE TABLE child (id int PRIMARY KEY, fk_t int, name text NOT NULL);
CREATE FUNCTION mine(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT nullif($1, '') $$;
-- What is known of the key `expression`, over `source`.
CREATE FUNCTION key_of(expression text, source text DEFAULT 't') RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer text;
BEGIN
    EXECUTE format('CREATE TABLE tv_probe WITH (pg_tviews.key = ''k'') AS SELECT %s AS k FROM %s WITH NO DATA', expression, source);
    SELECT CASE WHEN key_is_not_null THEN 'never null' WHEN options ? 'tells_null_keys' THEN 'tells' ELSE 'asks' END
    INTO answer FROM pg_tview_meta WHERE tview = 'tv_probe'::regclass;
    DROP TABLE tv_probe;
    RETURN answer || ': ' || expression || CASE source WHEN 't' THEN '' ELSE ' FROM ' || source END;
END $$;
SELECT key_of(e) FROM unnest(ARRAY[
    'id', 'n + 1', 'n * big', '''k-'' || id', 'id || ''-k''', 'word || code', 'word || ''-'' || id || ''-'' || uid', 'hue || ''-'' || id',
    'lab || word', 'lower(word)', 'md5(word)', 'upper(trim(code))', 'left(word, 3)', 'substring(word from 2 for 3)', 'replace(word, ''a'', ''b'')',
    'lpad(id::text, 8, ''0'')', 'split_part(word, ''/'', 1)', 'fixed::text', 'id::text', 'price::int', 'big::int', 'uid::text', 'hue::text',
    'round(price, 1)', 'abs(n)', 'n % 7', '-n', 'at::text::varchar(30)', 'stamp::date', 'day + n', 'day - date ''2020-01-01''', 'date_trunc(''day'', stamp)',
    'extract(year from stamp)', 'extract(hour from noon)', 'coalesce(maybe, '''')', 'coalesce(maybe, word)', 'coalesce(maybe_n, n, 0) + 1',
    'greatest(maybe_n, n)', 'CASE WHEN ok THEN word ELSE code END', 'CASE n WHEN 1 THEN ''one'' WHEN 2 THEN word ELSE ''many'' END',
    'CASE WHEN n > 1 THEN 1 ELSE 2 END', 'n > 1', 'maybe IS NULL', 'ok AND n > 1', 'word COLLATE "C"', 'word::label',
    'encode(sha256(word::bytea), ''hex'')', 'list::bigint[]']) AS e;
-- Those that can, though what they are made of cannot.
SELECT key_of(e) FROM unnest(ARRAY[
    'maybe', 'maybe || ''x''', 'n + maybe_n', 'nullif(n, 1)', 'CASE WHEN ok THEN word END', 'CASE WHEN ok THEN word ELSE maybe END',
    'coalesce(maybe, maybe || ''x'')', 'lower(during)', 'substring(word from ''a(b)'')', 'to_char(stamp, ''YYYY'')', 'extract(day from stamp)',
    'stamp::time', 'doc ->> ''a''', 'list[1]', 'mine(word)', 'mine(word) || id', 'maybe > ''x''', 'array_length(list, 1)',
    'regexp_match(word, ''a'')', 'date_part(''dow'', day)']) AS e;
-- By conditions, and where joins put NULLs in the place of rows.
SELECT key_of('maybe', 't WHERE maybe IS NOT NULL');
SELECT key_of('maybe || id', 't WHERE maybe > ''''');
SELECT key_of('fk_t', 'child JOIN t ON t.id = child.fk_t');
SELECT key_of('child.fk_t || t.word', 'child JOIN t ON t.id = child.fk_t LEFT JOIN child c ON c.id = t.n');
SELECT key_of('''k'' || child.id', 't LEFT JOIN child ON child.fk_t = t.id');
SELECT key_of('t.id || ''-'' || coalesce(child.id, 0)', 't LEFT JOIN child ON child.fk_t = t.id');
SELECT key_of('coalesce(t.id, child.id)', 't FULL JOIN child ON t.id = child.id');
SELECT key_of('coalesce(t.maybe, child.name)', 't FULL JOIN child ON t.maybe = child.name');
SELECT key_of('s.k', '(SELECT ''k'' || id AS k FROM t UNION ALL SELECT name FROM child) s');
SELECT key_of('s.k', '(SELECT ''k'' || id AS k FROM t UNION ALL SELECT maybe FROM t) s');
SELECT key_of('s.k', 't LEFT JOIN (SELECT ''k'' || id AS k, fk_t FROM child) s ON s.fk_t = t.id');
SELECT key_of('''k'' || n', 't GROUP BY ''k'' || n');
SELECT key_of('''k'' || n', 't GROUP BY GROUPING SETS ((''k'' || n), ())');
SELECT key_of('tag', 't CROSS JOIN unnest(t.list) AS tag');

-- No operator of the server that the analysis believes in returns NULL for what is not.
CREATE TABLE sample (type regtype, value text);
INSERT INTO sample SELECT type::regtype, value FROM (VALUES
    ('int2', '{0,1,-1,32767,-32768}'), ('int4', '{0,1,-1,2147483647,-2147483648}'), ('int8', '{0,1,-1,9223372036854775807}'),
    ('numeric', '{0,1,-1.50,NaN,Infinity,-Infinity}'), ('float4', '{0,1,-1.5,NaN,Infinity,-Infinity}'), ('float8', '{0,1,-1.5,NaN,Infinity}'),
    ('oid', '{0,1}'), ('money', '{0,1}'), ('bool', '{t,f}'), ('text', '{"",a,a%}'), ('varchar', '{"",a}'), ('bpchar', '{"",a}'),
    ('name', '{"",a}'), ('"char"', '{"",a}'), ('bytea', '{"",a}'), ('uuid', '{00000000-0000-0000-0000-000000000000}'),
    ('date', '{2020-02-29,infinity,-infinity}'), ('time', '{00:00,24:00}'), ('timetz', '{00:00+00}'),
    ('timestamp', '{2020-02-29,infinity,-infinity}'), ('timestamptz', '{2020-02-29,infinity,-infinity}'),
    ('interval', '{0,1 month,-1 day}'), ('bit', '{0,1}'), ('varbit', '{"",101}'), ('inet', '{0.0.0.0,::1,10.0.0.0/8}'),
    ('cidr', '{10.0.0.0/8}'), ('macaddr', '{00:00:00:00:00:00}'), ('macaddr8', '{00:00:00:00:00:00:00:00}')) v (type, list), unnest(list::text[]) AS value;
CREATE FUNCTION is_null(expression text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE answer boolean;
BEGIN
    EXECUTE 'SELECT ' || expression || ' IS NULL' INTO answer;
    RETURN answer;
EXCEPTION WHEN others THEN RETURN false;  -- an error is no NULL
END $$;
SELECT count(*) > 1000 AS many, string_agg(expression, ', ') FILTER (WHERE is_null(expression)) AS null_results FROM (
    SELECT format('%s OPERATOR(pg_catalog.%s) %s', coalesce(quote_literal(l.value) || '::' || l.type, ''), oprname, quote_literal(r.value) || '::' || r.type) AS expression
    FROM pg_operator LEFT JOIN sample l ON l.type = oprleft JOIN sample r ON r.type = oprright
    WHERE oid < 12000 AND (oprleft = 0 OR l.type IS NOT NULL) AND oprresult IN (SELECT type FROM sample) AND oprcode <> 0
      AND oprname = ANY ('{+,-,*,/,%,^,||,=,<>,<,<=,>,>=,&,|,#,~,<<,>>,~~,!~~,~~*,!~~*,~*,!~,!~*,@,|/,||/,^@}')) AS e;
-- Nor does a cast, but to time.
SELECT count(*) > 100 AS many, string_agg(expression, ', ') FILTER (WHERE is_null(expression)) AS null_results FROM (
    SELECT format('%L::%s::%s', l.value, l.type, format_type(casttarget, NULL)) AS expression
    FROM pg_cast JOIN sample l ON l.type = castsource
    WHERE pg_cast.oid < 12000 AND casttarget IN (SELECT type FROM sample) AND casttarget NOT IN ('time'::regtype, 'timetz'::regtype)) AS e;

-- Nor does a function.
SELECT count(*) > 1000 AS many, string_agg(expression, ', ') FILTER (WHERE is_null(expression)) AS null_results FROM (
    SELECT DISTINCT format('pg_catalog.%I(%s)', proname, (SELECT string_agg(format('%L::%s', s.value, s.type), ', ' ORDER BY a.i)
        FROM unnest(p.proargtypes) WITH ORDINALITY AS a (type, i) CROSS JOIN LATERAL (SELECT value, a.type::regtype AS type FROM sample
        WHERE sample.type = a.type ORDER BY md5(value || a.i || round) LIMIT 1) AS s)) AS expression
    FROM pg_proc p, generate_series(1, 12) AS round
    WHERE oid < 12000 AND prokind = 'f' AND NOT proretset AND pronargs > 0 AND proargtypes::oid[] <@ (SELECT array_agg(type::oid) FROM sample)
      AND proname = ANY ('{
abs,age,ascii,bit_length,bool,bpchar,btrim,ceil,ceiling,char_length,character_length,chr,convert_from,
convert_to,date,date_trunc,decode,div,encode,exp,factorial,float4,float8,floor,gcd,hashtext,hashtextextended,
initcap,int2,int4,int8,interval,justify_days,justify_hours,justify_interval,lcm,left,length,ln,log,lower,lpad,
ltrim,make_date,make_interval,make_time,make_timestamp,make_timestamptz,md5,mod,money,name,normalize,numeric,
octet_length,oid,overlay,position,power,quote_ident,quote_literal,repeat,replace,reverse,right,round,rpad,
rtrim,sha224,sha256,sha384,sha512,sign,split_part,sqrt,starts_with,strpos,text,timestamp,timestamptz,timezone,
to_hex,to_timestamp,translate,trunc,upper,varchar}')) AS e;

-- 2. Where lineage tells of rows without a key they are noticed as they come, and forgotten as they go.
CREATE TABLE tb_told (id int PRIMARY KEY, code text, note text);
CREATE TABLE tb_note (id int PRIMARY KEY, fk_told int, body text);
INSERT INTO tb_told SELECT i, 'c' || i FROM generate_series(1, 5) i;
CREATE TABLE tv_told WITH (pg_tviews.key = 'k') AS SELECT 'k-' || code AS k, note,
    (SELECT string_agg(body, ',' ORDER BY n.id) FROM tb_note n WHERE n.fk_told = t.id) AS notes FROM tb_told t;
CREATE TABLE tv_told_column AS SELECT code AS pk_told_column, note FROM tb_told;
CREATE TABLE tv_told_group WITH (pg_tviews.key = 'k') AS
SELECT 'g-' || body AS k, count(*) AS n FROM tb_note JOIN tb_told t ON t.id = fk_told GROUP BY 'g-' || body;
CREATE TABLE tv_told_outer WITH (pg_tviews.key = 'k') AS
SELECT 'n-' || n.id AS k, t.code FROM tb_note n RIGHT JOIN tb_told t ON t.id = n.fk_told AND n.body <> '' WHERE t.note IS NOT NULL;
SELECT entity, CASE WHEN key_is_not_null THEN 'never null' WHEN options ? 'tells_null_keys' THEN 'tells' ELSE 'asks' END
FROM pg_tview_meta WHERE entity LIKE 'told%' ORDER BY 1;
CREATE VIEW sick AS SELECT tview, key, sqlstate FROM pg_tview_dead_letter JOIN pg_class ON oid = tview
WHERE relnamespace = 'null_keys'::regnamespace ORDER BY tview::text, key;
UPDATE tb_told SET note = 'x' WHERE id = 1;
:wait
TABLE sick;
INSERT INTO tb_note VALUES (1, 1, 'a'), (2, 2, NULL);
:wait
TABLE sick;
UPDATE tb_told SET code = NULL WHERE id IN (3, 4);
:wait
TABLE sick;
-- What has nothing to do with it neither heals nor hides it.
UPDATE tb_told SET note = 'y' WHERE id = 5;
DELETE FROM tb_told WHERE id = 3;
UPDATE tb_note SET body = 'b' WHERE id = 1;
:wait
TABLE sick;
UPDATE tb_told SET code = 'c4' WHERE id = 4;
UPDATE tb_note SET body = 'c' WHERE id = 2;
INSERT INTO tb_note SELECT 100 + id, id, 'd' FROM tb_told;
:wait
TABLE sick;
SELECT m.tview, v.* FROM pg_tview_meta m, pg_tviews_verify(m.tview::text) v WHERE m.entity LIKE 'told%';
-- A join's row that goes leaves NULLs behind.
DELETE FROM tb_note WHERE id = 101;
DELETE FROM tb_note WHERE id = 1;
:wait
TABLE sick;
INSERT INTO tb_note VALUES (101, 1, 'd');
:wait
TABLE sick;

-- 3. A constraint that goes away takes what was known with it.
CREATE TABLE tb_firm (id int PRIMARY KEY, code text NOT NULL);
INSERT INTO tb_firm VALUES (1, 'a');
CREATE TABLE tv_firm WITH (pg_tviews.key = 'k') AS SELECT upper(code) || '!' AS k FROM tb_firm;
CREATE VIEW known AS SELECT key_is_not_null, options ? 'tells_null_keys' AS tells FROM pg_tview_meta WHERE tview = 'tv_firm'::regclass;
TABLE known;
ALTER TABLE tb_firm ALTER code DROP NOT NULL;
TABLE known;
INSERT INTO tb_firm VALUES (2, NULL);
:wait
TABLE sick;
DELETE FROM tb_firm WHERE id = 2;
:wait
TABLE sick;
ALTER TABLE tb_firm ALTER code SET NOT NULL;
TABLE known;

-- 4. So a change of one row reads that row, not the table.
CREATE TABLE tb_many (id int PRIMARY KEY, code text, name text);
INSERT INTO tb_many SELECT i, 'c' || i, 'n' FROM generate_series(1, 20000) i;
-- These find no NULL.
CREATE INDEX ON tb_many USING hash (('k-' || id));
CREATE INDEX ON tb_many USING hash (('k-' || code));
VACUUM ANALYZE tb_many;
CREATE TABLE tv_many WITH (pg_tviews.key = 'k') AS SELECT 'k-' || id AS k, name FROM tb_many;
CREATE TABLE tv_many_told WITH (pg_tviews.key = 'k') AS SELECT 'k-' || code AS k, name FROM tb_many;
CREATE PROCEDURE read_by(change text) LANGUAGE plpgsql AS $$
DECLARE
    before bigint;
    after bigint;
BEGIN
    -- The second wait lets the applier report.
    PERFORM pg_tviews_wait(), pg_tviews_wait();
    COMMIT;
    SELECT seq_tup_read INTO before FROM pg_stat_user_tables WHERE relid = 'tb_many'::regclass;
    EXECUTE change;
    COMMIT;
    PERFORM pg_tviews_wait();
    PERFORM pg_tviews_wait();
    COMMIT;
    SELECT seq_tup_read INTO after FROM pg_stat_user_tables WHERE relid = 'tb_many'::regclass;
    RAISE WARNING 'rows of scans: %', after - before;
END $$;
CALL read_by('UPDATE tb_many SET name = ''m'' WHERE id = 1');
CALL read_by('INSERT INTO tb_many VALUES (0, ''c0'', ''n'')');
SELECT k, name FROM tv_many WHERE k IN ('k-0', 'k-1') ORDER BY k;
SELECT k, name FROM tv_many_told WHERE k IN ('k-c0', 'k-c1') ORDER BY k;

DROP SCHEMA null_keys CASCADE;
