-- How many keys a statement is planned for is about how many there are: 105 groups are looked up by index, though reading all
-- would be right for 1,000. Keys of one column, of two, and a lookup.
SET client_min_messages = warning;
CREATE SCHEMA cost_magnitude;
SET search_path = cost_magnitude, public;
CREATE TABLE tb_a (tenant int NOT NULL, grp int NOT NULL, x int NOT NULL, pad text NOT NULL);
CREATE TABLE tb_b (LIKE tb_a);
INSERT INTO tb_a SELECT i % 20, i % 2000, i, repeat('x', 50) FROM generate_series(1, 40000) i;
INSERT INTO tb_b SELECT i % 20, 2000 + i % 2000, i, repeat('x', 50) FROM generate_series(1, 40000) i;
CREATE INDEX ON tb_a (tenant, grp);
CREATE INDEX ON tb_b (tenant, grp);
CREATE INDEX ON tb_a (grp);
CREATE INDEX ON tb_b (grp);
CREATE TABLE tb_link (id int PRIMARY KEY, grp int NOT NULL);
INSERT INTO tb_link SELECT i, i FROM generate_series(0, 3999) i;
CREATE INDEX ON tb_link (grp);
VACUUM ANALYZE tb_a, tb_b, tb_link;
CREATE PROCEDURE change(statement text) LANGUAGE plpgsql AS $$
DECLARE
    before bigint;
    after bigint;
BEGIN
    -- The second wait lets the applier report.
    PERFORM pg_tviews_wait();
    PERFORM pg_tviews_wait();
    COMMIT;
    SELECT sum(seq_scan) INTO before FROM pg_stat_user_tables WHERE schemaname = 'cost_magnitude' AND relname LIKE 'tb\__';
    EXECUTE statement;
    COMMIT;
    PERFORM pg_tviews_wait();
    PERFORM pg_tviews_wait();
    COMMIT;
    SELECT sum(seq_scan) INTO after FROM pg_stat_user_tables WHERE schemaname = 'cost_magnitude' AND relname LIKE 'tb\__';
    RAISE WARNING 'scans: %', after - before;
END $$;
-- By index: the statement that changes reads nothing else.
SET enable_seqscan = off;
CREATE TABLE tv_two WITH (pg_tviews.key = 'tenant, grp') AS
SELECT tenant, grp, sum(x) AS total FROM tb_a GROUP BY tenant, grp UNION ALL SELECT tenant, grp, sum(x) FROM tb_b GROUP BY tenant, grp;
CALL change('UPDATE tb_a SET x = x + 1 WHERE grp < 105');
CALL change('UPDATE tb_b SET x = x + 1 WHERE grp < 2035');
SELECT count(*) FROM pg_tviews_verify('tv_two');
DROP TABLE tv_two;
CREATE TABLE tv_one WITH (pg_tviews.key = 'grp') AS
SELECT grp, sum(x) AS total FROM tb_a GROUP BY grp UNION ALL SELECT grp, sum(x) FROM tb_b GROUP BY grp;
CALL change('UPDATE tb_a SET x = x + 1 WHERE grp < 105');
SELECT count(*) FROM pg_tviews_verify('tv_one');
DROP TABLE tv_one;
CREATE TABLE tv_link AS SELECT l.id AS pk_link, (SELECT sum(x) FROM tb_a a WHERE a.grp = l.grp) AS total FROM tb_link l;
CALL change('UPDATE tb_link SET grp = grp + 1 WHERE id < 105');
SELECT count(*) FROM pg_tviews_verify('tv_link');
DROP SCHEMA cost_magnitude CASCADE;
