-- Batches of many keys: rows of other keys that a range brings along are left alone, and stored rows
-- are found however the keys come - in order, with gaps, in reverse, deleted, new among old ones.
CREATE SCHEMA refresh_large;
SET search_path = refresh_large, public;
CREATE TABLE item (pk_item int PRIMARY KEY, place int NOT NULL, title text NOT NULL);
INSERT INTO item SELECT i, -i, 'item ' || i FROM generate_series(1, 6000) AS i WHERE i % 3 > 0;
CREATE INDEX ON item (place);
CREATE TABLE tv_item AS SELECT pk_item, title, length(title) AS size FROM item;
-- Its keys come in descending order, and none of them without a row of another.
CREATE TABLE tv_place AS SELECT place AS pk_place, min(title) AS title FROM item GROUP BY place;

CREATE TABLE stood (change text, inserted bigint, updated bigint, deleted bigint, unchanged bigint, full_refreshes bigint);
CREATE PROCEDURE prove(change text, VARIADIC statements text[]) LANGUAGE plpgsql AS $$
DECLARE
    before pg_tview_frontier;
    after pg_tview_frontier;
    statement text;
BEGIN
    PERFORM pg_tviews_wait();
    SELECT * INTO before FROM pg_tview_frontier;
    COMMIT;
    FOREACH statement IN ARRAY statements LOOP
        EXECUTE statement;
    END LOOP;
    COMMIT;
    PERFORM pg_tviews_wait();
    SELECT * INTO after FROM pg_tview_frontier;
    COMMIT;
    INSERT INTO stood
    SELECT change, after.rows_inserted - before.rows_inserted, after.rows_updated - before.rows_updated,
           after.rows_deleted - before.rows_deleted, after.rows_unchanged - before.rows_unchanged,
           after.full_refreshes - before.full_refreshes;
    IF EXISTS (SELECT FROM pg_tviews_verify('item')) OR EXISTS (SELECT FROM pg_tviews_verify('place')) THEN
        RAISE EXCEPTION 'documents differ from their query after: %', change;
    END IF;
END $$;

CALL prove('all rows', 'UPDATE item SET title = title || 1');
CALL prove('rows between gaps', 'UPDATE item SET title = title || 2 WHERE pk_item % 3 = 1');
CALL prove('keys without gaps, all there but some',
    'INSERT INTO item SELECT i, -i, ''new '' || i FROM generate_series(1, 6000) AS i WHERE i % 3 = 0');
CALL prove('nine of ten, the range of which brings the tenth', 'UPDATE item SET title = title || 3 WHERE pk_item % 10 > 0');
CALL prove('deleted ones among changed ones',
    'DELETE FROM item WHERE pk_item % 7 = 0', 'UPDATE item SET title = title || 4 WHERE pk_item % 10 > 0');
CALL prove('new ones among changed ones, before and after them',
    'UPDATE item SET title = title || 5',
    'INSERT INTO item SELECT i, -i, ''again '' || i FROM generate_series(-500, 6500) AS i
     WHERE NOT EXISTS (SELECT FROM item WHERE pk_item = i)');
CALL prove('one of a hundred', 'UPDATE item SET title = title || 6 WHERE pk_item % 100 = 0');
CALL prove('what is changed and changed back', 'UPDATE item SET title = title || 7',
    'UPDATE item SET title = left(title, -1)');
CALL prove('other keys', 'UPDATE item SET pk_item = pk_item + 10000, place = place - 10000 WHERE pk_item > 3000');
CALL prove('everything goes', 'DELETE FROM item');

SELECT * FROM stood ORDER BY ctid;

-- Keys that find no room: their registration fails halfway, which leaves nothing behind (the build with the boundary
-- tripwire looks at the memory context).
\set wait 'SELECT pg_tviews_wait() \\gset waited_'
CREATE TABLE tb_cup (pk_cup int PRIMARY KEY);
CREATE TABLE tb_drop (pk_drop int PRIMARY KEY, fk_cup int);
CREATE TABLE tb_spilt (pk_spilt int PRIMARY KEY, fk_drop int, n int);
INSERT INTO tb_cup SELECT i FROM generate_series(0, 9) AS i;
INSERT INTO tb_drop SELECT i, i % 10 FROM generate_series(1, 5000) AS i;
INSERT INTO tb_spilt SELECT i, i, 0 FROM generate_series(1, 5000) AS i;
CREATE TABLE tv_spilt AS
SELECT pk_cup AS pk_spilt, sum(n) AS n FROM tb_cup JOIN tb_drop ON fk_cup = pk_cup JOIN tb_spilt ON fk_drop = pk_drop GROUP BY pk_cup;
:wait
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I SET temp_file_limit = 0', current_database());
    EXECUTE format('ALTER DATABASE %I SET work_mem = ''64kB''', current_database());
END $$;
CREATE PROCEDURE replace_applier() LANGUAGE plpgsql AS $$
DECLARE before int := (SELECT pid FROM pg_tviews_workers WHERE kind = 'applier' AND database = current_database());
BEGIN
    PERFORM pg_terminate_backend(before);
    LOOP
        PERFORM pg_tviews_wait();
        PERFORM pg_stat_clear_snapshot();
        EXIT WHEN (SELECT pid FROM pg_tviews_workers WHERE kind = 'applier' AND database = current_database()) <> before;
        COMMIT;
    END LOOP;
END $$;
CALL replace_applier();
UPDATE tb_spilt SET n = 1;
DO $$
BEGIN
    WHILE NOT EXISTS (SELECT FROM pg_tview_behind WHERE tview = 'refresh_large.tv_spilt'::regclass) LOOP
        COMMIT;
    END LOOP;
END $$;
SELECT tview, replace(reason, '"', '') AS reason FROM pg_tview_behind;
DO $$
BEGIN
    EXECUTE format('ALTER DATABASE %I RESET temp_file_limit', current_database());
    EXECUTE format('ALTER DATABASE %I RESET work_mem', current_database());
END $$;
SELECT FROM pg_terminate_backend((SELECT pid FROM pg_tviews_workers WHERE kind = 'applier' AND database = current_database()));
:wait
SELECT n, count(*) FROM tv_spilt GROUP BY n;
DROP SCHEMA refresh_large CASCADE;
