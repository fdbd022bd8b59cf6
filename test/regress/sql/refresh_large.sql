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
DROP SCHEMA refresh_large CASCADE;
