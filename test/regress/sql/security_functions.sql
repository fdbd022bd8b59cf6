-- Rights and functions: what a function reads is a source like any other, whoever wrote the function
-- and with whose rights it runs. mallory wants to see, or slow down, what is alice's.
CREATE SCHEMA security_functions;
SET search_path = security_functions, public;
SET client_min_messages = warning;
CREATE ROLE regress_fun_alice;
CREATE ROLE regress_fun_mallory;
GRANT USAGE, CREATE ON SCHEMA security_functions TO regress_fun_alice, regress_fun_mallory;
SET ROLE regress_fun_alice;
CREATE TABLE tb_secret (pk_secret int PRIMARY KEY, word text, owner text);
INSERT INTO tb_secret VALUES (1, 'xyzzy', 'regress_fun_alice');
CREATE FUNCTION length_of(i int) RETURNS int LANGUAGE sql STABLE SECURITY DEFINER SET search_path = security_functions, pg_temp
    AS 'SELECT length(word) FROM tb_secret WHERE pk_secret = i';
CREATE FUNCTION lengths() RETURNS SETOF int LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT length(word) FROM security_functions.tb_secret';
CREATE FUNCTION hidden(i int) RETURNS int LANGUAGE plpgsql STABLE SECURITY DEFINER AS
    $$ BEGIN RETURN (SELECT length(word) FROM security_functions.tb_secret WHERE pk_secret = i); END $$;
RESET ROLE;
SET ROLE regress_fun_mallory;
CREATE TABLE tb_own (pk_own int PRIMARY KEY, name text);
INSERT INTO tb_own VALUES (1, 'a'), (2, 'b');
-- The triggers of a TVIEW would be on alice's table: without TRIGGER there is none, and without SELECT
-- refreshes would tell which rows have changed.
CREATE TABLE tv_own AS SELECT pk_own, length_of(pk_own) AS n FROM tb_own;
CREATE TABLE tv_own AS SELECT pk_own, n FROM tb_own, lengths() AS n;
CREATE TABLE tv_own AS SELECT pk_own, hidden(pk_own) AS n FROM tb_own;
CREATE TABLE tv_own WITH (pg_tviews.function_reads = 'tb_secret') AS SELECT pk_own, hidden(pk_own) AS n FROM tb_own;
CREATE FUNCTION own_length(i int) RETURNS int LANGUAGE sql STABLE AS 'SELECT length(word) FROM security_functions.tb_secret WHERE pk_secret = i';
RESET ROLE;
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'tb_secret'::regclass;
GRANT SELECT ON tb_secret TO regress_fun_mallory;
SET ROLE regress_fun_mallory;
CREATE TABLE tv_own AS SELECT pk_own, own_length(pk_own) AS n FROM tb_own;
RESET ROLE;
GRANT TRIGGER ON tb_secret TO regress_fun_mallory;
SET ROLE regress_fun_mallory;
CREATE TABLE tv_own AS SELECT pk_own, length_of(pk_own) AS n FROM tb_own;
RESET ROLE;
UPDATE tb_secret SET word = 'longer word';
SELECT pg_tviews_wait();
SELECT * FROM tv_own ORDER BY 1;
-- Rows that policies hide from the owner of a function, who is not the owner of the table.
SET ROLE regress_fun_mallory;
CREATE FUNCTION of_mallory(i int) RETURNS int LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT length(word) FROM security_functions.tb_secret WHERE pk_secret = i';
CREATE FUNCTION within(i int) RETURNS int LANGUAGE sql STABLE AS 'SELECT security_functions.of_mallory(i)';
DROP TABLE tv_own;
RESET ROLE;
SET ROLE regress_fun_alice;
ALTER TABLE tb_secret ENABLE ROW LEVEL SECURITY;
GRANT SELECT, TRIGGER ON tb_secret TO PUBLIC;
CREATE TABLE tv_word AS SELECT pk_secret AS pk_word, within(pk_secret) AS n FROM tb_secret;
CREATE TABLE tv_word AS SELECT pk_secret AS pk_word, length_of(pk_secret) AS n FROM tb_secret;
SELECT pg_tviews_wait();
SELECT * FROM tv_word;
DROP TABLE tv_word;
ALTER TABLE tb_secret DISABLE ROW LEVEL SECURITY;
CREATE TABLE tv_word AS SELECT pk_secret AS pk_word, within(pk_secret) AS n FROM tb_secret;
ALTER TABLE tb_secret ENABLE ROW LEVEL SECURITY;
-- A body as text is read as the function would run, with its search_path.
RESET ROLE;
SET ROLE regress_fun_mallory;
CREATE TABLE tb_own_words (pk int PRIMARY KEY, word text);
CREATE FUNCTION careless(i int) RETURNS text LANGUAGE sql STABLE SET search_path = security_functions AS 'SELECT word FROM tb_own_words WHERE pk = i';
CREATE TABLE tv_own AS SELECT pk_own, careless(pk_own) AS word FROM tb_own;
SELECT source::regclass, strategy FROM pg_tview_lineage WHERE tview = 'tv_own'::regclass ORDER BY 1;
-- Her function comes to read what the owner of a TVIEW may not read.
RESET ROLE;
SET ROLE regress_fun_alice;
REVOKE ALL ON tb_secret FROM PUBLIC, regress_fun_mallory;
CREATE FUNCTION shared(i int) RETURNS int LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT i';
RESET ROLE;
SET ROLE regress_fun_mallory;
CREATE TABLE tv_shared AS SELECT pk_own AS pk_shared, shared(pk_own) AS n FROM tb_own;
RESET ROLE;
SET ROLE regress_fun_alice;
CREATE OR REPLACE FUNCTION shared(i int) RETURNS int LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT length(word) FROM security_functions.tb_secret WHERE pk_secret = i';
RESET ROLE;
DROP SCHEMA security_functions CASCADE;
DROP ROLE regress_fun_alice, regress_fun_mallory;
