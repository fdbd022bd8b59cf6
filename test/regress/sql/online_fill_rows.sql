-- Rows that fail, far behind the first slice: the fill finds them, sets them aside, and comes to its end.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_tviews;
CREATE SCHEMA online_fill_rows;
SET search_path = online_fill_rows, public;
SET pg_tviews.notice_lineage = off;
CREATE PROCEDURE filled() LANGUAGE plpgsql AS $$
DECLARE
    began timestamptz := clock_timestamp();
BEGIN
    WHILE EXISTS (SELECT FROM pg_tviews_progress WHERE operation = 'online fill' AND database = current_database()) LOOP
        COMMIT;
        PERFORM pg_sleep(0.01);
        IF clock_timestamp() > began + interval '60 s' THEN RAISE 'a fill comes to no end'; END IF;
    END LOOP;
END $$;
CREATE TABLE tb_row (pk_row int PRIMARY KEY, x int, code text);
INSERT INTO tb_row SELECT i, CASE WHEN i IN (4000, 4001, 9000) THEN 0 ELSE i END, CASE WHEN i NOT IN (7000, 7001) THEN 'c' || i END FROM generate_series(1, 10000) AS i;
CREATE UNIQUE INDEX ON tb_row (code);
ANALYZE tb_row;

-- For some keys the query fails.
CREATE TABLE tv_row AS SELECT pk_row, 1000 / x AS y FROM tb_row WITH NO DATA;
CALL filled();
SELECT count(*) FROM tv_row;
SELECT key, sqlstate, error FROM pg_tview_dead_letter WHERE tview::text LIKE 'tv_%' ORDER BY key;
UPDATE tb_row SET x = 1 WHERE x = 0;
SELECT count(*) FROM tv_row;
SELECT key, sqlstate, error FROM pg_tview_dead_letter WHERE tview::text LIKE 'tv_%' ORDER BY key;

-- Rows without a key.
CREATE TABLE tv_code WITH (pg_tviews.key = 'code') AS SELECT code, x FROM tb_row WITH NO DATA;
CALL filled();
SELECT count(*) FROM tv_code;
SELECT key, sqlstate FROM pg_tview_dead_letter WHERE tview::text LIKE 'tv_%' ORDER BY key;
DELETE FROM tb_row WHERE code IS NULL;
SELECT count(*) FROM tv_code;
-- Errors that may pass, and do not.
CREATE FUNCTION odd(pk int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF pk = 4000 THEN RAISE 'not now' USING ERRCODE = 'serialization_failure'; END IF;
    IF pk = 6000 THEN RAISE 'too much' USING ERRCODE = 'out_of_memory'; END IF;
    RETURN pk;
END $$;
CREATE TABLE tv_odd AS SELECT pk_row AS pk_odd, odd(pk_row) AS x FROM tb_row WITH NO DATA;
CALL filled();
SELECT count(*) FROM tv_odd;
SELECT key, sqlstate, error FROM pg_tview_dead_letter WHERE tview::text LIKE 'tv_%' ORDER BY key;
DROP SCHEMA online_fill_rows CASCADE;
