-- Deadlines: comparisons of columns with the clock, which change at moments that the rows determine.
-- They need no period. deadline_test.py lets time pass.
CREATE SCHEMA deadlines;
SET search_path = deadlines, public;
SET client_min_messages = warning;
SET TimeZone = 'Europe/Berlin';
CREATE TABLE tb_shop (pk_shop int PRIMARY KEY, closed_on date);
CREATE TABLE tb_offer (pk_offer int PRIMARY KEY, fk_shop int REFERENCES tb_shop, expires_at timestamptz, begins timestamp, grace interval NOT NULL DEFAULT '1 hour');
CREATE INDEX ON tb_offer (fk_shop);
INSERT INTO tb_shop VALUES (1, 'infinity'), (2, '2001-01-01'), (3, NULL);
INSERT INTO tb_offer SELECT i, i % 3 + 1, now() + (i - 5) * interval '1 day', (now() + (5 - i) * interval '1 day')::timestamp FROM generate_series(1, 10) AS i;
INSERT INTO tb_offer VALUES (11, 1, 'infinity', '-infinity'), (12, 2, '-infinity', 'infinity'), (13, 3, NULL, NULL);
CREATE VIEW points AS SELECT d ->> 'clock' AS clock, d ->> 'row' AS row, d ->> 'table' AS source, d ->> 'reached' AS reached, d ->> 'passed' AS passed,
    q ->> 'before' AS before, q ->> 'after' AS after FROM pg_tview_meta, jsonb_array_elements(options -> 'deadlines') d, jsonb_array_elements(d -> 'queries') q WHERE entity = 'x';
CREATE PROCEDURE look() LANGUAGE plpgsql AS $$
BEGIN
    COMMIT;
    PERFORM pg_tviews_wait();
    RAISE WARNING '% rows, differences: %', (SELECT count(*) FROM deadlines.tv_x), (SELECT count(*) FROM pg_tviews_verify('x'));
END $$;
-- Every comparison, on either side.
CREATE TABLE tv_x AS SELECT pk_offer AS pk_x FROM tb_offer WHERE expires_at > now();
TABLE points;
CALL look();
DROP TABLE tv_x;
CREATE TABLE tv_x AS SELECT pk_offer AS pk_x, expires_at <= now() AS a, now() < expires_at AS b, expires_at >= CURRENT_TIMESTAMP AS c, expires_at < statement_timestamp() AS d, expires_at = now() AS e, now() <> expires_at AS f FROM tb_offer;
SELECT clock, row, reached, passed FROM points;
CALL look();
DROP TABLE tv_x;
-- Intervals, dates, local time, BETWEEN, expressions.
CREATE TABLE tv_x AS SELECT pk_offer AS pk_x, expires_at > now() - interval '1 month' AS a, expires_at::date >= CURRENT_DATE - 7 AS b, begins < LOCALTIMESTAMP AS c,
    expires_at + grace > now() AS d, now() BETWEEN begins AND expires_at AS e, begins > now() AT TIME ZONE 'America/New_York' AS f, expires_at > date_trunc('day', now()) AS g FROM tb_offer;
SELECT clock, row, reached, passed FROM points;
CALL look();
DROP TABLE tv_x;
-- ON, CASE, FILTER, HAVING's input, sublinks, views, functions, subqueries.
CREATE VIEW open_shop AS SELECT pk_shop FROM tb_shop WHERE closed_on > CURRENT_DATE;
CREATE FUNCTION is_valid(at timestamptz) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT at > now()';
CREATE TABLE tv_x AS SELECT s.pk_shop AS pk_x, count(*) FILTER (WHERE is_valid(o.expires_at)) AS valid, max(CASE WHEN o.begins < now() THEN 'begun' ELSE 'to come' END) AS begun,
    EXISTS (SELECT FROM tb_offer e WHERE e.fk_shop = s.pk_shop AND e.expires_at < now() - interval '2 days') AS old, bool_or(w.pk_shop IS NOT NULL) AS open
    FROM tb_shop s LEFT JOIN (SELECT fk_shop, begins, expires_at, expires_at - grace AS soon FROM tb_offer) o ON o.fk_shop = s.pk_shop AND o.soon > now() - interval '1 year' LEFT JOIN open_shop w USING (pk_shop) GROUP BY s.pk_shop;
SELECT clock, row, source, before, after FROM points;
CALL look();
UPDATE tb_offer SET expires_at = expires_at - interval '10 days' WHERE pk_offer IN (8, 11);
UPDATE tb_shop SET closed_on = CURRENT_DATE WHERE pk_shop = 1;
CALL look();
ALTER TABLE tb_offer RENAME COLUMN begins TO starts;
SELECT DISTINCT row FROM points ORDER BY 1;
CALL look();
SELECT options ? 'deadlines' AS kept FROM (SELECT (label::jsonb) -> 'options' AS options FROM pg_seclabel WHERE objoid = 'tv_x'::regclass) AS label;
DROP TABLE tv_x;
-- Differences: how long ago, how long until. Intervals are compared as if a month had 30 days and a day 24 hours, and so is the clock moved.
ALTER TABLE tb_offer RENAME COLUMN starts TO begins;
CREATE TABLE tv_x AS SELECT pk_offer AS pk_x, now() - expires_at > '1 month 1 day' AS a, interval '1 day' >= now() - expires_at AS b, expires_at - now() < '2 days' AS c, interval '36 hours' <> expires_at - now() AS d,
    LOCALTIMESTAMP - begins BETWEEN '-1 day' AND 2 * interval '1 day' AS e, now() - interval '1 month' - expires_at < make_interval(days => -30) AS f, now() - begins > '1 day' AS g FROM tb_offer WHERE isfinite(expires_at) AND isfinite(begins);
SELECT clock, row, reached, passed FROM points;
CALL look();
DROP TABLE tv_x;
CREATE TABLE tv_x AS SELECT pk_shop AS pk_x, CURRENT_DATE - closed_on > 7 AS a, closed_on - CURRENT_DATE <= 3 AS b, now() - closed_on > '1 week' AS c FROM tb_shop WHERE isfinite(closed_on);
SELECT clock, row, reached, passed FROM points;
CALL look();
DROP TABLE tv_x;
SELECT count(*) AS moments, count(*) FILTER (WHERE (t - c > i) <> (c < t - span) OR (t - c >= i) <> (c <= t - span) OR (t - c = i) <> (c = t - span) OR (c - t < i) <> (c < t + span)
                                              OR (t::timestamp - c::timestamp > i) <> (c::timestamp < t::timestamp - span)) AS differences
FROM (SELECT t, c, i, make_interval(secs => extract(day FROM i) * 86400 + (extract(year FROM i) * 12 + extract(month FROM i)) * 30 * 86400 + extract(hour FROM i) * 3600 + extract(minute FROM i) * 60 + extract(second FROM i)) AS span
      FROM generate_series('2024-01-30 22:00Z', '2024-12-01'::timestamptz, '19 days 5 hours 17 minutes 0.000001 s') AS t,
           (SELECT m + d FROM generate_series('2023-12-31 23:30Z', '2025-01-02'::timestamptz, '29 days 12:30') AS m, unnest(ARRAY['0', '30 days', '-1 month', '24 hours', '1 us']::interval[]) AS d) AS c (c),
           (VALUES (interval '1 month'), ('1 month -1 day'), ('-2 months 3 hours'), ('1 day'), ('24 hours'), ('-1 day 24 hours'), ('0'), ('1 year -5 us'), ('30 days')) AS v (i)) AS x;
-- Local time compared with moments; what is no moment at all is never near one.
INSERT INTO tb_shop VALUES (4, '5874897-12-31'), (5, '4714-11-24 BC');
CREATE TABLE tv_x AS SELECT pk_shop AS pk_x, closed_on > now() AS a FROM tb_shop;
SELECT clock, row FROM points;
CALL look();
UPDATE tb_shop SET closed_on = CURRENT_DATE + 1 WHERE pk_shop = 3;
CALL look();
DROP TABLE tv_x;
DELETE FROM tb_shop WHERE pk_shop > 3;
-- Ranges change at their bounds, and have them in columns or not.
ALTER TABLE tb_offer ADD COLUMN valid tstzrange, ADD COLUMN days daterange;
UPDATE tb_offer SET valid = tstzrange(now() - interval '1 day' * pk_offer, now() + interval '1 day', '(]'), days = daterange(CURRENT_DATE - pk_offer, CURRENT_DATE, '[]') WHERE pk_offer < 5;
UPDATE tb_offer SET valid = CASE pk_offer WHEN 5 THEN 'empty' WHEN 6 THEN '(,)' WHEN 7 THEN tstzrange('-infinity', now()) END::tstzrange, days = CASE pk_offer WHEN 5 THEN 'empty' WHEN 6 THEN '(,)' END::daterange WHERE pk_offer >= 5;
CREATE TABLE tv_x AS SELECT pk_offer AS pk_x, valid @> now() AS a, CURRENT_DATE <@ days AS b, tstzrange(expires_at - grace, expires_at) @> now() AS c, tstzrange(expires_at, NULL, '[]') @> now() - interval '1 day' AS d,
    tsrange(least(begins, '2030-01-01'), '2040-01-01') @> LOCALTIMESTAMP AS e FROM tb_offer;
CREATE TABLE tv_x AS SELECT pk_offer AS pk_x, valid @> now() AS a, CURRENT_DATE <@ days AS b, tstzrange(expires_at - grace, expires_at) @> now() AS c, tstzrange(expires_at, NULL, '[]') @> now() - interval '1 day' AS d FROM tb_offer;
SELECT clock, row, reached, passed FROM points;
CALL look();
DROP TABLE tv_x;
-- The least and the greatest of a group are of one of its rows.
CREATE TABLE tv_x AS SELECT o.fk_shop AS pk_x, min(o.begins) FILTER (WHERE o.pk_offer > 2) + interval '1 hour' < LOCALTIMESTAMP AS begun FROM tb_offer o JOIN tb_shop s ON pk_shop = fk_shop GROUP BY 1 HAVING max(o.expires_at) > now();
SELECT clock, row, source, before, after FROM points;
CALL look();
UPDATE tb_offer SET expires_at = now() - interval '1 day' WHERE fk_shop = 2;
CALL look();
DROP TABLE tv_x;
CREATE TABLE tv_x AS SELECT s.pk_shop AS pk_x, l.last < now() AS over FROM tb_shop s LEFT JOIN (SELECT fk_shop, max(expires_at) AS last FROM tb_offer GROUP BY 1) l ON l.fk_shop = s.pk_shop;
SELECT clock, row, source, before, after FROM points;
CALL look();
DROP TABLE tv_x;
ALTER TABLE tb_offer RENAME COLUMN begins TO starts;
-- No points: refused.
CREATE TABLE tv_x AS SELECT pk_offer AS pk_x FROM tb_offer WHERE now() - expires_at > grace;
CREATE TABLE tv_x AS SELECT pk_offer AS pk_x FROM tb_offer WHERE now() - expires_at > '5000 years';
CREATE TABLE tv_x AS SELECT pk_offer AS pk_x FROM tb_offer WHERE age(now(), expires_at) > '1 day';
CREATE TABLE tv_x AS SELECT pk_offer AS pk_x FROM tb_offer WHERE multirange(valid) @> now();
CREATE TABLE tv_x AS SELECT pk_offer AS pk_x FROM tb_offer WHERE tstzrange(NULL, NULL) @> now();
CREATE TABLE tv_x AS SELECT pk_offer AS pk_x FROM tb_offer WHERE tstzrange('2001-01-01', expires_at) @> now();
CREATE TABLE tv_x AS SELECT fk_shop AS pk_x FROM tb_offer GROUP BY 1 HAVING max(expires_at) - min(expires_at) > now() - max(expires_at);
CREATE TABLE tv_x AS SELECT fk_shop AS pk_x FROM tb_offer GROUP BY 1 HAVING (array_agg(expires_at))[1] > now();
CREATE TABLE tv_x AS SELECT pk_offer AS pk_x FROM tb_offer WHERE expires_at > now() AND extract(hour FROM now()) > 8;
CREATE TABLE tv_x AS SELECT o.pk_offer AS pk_x FROM tb_offer o JOIN tb_shop s ON o.expires_at + (s.closed_on - DATE '2001-01-01') * interval '1 day' > now();
CREATE TABLE tv_x AS SELECT pk_offer AS pk_x, now() > '2001-01-01' AS x FROM tb_offer;
CREATE TABLE tv_x AS SELECT pk_offer AS pk_x, coalesce(expires_at, now()) > now() AS x FROM tb_offer;
CREATE TABLE tv_x AS SELECT pk_offer AS pk_x FROM tb_offer WHERE starts::time > LOCALTIME;
DROP SCHEMA deadlines CASCADE;
