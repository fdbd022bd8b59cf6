-- What the planner expects may be more than an integer holds: the fill of such a TVIEW goes on, and so do the others.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_tviews;
CREATE SCHEMA online_fill_estimates;
SET search_path = online_fill_estimates, public;
SET pg_tviews.notice_lineage = off;
CREATE TABLE tb_list (pk_list int PRIMARY KEY, j json) WITH (autovacuum_enabled = off);
INSERT INTO tb_list SELECT i, '[1]' FROM generate_series(1, 10) AS i;
ANALYZE tb_list;
-- 10 times 100 to the 9th, and to the 12th.
CREATE TABLE tv_list AS
SELECT pk_list, a.value::text AS a
FROM tb_list, json_array_elements(j) AS a, json_array_elements(j) AS b, json_array_elements(j) AS c, json_array_elements(j) AS d, json_array_elements(j) AS e,
     json_array_elements(j) AS f, json_array_elements(j) AS g, json_array_elements(j) AS h, json_array_elements(j) AS i
WITH NO DATA;
SELECT pg_tviews_wait();
SELECT count(*) FROM tv_list;
CREATE TABLE tv_more AS
SELECT pk_list AS pk_more, a.value::text AS a
FROM tb_list, json_array_elements(j) AS a, json_array_elements(j) AS b, json_array_elements(j) AS c, json_array_elements(j) AS d, json_array_elements(j) AS e,
     json_array_elements(j) AS f, json_array_elements(j) AS g, json_array_elements(j) AS h, json_array_elements(j) AS i, json_array_elements(j) AS k,
     json_array_elements(j) AS l, json_array_elements(j) AS m
WITH NO DATA;
SELECT pg_tviews_wait();
SELECT count(*) FROM tv_more;
SELECT tview, rows_expected FROM tviews_internal.pg_tview_fill WHERE tview IN ('tv_list'::regclass, 'tv_more'::regclass) ORDER BY 1;
INSERT INTO tb_list VALUES (11, '[2]');
SELECT count(*) FROM tv_list;
DROP SCHEMA online_fill_estimates CASCADE;
