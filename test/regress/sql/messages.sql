-- What somebody reads who meets a TVIEW without knowing it, or gives a command that is not for TVIEWs:
-- each message names the command that does what was meant.
CREATE SCHEMA messages;
CREATE SCHEMA messages_other;
SET search_path = messages, public;
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE TABLE tb_show (pk_show int PRIMARY KEY, title text, fk_place int);
INSERT INTO tb_show SELECT n, 'show ' || n, n % 10 FROM generate_series(1, 20) AS n;
CREATE TABLE tv_show AS SELECT pk_show, title FROM tb_show;

-- the view with a list of columns
CREATE OR REPLACE VIEW v_show (pk_show, title) AS SELECT pk_show, upper(title) FROM tb_show;

-- a TVIEW in a schema that search_path does not lead to, for every function that takes a name; two of them
CREATE TABLE messages_other.tv_far AS SELECT pk_show, title FROM tb_show;
SELECT pg_tviews_refresh('far');
SELECT * FROM pg_tviews_verify('tv_far');
SELECT pg_tviews_drop('far');
CREATE SCHEMA "Messages more";
CREATE TABLE "Messages more".tv_far AS SELECT pk_show, title FROM tb_show;
SELECT * FROM pg_tviews_retry('far');
SELECT pg_tviews_refresh('"Messages more".far');
SELECT pg_tviews_refresh('nowhere');

-- its source, or its view, where the TVIEW was meant
SELECT pg_tviews_refresh('tb_show');
SELECT * FROM pg_tviews_verify('messages.tb_show');
SELECT pg_tviews_drop('v_show');
CREATE TABLE tb_unread (pk_unread int PRIMARY KEY);
SELECT pg_tviews_refresh('tb_unread');

-- an application that does not know of TVIEWs: the name made one
CREATE TABLE tv_shows AS SELECT pk_show, title FROM tb_show;
INSERT INTO tv_shows VALUES (100, 'mine');
UPDATE tv_shows SET title = 'mine';
DELETE FROM tv_shows;
TRUNCATE tv_shows;
CREATE TABLE tv_constant AS SELECT 1 AS id, 'x' AS title;
INSERT INTO tv_constant VALUES (2, 'y');
SELECT title INTO tv_titles FROM tb_show;
CREATE TABLE tv_plain (id int PRIMARY KEY);
INSERT INTO tv_plain VALUES (1);

-- commands for tables that are not for TVIEWs
ALTER TABLE tv_show ENABLE ROW LEVEL SECURITY;
ALTER TABLE tv_show FORCE ROW LEVEL SECURITY;
ALTER TABLE tv_show ADD UNIQUE (title);
ALTER TABLE tv_show ADD CHECK (pk_show > 0);
ALTER TABLE tv_show ADD FOREIGN KEY (pk_show) REFERENCES tb_show;
ALTER TABLE tv_show SET UNLOGGED;
ALTER TABLE tv_show ADD COLUMN more int;
REFRESH MATERIALIZED VIEW tv_show;
REFRESH MATERIALIZED VIEW CONCURRENTLY tv_show;
REFRESH MATERIALIZED VIEW tv_plain;

-- locks of rows, also through a view and in a join; writing is another thing
SELECT * FROM tv_show FOR UPDATE;
SELECT * FROM tv_show FOR KEY SHARE;
CREATE VIEW shown AS SELECT * FROM tv_show;
SELECT * FROM shown FOR SHARE;
SELECT * FROM tb_show JOIN tv_show USING (pk_show) FOR UPDATE OF tv_show;
SELECT pk_show FROM tb_show JOIN tv_show USING (pk_show) WHERE pk_show = 1 FOR UPDATE OF tb_show;
UPDATE shown SET title = 'x';

-- what has another name
CREATE VIEW order_view AS SELECT pk_show FROM tb_show;
SELECT pg_tviews_convert_table('order_view');

-- a function whose names are not qualified
CREATE FUNCTION title_of(show int) RETURNS text LANGUAGE sql STABLE AS 'SELECT title FROM tb_show WHERE pk_show = show';
CREATE TABLE tv_call AS SELECT pk_show, title_of(pk_show) AS title FROM tb_show;
ALTER FUNCTION title_of SET search_path = messages;
CREATE TABLE tv_call AS SELECT pk_show, title_of(pk_show) AS title FROM tb_show;
SET check_function_bodies = off;
CREATE FUNCTION twice(show int) RETURNS text LANGUAGE sql STABLE AS 'SELECT messages.title_of(show) || nowhere(show)';
CREATE TABLE tv_twice AS SELECT pk_show, messages.twice(pk_show) AS title FROM tb_show;

-- an index that several paths and TVIEWs lack is named once
CREATE TABLE tb_visit (pk_visit int PRIMARY KEY, fk_show int, paid int);
INSERT INTO tb_visit SELECT n, n % 20, n FROM generate_series(1, 5000) AS n;
ANALYZE tb_visit;
SET client_min_messages = notice;
CREATE TABLE tv_sums AS
SELECT tb_show.pk_show, (SELECT sum(a.paid) FROM tb_visit AS a WHERE a.fk_show = tb_show.pk_show) AS s,
       (SELECT count(*) FROM tb_visit AS b WHERE b.fk_show = tb_show.pk_show AND b.paid > 10) AS c
FROM tb_show;
SET client_min_messages = warning;
CREATE TABLE tv_sums_too AS
SELECT tb_show.pk_show, (SELECT sum(a.paid) FROM tb_visit AS a WHERE a.fk_show = tb_show.pk_show) AS s FROM tb_show;
SELECT count(*) FROM pg_tviews_health_check() AS finding WHERE finding.message LIKE '%CREATE INDEX ON messages.tb_visit (fk_show)%';

-- paused, and nothing to apply
SELECT pg_tviews_wait();
SELECT pg_tviews_pause();
SELECT pg_tviews_wait('10 ms');
SELECT pg_tviews_resume();

-- one of a thing is not several
SELECT pg_tviews_wait();
SELECT pg_tviews_pause();
INSERT INTO tb_show VALUES (101, 'one more', 1);
DO $$
DECLARE
    detail text;
BEGIN
    PERFORM pg_tviews_wait('10 ms');
EXCEPTION WHEN query_canceled THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RAISE INFO '%', regexp_replace(detail, '[0-9.]+ s[.]', 'N s.');
END $$;
SELECT regexp_replace(finding.message, '[0-9.]+ ms', 'N ms') AS message FROM pg_tviews_health_check() AS finding WHERE finding.component = 'queue and lag';
SELECT regexp_replace(finding.message, 'since [^:]*:[^:]*:[^:]*:', 'since T:') AS message FROM pg_tviews_health_check('0') AS finding WHERE finding.component = 'queue and lag';
SELECT pg_tviews_resume();

-- a function that is not found: another schema or database, seconds instead of an interval; others keep their own hint
SELECT pg_tviews_wait(5);
BEGIN;
SET LOCAL search_path = pg_catalog;
SELECT * FROM pg_tviews_health_check();
ROLLBACK;
DO $$ BEGIN PERFORM pg_tviews_wait(5); EXCEPTION WHEN undefined_function THEN RAISE INFO 'caught'; END $$;
SELECT no_such_function(5);

-- figures have three digits behind the point, shares four, in every view
SELECT pg_tviews_wait();
SELECT figure.name, figure.value FROM (
    SELECT member.key AS name, member.value FROM pg_tviews_performance_summary AS line, jsonb_each_text(to_jsonb(line)) AS member
    UNION ALL SELECT member.key, member.value FROM pg_tviews_waits AS line, jsonb_each_text(to_jsonb(line)) AS member
    UNION ALL SELECT member.key, member.value FROM pg_tviews_workers AS line, jsonb_each_text(to_jsonb(line)) AS member
    UNION ALL SELECT member.key, member.value FROM pg_tviews_lag AS line, jsonb_each_text(to_jsonb(line)) AS member
    UNION ALL SELECT member.key, member.value FROM pg_tviews_progress AS line, jsonb_each_text(to_jsonb(line)) AS member
    UNION ALL SELECT member.key, member.value FROM pg_tview_performance_log AS line, jsonb_each_text(to_jsonb(line)) AS member
) AS figure WHERE figure.value ~ '^[0-9.e-]+$' AND figure.value !~ '^[0-9]+([.][0-9]{1,3}|[.][0-9]{4})?$' AND figure.value ~ '[.]';

-- a query without the key: of a new definition, of an option, of a key of several columns
SELECT pg_tviews_replace('show', 'SELECT 1');
SELECT pg_tviews_replace('show', 'SELECT pk_show AS pk_shown, title FROM tb_show');
CREATE TABLE tv_keyed WITH (pg_tviews.key = 'fk_place, pk_shew') AS SELECT fk_place, pk_show FROM tb_show;
CREATE TABLE tv_keyed WITH (pg_tviews.key = 'fk_place pk_show') AS SELECT fk_place, pk_show FROM tb_show;
SELECT pg_tviews_create('keyed', 'SELECT title FROM tb_show');

-- parameters that are no parameters: a key without quotes, a prefix that was forgotten; others keep the server's words
CREATE TABLE tv_keyed WITH (pg_tviews.key = fk_place, pk_show) AS SELECT fk_place, pk_show FROM tb_show;
CREATE TABLE tv_keyed WITH (key = 'pk_show') AS SELECT pk_show FROM tb_show;
CREATE TABLE tv_keyed WITH (fillfactor = 5) AS SELECT pk_show FROM tb_show;
ALTER TABLE tv_show SET (lane = 'slow');
ALTER TABLE tv_show SET (no_such = 1);
CREATE TABLE tv_keyed WITH (fillfactor = 70, toast.autovacuum_enabled = off) AS SELECT pk_show FROM tb_show;

-- the arguments the other way round, and no name at all
SELECT pg_tviews_create('SELECT pk_show FROM tb_show', 'swapped');
SELECT * FROM pg_tviews_verify('');

-- a TVIEW that follows no table is said to be one; one that follows a table says which
SET client_min_messages = notice;
CREATE TABLE tv_fixed AS SELECT 1 AS id;
CREATE TABLE tv_series AS SELECT * FROM generate_series(1, 3) AS id;
SELECT pg_tviews_replace('fixed', 'SELECT 2 AS id');
SET pg_tviews.notice_lineage = off;
CREATE TABLE tv_quiet AS SELECT 1 AS id;
RESET pg_tviews.notice_lineage;
SET client_min_messages = warning;

-- a lane that is paused by itself is named, with what lets it go on
ALTER TABLE tv_show SET (pg_tviews.lane = 'messages');
SELECT pg_tviews_wait();
SELECT pg_tviews_pause('messages');
UPDATE tb_show SET title = 'later' WHERE pk_show = 1;
SELECT count(*) FROM tv_show WHERE title = 'later';
SELECT name, state FROM tviews WHERE name::text IN ('tv_show', 'tv_sums') ORDER BY 1;
SELECT pg_tviews_resume('messages');
SELECT count(*) FROM tv_show WHERE title = 'later';
ALTER TABLE tv_show RESET (pg_tviews.lane);
SELECT pg_tviews_wait();

-- a lag target in the main lane slows all others down; in a lane of its own, or alone, nobody
SET client_min_messages = notice;
ALTER TABLE tv_show SET (pg_tviews.lag_target = '1 ms');
ALTER TABLE tv_show RESET (pg_tviews.lag_target);
ALTER TABLE tv_show SET (pg_tviews.lag_target = 0);
CREATE TABLE tv_late WITH (pg_tviews.lag_target = '1 ms') AS SELECT pk_show FROM tb_show;
DROP TABLE tv_late;
ALTER TABLE tv_show SET (pg_tviews.lane = 'messages', pg_tviews.lag_target = '1 ms');
ALTER TABLE tv_show RESET (pg_tviews.lane, pg_tviews.lag_target);
SET client_min_messages = warning;

-- a key in quarantine is seen in the short list
CREATE TABLE tv_half AS SELECT pk_show, 10 / fk_place AS half FROM tb_show WHERE fk_place > 0 OR pk_show = 1;
UPDATE tb_show SET fk_place = 0 WHERE pk_show = 1;
SELECT pg_tviews_wait();
SELECT name, state FROM tviews WHERE name::text = 'tv_half';
UPDATE tb_show SET fk_place = 1 WHERE pk_show = 1;
SELECT pg_tviews_wait();
SELECT name, state FROM tviews WHERE name::text = 'tv_half';

-- a name that is nearly one; far from every name, none is proposed
SELECT pg_tviews_refresh('shwo');
SELECT pg_tviews_refresh('tv_sum');
SELECT pg_tviews_refresh('sx');

-- triggers that stay enabled say so, once for a tree
ALTER TABLE tb_show DISABLE TRIGGER ALL;
ALTER TABLE tb_show DISABLE TRIGGER pg_tviews_capture;
ALTER TABLE tb_show ENABLE TRIGGER ALL;
SET client_min_messages = notice;
ALTER TABLE tb_show DISABLE TRIGGER ALL;
ALTER TABLE tb_show DISABLE TRIGGER pg_tviews_capture;
ALTER TABLE tb_show ENABLE TRIGGER ALL;
ALTER TABLE tb_unread DISABLE TRIGGER ALL;
SET client_min_messages = warning;

-- a definition that fails for a row, where somebody asks for all of it
UPDATE tb_show SET fk_place = 0 WHERE pk_show = 1;
SELECT pg_tviews_wait();
SELECT * FROM pg_tviews_verify('half');
SELECT pg_tviews_retry('half');
SELECT pg_tviews_refresh('half');
UPDATE tb_show SET fk_place = 1 WHERE pk_show = 1;
SELECT * FROM pg_tviews_verify('half');

-- TVIEWs of one name in two schemas, both dropped by CASCADE: each is named
CREATE TABLE tb_gone (pk_gone int PRIMARY KEY);
CREATE TABLE tv_gone AS SELECT pk_gone FROM tb_gone;
CREATE TABLE messages_other.tv_gone AS SELECT pk_gone FROM tb_gone;
SET client_min_messages = error;
DROP TABLE tb_gone CASCADE;
SET client_min_messages = warning;
SELECT substring(message FROM 'SELECT pg_tviews_restore_dropped.*') AS message FROM pg_tviews_health_check() WHERE message LIKE 'TVIEW gone was dropped%' ORDER BY 1;

-- views and functions of the extension that are not found, or not for everybody; others keep the server's words
BEGIN;
SET LOCAL search_path = pg_catalog;
SELECT * FROM tviews;
ROLLBACK;
BEGIN;
SET LOCAL search_path = pg_catalog;
SELECT * FROM pg_tview_dead_letter;
ROLLBACK;
SELECT * FROM no_such_table;
CREATE ROLE messages_reader;
SET ROLE messages_reader;
SELECT * FROM pg_tviews_health_check();
SELECT pg_tviews_pause();
RESET ROLE;
DROP ROLE messages_reader;

DROP SCHEMA messages, messages_other, "Messages more" CASCADE;
