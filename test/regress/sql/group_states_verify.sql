-- A group state that is wrong is found though no document shows it, and repaired: it is built anew.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_tviews;
CREATE SCHEMA group_states_verify;
SET search_path = group_states_verify, public;
SET pg_tviews.notice_lineage = off;

CREATE TABLE tb_city (pk_city int PRIMARY KEY, name text);
CREATE TABLE tb_tour (pk_tour int PRIMARY KEY, fk_city int, kind text, fee numeric);
INSERT INTO tb_city SELECT i, 'city ' || i FROM generate_series(1, 3) AS i;
INSERT INTO tb_tour SELECT i, nullif(i % 4, 0), 'k' || i % 2, i * 0.5 FROM generate_series(1, 40) AS i;
CREATE TABLE tv_city WITH (pg_tviews.group_state = on) AS
SELECT pk_city, name, (SELECT count(*) FROM tb_tour AS t WHERE t.fk_city = c.pk_city) > 2 AS is_large FROM tb_city AS c;
CREATE TABLE tv_kind WITH (pg_tviews.group_state = on) AS
SELECT kind AS pk_kind, count(*) > 3 AS is_large, sum(fee) > 1 AS is_dear FROM tb_tour GROUP BY kind;
CREATE TABLE tv_one WITH (pg_tviews.group_state = on) AS SELECT 1 AS pk_one, count(*) > 3 AS is_large FROM tb_tour;
INSERT INTO tb_tour SELECT i, nullif(i % 4, 0), 'k' || i % 2, 1.5 FROM generate_series(41, 44) AS i;
SELECT pg_tviews_wait();
SELECT entity, level, is_valid, rows FROM pg_tviews_group_states WHERE source = 'tb_tour'::regclass ORDER BY 1;
CREATE VIEW found AS
SELECT entity, v.* FROM (VALUES ('city'), ('kind'), ('one')) AS of (entity), pg_tviews_verify(of.entity) AS v ORDER BY entity, key;
SELECT * FROM found;

-- They are shown with what they cost and are good for, and beside the paths of their source.
INSERT INTO tb_tour SELECT i, nullif(i % 4, 0), 'k' || i % 2, 1.5 FROM generate_series(145, 148) AS i;
SELECT pg_tviews_wait();
SELECT entity, rows, bytes > 30 * rows AS has_bytes, refreshes FROM pg_tviews_group_states WHERE source = 'tb_tour'::regclass ORDER BY 1;
SELECT source, strategy, path, captured_columns, lookup FROM pg_tviews_explain_lineage('city');
SELECT source, strategy, path FROM pg_tviews_explain_lineage('one');
-- A group that has grown large since: it is proposed to keep it.
CREATE TABLE tb_page (pk_page int PRIMARY KEY, fk_site int, size int) WITH (autovacuum_enabled = off);
INSERT INTO tb_page SELECT i, i % 3, i FROM generate_series(1, 30) AS i;
CREATE INDEX ON tb_page (fk_site);
ANALYZE tb_page;
CREATE TABLE tv_site AS SELECT fk_site AS pk_site, count(*) AS pages, sum(size::float8) AS size FROM tb_page GROUP BY fk_site;
CREATE TABLE tv_site_pages AS SELECT fk_site AS pk_site_pages, count(*) AS pages FROM tb_page GROUP BY fk_site;
CREATE TABLE tv_site_off WITH (pg_tviews.group_state = off) AS SELECT fk_site AS pk_site_off, count(*) AS pages FROM tb_page GROUP BY fk_site;
SELECT * FROM pg_tviews_suggest_group_states('site_pages');
INSERT INTO tb_page SELECT i, 1, i FROM generate_series(31, 5000) AS i;
ANALYZE tb_page;
SELECT * FROM pg_tviews_suggest_group_states('site_pages');
SELECT * FROM pg_tviews_suggest_group_states('site') UNION ALL SELECT * FROM pg_tviews_suggest_group_states('site_off');
SELECT message FROM pg_tviews_health_check() WHERE component = 'cost' AND message LIKE '%site%';
SELECT suggestion FROM pg_tviews_suggest_group_states('site_pages') \gexec
SELECT * FROM pg_tviews_suggest_group_states('site_pages');
SELECT message FROM pg_tviews_health_check() WHERE component = 'cost' AND message LIKE '%site%';
SELECT pg_tviews_suggest_group_states('nowhere');

-- Changed, gone, left over; of a text key, of none, of the whole table.
CREATE TEMP TABLE state AS
SELECT s.id, m.entity FROM tviews_internal.pg_tview_group_state AS s JOIN pg_tview_meta AS m USING (tview)
WHERE s.source = 'tb_tour'::regclass;
UPDATE tviews_internal.pg_tview_groups_int4 SET n = n + 1 WHERE state = (SELECT id FROM state WHERE entity = 'city') AND k = 1;
DELETE FROM tviews_internal.pg_tview_groups_int4 WHERE state = (SELECT id FROM state WHERE entity = 'city') AND k IS NULL;
INSERT INTO tviews_internal.pg_tview_groups_int4 SELECT id, 77, '{}', 5, '{}' FROM state WHERE entity = 'city';
UPDATE tviews_internal.pg_tview_groups_text SET p[2] = p[2] + 0.00
WHERE state = (SELECT id FROM state WHERE entity = 'kind') AND k = 'k1';
UPDATE tviews_internal.pg_tview_groups_int4 SET n = 0 WHERE state = (SELECT id FROM state WHERE entity = 'one');
SELECT * FROM found;
-- Who may read the TVIEW only, is told that there is something.
CREATE ROLE regress_group_states_verify;
GRANT USAGE ON SCHEMA group_states_verify TO regress_group_states_verify;
GRANT SELECT ON tv_city TO regress_group_states_verify;
SET ROLE regress_group_states_verify;
SELECT * FROM pg_tviews_verify('city');
SELECT * FROM pg_tviews_suggest_group_states('city');
RESET ROLE;
-- Whoever may read the source sees what differs; not with row security, as a state is of all rows.
GRANT SELECT ON tb_tour TO regress_group_states_verify;
SET ROLE regress_group_states_verify;
SELECT * FROM pg_tviews_verify('city');
RESET ROLE;
ALTER TABLE tb_tour ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON tb_tour TO regress_group_states_verify USING (pk_tour < 5);
SET ROLE regress_group_states_verify;
SELECT * FROM pg_tviews_verify('city');
RESET ROLE;
DROP POLICY few ON tb_tour;
ALTER TABLE tb_tour DISABLE ROW LEVEL SECURITY;

-- Of a join and several columns, and where only the column differs by which queries find the group.
CREATE TABLE tv_name WITH (pg_tviews.key = 'name, kind', pg_tviews.group_state = on) AS
SELECT c.name, t.kind, count(*) > 2 AS is_large, max(pk_tour) AS last
FROM tb_tour AS t JOIN tb_city AS c ON c.pk_city = t.fk_city GROUP BY c.name, t.kind;
UPDATE tb_tour SET kind = 'k0' WHERE pk_tour = 1;
SELECT pg_tviews_wait();
SELECT is_valid, rows FROM pg_tviews_group_states WHERE entity = 'name';
SELECT source, strategy, path, captured_columns FROM pg_tviews_explain_lineage('name');
SELECT * FROM pg_tviews_verify('name');
UPDATE tviews_internal.pg_tview_groups_keys SET text_2 = 'k7' WHERE state = (SELECT s.id FROM tviews_internal.pg_tview_group_state AS s
    WHERE s.tview = 'tv_name'::regclass) AND k[1] = 'city 1' AND text_2 = 'k1';
SELECT key, difference FROM pg_tviews_verify('name');

-- Distinct values are counted, and how often each is there, which no number shows.
CREATE TABLE tv_fees WITH (pg_tviews.group_state = on) AS SELECT fk_city AS pk_fees, count(DISTINCT pk_tour % 5) AS fees FROM tb_tour WHERE fk_city > 0 GROUP BY fk_city;
UPDATE tb_tour SET fk_city = 2 WHERE pk_tour = 1;
SELECT pg_tviews_wait();
SELECT is_valid FROM pg_tviews_group_states WHERE entity = 'fees';
SELECT * FROM pg_tviews_verify('fees');
UPDATE tviews_internal.pg_tview_groups_keys SET n = n + 1 WHERE state = - (SELECT s.id FROM tviews_internal.pg_tview_group_state AS s
    WHERE s.tview = 'tv_fees'::regclass) AND k = '{1,1,3}';
SELECT * FROM pg_tviews_verify('fees');

-- A state is compared with the settings of its TVIEW: the day is the 2nd of March.
CREATE TABLE tb_day (pk_day int PRIMARY KEY, day date);
SET datestyle = 'SQL, DMY';
CREATE TABLE tv_day WITH (pg_tviews.group_state = on) AS SELECT 1 AS pk_day, count(*) AS n FROM tb_day WHERE day < '02/03/2020';
RESET datestyle;
INSERT INTO tb_day VALUES (1, '2020-03-01'), (2, '2020-02-02'), (3, '2020-02-04');
SELECT pg_tviews_wait();
SELECT tv_day.n, states.is_valid FROM tv_day, pg_tviews_group_states AS states WHERE states.tview = 'tv_day'::regclass;
SELECT * FROM pg_tviews_verify('day');

-- Asking for a refresh is enough: what is wrong is not read any more, and built anew by one of the next changes.
SELECT count(*) FROM (VALUES ('city'), ('kind'), ('one')) AS of (entity), pg_tviews_refresh(of.entity);
SELECT entity, level, is_valid FROM pg_tviews_group_states WHERE source = 'tb_tour'::regclass ORDER BY 1;
INSERT INTO tb_tour SELECT i, nullif(i % 4, 0), 'k' || i % 2, 1.5 FROM generate_series(45, 48) AS i;
SELECT pg_tviews_wait();
SELECT * FROM found;

-- A row that comes while the row that it joins with leaves the group: its value was never there.
CREATE TABLE tb_day_of (pk_day_of int PRIMARY KEY, day text);
CREATE TABLE tb_event (pk_event int PRIMARY KEY, fk_day int, size int);
INSERT INTO tb_day_of VALUES (1, 'x'), (2, 'x');
INSERT INTO tb_event VALUES (1, 1, 5);
CREATE TABLE tv_largest WITH (pg_tviews.group_state = on) AS
SELECT d.day AS pk_largest, max(e.size) AS largest, min(- e.size) AS least, count(*) AS n FROM tb_event AS e JOIN tb_day_of AS d ON d.pk_day_of = e.fk_day GROUP BY d.day;
INSERT INTO tb_event VALUES (3, 1, 4);
SELECT * FROM tv_largest ORDER BY 1;
BEGIN;
INSERT INTO tb_event VALUES (2, 2, 6);
UPDATE tb_day_of SET day = 'y' WHERE pk_day_of = 2;
COMMIT;
SELECT * FROM tv_largest ORDER BY 1;
SELECT is_valid FROM pg_tviews_group_states WHERE entity = 'largest';
SELECT * FROM pg_tviews_verify('largest');

DROP SCHEMA group_states_verify CASCADE;
DROP ROLE regress_group_states_verify;
