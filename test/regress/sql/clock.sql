-- now() and its like are the frontier's time, rounded down to the TVIEW's period: all that evaluates
-- a definition agrees on it, and every period compares the TVIEW with its query.
CREATE SCHEMA clock;
SET search_path = clock, public;
SET client_min_messages = warning;
CREATE TABLE tb_offer (pk_offer int PRIMARY KEY, expires_at timestamptz, day date);
INSERT INTO tb_offer VALUES (1, 'infinity', 'infinity'), (2, '2001-01-01', '2001-01-01'), (3, NULL, NULL), (4, '-infinity', '-infinity');
-- Without a period what shows the clock otherwise than in a deadline is refused, wherever it is.
CREATE TABLE tv_offer AS SELECT pk_offer, now() AS n FROM tb_offer;
CREATE TABLE tv_offer AS SELECT pk_offer, CURRENT_DATE - day AS days FROM tb_offer;
CREATE TABLE tv_offer AS SELECT pk_offer, LOCALTIME AS t FROM tb_offer;
CREATE TABLE tv_offer AS SELECT pk_offer, age(expires_at) AS age FROM tb_offer;
CREATE TABLE tv_offer AS SELECT pk_offer, (SELECT max(transaction_timestamp() - o.expires_at) FROM tb_offer o) AS n FROM tb_offer;
CREATE TABLE tv_offer AS SELECT pk_offer, count(CURRENT_TIMESTAMP(0)) AS n FROM tb_offer GROUP BY 1;
CREATE VIEW current_offer AS SELECT * FROM tb_offer WHERE expires_at >= statement_timestamp();
CREATE TABLE tv_offer AS SELECT o.pk_offer FROM tb_offer o LEFT JOIN current_offer c ON age(c.expires_at, now()) > '1 day';
CREATE FUNCTION is_current(at timestamptz) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT at > now()';
CREATE TABLE tv_offer AS SELECT pk_offer FROM tb_offer WHERE is_current(expires_at) = is_current(now());
CREATE FUNCTION until(at timestamptz, since timestamptz DEFAULT now()) RETURNS interval LANGUAGE sql IMMUTABLE AS 'SELECT at - since';
CREATE TABLE tv_offer AS SELECT pk_offer, until(expires_at) AS left FROM tb_offer;
CREATE TABLE tv_offer WITH (pg_tviews.clock_period = '1 month') AS SELECT pk_offer, LOCALTIME AS t FROM tb_offer;
CREATE TABLE tv_offer WITH (pg_tviews.clock_period = '500 ms') AS SELECT pk_offer, LOCALTIME AS t FROM tb_offer;
CREATE TABLE tv_offer WITH (pg_tviews.clock_period = 'soon') AS SELECT pk_offer, LOCALTIME AS t FROM tb_offer;
-- A time that is a constant is no clock.
CREATE TABLE tv_offer AS SELECT pk_offer FROM tb_offer WHERE expires_at > 'now'::timestamptz;
DROP TABLE tv_offer;

-- One clock for all of them, whoever evaluates.
CREATE FUNCTION told() RETURNS timestamptz LANGUAGE plpgsql STABLE AS 'BEGIN RETURN now(); END';
CREATE TABLE tv_offer WITH (pg_tviews.clock_period = '1 day', pg_tviews.function_reads = 'none', pg_tviews.timezone = 'UTC') AS
SELECT o.pk_offer, now() AS now, statement_timestamp() AS statement, CURRENT_DATE AS today, told() AS told, c.pk_offer IS NOT NULL AS current,
       is_current(o.expires_at) AS again, LOCALTIME AS time FROM tb_offer o LEFT JOIN current_offer c USING (pk_offer);
CREATE VIEW looks AS SELECT pk_offer, now = date_trunc('day', now, 'UTC') AS begins, now = statement AND now = told AS one, (now AT TIME ZONE 'UTC')::date = today AS today, current, again, time FROM tv_offer;
SELECT * FROM looks ORDER BY 1;
SELECT now() - min(now) < '1 day' AND now() >= max(now) AS is_of_today FROM tv_offer;
UPDATE tb_offer SET expires_at = now() + '2 days' WHERE pk_offer IN (2, 3);
SELECT pg_tviews_wait();
SELECT * FROM looks ORDER BY 1;
SELECT * FROM pg_tviews_verify('offer');
SELECT clock >= applied_at - interval '1 minute' AND clock <= now() AS clock FROM pg_tview_frontier;
SELECT options ->> 'clock' AS clock, options ->> 'clock_period' AS period, options ? 'undetermined' AS undetermined FROM pg_tview_meta WHERE entity = 'offer';
-- now() of the session is what it was.
BEGIN;
SELECT now() AS began \gset
CREATE TABLE tv_other WITH (pg_tviews.clock_period = '1 day') AS SELECT pk_offer AS pk_other, now() AS now FROM tb_offer;
SELECT now() = :'began' AS same;
COMMIT;
-- Another period, and none; a definition without a clock may have one.
ALTER TABLE tv_offer SET (pg_tviews.clock_period = '1 hour');
SELECT pg_tviews_wait();
SELECT bool_and(now = date_trunc('hour', now)) AS hour FROM tv_offer;
SELECT * FROM pg_tviews_verify('offer');
ALTER TABLE tv_offer RESET (pg_tviews.clock_period);
CREATE TABLE tv_plain WITH (pg_tviews.clock_period = '1 hour') AS SELECT pk_offer AS pk_plain FROM tb_offer;
SELECT options ? 'clock' AS clock FROM pg_tview_meta WHERE entity = 'plain';
SELECT pg_tviews_replace('plain', 'SELECT pk_offer AS pk_plain FROM clock.tb_offer WHERE expires_at > now()');
SELECT options ? 'clock' AS clock FROM pg_tview_meta WHERE entity = 'plain';
SELECT pg_tviews_wait();
SELECT * FROM tv_plain ORDER BY 1;
SELECT * FROM pg_tviews_verify('plain');
-- A function that becomes a clock.
CREATE TABLE tv_late AS SELECT pk_offer AS pk_late, until(expires_at, '2020-01-01') AS left FROM tb_offer WHERE isfinite(expires_at);
CREATE OR REPLACE FUNCTION until(at timestamptz, since timestamptz DEFAULT now()) RETURNS interval LANGUAGE sql STABLE AS 'SELECT at - greatest(since, now())';
-- TVIEWs of before stay as they were, are named, and say what they need later.
CREATE FUNCTION of_before(at timestamptz) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN 1; END';
CREATE TABLE tv_before WITH (pg_tviews.clock_period = '1 day', pg_tviews.function_reads = 'none') AS
SELECT pk_offer AS pk_before, now() AS now, of_before(expires_at) AS n FROM tb_offer;
UPDATE pg_tview_meta SET options = options - '{clock,clock_period,function_reads}'::text[] || '{"undetermined": true}' WHERE entity = 'before';
SELECT message FROM pg_tviews_unseen ORDER BY 1;
SELECT component, message FROM pg_tviews_health_check() WHERE message LIKE '%before %' ORDER BY 2;
ALTER TABLE tb_offer ADD COLUMN added int;
SELECT options -> 'undetermined' AS undetermined FROM pg_tview_meta WHERE entity = 'before';
ALTER TABLE tv_before SET (pg_tviews.function_reads = 'none');
SELECT message FROM pg_tviews_unseen ORDER BY 1;
ALTER TABLE tv_before SET (pg_tviews.clock_period = '1 day');
SELECT message FROM pg_tviews_unseen ORDER BY 1;
SELECT options ? 'undetermined' AS undetermined FROM pg_tview_meta WHERE entity = 'before';
SELECT pg_tviews_wait();
SELECT * FROM pg_tviews_verify('before');
DROP SCHEMA clock CASCADE;
