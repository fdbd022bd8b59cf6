-- Pausing the applier: nothing is applied until it is resumed, nothing is lost, and whoever waits
-- is told.
SET client_min_messages = warning;
CREATE SCHEMA tools_pause;
SET search_path = tools_pause, public;
CREATE TABLE tb_note (pk_note int PRIMARY KEY, body text);
INSERT INTO tb_note VALUES (1, 'one');
CREATE TABLE tv_note AS SELECT pk_note, jsonb_build_object('body', body) AS data FROM tb_note;
SELECT pg_tviews_wait();
SELECT pg_tviews_resume() AS was_paused;

SELECT pg_tviews_pause() AS is_new;
SELECT pg_tviews_pause() AS is_new;
SELECT state FROM pg_tviews_workers WHERE kind = 'applier' AND database = current_database();
DO $$
BEGIN
    PERFORM set_config(name, 'eventual', false)
    FROM pg_settings WHERE name = 'pg_tviews.read_consistency';
END $$;
UPDATE tb_note SET body = 'uno';
INSERT INTO tb_note VALUES (2, 'due');
SELECT pk_note, data FROM tv_note ORDER BY 1;
\set VERBOSITY terse
SELECT pg_tviews_wait('50 ms');
\set VERBOSITY default
SELECT pk_note, data FROM tv_note ORDER BY 1;
SELECT queue_size, state FROM pg_tviews_queue_realtime WHERE entities = '{note}' ORDER BY 1;

SELECT pg_tviews_resume() AS was_paused;
SELECT pg_tviews_wait();
SELECT pk_note, data FROM tv_note ORDER BY 1;
SELECT count(*) AS differences FROM pg_tviews_verify('note');
SELECT count(*) AS paused FROM pg_tviews_workers WHERE state = 'paused';

-- a call that fails while a batch runs pauses nothing
CREATE FUNCTION held(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF $1 = 'hold' THEN PERFORM pg_advisory_xact_lock_shared(20781); END IF;
    RETURN $1;
END $$;
CREATE TABLE tv_held AS SELECT pk_note AS pk_held, held(body) AS body FROM tb_note;
SELECT pg_tviews_wait();
SELECT pg_advisory_lock(20781);
UPDATE tb_note SET body = 'hold' WHERE pk_note = 2;
DO $$
BEGIN
    WHILE NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 20781 AND NOT granted) LOOP
        PERFORM pg_stat_clear_snapshot();
    END LOOP;
END $$;
SET statement_timeout = '100ms';
SELECT pg_tviews_pause();
RESET statement_timeout;
SELECT pg_advisory_unlock(20781);
SELECT pg_tviews_wait();
SELECT pk_held, body FROM tv_held ORDER BY 1;
SELECT pg_tviews_resume() AS was_paused;
DROP TABLE tv_held;

-- for superusers and those whom one has granted it
CREATE ROLE tools_pause_user;
GRANT USAGE ON SCHEMA tools_pause TO tools_pause_user;
SET ROLE tools_pause_user;
SELECT pg_tviews_pause();
SELECT pg_tviews_resume();
RESET ROLE;

DROP TABLE tv_note;
DROP SCHEMA tools_pause CASCADE;
DROP ROLE tools_pause_user;

-- Who waits without a timeout waits for pg_tviews.read_timeout.
CREATE SCHEMA tools_wait;
SET search_path = tools_wait, public;
SET client_min_messages = error;
CREATE TABLE tb_waited (pk_waited int PRIMARY KEY);
CREATE TABLE tv_waited AS SELECT pk_waited FROM tb_waited;
SELECT pg_tviews_wait();
SET pg_tviews.read_timeout = '300ms';
\set VERBOSITY terse
SELECT pg_tviews_pause();
BEGIN;
INSERT INTO tb_waited VALUES (1);
SELECT pg_current_xact_id() AS token \gset
COMMIT;
SELECT pg_tviews_wait();
SELECT pg_tviews_wait(NULL);
SELECT pg_tviews_wait_for(:'token');
SET pg_tviews.read_timeout = '60s';
SELECT pg_tviews_wait('300 ms');
SELECT pg_tviews_resume();
SELECT pg_tviews_wait();
SELECT pg_tviews_wait_for(:'token');
TABLE tv_waited;
DROP SCHEMA tools_wait CASCADE;
