-- What a key's type does - a domain's check, comparison and support functions of operator classes - runs in
-- a worker as the TVIEW's owner, wherever keys are compared, kept or shown. Everything that mallory has
-- written here notes who it runs as, and whether in a worker.
SET client_min_messages = warning;
CREATE SCHEMA security_keys;
SET search_path = security_keys, public;
\set wait 'SELECT pg_tviews_wait() \\gset waited_'
CREATE ROLE regress_mallory_keys;
GRANT USAGE, CREATE ON SCHEMA security_keys TO regress_mallory_keys;
CREATE TABLE seen (attack text, as_role text, in_worker boolean);
GRANT INSERT, SELECT ON seen TO PUBLIC;
SET ROLE regress_mallory_keys;
CREATE FUNCTION note(attack text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO security_keys.seen VALUES (attack, current_user, current_setting('application_name') LIKE 'pg_tviews %');
END $$;
-- a domain's check
CREATE FUNCTION checked(value int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN PERFORM security_keys.note('check'); RETURN true; END $$;
CREATE DOMAIN number AS int CHECK (security_keys.checked(VALUE));
-- an order of her own: of a composite type and of a range over it
CREATE TYPE pair AS (a int, b int);
CREATE FUNCTION pair_cmp(x pair, y pair) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN PERFORM security_keys.note('comparison'); RETURN sign(x.a - y.a); END $$;
CREATE FUNCTION pair_lt(x pair, y pair) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN security_keys.pair_cmp(x, y) < 0; END $$;
CREATE FUNCTION pair_le(x pair, y pair) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN security_keys.pair_cmp(x, y) <= 0; END $$;
CREATE FUNCTION pair_eq(x pair, y pair) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN security_keys.pair_cmp(x, y) = 0; END $$;
CREATE FUNCTION pair_ge(x pair, y pair) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN security_keys.pair_cmp(x, y) >= 0; END $$;
CREATE FUNCTION pair_gt(x pair, y pair) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN security_keys.pair_cmp(x, y) > 0; END $$;
CREATE FUNCTION pair_image(oid) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM security_keys.note('equalimage'); RETURN false; END $$;
CREATE OPERATOR < (LEFTARG = pair, RIGHTARG = pair, FUNCTION = pair_lt, COMMUTATOR = >);
CREATE OPERATOR <= (LEFTARG = pair, RIGHTARG = pair, FUNCTION = pair_le, COMMUTATOR = >=);
CREATE OPERATOR = (LEFTARG = pair, RIGHTARG = pair, FUNCTION = pair_eq, COMMUTATOR = =, MERGES);
CREATE OPERATOR >= (LEFTARG = pair, RIGHTARG = pair, FUNCTION = pair_ge, COMMUTATOR = <=);
CREATE OPERATOR > (LEFTARG = pair, RIGHTARG = pair, FUNCTION = pair_gt, COMMUTATOR = <);
RESET ROLE;
CREATE OPERATOR CLASS pair_ops DEFAULT FOR TYPE pair USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
    FUNCTION 1 pair_cmp(pair, pair), FUNCTION 4 pair_image(oid);
SET ROLE regress_mallory_keys;
CREATE TYPE pairs AS RANGE (SUBTYPE = pair, SUBTYPE_OPCLASS = pair_ops);
CREATE TABLE tb_number (pk_number number, d int);
CREATE TABLE tb_pair (pk_pair pair, d int);
CREATE TABLE tb_pairs (pk_pairs pairs, d int);
CREATE TABLE tv_number AS SELECT pk_number, 10 / d AS q FROM tb_number;
CREATE TABLE tv_pair AS SELECT pk_pair, 10 / d AS q FROM tb_pair;
CREATE TABLE tv_pairs AS SELECT pk_pairs, 10 / d AS q FROM tb_pairs;
CREATE TABLE tv_total AS SELECT pk_pair AS pk_total, d, (SELECT count(*) FROM tb_pair) AS n FROM tb_pair;
INSERT INTO tb_number SELECT i, 1 FROM generate_series(1, 4) i;
INSERT INTO tb_pair SELECT ROW(i, i)::pair, 1 FROM generate_series(1, 4) i;
INSERT INTO tb_pairs SELECT pairs(ROW(i, i)::pair, ROW(i + 1, i)::pair), 1 FROM generate_series(1, 4) i;
:wait
-- Several keys of a batch are compared; some go into quarantine, and are compared with those of the next ones.
UPDATE tb_number SET d = 0 WHERE pk_number::int IN (2, 3);
UPDATE tb_pair SET d = 0 WHERE (pk_pair).a IN (2, 3);
UPDATE tb_pairs SET d = 0 WHERE (lower(pk_pairs)).a IN (2, 3);
INSERT INTO tb_pair VALUES (ROW(4, 5), 1);
:wait
UPDATE tb_number SET d = 1 WHERE pk_number::int IN (1, 2);
UPDATE tb_pair SET d = 1 WHERE (pk_pair).a IN (1, 2);
UPDATE tb_pairs SET d = 1 WHERE (lower(pk_pairs)).a IN (1, 2);
:wait
SELECT count(*) FROM pg_tviews_retry('security_keys.number');
UPDATE tb_number SET d = 1;
UPDATE tb_pair SET d = 1;
UPDATE tb_pairs SET d = 1;
DELETE FROM tb_pair WHERE (pk_pair).b = 5;
:wait
RESET ROLE;
SELECT tview, key, sqlstate, error FROM pg_tview_dead_letter JOIN pg_class ON oid = tview WHERE relnamespace = 'security_keys'::regnamespace;
SELECT attack, as_role FROM seen WHERE in_worker GROUP BY 1, 2 ORDER BY 1, 2;
-- A comparison that raises is the fault of its TVIEW.
SET ROLE regress_mallory_keys;
CREATE TABLE tb_plain (pk int PRIMARY KEY);
CREATE TABLE tv_simple AS SELECT pk AS pk_simple FROM tb_plain;
CREATE OR REPLACE FUNCTION pair_cmp(x pair, y pair) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN RAISE 'no comparison of % with %', x, y; END $$;
UPDATE tb_pair SET d = d + 1;
INSERT INTO tb_plain VALUES (1);
:wait
SELECT * FROM tv_simple;
RESET ROLE;
SELECT tview, key, sqlstate FROM pg_tview_dead_letter JOIN pg_class ON oid = tview WHERE relnamespace = 'security_keys'::regnamespace ORDER BY 1, 2;
DROP SCHEMA security_keys CASCADE;
DROP OWNED BY regress_mallory_keys;
DROP ROLE regress_mallory_keys;
