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
RESET ROLE;

-- Asking for a refresh is enough: what is wrong is not read any more, and built anew by one of the next changes.
SELECT count(*) FROM (VALUES ('city'), ('kind'), ('one')) AS of (entity), pg_tviews_refresh(of.entity);
SELECT entity, level, is_valid FROM pg_tviews_group_states WHERE source = 'tb_tour'::regclass ORDER BY 1;
INSERT INTO tb_tour SELECT i, nullif(i % 4, 0), 'k' || i % 2, 1.5 FROM generate_series(45, 48) AS i;
SELECT pg_tviews_wait();
SELECT * FROM found;

DROP SCHEMA group_states_verify CASCADE;
DROP ROLE regress_group_states_verify;
