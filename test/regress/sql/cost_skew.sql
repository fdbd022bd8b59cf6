-- A group that is not like the others gets a plan of its own: once it has read many pages, its statement is planned with
-- the key known. (Its rows are spread over all pages: by index each is read many times.)
SET client_min_messages = warning;
CREATE SCHEMA cost_skew;
SET search_path = cost_skew, public;
CREATE TABLE tb_row (id int PRIMARY KEY, fk_group int NOT NULL, n int NOT NULL, pad text NOT NULL);
INSERT INTO tb_row SELECT i, CASE WHEN i * 7919 % 6 = 0 THEN 2 + i % 1000 ELSE 1 END, 1, repeat('x', 200) FROM generate_series(1, 60000) i;
CREATE INDEX ON tb_row (fk_group);
VACUUM ANALYZE tb_row;
CREATE TABLE tv_group WITH (pg_tviews.group_state = 'off') AS SELECT fk_group AS pk_group, count(*) AS members, sum(n) AS total FROM tb_row GROUP BY fk_group;
CREATE PROCEDURE change(statement text) LANGUAGE plpgsql AS $$
DECLARE
    before bigint;
    after bigint;
BEGIN
    -- The second wait lets the applier report.
    PERFORM pg_tviews_wait();
    PERFORM pg_tviews_wait();
    COMMIT;
    SELECT seq_scan INTO before FROM pg_stat_user_tables WHERE relid = 'tb_row'::regclass;
    EXECUTE statement;
    COMMIT;
    PERFORM pg_tviews_wait();
    PERFORM pg_tviews_wait();
    COMMIT;
    SELECT seq_scan INTO after FROM pg_stat_user_tables WHERE relid = 'tb_row'::regclass;
    RAISE WARNING 'scans: %', after - before;
END $$;
CREATE TABLE chosen AS SELECT (SELECT min(id) FROM tb_row WHERE fk_group = 1) AS large, (SELECT min(id) FROM tb_row WHERE fk_group = 8) AS small;
CALL change('UPDATE tb_row SET n = 2 WHERE id = (SELECT small FROM chosen)');
CALL change('UPDATE tb_row SET n = 3 WHERE id = (SELECT large FROM chosen)');
CALL change('UPDATE tb_row SET n = 4 WHERE id = (SELECT large FROM chosen)');
CALL change('UPDATE tb_row SET n = 5 WHERE id = (SELECT small FROM chosen)');
CALL change('UPDATE tb_row SET n = 6 WHERE id = (SELECT large FROM chosen)');
SELECT count(*) FROM pg_tviews_verify('cost_skew.group');
DROP SCHEMA cost_skew CASCADE;
