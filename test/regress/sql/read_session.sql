-- read_consistency = session: whatever statement reads a TVIEW, it sees what this session committed
-- before. Each of them comes right after a write: its snapshot is older than the batch, so it must
-- wait and get a newer one.
CREATE SCHEMA read_session;
SET search_path = read_session, public;
SET pg_tviews.notice_lineage = off;
SET pg_tviews.read_timeout = '60s';
CREATE TABLE tb_n (pk_n int PRIMARY KEY, n int NOT NULL);
INSERT INTO tb_n SELECT i, 0 FROM generate_series(1, 5) i;
CREATE TABLE tv_n AS SELECT tb_n.pk_n, tb_n.n FROM tb_n;
CREATE TABLE tv_sum AS SELECT 1 AS pk_sum, sum(tb_n.n) AS total FROM tb_n;
SHOW pg_tviews.read_consistency;
CREATE VIEW v_first AS SELECT tv_n.n FROM tv_n WHERE tv_n.pk_n = 1;
CREATE FUNCTION sql_stable() RETURNS int LANGUAGE sql STABLE AS 'SELECT n FROM read_session.tv_n WHERE pk_n = 1';
CREATE FUNCTION sql_volatile() RETURNS int LANGUAGE sql AS 'SELECT n FROM read_session.tv_n WHERE pk_n = 1';
CREATE FUNCTION pl_stable() RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT n FROM read_session.tv_n WHERE pk_n = 1); END';
CREATE FUNCTION pl_volatile() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT n FROM read_session.tv_n WHERE pk_n = 1); END';
CREATE TABLE seen (how text, n int);

-- Directly, through a view, in functions.
UPDATE tb_n SET n = 1;
SELECT n FROM tv_n WHERE pk_n = 1;
UPDATE tb_n SET n = 2;
SELECT n FROM v_first;
UPDATE tb_n SET n = 3;
SELECT sql_stable();
UPDATE tb_n SET n = 4;
SELECT sql_volatile();
UPDATE tb_n SET n = 5;
SELECT pl_stable();
UPDATE tb_n SET n = 6;
SELECT pl_volatile();
UPDATE tb_n SET n = 7;
SELECT count(*) FROM tb_n WHERE n = pl_stable();
-- One statement, one snapshot: of its STABLE functions too.
UPDATE tb_n SET n = 8;
SELECT tv_n.n, pl_stable(), sql_stable(), (SELECT total FROM tv_sum),
       (SELECT pg_visible_in_snapshot(tb_n.xmin::text::xid8, pg_tview_frontier.snapshot) FROM tb_n WHERE pk_n = 1) AS in_frontier
FROM tv_n, pg_tview_frontier WHERE pk_n = 1;

-- Prepared statements with generic plans.
SET plan_cache_mode = force_generic_plan;
PREPARE reads (int) AS SELECT n FROM tv_n WHERE pk_n = $1;
UPDATE tb_n SET n = 9;
EXECUTE reads (1);
UPDATE tb_n SET n = 10;
EXECUTE reads (1);
UPDATE tb_n SET n = 11;
CREATE TABLE copied AS EXECUTE reads (1);
TABLE copied;
RESET plan_cache_mode;

-- Cursors.
UPDATE tb_n SET n = 12;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT pk_n, n FROM tv_n ORDER BY 1;
FETCH 1 FROM c;
FETCH LAST FROM c;
COMMIT;
UPDATE tb_n SET n = 13;
BEGIN;
DECLARE c CURSOR WITH HOLD FOR SELECT n FROM tv_n WHERE pk_n = 1;
COMMIT;
FETCH c;
CLOSE c;

-- COPY.
UPDATE tb_n SET n = 14;
COPY tv_n TO STDOUT;
UPDATE tb_n SET n = 15;
COPY (SELECT n FROM tv_n WHERE pk_n = 1) TO STDOUT;
UPDATE tb_n SET n = 16;
BEGIN;
SAVEPOINT s;
COPY tv_n (n) TO STDOUT;
ROLLBACK TO s;
COPY tv_sum TO STDOUT;
COMMIT;

-- What writes what it reads.
UPDATE tb_n SET n = 17;
INSERT INTO seen SELECT 'insert', n FROM tv_n WHERE pk_n = 1 RETURNING how, n;
UPDATE tb_n SET n = 18;
WITH w AS (INSERT INTO seen SELECT 'with', n FROM tv_n WHERE pk_n = 1 RETURNING n) SELECT w.n, total FROM w, tv_sum;
UPDATE tb_n SET n = 19;
UPDATE seen SET n = tv_n.n FROM tv_n WHERE pk_n = 1 AND how = 'insert' RETURNING seen.n;
UPDATE tb_n SET n = 20;
CREATE TABLE made AS SELECT n FROM tv_n WHERE pk_n = 1;
TABLE made;
UPDATE tb_n SET n = 21;
SELECT n INTO made_too FROM tv_n WHERE pk_n = 1;
TABLE made_too;
UPDATE tb_n SET n = 22;
CREATE MATERIALIZED VIEW materialized AS SELECT n FROM tv_n WHERE pk_n = 1;
TABLE materialized;
UPDATE tb_n SET n = 23;
REFRESH MATERIALIZED VIEW materialized;
TABLE materialized;
UPDATE tb_n SET n = 24;
-- 18 counts rows in hundredths.
EXPLAIN (ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT FROM tv_n WHERE n = 24
\g (format=unaligned) |sed 's/\.00//'

-- PL/pgSQL: blocks, procedures that commit, exceptions, savepoints.
UPDATE tb_n SET n = 25;
DO $$ BEGIN RAISE NOTICE 'query % assignment %', (SELECT n FROM tv_n WHERE pk_n = 1), pl_stable(); END $$;
UPDATE tb_n SET n = 26;
DO $$ DECLARE x int; BEGIN x := pl_stable(); RAISE NOTICE 'assignment %', x; END $$;
UPDATE tb_n SET n = 27;
DO $$ DECLARE x int; BEGIN BEGIN x := pl_stable(); PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN RAISE NOTICE 'caught'; END;
x := pl_stable(); RAISE NOTICE 'after the exception %', x; END $$;
CREATE PROCEDURE goes_on(turns int) LANGUAGE plpgsql AS $$
DECLARE missed int := 0; found int;
BEGIN
  FOR i IN 1 .. turns LOOP
    UPDATE tb_n SET n = 100 + i;
    COMMIT;
    IF i % 3 = 0 THEN
      found := pl_stable();
    ELSIF i % 3 = 1 THEN
      BEGIN
        SELECT n INTO found FROM tv_n WHERE pk_n = 1;
        PERFORM 1 / 0;
      EXCEPTION WHEN division_by_zero THEN NULL;
      END;
    ELSE
      FOR found IN SELECT n FROM tv_n WHERE pk_n = 1 LOOP NULL; END LOOP;
    END IF;
    IF found <> 100 + i THEN missed := missed + 1; END IF;
  END LOOP;
  RAISE NOTICE '% missed', missed;
END $$;
CALL goes_on(30);
UPDATE tb_n SET n = 28;
BEGIN;
SAVEPOINT a;
SELECT n FROM tv_n WHERE pk_n = 1;
ROLLBACK TO a;
SELECT pl_stable();
COMMIT;

-- Parallel plans.
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
-- 16 renamed force_parallel_mode.
SELECT CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'force_parallel_mode'
            ELSE 'debug_parallel_query' END AS forced \gset
SET :forced = on;
ALTER FUNCTION pl_stable PARALLEL SAFE;
UPDATE tb_n SET n = 29;
SELECT count(*) FROM tv_n WHERE n = 29;
UPDATE tb_n SET n = 30;
SELECT pl_stable(), count(*) FROM tb_n WHERE n = pl_stable();
RESET :forced;
RESET min_parallel_table_scan_size;

-- REPEATABLE READ and SERIALIZABLE wait at BEGIN.
UPDATE tb_n SET n = 31;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT n FROM tv_n WHERE pk_n = 1;
COMMIT;
UPDATE tb_n SET n = 32;
SET default_transaction_isolation = 'serializable';
START TRANSACTION;
COPY tv_sum TO STDOUT;
COMMIT;
RESET default_transaction_isolation;

-- Statements that have nothing to wait for do not wait, and eventual never does.
SELECT pg_tviews_pause();
UPDATE tb_n SET n = 33;
SELECT count(*) FROM tb_n;
SELECT 'tv_n'::regclass;
EXPLAIN (COSTS OFF) SELECT n FROM tv_n WHERE pk_n = 1;
PREPARE never AS SELECT n FROM tv_n;
BEGIN;
SET LOCAL pg_tviews.read_consistency = eventual;
SELECT n FROM tv_n WHERE pk_n = 1;
COMMIT;
-- Where the applier is paused, nobody hangs.
SELECT n FROM tv_n WHERE pk_n = 1;
SET pg_tviews.read_consistency = strict;
SELECT n FROM tv_n WHERE pk_n = 1;
RESET pg_tviews.read_consistency;
SELECT pg_tviews_resume();
SELECT n FROM tv_n WHERE pk_n = 1;

-- Settable for a function, a role and a database.
CREATE FUNCTION strictly() RETURNS text LANGUAGE plpgsql SET pg_tviews.read_consistency = strict
AS 'BEGIN RETURN current_setting(''pg_tviews.read_consistency''); END';
SELECT strictly(), current_setting('pg_tviews.read_consistency') AS outside;
ALTER ROLE postgres SET pg_tviews.read_consistency = eventual;
ALTER DATABASE test_regress SET pg_tviews.read_timeout = '10s';
\c
SHOW pg_tviews.read_consistency;
SHOW pg_tviews.read_timeout;
ALTER ROLE postgres RESET pg_tviews.read_consistency;
ALTER DATABASE test_regress RESET pg_tviews.read_timeout;
SET pg_tviews.read_consistency = weak;
\c
SET search_path = read_session, public;
SET pg_tviews.notice_lineage = off;

-- A transaction that was prepared.
BEGIN;
UPDATE tb_n SET n = 34;
PREPARE TRANSACTION 'read_session';
COMMIT PREPARED 'read_session';
SELECT n FROM tv_n WHERE pk_n = 1;

-- A new TVIEW, read by its creator in the creating transaction and after.
BEGIN;
CREATE TABLE tv_new AS SELECT tb_n.pk_n AS pk_new, tb_n.n FROM tb_n;
SELECT n FROM tv_new WHERE pk_new = 1;
UPDATE tb_n SET n = 35;
COMMIT;
SELECT tv_new.n, tv_n.n FROM tv_new JOIN tv_n ON pk_n = pk_new WHERE pk_n = 1;

-- Others wait for the first batch of a new TVIEW; and how far TVIEWs are behind meanwhile.
SELECT pg_tviews_pause();
CREATE TABLE tv_newer AS SELECT tb_n.pk_n AS pk_newer, tb_n.n FROM tb_n;
UPDATE tb_n SET n = n WHERE pk_n < 3;
\c
SET search_path = read_session, public;
SET pg_tviews.notice_lineage = off;
SELECT n FROM tv_n WHERE pk_n = 1;
SELECT n FROM tv_newer WHERE pk_newer = 1;
UPDATE tb_n SET n = n + 1 WHERE pk_n IN (4, 5);
SELECT database, oldest_transaction IS NOT NULL AS has_oldest, age BETWEEN '0' AND '1 min' AS age, records, keys,
       bytes > 0 AS bytes, spilled_records, tviews_behind
FROM pg_tviews_lag WHERE database = current_database();
SELECT pg_tviews_resume(), pg_tviews_wait();
SELECT records, keys, bytes, oldest_commit, last_batch_records, last_batch_ms > 0 AS ms, last_batch_rows
FROM pg_tviews_lag WHERE database = current_database();
SELECT n FROM tv_newer WHERE pk_newer = 5;

-- A key in quarantine.
CREATE TABLE tv_share AS SELECT tb_n.pk_n AS pk_share, 100 / (tb_n.n - 7) AS share FROM tb_n;
UPDATE tb_n SET n = 7 WHERE pk_n = 2;
SELECT count(*) FROM tv_share;
SELECT count(*) FROM tv_share;
UPDATE tb_n SET n = 8 WHERE pk_n = 3;
SET pg_tviews.read_consistency = eventual;
SELECT count(*) FROM tv_share;
SET pg_tviews.read_consistency = strict;
SELECT count(*) FROM tv_share;
SELECT count(*) FROM tv_newer;
RESET pg_tviews.read_consistency;
UPDATE tb_n SET n = 8 WHERE pk_n = 2;
SELECT share FROM tv_share WHERE pk_share IN (2, 3);
DROP TABLE tv_share;

-- A TVIEW in quarantine as a whole.
CREATE TABLE tv_ratio AS SELECT pk_ratio, 100 / n AS ratio FROM (SELECT pk_n AS pk_ratio, n FROM tb_n ORDER BY pk_n LIMIT 1) AS first;
UPDATE tb_n SET n = 0;
\set VERBOSITY terse
SELECT ratio FROM tv_ratio;
SELECT n FROM tv_n WHERE pk_n = 1;
SET pg_tviews.read_consistency = strict;
SELECT ratio FROM tv_ratio;
RESET pg_tviews.read_consistency;
DROP TABLE tv_ratio;
SELECT entity, (SELECT count(*) FROM pg_tviews_verify(tview::text)) FROM pg_tview_meta
WHERE tview::text ~ '^tv_(n|sum|new)$' ORDER BY 1;
DROP SCHEMA read_session CASCADE;
