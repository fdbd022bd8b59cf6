-- A change record is one transaction: what was rolled back is not in it, what cannot matter is not
-- written. The number of records is the difference of a counter, so this test runs alone.
SET client_min_messages = warning;
CREATE SCHEMA capture_transactions;
SET search_path = capture_transactions, public;
CREATE TABLE tb_item (
    pk_item int PRIMARY KEY,
    fk_box int,
    name text,
    note text,
    long text
);
CREATE TABLE tb_box (pk_box int PRIMARY KEY, label text, note text);
CREATE TABLE tv_item AS
SELECT tb_item.pk_item,
       jsonb_build_object('name', tb_item.name, 'box', tb_box.label,
                          'long', md5(tb_item.long)) AS data
FROM tb_item LEFT JOIN tb_box ON tb_box.pk_box = tb_item.fk_box;
CREATE TABLE tv_box AS
SELECT tb_box.pk_box, jsonb_build_object('items', count(tb_item.pk_item)) AS data
FROM tb_box LEFT JOIN tb_item ON tb_item.fk_box = tb_box.pk_box
GROUP BY tb_box.pk_box;
CREATE TABLE told (records bigint NOT NULL);
INSERT INTO told SELECT records FROM pg_tview_frontier;
CREATE FUNCTION new_records() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    before bigint := (SELECT records FROM told);
BEGIN
    UPDATE told SET records = (SELECT records FROM pg_tview_frontier);
    RETURN (SELECT records FROM told) - before;
END $$;
CREATE VIEW shown AS
SELECT 'item' AS of, pk_item AS pk, data FROM tv_item
UNION ALL
SELECT 'box', pk_box, data FROM tv_box
ORDER BY 1, 2;
CREATE VIEW differences AS
SELECT (SELECT count(*) FROM pg_tviews_verify('item'))
     + (SELECT count(*) FROM pg_tviews_verify('box')) AS differences;
\set check 'SELECT pg_tviews_wait() \\gset waited_ \\\\ SELECT new_records(), differences FROM differences;'
-- DDL may write records of its own, and so did the tests before this one.
\set forget 'SELECT pg_tviews_wait(), new_records() \\gset ignored_'
:forget

-- one transaction over several tables is one record
BEGIN;
INSERT INTO tb_box VALUES (1, 'one', 'n'), (2, 'two', 'n');
INSERT INTO tb_item VALUES (1, 1, 'nail', 'n'), (2, 1, 'nut', 'n'), (3, 2, 'bolt', 'n');
UPDATE tb_item SET name = 'screw' WHERE pk_item = 1;
COMMIT;
:check
TABLE shown;

-- rolled back: none
BEGIN;
UPDATE tb_item SET name = 'lost';
ROLLBACK;
:check

-- savepoints: rolled back, released, nested
BEGIN;
SAVEPOINT a;
UPDATE tb_item SET name = 'lost';
ROLLBACK TO a;
COMMIT;
:check
BEGIN;
SAVEPOINT a;
UPDATE tb_item SET name = 'kept in a' WHERE pk_item = 1;
SAVEPOINT b;
UPDATE tb_item SET name = 'lost in b' WHERE pk_item = 2;
SAVEPOINT c;
UPDATE tb_item SET name = 'lost with b' WHERE pk_item = 3;
RELEASE c;
ROLLBACK TO b;
SAVEPOINT d;
UPDATE tb_item SET name = 'kept in d' WHERE pk_item = 3;
RELEASE d;
RELEASE a;
SAVEPOINT e;
TRUNCATE tb_box;
ROLLBACK TO e;
COMMIT;
:check
TABLE shown;

-- plpgsql exception blocks
DO $$
BEGIN
    FOR i IN 1..3 LOOP
        BEGIN
            UPDATE tb_item SET name = 'block ' || i WHERE pk_item = i;
            IF i = 2 THEN
                RAISE EXCEPTION 'not this one';
            END IF;
        EXCEPTION WHEN raise_exception THEN
            UPDATE tb_box SET label = 'handled ' || i WHERE pk_box = 1;
        END;
    END LOOP;
END $$;
:check
TABLE shown;

-- a procedure that commits: one record each
CREATE PROCEDURE in_steps() LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..3 LOOP
        UPDATE tb_item SET name = 'step ' || i WHERE pk_item = i;
        IF i = 2 THEN ROLLBACK; ELSE COMMIT; END IF;
    END LOOP;
END $$;
CALL in_steps();
:check
TABLE shown;

-- prepared transactions
BEGIN;
UPDATE tb_item SET name = 'prepared' WHERE pk_item = 1;
PREPARE TRANSACTION 'capture_transactions';
ROLLBACK PREPARED 'capture_transactions';
:check
BEGIN;
SAVEPOINT a;
UPDATE tb_item SET name = 'prepared' WHERE pk_item = 2;
RELEASE a;
PREPARE TRANSACTION 'capture_transactions';
COMMIT PREPARED 'capture_transactions';
:check
TABLE shown;

-- updates that no TVIEW can see: none
UPDATE tb_item SET note = 'other';
:check
UPDATE tb_item SET name = name, fk_box = fk_box, pk_item = pk_item;
:check
UPDATE tb_box SET note = 'other';
:check
-- NULL to NULL, NULL to a value, a value to NULL
UPDATE tb_item SET long = NULL;
:check
UPDATE tb_item SET long = '' WHERE pk_item = 1;
:check
UPDATE tb_item SET long = NULL WHERE pk_item = 1;
:check

-- toasted values: the same value stored anew is no change, another of the same size is
ALTER TABLE tb_item ALTER long SET STORAGE EXTERNAL;
:forget
UPDATE tb_item SET long = repeat('a', 100000);
:check
UPDATE tb_item SET long = repeat('a', 100000);
:check
UPDATE tb_item SET note = 'third';
:check
ALTER TABLE tb_item ALTER long SET STORAGE EXTENDED;
:forget
UPDATE tb_item SET long = repeat('a', 100000);
:check
UPDATE tb_item SET long = repeat('a', 99999) || 'b' WHERE pk_item = 1;
:check
UPDATE tb_item SET long = 'short' WHERE pk_item = 2;
:check
TABLE shown;

-- more changes than the memory for them: the table counts as changed as a whole
SET pg_tviews.transaction_memory = '64kB';
BEGIN;
INSERT INTO tb_item SELECT i, 1, 'many', 'n' FROM generate_series(1001, 6000) AS i;
SAVEPOINT a;
INSERT INTO tb_item SELECT i, 2, 'many', 'n' FROM generate_series(6001, 9000) AS i;
ROLLBACK TO a;
INSERT INTO tb_item SELECT i, 2, 'many', 'n' FROM generate_series(6001, 7000) AS i;
COMMIT;
:check
SELECT * FROM shown WHERE of = 'box';
BEGIN;
DELETE FROM tb_item WHERE pk_item BETWEEN 1001 AND 3000;
SAVEPOINT a;
DELETE FROM tb_item WHERE pk_item > 3000;
RELEASE a;
UPDATE tb_box SET label = 'last' WHERE pk_box = 1;
COMMIT;
:check
TABLE shown;
RESET pg_tviews.transaction_memory;

-- a TVIEW created, and a source changed, before and after it in the same transaction
BEGIN;
UPDATE tb_item SET name = 'before' WHERE pk_item = 1;
CREATE TABLE tv_note AS SELECT tb_item.pk_item AS pk_note, tb_item.note FROM tb_item;
UPDATE tb_item SET note = 'after' WHERE pk_item = 1;
COMMIT;
:check
SELECT * FROM tv_note ORDER BY pk_note;
-- what was irrelevant is relevant now
UPDATE tb_item SET note = 'relevant' WHERE pk_item = 2;
:check
SELECT * FROM tv_note ORDER BY pk_note;
DROP TABLE tv_note;
:forget
UPDATE tb_item SET note = 'irrelevant again' WHERE pk_item = 2;
:check

-- a source without readers is written freely
DROP TABLE tv_item, tv_box CASCADE;
:forget
UPDATE tb_item SET name = 'free';
SELECT pg_tviews_wait() \gset waited_
SELECT new_records();
DROP SCHEMA capture_transactions CASCADE;

-- A savepoint whose release fails takes its changes with it, and nothing else.
CREATE SCHEMA capture_release;
SET search_path = capture_release, public;
CREATE TABLE tb_released (pk_released int PRIMARY KEY, name text);
CREATE TABLE tv_released AS SELECT pk_released, name FROM tb_released;
BEGIN;
INSERT INTO tb_released VALUES (1, 'before');
SAVEPOINT o;
SAVEPOINT s;
INSERT INTO tb_released VALUES (2, 'lost');
SET LOCAL pg_tviews.fail_at = 'before_release_savepoint:53200';
RELEASE SAVEPOINT s;
ROLLBACK TO SAVEPOINT o;
INSERT INTO tb_released VALUES (3, 'after');
SAVEPOINT t;
INSERT INTO tb_released VALUES (4, 'released');
RELEASE SAVEPOINT t;
RELEASE SAVEPOINT o;
COMMIT;
-- The same within a function, and at several levels.
CREATE FUNCTION fails_to_release(id int) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO tb_released VALUES (id, 'outer');
  BEGIN
    PERFORM set_config('pg_tviews.fail_at', 'before_release_savepoint:53200', true);
    INSERT INTO tb_released VALUES (id + 1, 'inner');
  EXCEPTION WHEN OTHERS THEN
    RETURN sqlerrm;
  END;
  RETURN 'released';
END $$;
SELECT fails_to_release(5);
BEGIN;
SAVEPOINT a;
SAVEPOINT b;
SELECT fails_to_release(7);
RELEASE SAVEPOINT b;
RELEASE SAVEPOINT a;
COMMIT;
SELECT pg_tviews_wait();
SELECT * FROM tv_released ORDER BY 1;
SELECT * FROM pg_tviews_verify('released');
DROP SCHEMA capture_release CASCADE;
