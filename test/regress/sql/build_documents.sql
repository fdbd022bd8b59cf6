-- The functions that build documents give what the server's give, byte for byte.
CREATE SCHEMA build_documents;
SET search_path = build_documents, public;
SELECT setseed(0.5);
CREATE TYPE mood AS ENUM ('good', 'so "so"');
CREATE DOMAIN short_text AS varchar(20);
CREATE DOMAIN document AS jsonb;
CREATE TYPE pair AS (a int, b text);
CREATE TABLE sample (
    boolean_value boolean, int2_value smallint, int4_value int, int8_value bigint, float4_value real,
    float8_value double precision, numeric_value numeric, text_value text, varchar_value varchar(30),
    char_value char(6), name_value name, uuid_value uuid, date_value date, timestamp_value timestamp,
    timestamptz_value timestamptz, time_value time, interval_value interval, bytea_value bytea, inet_value inet,
    mood_value mood, domain_value short_text, document_value document, jsonb_value jsonb, json_value json,
    array_value int[], pair_value pair, oid_value regclass
);
INSERT INTO sample SELECT
    i % 2 = 0, i - 50, (random() * 2e9)::int - 1000000000, (random() * 1e18)::bigint - 500000000000000000, random() * 1e10,
    random() / 1e10, round((random() * 10 ^ (i % 12))::numeric, i % 7), repeat(chr(8364 + i), i), repeat('x', i % 30),
    left('abc', i % 4), 'name' || i, md5(i::text)::uuid, '2000-02-28'::date + i, '1999-12-31 23:59:59.123456'::timestamp + i * interval '7 h',
    '2020-01-01 00:00:00+00'::timestamptz + i * interval '5 d 1 s', '00:00:01'::time + i * interval '1 min', i * interval '1 mon 3 s',
    decode(md5(i::text), 'hex'), ('10.0.0.' || i)::inet, (enum_range(NULL::mood))[i % 2 + 1], 'd' || i,
    jsonb_build_object('n', i, 'deeper', jsonb_build_array(i, 'a', NULL, 1.50)),
    (ARRAY['1', '"text"', 'null', 'true', '{}', '[]', '1.500', '[1, {"a": "b"}]', '{"b": 1, "aa": [[]], "c": {"d": null}}']::jsonb[])[i % 9 + 1],
    '{"b": 1,  "a": 2}', ARRAY[i, NULL, 2], ROW(i, 'x')::pair, 'pg_class'
FROM generate_series(1, 99) AS i;
INSERT INTO sample (float8_value, float4_value, numeric_value) VALUES ('NaN', '-Infinity', 'Infinity'), (0, -0.0, 0.000), (1e300, 1e-30, 'NaN');
INSERT INTO sample (date_value, timestamp_value, timestamptz_value) VALUES ('infinity', '-infinity', '0044-03-15 BC');
INSERT INTO sample (text_value, jsonb_value) VALUES (repeat('long ', 100000), jsonb_build_object('long', repeat('longer ', 100000)));
INSERT INTO sample (text_value, varchar_value, char_value, name_value) VALUES ('', '', '', '');
INSERT INTO sample DEFAULT VALUES;

-- Every column alone, before and behind another. `wrong`: rows in which the two functions differ.
CREATE FUNCTION differences(server_call text, call text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    wrong bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM sample WHERE NOT record_image_eq(ROW(%s), ROW(%s))', server_call, call) INTO wrong;
    RETURN wrong;
END $$;
CREATE FUNCTION differences(arguments text) RETURNS bigint
LANGUAGE sql AS $$ SELECT differences('jsonb_build_object(' || arguments || ')', 'pg_tviews_build_object(' || arguments || ')') $$;
SELECT attname AS column, differences(format('''value'', %I', attname)) AS alone,
       differences(format('''z'', text_value, ''value'', %I, ''after'', numeric_value', attname)) AS among_others
FROM pg_attribute WHERE attrelid = 'sample'::regclass AND attnum > 0 ORDER BY attnum;

-- Keys of every order and length, more pairs than have lengths only, constants as values.
SELECT differences(string_agg(format('''%s'', numeric_value', repeat(chr(97 + i % 26), i % 5 + 1) || i), ', ')) AS wrong
FROM generate_series(1, 49) AS i;
SELECT differences(string_agg(format('''%s'', %s', i, i), ', ')) AS wrong FROM generate_series(1, 33) AS i;
SELECT differences($$ '', 1, 'é', 'text', 'e', NULL, 'zz', 'x'::text, 'é2', NULL::int, 'y', 1.0 $$) AS wrong;
SELECT differences($$ 'a', jsonb_build_object('b', jsonb_build_object('c', numeric_value, 'd', text_value)), 'e', '{}'::jsonb $$) AS wrong;
SELECT differences($$ 'a', pg_tviews_build_object('bb', int4_value, 'a', jsonb_value, 'c', uuid_value), 'n', int2_value $$) AS wrong;
-- What is left to the server's function: other keys, the same key twice, an array of arguments.
SELECT differences($$ 'a', 1, 'a', int4_value $$) AS twice, differences($$ coalesce(name_value, 'x'), 1, 5, 2 $$) AS other_keys,
       differences($$ VARIADIC ARRAY['a', text_value] $$) AS variadic;
SELECT pg_tviews_build_object('a');
SELECT pg_tviews_build_object('a', 1, NULL, 2);
SELECT pg_tviews_build_object('a', 1, text_value, 2) FROM sample WHERE text_value IS NULL LIMIT 1;

-- jsonb_agg of jsonb values, with NULL among them, of none, sorted, filtered, distinct, per group.
SELECT record_image_eq(ROW(jsonb_agg(jsonb_value)), ROW(pg_tviews_build_array(jsonb_value))) AS same, jsonb_array_length(pg_tviews_build_array(jsonb_value))
FROM sample;
SELECT pg_tviews_build_array(jsonb_value) IS NULL AS none FROM sample WHERE false;
SELECT record_image_eq(ROW(jsonb_agg(DISTINCT jsonb_value)), ROW(pg_tviews_build_array(DISTINCT jsonb_value))) AS same FROM sample;
SELECT count(*) AS groups, bool_and(same) AS same FROM (
    SELECT record_image_eq(
        ROW(jsonb_agg(document_value::jsonb ORDER BY int4_value) FILTER (WHERE int2_value <> 3)),
        ROW(pg_tviews_build_array(document_value ORDER BY int4_value) FILTER (WHERE int2_value <> 3))) AS same
    FROM sample GROUP BY int2_value % 10) AS grouped;
SELECT count(*) AS rows, bool_and(same) AS same FROM (
    SELECT record_image_eq(ROW(jsonb_agg(jsonb_value) OVER running), ROW(pg_tviews_build_array(jsonb_value) OVER running)) AS same
    FROM sample WINDOW running AS (ORDER BY int4_value)) AS windows;

-- A refresh uses them, for the bytes that its query gives.
CREATE TABLE tb_sample (pk_sample int PRIMARY KEY, title text, moods mood[]);
CREATE TABLE tb_part (pk_part int PRIMARY KEY, fk_sample int NOT NULL, amount numeric);
CREATE INDEX ON tb_part (fk_sample);
INSERT INTO tb_sample VALUES (1, 'one', '{good}'), (2, 'two', NULL);
INSERT INTO tb_part SELECT i, i % 2 + 1, i / 4.0 FROM generate_series(1, 90) AS i;
SET client_min_messages = warning;
CREATE TABLE tv_sample AS SELECT s.pk_sample, jsonb_build_object('title', s.title, 'moods', s.moods, 'parts',
    (SELECT jsonb_agg(jsonb_build_object('n', p.pk_part, 'amount', p.amount) ORDER BY p.pk_part) FROM tb_part p
     WHERE p.fk_sample = s.pk_sample)) AS data FROM tb_sample s;
UPDATE tb_sample SET title = title || '!';
UPDATE tb_part SET amount = amount + 0.50 WHERE pk_part < 20;
SELECT pg_tviews_wait();
SELECT count(*) AS differences FROM pg_tviews_verify('sample');
SELECT count(*) AS wrong FROM tv_sample JOIN v_sample USING (pk_sample) WHERE NOT record_image_eq(ROW(tv_sample.data), ROW(v_sample.data));
DROP SCHEMA build_documents CASCADE;
