-- A role prepares its session and gives a command that has the definition of another role read again:
-- that role's functions find no temporary objects of the session.
SET client_min_messages = warning;
CREATE ROLE regress_owner;
CREATE ROLE regress_guest;
CREATE SCHEMA security_sessions;
GRANT USAGE, CREATE ON SCHEMA security_sessions TO regress_owner, regress_guest;
SET search_path = security_sessions;

SET SESSION AUTHORIZATION regress_guest;
CREATE TABLE tb_x (pk_x int PRIMARY KEY, n varchar(10));
INSERT INTO tb_x VALUES (1, 'one');
GRANT SELECT, TRIGGER ON tb_x TO regress_owner;
CREATE FUNCTION evil() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
    RAISE WARNING 'a function of the guest runs as %', current_user;
    RETURN 100;
END $$;

-- A function of the owner that runs while the text of a query is read.
SET SESSION AUTHORIZATION regress_owner;
CREATE TABLE most (n int);
INSERT INTO most VALUES (100);
CREATE FUNCTION is_small(int) RETURNS bool LANGUAGE plpgsql STABLE SET search_path = security_sessions AS
$$ BEGIN RETURN $1 < (SELECT n FROM most); END $$;
CREATE DOMAIN small AS int CHECK (security_sessions.is_small(VALUE));
CREATE TYPE pair AS (x small);
CREATE TABLE tv_constant AS SELECT pk_x AS pk_constant, n, ('(1)'::pair)::text AS pair FROM tb_x;
CREATE FUNCTION suffix(text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT $1 || ('(1)'::security_sessions.pair)::text $$;
CREATE TABLE tb_y (pk_y int PRIMARY KEY, m varchar(10));
INSERT INTO tb_y VALUES (1, 'one');
CREATE TABLE tv_body AS SELECT pk_y AS pk_body, suffix(m) AS m FROM tb_y;
GRANT TRUNCATE ON tb_y TO regress_guest;

SET SESSION AUTHORIZATION regress_guest;
CREATE TEMPORARY VIEW most AS SELECT security_sessions.evil() AS n;
GRANT SELECT ON pg_temp.most TO regress_owner;
-- the view's query
ALTER TABLE tb_x ALTER COLUMN n TYPE varchar(30);
ALTER TABLE tb_x ALTER COLUMN n TYPE text;
-- nothing is read again
ALTER TABLE tb_x ALTER COLUMN n TYPE varchar(10);
ALTER TABLE tb_x ADD COLUMN more int;
-- without temporary objects
DROP VIEW pg_temp.most;
DISCARD TEMP;
SET SESSION AUTHORIZATION regress_owner;
SELECT n, pair FROM tv_constant;

-- a body in SQL, which is read again where what it is about changes
SET SESSION AUTHORIZATION DEFAULT;
ALTER FUNCTION suffix(text) OWNER TO regress_guest;
SET SESSION AUTHORIZATION regress_guest;
CREATE TEMPORARY VIEW most AS SELECT security_sessions.evil() AS n;
GRANT SELECT ON pg_temp.most TO regress_owner;
CREATE OR REPLACE FUNCTION suffix(text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT $1 || ('(2)'::security_sessions.pair)::text $$;

SET SESSION AUTHORIZATION DEFAULT;
DROP SCHEMA security_sessions CASCADE;
DROP ROLE regress_owner, regress_guest;
