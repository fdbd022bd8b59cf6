-- Documents are computed with the settings of the session that created the TVIEW, in the fill, in
-- refreshes and in verification, whatever the database and other sessions have.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_tviews;
CREATE SCHEMA settings_pinned;
SET search_path = settings_pinned, public;
RESET client_min_messages;

CREATE TABLE tb_all (pk_all int PRIMARY KEY, at timestamptz, day date, lasts interval, raw bytea,
                     x float8, price money, body text, list text, flag boolean);
INSERT INTO tb_all
SELECT i, '2020-02-03 04:05:06.7+00', '2020-02-03', '1 day 2:03:04', '\x01ff61', 1.0 / 3, '12.34',
       'the quick foxes', '{a,NULL}', i > 1
FROM generate_series(1, 2) AS i;
CREATE FUNCTION is_unknown(flag text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
$$ BEGIN RETURN flag = NULL; END $$;

SET TimeZone = 'Asia/Tokyo';
SET DateStyle = 'SQL, DMY';
SET IntervalStyle = iso_8601;
SET bytea_output = escape;
SET extra_float_digits = -10;
SET default_text_search_config = 'pg_catalog.simple';
SET array_nulls = off;
SET xmlbinary = hex;
SET quote_all_identifiers = on;
SET transform_null_equals = on;
SET lc_time = 'C';
CREATE TABLE tv_all AS
SELECT pk_all, at::text AS at, day::text AS day, lasts::text AS lasts, raw::text AS raw, x::text AS x,
       to_tsvector(body)::text AS words, (list::text[])[2] IS NULL AS is_null,
       is_unknown(NULLIF(flag, false)::text) AS is_unknown, quote_ident(list) AS quoted,
       date_trunc('day', at) AS midnight, xmlelement(name raw, raw)::text AS xml,
       to_jsonb(tb_all) - 'price' AS data
FROM tb_all;
-- Says nothing of settings, for it depends on none.
CREATE TABLE tv_none AS SELECT pk_all AS pk_none, body, flag FROM tb_all;
RESET ALL;
SET search_path = settings_pinned, public;
\x on
SELECT pk_all, at, day, lasts, raw, x, words, is_null, is_unknown, quoted, xml, data
FROM tv_all WHERE pk_all = 1;
UPDATE tb_all SET body = body || ' jump', list = list || '';
SELECT pg_tviews_wait();
SELECT pk_all, at, day, lasts, raw, x, words, is_null, is_unknown, quoted, xml, data
FROM tv_all WHERE pk_all = 1;
\x off
SELECT * FROM pg_tviews_verify('all');
SET TimeZone = 'America/New_York';
SET bytea_output = hex;
SELECT * FROM pg_tviews_verify('all');
RESET TimeZone;

-- A new query keeps them.
SELECT pg_tviews_replace('all', 'SELECT pk_all, at::text AS at, day::text AS day, lasts::text AS lasts,
    raw::text AS raw, x::text AS x, to_tsvector(body)::text AS words, (list::text[])[2] IS NULL AS is_null,
    is_unknown(NULLIF(flag, false)::text) AS is_unknown, quote_ident(list) AS quoted,
    date_trunc(''day'', at) AS midnight, xmlelement(name raw, raw)::text AS xml, to_jsonb(tb_all) AS data
    FROM settings_pinned.tb_all');
SELECT pg_tviews_wait();
SELECT at FROM tv_all WHERE pk_all = 2;

-- They can be changed, and are computed with at once.
ALTER TABLE tv_all SET (pg_tviews.timezone = 'UTC', pg_tviews.datestyle = 'ISO');
SELECT pg_tviews_wait();
SELECT at, midnight AT TIME ZONE 'UTC' AS midnight FROM tv_all WHERE pk_all = 2;
SELECT * FROM pg_tviews_verify('all');
SET extra_float_digits = 1;
ALTER TABLE tv_all RESET (pg_tviews.extra_float_digits);
SELECT pg_tviews_wait();
SELECT x FROM tv_all WHERE pk_all = 2;
ALTER TABLE tv_all SET (pg_tviews.timezone = 'nowhere');
ALTER TABLE tv_all SET (pg_tviews.search_path = 'nowhere');
CREATE TABLE tv_named WITH (pg_tviews.timezone = 'Asia/Kolkata') AS
SELECT pk_all AS pk_named, to_jsonb(at) AS data FROM tb_all;
SELECT data FROM tv_named WHERE pk_named = 1;
SELECT * FROM pg_tviews_verify('named');

-- What a label says is set as an ordinary user would set it, and nothing else is.
SELECT label::jsonb -> 'options' -> 'settings' ->> 'TimeZone' AS zone
FROM pg_seclabel WHERE objoid = 'tv_named'::regclass;

DROP SCHEMA settings_pinned CASCADE;
