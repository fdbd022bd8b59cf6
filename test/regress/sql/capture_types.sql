-- Keys and links of every kind of type: no captured row is lost.
SET client_min_messages = warning;
CREATE SCHEMA capture_types;
SET search_path = capture_types, public;
SET timezone = 'UTC';

-- One parent and one child table per type, linked by a column of that type; the TVIEW's key has it.
CREATE PROCEDURE try_type(type text, v1 text, v2 text, v3 text) LANGUAGE plpgsql AS $$
DECLARE
    differences bigint;
    documents bigint;
BEGIN
    EXECUTE format('CREATE TABLE tb_p (pk_p %1$s PRIMARY KEY, name text)', type);
    EXECUTE format('CREATE TABLE tb_c (pk_c int PRIMARY KEY, fk_p %1$s, name text)', type);
    CREATE TABLE tv_p AS
    SELECT tb_p.pk_p, jsonb_build_object(
        'name', tb_p.name,
        'children', (SELECT jsonb_agg(tb_c.name ORDER BY tb_c.pk_c) FROM tb_c
                     WHERE tb_c.fk_p = tb_p.pk_p)) AS data
    FROM tb_p;
    CREATE TABLE tv_c AS
    SELECT tb_c.pk_c, jsonb_build_object('name', tb_c.name, 'parent', tb_p.name) AS data
    FROM tb_c LEFT JOIN tb_p ON tb_p.pk_p = tb_c.fk_p;
    COMMIT;
    EXECUTE format('INSERT INTO tb_p VALUES (%1$L, ''one''), (%2$L, ''two'')', v1, v2);
    EXECUTE format('INSERT INTO tb_c VALUES (1, %1$L, ''a''), (2, %2$L, ''b''), (3, NULL, ''c'')', v1, v2);
    COMMIT;
    EXECUTE format('UPDATE tb_c SET fk_p = %1$L WHERE pk_c = 1', v2);
    COMMIT;
    EXECUTE format('UPDATE tb_p SET pk_p = %1$L WHERE name = ''two''', v3);
    COMMIT;
    EXECUTE format('UPDATE tb_c SET fk_p = %1$L WHERE fk_p IS NULL', v3);
    COMMIT;
    EXECUTE format('UPDATE tb_p SET name = ''renamed'' WHERE pk_p = %1$L::%2$s', v3, type);
    COMMIT;
    EXECUTE format('DELETE FROM tb_c WHERE fk_p = %1$L::%2$s AND pk_c = 3', v3, type);
    COMMIT;
    PERFORM pg_tviews_wait();
    COMMIT;
    SELECT count(*) INTO differences FROM pg_tviews_verify('p');
    SELECT count(*) + differences INTO differences FROM pg_tviews_verify('c');
    SELECT count(*) INTO documents FROM tv_p WHERE data ->> 'name' IN ('one', 'renamed');
    RAISE WARNING '%: % documents, % differences', type, documents, differences;
    DROP TABLE tv_p, tv_c;
    DROP TABLE tb_p, tb_c;
    COMMIT;
END $$;

CALL try_type('smallint', '-1', '2', '32767');
CALL try_type('integer', '-1', '2', '2147483647');
CALL try_type('bigint', '-1', '2', '9223372036854775807');
CALL try_type('oid', '1', '2', '4294967295');
CALL try_type('boolean', 'f', 't', 't');
CALL try_type('real', '-0.5', '1e10', 'NaN');
CALL try_type('double precision', '-0.5', '1e100', 'Infinity');
CALL try_type('numeric', '1.0', '-12345678901234567890.123', '1e-50');
CALL try_type('text', '', 'it''s', repeat('long ', 500));
CALL try_type('varchar(20)', 'a', 'b ', 'ü');
CALL try_type('char(5)', 'a', 'b', 'c');
CALL try_type('"char"', 'a', 'b', 'c');
CALL try_type('name', 'a', 'b', 'c');
CALL try_type('bytea', '\x', '\x00', '\x0001ff');
CALL try_type('uuid', '00000000-0000-0000-0000-000000000001', 'ffffffff-ffff-ffff-ffff-ffffffffffff',
              '12345678-1234-1234-1234-123456789abc');
CALL try_type('date', '2000-01-01', '-infinity', '4000-12-31');
CALL try_type('time', '00:00', '12:34:56.789', '24:00');
CALL try_type('timetz', '00:00+00', '12:34:56.789+02', '24:00-05');
CALL try_type('timestamp', '2000-01-01', '1066-10-14', 'infinity');
CALL try_type('timestamptz', '2000-01-01 00:00+00', '2000-01-01 00:00+05', 'infinity');
CALL try_type('interval', '1 day', '25 hours', '-3 years');
CALL try_type('inet', '10.0.0.1', '10.0.0.1/8', '::1');
CALL try_type('macaddr', '00:00:00:00:00:01', '00:00:00:00:00:02', 'ff:ff:ff:ff:ff:ff');
CALL try_type('bit(9)', '000000001', '111111111', '101010101');
CALL try_type('jsonb', '{}', '{"a": [1, null]}', '"text"');
CALL try_type('int[]', '{}', '{1,NULL,3}', '{{1,2},{3,4}}');
CALL try_type('text[]', '{}', '{a,"",NULL}', '[0:1]={x,y}');
CALL try_type('int4range', 'empty', '[1,5)', '(,)');
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CALL try_type('mood', 'sad', 'ok', 'happy');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CALL try_type('positive', '1', '2', '3');
CREATE TYPE pair AS (a int, b text);
CALL try_type('pair', '(1,x)', '(2,)', '(,)');

-- equal values with different images: 1.0 and 1.00, 'a' and 'A' under a case-insensitive collation
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TABLE tb_p (pk_p numeric PRIMARY KEY, code text COLLATE nocase UNIQUE, name text);
CREATE TABLE tb_c (pk_c int PRIMARY KEY, fk_p numeric, code text COLLATE nocase);
CREATE TABLE tv_c AS
SELECT tb_c.pk_c, jsonb_build_object('by number', p.name, 'by code', q.name) AS data
FROM tb_c LEFT JOIN tb_p p ON p.pk_p = tb_c.fk_p LEFT JOIN tb_p q ON q.code = tb_c.code;
INSERT INTO tb_p VALUES (1.0, 'a', 'one'), (2.000, 'B', 'two');
INSERT INTO tb_c VALUES (1, 1.00, 'A'), (2, 2, 'b');
UPDATE tb_p SET name = upper(name);
SELECT pg_tviews_wait() \gset waited_
SELECT * FROM tv_c ORDER BY pk_c;
UPDATE tb_p SET pk_p = 1.000, code = 'A' WHERE pk_p = 1;
SELECT pg_tviews_wait() \gset waited_
SELECT * FROM pg_tviews_verify('c');
DROP TABLE tv_c;
DROP TABLE tb_p, tb_c;

-- links over several columns
CREATE TABLE tb_p (country text, code int, name text, PRIMARY KEY (country, code));
CREATE TABLE tb_c (pk_c int PRIMARY KEY, country text, code int,
                   FOREIGN KEY (country, code) REFERENCES tb_p ON UPDATE CASCADE ON DELETE SET NULL);
CREATE TABLE tv_c AS
SELECT tb_c.pk_c, tb_p.name FROM tb_c
LEFT JOIN tb_p ON tb_p.country = tb_c.country AND tb_p.code = tb_c.code;
INSERT INTO tb_p VALUES ('de', 1, 'Bonn'), ('de', 2, 'Kiel'), ('fr', 1, 'Metz');
INSERT INTO tb_c VALUES (1, 'de', 1), (2, 'fr', 1), (3, 'de', NULL);
UPDATE tb_p SET name = upper(name) WHERE code = 1;
SELECT pg_tviews_wait() \gset waited_
SELECT * FROM tv_c ORDER BY pk_c;
UPDATE tb_c SET code = 2 WHERE pk_c = 3;
UPDATE tb_p SET country = 'lu' WHERE country = 'fr';
DELETE FROM tb_p WHERE name = 'BONN';
SELECT pg_tviews_wait() \gset waited_
SELECT * FROM tv_c ORDER BY pk_c;
SELECT * FROM pg_tviews_verify('c');
DROP TABLE tv_c;
DROP TABLE tb_p, tb_c;

-- generated and dropped columns
CREATE TABLE tb_g (gone int, pk_g int PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED);
ALTER TABLE tb_g DROP COLUMN gone;
CREATE TABLE tv_g AS SELECT tb_g.pk_g, tb_g.twice FROM tb_g;
INSERT INTO tb_g VALUES (1, 5), (2, 6);
UPDATE tb_g SET a = 7 WHERE pk_g = 1;
SELECT pg_tviews_wait() \gset waited_
SELECT * FROM tv_g ORDER BY pk_g;
DROP TABLE tv_g;

-- a column that is added later and read as a part of the whole row
CREATE TABLE tv_g AS SELECT tb_g.pk_g, to_jsonb(tb_g) - 'late' AS data FROM tb_g;
UPDATE tb_g SET a = 8 WHERE pk_g = 2;
SELECT pg_tviews_wait() \gset waited_
SELECT * FROM tv_g ORDER BY pk_g;
DROP TABLE tv_g;
-- 18: a column that is computed when it is read, alone and as a part of the row; NOT NULL that holds
-- for new rows only
DO $$
DECLARE
  query text;
  refused int := 0;
BEGIN
  IF current_setting('server_version_num')::int < 180000 THEN RETURN; END IF;
  CREATE TABLE tb_virtual (pk_virtual int PRIMARY KEY, a int);
  EXECUTE 'ALTER TABLE tb_virtual ADD twice int GENERATED ALWAYS AS (a * 2)';
  FOREACH query IN ARRAY ARRAY['tb_virtual.twice', 'to_jsonb(tb_virtual)'] LOOP
    BEGIN
      EXECUTE format('CREATE TABLE tv_virtual AS SELECT tb_virtual.pk_virtual, %s FROM tb_virtual', query);
    EXCEPTION WHEN feature_not_supported THEN refused := refused + 1;
    END;
  END LOOP;
  ASSERT refused = 2;
  EXECUTE 'CREATE TABLE tv_virtual AS SELECT tb_virtual.pk_virtual, tb_virtual.a FROM tb_virtual';
  INSERT INTO tb_virtual VALUES (1, NULL);
  EXECUTE 'ALTER TABLE tb_virtual ADD CONSTRAINT a_given NOT NULL a NOT VALID';
  CREATE TABLE tb_one (pk_one int PRIMARY KEY);
  ASSERT (SELECT strategy FROM pg_tviews_explain_query(
      'SELECT pk_one FROM tb_one WHERE pk_one NOT IN (SELECT a FROM tb_virtual)', 'pk_one')
    WHERE source = 'tb_virtual'::regclass) = 'full';
  EXECUTE 'DELETE FROM tb_virtual; ALTER TABLE tb_virtual VALIDATE CONSTRAINT a_given';
  ASSERT (SELECT strategy FROM pg_tviews_explain_query(
      'SELECT pk_one FROM tb_one WHERE pk_one NOT IN (SELECT a FROM tb_virtual)', 'pk_one')
    WHERE source = 'tb_virtual'::regclass) = 'direct';
END $$;
DROP SCHEMA capture_types CASCADE;
