-- The upkeep of a group state has the settings and the limits of its TVIEW.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_tviews;
CREATE SCHEMA group_states_upkeep;
SET search_path = group_states_upkeep, public;
SET pg_tviews.notice_lineage = off;

-- Constants are written, and read again, as the definition's settings say: the 5th of February, and 26 hours less.
SET datestyle = 'SQL, DMY';
SET intervalstyle = 'sql_standard';
SET transform_null_equals = on;
CREATE TABLE tb_event (pk_event int PRIMARY KEY, fk_day int, at timestamp, took interval, note text);
INSERT INTO tb_event SELECT i, 1, timestamp '01/01/2020' + i * interval '1 hour', '0', 'n' FROM generate_series(1, 10) AS i;
CREATE TABLE tv_day WITH (pg_tviews.group_state = on) AS
SELECT fk_day AS pk_day, count(*) FILTER (WHERE at < timestamp '05/02/2020') AS early, count(*) FILTER (WHERE took > interval '-1 2:00:00') AS short,
       count(*) FILTER (WHERE note = NULL) AS silent
FROM tb_event GROUP BY fk_day;
RESET datestyle;
RESET intervalstyle;
RESET transform_null_equals;
INSERT INTO tb_event VALUES (11, 1, '2020-01-02', '-25:00', NULL);
SELECT * FROM tv_day;
INSERT INTO tb_event VALUES (12, 1, '2020-03-01', '-25:00', NULL), (13, 1, '2020-03-01', '-27:00', '');
SELECT * FROM tv_day;
TABLE v_day EXCEPT TABLE tv_day;
SELECT level, is_valid FROM pg_tviews_group_states WHERE entity = 'day';

-- A row that takes for ever to be added costs the time of one TVIEW, then its state.
CREATE TABLE tb_number (pk_number int PRIMARY KEY, fk_sum int, x numeric);
INSERT INTO tb_number SELECT i, 1, i FROM generate_series(1, 10) AS i;
CREATE TABLE tb_item (pk_item int PRIMARY KEY);
CREATE TABLE tv_item AS SELECT pk_item FROM tb_item;
CREATE TABLE tv_sum WITH (pg_tviews.group_state = on, pg_tviews.refresh_timeout = '300ms') AS
SELECT fk_sum AS pk_sum, count(*) FILTER (WHERE gcd(10::numeric ^ 100000 + 1, x) > 0) AS n FROM tb_number GROUP BY fk_sum;
INSERT INTO tb_number VALUES (11, 1, 9);
SELECT * FROM tv_sum;
SELECT is_valid FROM pg_tviews_group_states WHERE entity = 'sum';
INSERT INTO tb_number VALUES (12, 1, 3::numeric ^ 100000);
INSERT INTO tb_item VALUES (1);
SELECT * FROM tv_item;
SELECT is_valid FROM pg_tviews_group_states WHERE entity = 'sum';

-- Memory too, where the kernel counts it.
CREATE TABLE tb_text (pk_text int PRIMARY KEY, fk_long int, x text, times int);
INSERT INTO tb_text SELECT i, 1, 'x', 1 FROM generate_series(1, 10) AS i;
CREATE TABLE tv_long WITH (pg_tviews.group_state = on, pg_tviews.refresh_memory = '64MB') AS
SELECT fk_long AS pk_long, count(*) FILTER (WHERE length(repeat(x, times)) > 1) AS n FROM tb_text GROUP BY fk_long;
INSERT INTO tb_text VALUES (11, 1, 'xx', 1);
SELECT * FROM tv_long;
SELECT is_valid FROM pg_tviews_group_states WHERE entity = 'long';
INSERT INTO tb_text VALUES (12, 1, 'xxxx', 100000000);
INSERT INTO tb_item VALUES (2);
SELECT * FROM tv_item ORDER BY 1;
SELECT is_valid FROM pg_tviews_group_states WHERE entity = 'long';

DROP SCHEMA group_states_upkeep CASCADE;
